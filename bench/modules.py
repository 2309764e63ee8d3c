"""`python -m bench.modules`: what a check of a whole account costs under each risk module, beside an isolated change.

Batches read the same number of cells: as isolated accounts, the same with an order for each trade's legs, as groups of
16 cells under cross margin, as portfolios of 64 cells under 16 scenarios with options among them, and all three mixed
in one proof.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from statistics import median
from time import perf_counter

import click
from msgspec import structs
from rich.console import Console
from rich.table import Table

from bench.book import FIRST_ACCOUNT, power_above
from circuits.margin.cell import ACCOUNT, Cell, head_kind, member_kind
from circuits.margin.modules import CROSS, PORTFOLIO
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.portfolio import Instrument, Option, Portfolio
from circuits.margin.scenarios import block_rows
from circuits.margin.tiers import build_tiers
from prover.backend import Backend, get_backend
from prover.setup import insecure_srs
from verifier import verify
from verifier.margin import MarginStatement
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key, prove_batch
from zkmargin.state import State
from zkmargin.transactions import Order, Tick, Trade, Transaction

PRICE, PREMIUM = 30_000 << 16, 900 << 16
LINEAR, OPTIONS, SCENARIOS = 4, 4, 16
EXPIRY = 1 << 30
NAMES = {"isolated": 1, "orders": 1, "cross": 16, "portfolio": 64, "mixed": 16}
"""Cells that a check reads; of the mixed batch, on the average."""


def shocks(market: int) -> tuple[int, ...]:
    """16 moves of the underlyings, up to 15 hundredths each way, all markets together and in half of them apart."""
    return tuple((step - SCENARIOS // 2) * 1228 * (-1 if step % 2 and market % 2 else 1) for step in range(SCENARIOS))


def modules_parameters() -> Parameters:
    """Perpetuals, and a call and its like on each."""
    tiers = build_tiers([(0, 328, 655), (1 << 60, 655, 1311)], cap=1 << 68)
    addons = build_tiers([(0, 33, 66), (1 << 60, 66, 131)], cap=1 << 68)
    perpetuals = [Market(f"PERP-{i}", 1000, tiers, PRICE, 0) for i in range(LINEAR)]
    calls = [Market(f"CALL-{i}", 0, tiers, PREMIUM, 0) for i in range(OPTIONS)]
    instruments = [Instrument(shocks(i), addons, None) for i in range(LINEAR)]
    instruments += [Instrument((), addons, Option(i, True, PRICE, EXPIRY, 2000)) for i in range(OPTIONS)]
    portfolio = Portfolio(SCENARIOS, 80_000, tuple(instruments))
    return Parameters((*perpetuals, *calls), 0, 1, 3000, 6000, 100, 1000, 0, portfolio)


def tick() -> Tick:
    """Prices as at genesis; a call moves by half of what its underlying does."""
    rows = [(PRICE, 0)] * LINEAR + [(PREMIUM, 0)] * OPTIONS
    calls = [tuple(max(PRICE * shock >> 17, -PREMIUM) for shock in shocks(i)) for i in range(OPTIONS)]
    return Tick(60, tuple(rows), (*((),) * LINEAR, *calls))


@dataclass(frozen=True)
class Book:
    """Cells, and for each module the addresses that may trade in market 0."""

    cells: dict[int, Cell]
    traders: dict[str, list[int]]


def build_book(accounts: dict[str, int], random: Random) -> Book:
    """So many accounts under each module, with positions in all their cells and equity to spare."""
    cells: dict[int, Cell] = {}
    traders: dict[str, list[int]] = {name: [] for name in accounts}
    address = FIRST_ACCOUNT
    for _ in range(accounts.get("isolated", 0)):
        cells[address] = Cell(1 << 50, random.randrange(-(10**6), 10**6), 0, 0, ACCOUNT)
        traders["isolated"].append(address)
        address += 1
    for name, module in (("cross", CROSS), ("portfolio", PORTFOLIO)):
        size = NAMES[name]
        for _ in range(accounts.get(name, 0)):
            cells[address] = Cell(size, size, 0, 0, head_kind(module))
            for offset in range(1, size):
                market = (offset - 1) % (LINEAR + OPTIONS)
                position = random.randrange(-(10**6), 10**6)
                cells[address + offset] = Cell(1 << 46, position, 0, market, member_kind(offset))
            traders[name].append(address + 1)
            address += size
    return Book(cells, traders)


def checks_of(name: str, size: int) -> dict[str, int]:
    """How many accounts of each module are checked in a batch that reads nearly 2^size cells, each an even number: two
    less than would fill the tables, whose last transition is kept for fees."""
    if name == "mixed":
        third = (1 << size) // 3
        return {part: 2 * max(third // NAMES[part] // 2, 1) for part in ("isolated", "cross", "portfolio")}
    return {"isolated" if name == "orders" else name: (1 << size) // NAMES[name] - 2}


def module_batch(name: str, size: int, limb_bits: int) -> tuple[Parameters, Shape, Batch]:
    """A batch whose every leg checks an account that no other leg checks."""
    parameters, checks, random = modules_parameters(), checks_of(name, size), Random(size)
    book = build_book(checks, random)
    transitions = sum(checks.values()) // 2 + 1
    passed = sum(checks.get(part, 0) * NAMES[part] for part in ("cross", "portfolio"))
    scanned = checks.get("portfolio", 0) * block_rows(NAMES["portfolio"] - 1, SCENARIOS, True, False)
    groups, scenarios = (power_above(rows) if rows else 0 for rows in (passed, scanned))
    cells, transitions = power_above(max(book.cells) + 1), power_above(transitions)
    shape = Shape(transitions, cells, limb_bits, True, groups=groups, scenarios=scenarios)
    if name == "orders":
        shape = replace(shape, cells=2 * cells, orders=2 * transitions, slots=cells)
    state = State.genesis(parameters)
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in book.cells.items()}
    builder = BatchBuilder(state, parameters, shape)
    told = tick() if scenarios else Tick(60, tick().rows)
    everything: list[Transaction] = [told, *_trades(book, shape.accounts if shape.orders else None)]
    for transaction in everything:
        if refusal := builder.add(transaction):
            raise ValueError(f"the bench's own {transaction} is refused: {refusal}")
    return parameters, shape, builder.finish()


def _trades(book: Book, first_slot: int | None) -> Iterator[Trade]:
    """Each of two accounts; where there are slots, each account's order has one of its own."""
    for traders in book.traders.values():
        for a, b in zip(traders[::2], traders[1::2], strict=True):
            trade = Trade(a, b, 1000, 1, 1000 * PRICE >> 16, 0, 0)
            if first_slot is not None:
                terms = (1000, PRICE, 0, EXPIRY)
                orders = tuple(Order(cell, 0, cell == b, *terms, first_slot + cell, 1) for cell in (a, b))
                trade = structs.replace(trade, orders=orders)
            yield trade


