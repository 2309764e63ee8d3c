"""`python -m bench.modules`: what a check of a whole account costs under each risk module, beside an isolated change.

Batches read about the same number of cells: as isolated accounts, the same with an order for each trade's legs, the
same under a cadence, the same checked for it instead of traded, as groups of 4, 16 and 64 cells under cross margin, as
portfolios of so many cells under 16 scenarios with options among them, and three of these mixed in one proof. As many
accounts are checked as fill tables, whose sizes are powers of two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

import click
from msgspec import structs
from rich.console import Console
from rich.table import Table

from bench.book import FIRST_ACCOUNT, power_above
from circuits.margin.cadence import Band, Cadence
from circuits.margin.cell import ACCOUNT, Cell, head_kind, member_kind
from circuits.margin.modules import CROSS, ISOLATED, PORTFOLIO, Module
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.portfolio import Instrument, Option, Portfolio
from circuits.margin.scenarios import block_rows
from circuits.margin.tiers import build_tiers
from prover.backend import Backend, get_backend
from prover.setup import insecure_srs
from verifier import verify
from verifier.margin import MarginStatement
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.dues import checks_for
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key, prove_batch
from zkmargin.state import State
from zkmargin.transactions import Order, Tick, Trade, Transaction

CADENCE, SAMPLES = Cadence((Band(0, 60), Band(1 << 15, 3600), Band(1 << 18, 86_400))), 512
PRICE, PREMIUM = 30_000 << 16, 900 << 16
LINEAR, OPTIONS, SCENARIOS = 4, 4, 16
EXPIRY = 1 << 30


class Kind(NamedTuple):
    """A kind of accounts, and how many cells a check of one reads."""

    module: Module
    cells: int

    @property
    def scanned(self) -> int:
        """Rows of scenarios a check: all legs of the bench have their initial margin."""
        return block_rows(self.cells - 1, SCENARIOS, changes=True, reducing=False) if self.module.scans else 0


SINGLE = Kind(ISOLATED, 1)
BATCHES: dict[str, tuple[Kind, ...]] = {
    "isolated": (SINGLE,),
    "orders": (SINGLE,),
    "cadence": (SINGLE,),
    "checks": (SINGLE,),
    **{f"cross-{cells}": (Kind(CROSS, cells),) for cells in (4, 16, 64)},
    **{f"portfolio-{cells}": (Kind(PORTFOLIO, cells),) for cells in (4, 16, 64)},
    "mixed": (SINGLE, Kind(CROSS, 16), Kind(PORTFOLIO, 64)),
}
"""The kinds of accounts in each batch; of several, each has the same number of cells."""


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
    """Cells, and for each kind of accounts the addresses that may trade in market 0."""

    cells: dict[int, Cell]
    traders: dict[Kind, list[int]]


def build_book(accounts: dict[Kind, int], random: Random) -> Book:
    """So many accounts of each kind, with positions in all their cells and equity to spare."""
    book = Book({}, {kind: [] for kind in accounts})
    address = FIRST_ACCOUNT
    for kind, number in accounts.items():
        for _ in range(number):
            if kind.module.groups:
                book.traders[kind].append(address + 1)
                book.cells.update(_group(address, kind, random))
            else:
                book.traders[kind].append(address)
                book.cells[address] = Cell(1 << 50, random.randrange(-(10**6), 10**6), 0, 0, ACCOUNT)
            address += kind.cells
    return book


def _group(head: int, kind: Kind, random: Random) -> Iterator[tuple[int, Cell]]:
    yield head, Cell(kind.cells, kind.cells, 0, 0, head_kind(kind.module))
    for offset in range(1, kind.cells):
        market = (offset - 1) % (LINEAR + OPTIONS)
        yield head + offset, Cell(1 << 46, random.randrange(-(10**6), 10**6), 0, market, member_kind(offset))


def checks_of(name: str, size: int) -> dict[Kind, int]:
    """How many accounts of each kind are checked, each an even number.

    Of one kind, as many as 2^size cells or rows of scenarios hold, two less where the cells are full, since the last
    transition is kept for fees. Of several, as many as half as many transitions hold.
    """
    kinds = BATCHES[name]
    if len(kinds) > 1:
        most = max(kind.cells for kind in kinds)
        number = ((1 << size - 1) - 2) // sum(most // kind.cells for kind in kinds) & -2
        return {kind: max(number, 2) * most // kind.cells for kind in kinds}
    [kind] = kinds
    number = (1 << size) // kind.cells - 2
    return {kind: min(number, (1 << size) // kind.scanned & -2) if kind.scanned else number}


def module_batch(name: str, size: int, limb_bits: int) -> tuple[Parameters, Shape, Batch]:
    """A batch whose every leg checks an account that no other leg checks."""
    parameters, checks, random = modules_parameters(), checks_of(name, size), Random(size)
    book = build_book(checks, random)
    transitions = sum(checks.values()) // 2 + 1
    passed = sum(number * kind.cells for kind, number in checks.items() if kind.module.groups)
    scanned = sum(number * kind.scanned for kind, number in checks.items())
    groups, scenarios = (power_above(rows) if rows else 0 for rows in (passed, scanned))
    cells, transitions = power_above(max(book.cells) + 1), power_above(transitions)
    shape = Shape(transitions, cells, limb_bits, True, groups=groups, scenarios=scenarios)
    if name == "orders":
        shape = replace(shape, cells=2 * cells, orders=2 * transitions, slots=cells)
    if name in ("cadence", "checks"):
        parameters, shape = replace(parameters, cadence=CADENCE), replace(shape, samples=SAMPLES)
    state = State.genesis(parameters)
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in book.cells.items()}
    builder = BatchBuilder(state, parameters, shape)
    told = tick() if scenarios else Tick(60, tick().rows)
    trades = _trades(book, shape.accounts if shape.orders else None)
    everything: list[Transaction] = [told, *(checks_for(book.traders[SINGLE]) if name == "checks" else trades)]
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
    """Seconds of a proof by the clock and of all processors, and how many accounts and cells it read."""

    name: str
    seconds: float
    processor: float
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
    times, processor = [], []
    for run in count():
        began, busy = perf_counter(), process_time()
        proof = prove_batch(key, statement, assignment, backend)
        times.append(perf_counter() - began)
        processor.append(process_time() - busy)
        if run == 0:
            verify(key.verifying, MarginStatement.under(key.verifying, statement), proof, allow_insecure=True)
        if run >= runs:
            break
    checks = checks_of(name, size)
    read = sum(number * kind.cells for kind, number in checks.items())
    seconds, busy = (median(found[1:] or found) for found in (times, processor))
    return Result(name, seconds, busy, sum(checks.values()), read, len(proof))


def report(results: Sequence[Result]) -> Table:
    """A row a batch; ratios are to the cost of a cell in the first, by the clock and by what processors did."""
    table = Table("batch", "s", "cpu s", "accounts", "cells read", "us a cell", "ratio", "cpu ratio", "proof bytes")
    first = results[0]
    for result in results:
        cost = result.seconds / result.cells
        row = result.name, f"{result.seconds:.2f}", f"{result.processor:.2f}", str(result.checks), str(result.cells)
        busy = result.processor / result.cells / (first.processor / first.cells)
        ratios = f"{cost / (first.seconds / first.cells):.2f}", f"{busy:.2f}"
        table.add_row(*row, f"{cost * 1e6:.0f}", *ratios, str(result.proof_bytes))
    return table


@click.command()
@click.option("--size", default=14, show_default=True, type=click.IntRange(8, 20), help="About 2^size cells are read.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Proofs after the first.")
@click.option("--limb-bits", default=16, show_default=True, type=click.Choice([8, 16]))
@click.option("--backend", default="cpu", show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(BATCHES)), help="These batches; all of them without.")
def main(size: int, runs: int, limb_bits: int, backend: str, only: tuple[str, ...]) -> None:
    """Proves a batch of each kind of accounts and shows the cost of a cell that is read."""
    names = only or tuple(BATCHES)
    Console(width=120).print(report([measure(name, size, runs, limb_bits, get_backend(backend)) for name in names]))


if __name__ == "__main__":
    main()
