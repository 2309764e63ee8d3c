"""Commands around the L1 contracts. Each imports what it needs when it is called."""

import json
from pathlib import Path
from typing import Any

import click

from zkmargin.cli import ADDRESS, FILE, FOLDER, NEW_FILE, as_json, backend_option, rollup_argument, show


@click.group()
def evm() -> None:
    """The contracts of a rollup: export them, or run them on a chain in this process."""


@evm.command()
def address() -> None:
    """Chain and contract for `zkmargin init` of a rollup that `zkmargin evm submit` is to run."""
    from zkmargin.evm.chain import CHAIN_ID
    from zkmargin.evm.local import rollup_address

    click.echo(f"--chain {CHAIN_ID} --contract 0x{rollup_address().hex()}")


@evm.command()
@rollup_argument
@click.option("--out", type=FOLDER, required=True)
@as_json
def export(folder: Path, out: Path, as_json: bool) -> None:
    """Sources, ABI, bytecode and constructor arguments of the contracts under the rollup's key."""
    from zkmargin.evm.export import export_contracts
    from zkmargin.rollup import Rollup

    show(export_contracts(Rollup(folder).key, out), as_json)


@evm.command()
@click.argument("order_file", metavar="ORDER", type=FILE)
@click.option("--chain", required=True, type=click.IntRange(0, (1 << 64) - 1))
@click.option("--contract", required=True, type=ADDRESS, help="The rollup contract's address.")
def order(order_file: Path, chain: int, contract: int) -> None:
    """What a wallet signs of an order in JSON (EIP-712, eth_signTypedData_v4)."""
    from zkmargin.evm.orders import read_order, typed_data

    click.echo(json.dumps(typed_data(read_order(order_file), chain, contract.to_bytes(20, "big")), indent=1))


@evm.command()
@rollup_argument
@click.argument("batch", type=FILE)
@click.option("--out", type=NEW_FILE, required=True)
def sign(folder: Path, batch: Path, out: Path) -> None:
    """Gives each trade of the rollup's next batch the orders that it fills, signed by the owners that the chain in this
    process has. For development only: whoever runs it has their keys."""
    from zkmargin.evm.sign import Owners
    from zkmargin.files import write_transactions
    from zkmargin.rollup import Rollup
    from zkmargin.store import StoreError
    from zkmargin.transactions import read_transactions

    rollup = Rollup(folder)
    if not rollup.shape.orders:
        raise StoreError(f"{folder}: its key has no orders")
    owners = Owners(rollup.store.state()[0], rollup.parameters, rollup.shape)
    transactions = owners.ordered(transaction for _, transaction in read_transactions(batch))
    show({"batch": str(write_transactions(out, transactions)), "orders": owners.number}, False)


@evm.command()
@rollup_argument
@click.option("--fork", type=click.Choice(["prague", "osaka"]), default="prague", show_default=True)
@click.option("--out", type=FOLDER, help="Write the calldata of each batch there, as batch-NNN.calldata.")
@as_json
def submit(folder: Path, fork: str, out: Path | None, as_json: bool) -> None:
    """Runs the rollup's proven batches, from the first on, on a chain in this process: requests, submissions, gas."""
    from rich.console import Console

    from zkmargin.evm.local import LocalL1
    from zkmargin.evm.report import gas_table, report
    from zkmargin.rollup import Rollup
    from zkmargin.store import StoreError

    rollup = Rollup(folder)
    numbers = [number for number, proven, _ in rollup.store.batches() if proven]
    if numbers != list(range(len(numbers))) or not numbers:
        raise StoreError(f"{folder}: batches are submitted from the first on, and batch 0 or a later one has no proof")
    if len(rollup.history.rules) > 1:
        raise StoreError(f"{folder}: its batches have several keys, and the chain in this process has one verifier")
    chain, spent = LocalL1(rollup.key, fork), []
    chain.expect(row for number in numbers for row in rollup.store.batch(number).statement.l1)
    for number in numbers:
        batch = rollup.store.batch(number)
        proof, signatures = batch.proof or b"", rollup.signatures(number)
        spent.append((chain.submit(batch.statement, proof, signatures), batch))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"batch-{number:03}.calldata").write_text(
                "0x" + chain.calldata(batch.statement, proof, signatures).hex()
            )
    told = report(chain, spent)
    if as_json:
        click.echo(json.dumps(told))
    else:
        Console(width=120).print(gas_table(told))


@click.command("exit")
@click.argument("batches", type=FILE, nargs=-1, required=True)
@click.option("--key", "key_file", type=FILE, required=True)
@click.option("--setup", "setup_file", type=FILE, required=True, help="What `zkmargin setup` wrote.")
@click.option("--cell", type=int, required=True)
@backend_option
@as_json
def leave(
    batches: tuple[Path, ...], key_file: Path, setup_file: Path, cell: int, backend_name: str, as_json: bool
) -> None:
    """The opening of a cell from public data alone: all batches from the first on, as statements in JSON or calldata.

    Prints what the contract's `escape` takes.
    """
    from zkmargin.evm.export import exit_of

    told: dict[str, Any] = exit_of(batches, key_file, setup_file, cell, backend_name)
    show(told, as_json)