@dataclass(frozen=True)
class Result:
    """Seconds of a proof, and how many accounts and cells it read."""

    name: str
    seconds: float
    checks: int
    cells: int
    proof_bytes: int


def measure(name: str, size: int, runs: int, limb_bits: int, backend: Backend) -> Result:
    """The median of proofs of one batch, after one that compiles; each batch is verified once."""
    parameters, shape, batch = module_batch(name, size, limb_bits)
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"bench")
    key = margin_key(parameters, shape, srs, backend)
    statement = batch_statement(batch, commit_cells(srs, backend, shape.cells, batch.old), srs, backend, shape)
    assignment = batch_assignment(key.circuit, parameters, statement, batch, backend)
    times = []
    for run in count():
        began = perf_counter()
        proof = prove_batch(key, statement, assignment, backend)
        times.append(perf_counter() - began)
        if run == 0:
            verify(key.verifying, MarginStatement.under(key.verifying, statement), proof, allow_insecure=True)
        if run >= runs:
            break
    checks = checks_of(name, size)
    read = sum(number * NAMES[part] for part, number in checks.items())
    return Result(name, median(times[1:] or times), sum(checks.values()), read, len(proof))


def report(results: Sequence[Result]) -> Table:
    """A row a batch; the ratio is to the cost of a cell in the first."""
    table = Table("batch", "s", "accounts", "cells read", "us a cell", "ratio", "proof bytes")
    first = results[0].seconds / results[0].cells
    for result in results:
        cost = result.seconds / result.cells
        row = result.name, f"{result.seconds:.2f}", str(result.checks), str(result.cells), f"{cost * 1e6:.0f}"
        table.add_row(*row, f"{cost / first:.2f}", str(result.proof_bytes))
    return table


@click.command()
@click.option("--size", default=14, show_default=True, type=click.IntRange(8, 20), help="2^size cells are read.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Proofs after the first.")
@click.option("--limb-bits", default=16, show_default=True, type=click.Choice([8, 16]))
@click.option("--backend", default="cpu", show_default=True)
def main(size: int, runs: int, limb_bits: int, backend: str) -> None:
    """Proves a batch under each risk module and shows the cost of a cell that is read."""
    Console().print(report([measure(name, size, runs, limb_bits, get_backend(backend)) for name in NAMES]))


if __name__ == "__main__":
    main()
