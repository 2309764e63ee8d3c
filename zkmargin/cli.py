"""The command line. Each command imports what it needs, so that `verify` loads the verifier and no more.

Exit codes: 0 done, 1 a proof or a batch does not hold, 2 bad input or usage.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from circuits.margin.parameters import PACKING_MAX

DOES_NOT_HOLD, BAD_INPUT = 1, 2
BAD_INPUT_ERRORS = {
    "BackendError", "BenchError", "InputError", "InvalidKey", "InvalidStatement",
    "ParameterError", "ProverError", "SetupError", "StoreError",
}  # fmt: skip
"""What a user can mend, by name: importing the classes would load every package."""

COMMANDS_ELSEWHERE = {
    "amend": "zkmargin.amend_command:amend",
    "bench": "bench.command:bench",
    "due": "zkmargin.due_command:due",
    "evm": "zkmargin.evm.command:evm",
    "exit": "zkmargin.evm.command:leave",
    "risk": "zkmargin.risk_command:risk",
    "solvency": "zkmargin.solvency_command:solvency",
    "verify-chain": "zkmargin.chain_command:verify_chain",
    "watch": "zkmargin.watch_command:watch",
}
"""Commands of other modules, loaded when called."""
OPTIONAL = dict.fromkeys(("eth_abi", "eth_account", "ethereum", "ethereum_types", "vyper"), "zkmargin[evm]")
OPTIONAL |= {"matplotlib": "zkmargin[bench]"}
"""Packages that not every installation has, and what brings them."""


class Hex(click.ParamType):
    """So many hex digits behind a prefix, as an integer."""

    def __init__(self, name: str, prefix: str, digits: int) -> None:
        self.name, self.prefix, self.digits = name, prefix, digits

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not re.fullmatch(f"{self.prefix}[0-9a-fA-F]{{{self.digits}}}", str(value)):
            before = f"{self.prefix} and " if self.prefix else ""
            self.fail(f"expected {before}{self.digits} hex digits", param, ctx)
        return int(value, 16)


ADDRESS, SEED = Hex("address", "0x", 40), Hex("seed", "", 64)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def on_terminal() -> bool:
    """Whether someone reads stderr as it is written."""
    return sys.stderr.isatty()


def chosen_backend(context: click.Context, parameter: click.Parameter, name: str) -> str:
    """Says on stderr, where that is a terminal, what `auto` stands for here and why."""
    if name != "auto":
        return name
    from prover.backend import choose_backend

    chosen, reason = choose_backend()
    if on_terminal():
        click.echo(f"backend: {chosen} ({reason})", err=True)
    return chosen


backend_option = click.option(
    "--backend",
    "backend_name",
    default="auto",
    show_default=True,
    callback=chosen_backend,
    help="reference, cpu, cuda or auto: cuda where it can run, else cpu.",
)
rollup_argument = click.argument("folder", type=FOLDER)


def population_options(command: Any) -> Any:
    """The options that say which batches are made: bars as the oracle's path, sizes, seed."""
    options = [
        click.option("--oracle", type=FILE, help="Minute bars: the trades happen at their times and closes."),
        click.option("--day", help="The day of the bars to take, as 2020-03-12; without it all."),
        click.option("--accounts", default=4096, show_default=True, type=click.IntRange(min=16)),
        click.option(
            "--transitions",
            default=4096,
            show_default=True,
            type=click.IntRange(min=64),
            help="Of a batch, a power of two.",
        ),
        click.option(
            "--limb-bits",
            default="16",
            show_default=True,
            type=click.Choice(["8", "16"]),
            callback=lambda _c, _p, v: int(v),
        ),
        click.option(
            "--packing",
            default=1,
            show_default=True,
            type=click.IntRange(1, PACKING_MAX),
            help="Columns a commitment: 1 proves fastest, 8 verifies cheapest.",
        ),
        click.option(
            "--seed",
            default="zkmargin",
            show_default=True,
            help="Of the population, the price model and an insecure setup.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


class Program(click.Group):
    """Turns what a user can mend into one line on stderr and exit code 2."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *COMMANDS_ELSEWHERE])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS_ELSEWHERE:
            module, attribute = COMMANDS_ELSEWHERE[name].split(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(context, name)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Exception as error:
            if type(error).__name__ == "InvalidProof":
                fail(f"refused: {error}", DOES_NOT_HOLD)
            if type(error).__name__ == "Reverted":
                fail(f"the contract refuses: {error}", DOES_NOT_HOLD)
            if isinstance(error, ModuleNotFoundError) and (package := str(error.name).split(".")[0]) in OPTIONAL:
                fail(f"{package} is not installed: it comes with {OPTIONAL[package]}", BAD_INPUT)
            if isinstance(error, OSError) or type(error).__name__ in BAD_INPUT_ERRORS:
                fail(str(error), BAD_INPUT)
            raise


def fail(message: str, code: int) -> None:
    click.echo(f"zkmargin: {message}", err=True)
    raise SystemExit(code)


def show(data: dict[str, Any], as_json: bool) -> None:
    """Names and values in two columns, or JSON."""
    if as_json:
        click.echo(json.dumps(data))
        return
    width = max(map(len, data))
    for name, value in data.items():
        click.echo(f"{name:<{width}}  {value}")


def pinned_key(path: Path, digests: Sequence[str], load: Callable[[str], Any]) -> Any:
    """The key of a file; InvalidProof where some digests are given, and its own is none of them."""
    from verifier import InvalidKey, InvalidProof

    if not all(re.fullmatch("[0-9a-fA-F]{64}", digest) for digest in digests):
        raise click.BadParameter("expected 64 hex digits", param_hint="--key-digest")
    try:
        key = load(path.read_text())
    except (InvalidKey, UnicodeDecodeError) as error:
        raise InvalidKey(f"{path}: {error}") from error
    if digests and key.digest not in map(bytes.fromhex, digests):
        raise InvalidProof(f"the digest of {path} is {key.digest.hex()}, not the pinned one")
    return key


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Any]:
    """A callback (stage, done, in all) that draws on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from prover.backend.kernels.cache import compiling

    quiet = quiet or not on_terminal()
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar, ExitStack() as stack:
        tasks: dict[str, Any] = {}
        if not quiet:
            first = bar.add_task("kernels", total=None, visible=False)
            stack.enter_context(
                compiling(lambda name: bar.update(first, visible=True, description=f"first run: compiling {name}"))
            )

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                for task in bar.task_ids:
                    bar.update(task, visible=False)
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield update


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zkmargin")
def main() -> None:
    """A zero-knowledge rollup for the margin engine of a derivatives venue."""


@main.command()
@click.option(
    "--tape", "tape", type=FILE, multiple=True, help="Trade files as exchanges publish them (see zkmargin tape)."
)
@population_options
@backend_option
@as_json
def demo(
    tape: tuple[Path, ...],
    oracle: Path | None,
    day: str | None,
    accounts: int,
    transitions: int,
    limb_bits: int,
    packing: int,
    seed: str,
    backend_name: str,
    as_json: bool,
) -> None:
    """From trades to verified proofs: builds a book, proves every batch, verifies it, and prints what it took."""
    from rich.console import Console

    from zkmargin.demo import demo_table, make_batches, run_demo

    if not as_json:
        click.echo("Insecure setup from a stated seed: its secret is known. For development only.", err=True)
    parameters, shape, batches = make_batches(tape, oracle, day, accounts, transitions, limb_bits, packing, seed)
    with progress_bar(as_json) as progress:
        report = run_demo(parameters, shape, batches, seed, backend_name, progress)
    if as_json:
        click.echo(json.dumps(report))
    else:
        Console(width=140).print(demo_table(report))


@main.command()
@click.option("--parameters", "parameters_file", type=FILE, required=True, help="JSON with `parameters` and `shape`.")
@click.option("--ptau", type=FILE, help="A ceremony's powers of tau in snarkjs' format.")
@click.option("--blake2b", help="The hash that the ceremony published for the file.")
@click.option("--insecure", metavar="SEED", help="Derive the secret from a seed: for development only.")
@click.option("--out", type=NEW_FILE, required=True)
@backend_option
def setup(
    parameters_file: Path, ptau: Path | None, blake2b: str | None, insecure: str | None, out: Path, backend_name: str
) -> None:
    """A structured reference string large enough for the parameters' circuit."""
    from prover.backend import get_backend
    from prover.setup import import_ptau, insecure_srs, save_srs
    from zkmargin.files import read_parameters
    from zkmargin.proving import layout_of

    if (ptau is None) == (insecure is None):
        raise click.UsageError("one of --ptau and --insecure is needed")
    parameters, shape = read_parameters(parameters_file)
    layout, backend = layout_of(parameters, shape), get_backend(backend_name)
    srs = (
        import_ptau(backend, ptau, layout.powers, blake2b)
        if ptau
        else insecure_srs(backend, layout.powers, str(insecure).encode())
    )
    for basis in layout.bases:
        srs.lagrange(*basis)
    save_srs(srs, out)
    show({"setup": str(out), "kind": srs.kind, "source": srs.source, "powers": len(srs.powers)}, False)


@main.command()
@rollup_argument
@click.option("--parameters", "parameters_file", type=FILE, required=True, help="JSON with `parameters` and `shape`.")
@click.option("--setup", "setup_file", type=FILE, required=True, help="What `zkmargin setup` wrote.")
@click.option("--chain", default=0, type=click.IntRange(0, (1 << 64) - 1), help="Id of the chain of its contract.")
@click.option(
    "--contract", default="0x" + 40 * "0", type=ADDRESS, help="The contract's address, which statements are bound to."
)
@backend_option
def init(folder: Path, parameters_file: Path, setup_file: Path, chain: int, contract: int, backend_name: str) -> None:
    """A new rollup in FOLDER: key, setup and an empty state."""
    from prover.backend import get_backend
    from prover.setup import load_srs
    from zkmargin.files import read_parameters
    from zkmargin.rollup import create_rollup

    backend, parameters = get_backend(backend_name), read_parameters(parameters_file)
    srs = load_srs(backend, setup_file)
    key = create_rollup(folder, *parameters, srs, backend, chain, contract)
    show({"rollup": str(folder), "key": key.digest.hex(), "setup": key.srs_kind}, False)


@main.command()
@click.argument("tape", type=FILE, nargs=-1)
@population_options
@click.option("--orders", is_flag=True, help="For a key whose trades fill signed orders (`zkmargin evm sign`).")
@click.option("--out", type=FOLDER, required=True)
def tape(
    tape: tuple[Path, ...],
    oracle: Path | None,
    day: str | None,
    accounts: int,
    transitions: int,
    limb_bits: int,
    packing: int,
    seed: str,
    orders: bool,
    out: Path,
) -> None:
    """Trades of an exchange's files (or of the price model, without a file) as batches for a seeded population.

    Prices, sizes and times stay those of the tape. Writes parameters.json and batch-NNN.jsonl into --out.
    """
    from dataclasses import replace

    from zkmargin.demo import make_batches
    from zkmargin.files import write_parameters, write_transactions

    parameters, shape, batches = make_batches(tape, oracle, day, accounts, transitions, limb_bits, packing, seed)
    if orders:  # two fills a transition, and as many slots as there are cells for accounts
        shape = replace(shape, cells=2 * shape.cells, orders=2 * shape.transitions, slots=shape.cells)
    out.mkdir(parents=True, exist_ok=True)
    write_parameters(out / "parameters.json", parameters, shape)
    written = [write_transactions(out / f"batch-{number:03}.jsonl", batch) for number, batch in enumerate(batches)]
    show({"parameters": str(out / "parameters.json"), "batches": ", ".join(map(str, written))}, False)


@main.command()
@rollup_argument
@click.argument("batch", type=FILE)
@click.option("--seed", type=SEED, help="Of the sample, in a key with a cadence: from a beacon, 64 hex digits.")
@backend_option
@as_json
def apply(folder: Path, batch: Path, seed: int | None, backend_name: str, as_json: bool) -> None:
    """Applies a JSON Lines file of transactions as the next batch; lists what is refused, and why."""
    from zkmargin.rollup import Rollup

    summary = Rollup(folder, backend_name).apply_file(batch, seed)
    if not as_json:
        summary["refusals"] = "".join(f"\n  {refusal}" for refusal in summary["refusals"]) or "none"
    show(summary, as_json)


@main.command()
@rollup_argument
@click.argument("number", type=int)
@as_json
def check(folder: Path, number: int, as_json: bool) -> None:
    """The mock prover: every constraint that the batch violates, by name, row and cells."""
    from zkmargin.rollup import Rollup

    failures = Rollup(folder).check(number)
    if as_json:
        listed = [
            {"constraint": f.constraint, "row": f.row, "cells": {k: str(v) for k, v in f.cells.items()}}
            for f in failures
        ]
        click.echo(json.dumps(listed))
    else:
        click.echo("\n".join(map(str, failures)) or f"batch {number}: every constraint holds")
    if failures:
        raise SystemExit(DOES_NOT_HOLD)


@main.command()
@rollup_argument
@click.argument("number", type=int)
@click.option("--out", type=FOLDER, help="Also write key.json, statement.json and proof.bin there.")
@backend_option
@as_json
def prove(folder: Path, number: int, out: Path | None, backend_name: str, as_json: bool) -> None:
    """Proves a batch that was applied, and keeps the proof."""
    from zkmargin.files import write_proof
    from zkmargin.rollup import Rollup

    rollup = Rollup(folder, backend_name)
    with progress_bar(as_json) as progress:
        summary = rollup.prove(number, progress)
    if out is not None:
        write_proof(out, rollup.history.of(number), rollup.store.batch(number))
    show(summary, as_json)


@main.command()
@click.option("--key", "key_file", type=FILE, required=True)
@click.option("--statement", "statement_file", type=FILE, required=True)
@click.argument("proof", type=FILE)
@click.option("--key-digest", help="The key's digest, 64 hex digits: another key is refused. An arbiter pins it.")
@click.option("--on-time", is_flag=True, help="In a key with a cadence: nobody was late, nor overdue in the sample.")
@click.option("--seed", type=SEED, help="With --on-time: what a beacon gave; else the state has to give the seed.")
@click.option("--allow-insecure", is_flag=True, help="Accept keys under a setup whose secret is known.")
@as_json
def verify(
    key_file: Path,
    statement_file: Path,
    proof: Path,
    key_digest: str | None,
    on_time: bool,
    seed: int | None,
    allow_insecure: bool,
    as_json: bool,
) -> None:
    """Checks a proof against a key and a statement; needs nothing else."""
    from verifier import verify
    from verifier.chain import check_seed
    from verifier.margin import MarginStatement, load_key

    key = pinned_key(key_file, [] if key_digest is None else [key_digest], load_key)
    statement = read_statement(statement_file)
    verify(key, MarginStatement.under(key, statement), proof.read_bytes(), allow_insecure)
    checks = statement.checks
    if on_time and checks is None:
        raise click.UsageError("--on-time: the key has no cadence")
    if on_time:  # a sample that the prover chose says nothing
        check_seed(statement, {} if seed is None else {statement.batch: seed})
    told = {"verdict": "accepted", "batch": statement.batch, "key": key.digest.hex(), "setup": key.srs_kind}
    show(told | ({} if checks is None else {**checks.counts(), "seed": f"{checks.seed:064x}"}), as_json)
    if on_time and not checks.punctual:
        raise SystemExit(DOES_NOT_HOLD)


def read_statement(path: Path) -> Any:
    """The statement in a file; InvalidStatement names it."""
    from circuits.margin.statement import InvalidStatement, Statement

    try:
        return Statement.from_json(path.read_text())
    except (InvalidStatement, UnicodeDecodeError) as error:
        raise InvalidStatement(f"{path}: {error}") from error


@main.command()
@rollup_argument
@click.option("--cell", type=int, help="One cell of the state.")
@as_json
def inspect(folder: Path, cell: int | None, as_json: bool) -> None:
    """What a rollup holds: key, sizes, last tick, batches; or one cell."""
    from zkmargin.rollup import Rollup

    rollup = Rollup(folder)
    show(rollup.describe() if cell is None else rollup.describe_cell(cell), as_json)


if __name__ == "__main__":
    main()
