"""`zkmargin solvency`: proofs about a whole book. Each command imports what it needs."""

from dataclasses import asdict
from pathlib import Path

import click

from zkmargin.cli import FILE, FOLDER, as_json, backend_option, pinned_key, progress_bar, rollup_argument, show


@click.group()
def solvency() -> None:
    """Proofs that every account of a state meets its maintenance margin, or how many do not and by how much."""


@solvency.command()
@rollup_argument
@click.option("--out", type=FOLDER, required=True, help="For key.json, statement.json and proof.bin.")
@backend_option
@as_json
def prove(folder: Path, out: Path, backend_name: str, as_json: bool) -> None:
    """Proves what the book of a rollup's present state has and lacks at its last oracle rows."""
    from zkmargin.files import write_solvency
    from zkmargin.rollup import Rollup
    from zkmargin.solvency import prove_state

    rollup = Rollup(folder, backend_name)
    with progress_bar(as_json) as progress:
        key, statement, proof = prove_state(rollup, progress)
    write_solvency(out, key, statement, proof)
    totals = {**asdict(statement.totals), "solvent": statement.totals.solvent}
    show({"batches": statement.batch, **totals, "proof bytes": len(proof)}, as_json)


@solvency.command()
@click.option("--key", "key_file", type=FILE, required=True)
@click.option("--statement", "statement_file", type=FILE, required=True)
@click.argument("proof", type=FILE)
@click.option("--key-digest", help="The key's digest, 64 hex digits: another key is refused.")
@click.option("--vault", type=int, help="Quote units that the contract holds for the state: are they what it says?")
@click.option("--allow-insecure", is_flag=True, help="Accept keys under a setup whose secret is known.")
@as_json
def verify(
    key_file: Path,
    statement_file: Path,
    proof: Path,
    key_digest: str | None,
    vault: int | None,
    allow_insecure: bool,
    as_json: bool,
) -> None:
    """Checks a solvency proof. Whether its root is that of the last proven batch, the arbiter of batches knows."""
    from circuits.margin.solvency_statement import SolvencyStatement
    from circuits.margin.statement import InvalidStatement
    from verifier import verify
    from verifier.solvency import SolvencyClaim, load_solvency_key

    key = pinned_key(key_file, [] if key_digest is None else [key_digest], load_solvency_key)
    try:
        statement = SolvencyStatement.from_json(statement_file.read_text())
    except (InvalidStatement, UnicodeDecodeError) as error:
        raise InvalidStatement(f"{statement_file}: {error}") from error
    claim = SolvencyClaim.under(key, statement)
    verify(key, claim, proof.read_bytes(), allow_insecure)
    told: dict[str, object] = {"verdict": "accepted", "root": [hex(c) for c in statement.root or (0, 0)]}
    told |= {"batches": statement.batch, **asdict(statement.totals), "solvent": statement.totals.solvent}
    if vault is not None:
        rounding = statement.rounding(vault, claim.parameters.assets)
        told["vault"] = "holds what the state says" if rounding >= 0 else "holds less than the state says"
        told["rounding, quote * 2^-32"] = rounding
    show(told, as_json)
