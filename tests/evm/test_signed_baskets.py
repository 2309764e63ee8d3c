"""A liquidation of several positions in a key with orders: each part fills one of its liquidator's."""

from dataclasses import replace

from circuits.margin.statement_rules import check_statement
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.circuits.margin.groups_story import CELLS, SHAPE, first_tick, parameters
from tests.circuits.margin.test_baskets import PARTS, joined
from zkmargin.batch import BatchBuilder
from zkmargin.evm.sign import Owners
from zkmargin.proving import batch_statement, commit_cells
from zkmargin.state import State

ORDERED = replace(SHAPE, cells=128, orders=16, slots=64)


def book() -> State:
    state = State.genesis(parameters())
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in CELLS.items()}
    return state


def test_each_part_fills_an_order() -> None:
    signed = list(Owners(book(), parameters(), ORDERED).ordered([first_tick(), joined(*PARTS)]))
    builder = BatchBuilder(book(), parameters(), ORDERED)
    assert [builder.add(transaction) for transaction in signed] == [None, None]
    batch = builder.finish()
    assert [(row.cell, row.size, row.sells, row.fills) for row in batch.orders] == [(2, 400, 1, 1), (3, 5000, 0, 1)]
    backend = get_backend("cpu")
    srs = insecure_srs(backend, 128, b"orders")
    old = commit_cells(srs, backend, ORDERED.cells, batch.old)
    check_statement(batch_statement(batch, old, srs, backend, ORDERED), parameters(), ORDERED)
