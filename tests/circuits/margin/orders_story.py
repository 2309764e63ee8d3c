"""A batch in which orders are filled in parts, replaced and taken by a liquidator, and the book with their slots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from circuits.circuit import Circuit
from circuits.margin.cell import ACCOUNT, ORDER, SYSTEM, Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.orders import ID_SHIFT
from circuits.margin.parameters import Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from tests.circuits.margin.paper import Paper
from tests.circuits.margin.story import FEE_CELL, INSURANCE_CELL, PARAMETERS, PRICE
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.machine import Machine
from zkmargin.state import State, Step
from zkmargin.transactions import Deposit, Liquidate, Open, Order, Tick, Touch, Trade, Transaction
from zkmargin.witness import build_assignment

SHAPE = Shape(16, 32, 8, True, orders=16, slots=8)
SLOT = SHAPE.accounts  # the first one
CELLS = {
    FEE_CELL: Cell(100, kind=SYSTEM),
    INSURANCE_CELL: Cell(1000, kind=SYSTEM),
    2: Cell(1_000_000, kind=ACCOUNT),
    3: Cell(1_000_000, kind=ACCOUNT),
    4: Cell(-9_700, 100, kind=ACCOUNT),  # below maintenance
    5: Cell(30_000, -100, kind=ACCOUNT),
    6: Cell(1_000_000, 0, -5 << 32, 1, ACCOUNT),
    SLOT: Cell(5, 40, kind=ORDER),
}
TIME = 1060
NEWEST = (TIME + 1 << ID_SHIFT) - 1  # the last id of that time
TICK = Tick(TIME, ((PRICE, 0), (1 << 16, -5 << 32)))


def order(cell: int, side: int, slot: int, number: int, size: int = 60, **changes: int) -> Order:
    """One of market 0 near its price; side: 1 buys, -1 sells."""
    terms = {"limit": PRICE + side * (PRICE >> 5), "fee": 655, "expiry": 2000} | changes
    return Order(cell, terms.pop("market", 0), side < 0, size, slot=SLOT + slot, id=number, **terms)


BUY, SELL = order(2, 1, 0, 5), order(3, -1, 1, 1)
STEPS: dict[str, Transaction] = {
    "open": Open(8, 0, 0),
    "deposit": Deposit(2, 500, 1),
    "trade": Trade(2, 3, 10, 1, 1000, 3, 4, (BUY, SELL)),
    "again": Trade(3, 2, 10, -1, -1010, 0, 9, (SELL, BUY)),
    "replaced": Trade(3, 2, 5, 1, 500, 0, 0, (order(3, 1, 1, 2), order(2, -1, 2, NEWEST))),
    "liquidate": Liquidate(2, 4, 50, 4_900, 20, (order(2, 1, 3, 1),)),
    "touch": Touch(5),
}


@dataclass(frozen=True)
class Story:
    """places: of the named steps; paper: the honest columns."""

    circuit: Circuit
    statement: Statement
    batch: Batch
    places: dict[str, int]
    paper: Paper


def machine() -> Machine:
    """The story's state at its tick."""
    made = Machine(State.genesis(PARAMETERS), PARAMETERS, SHAPE.cells, slots=SHAPE.slots)
    made.state.cells = {address: cell.pack() for address, cell in CELLS.items()}
    made.apply(TICK)
    return made


def builder(shape: Shape = SHAPE) -> BatchBuilder:
    """A batch on the story's state that has its tick."""
    state = State.genesis(PARAMETERS)
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in CELLS.items()}
    made = BatchBuilder(state, PARAMETERS, shape)
    assert made.add(TICK) is None
    return made


@cache
def tell(sweep: bool = False) -> Story:
    """The story; sweep: its batch ends with the solvency of the book."""
    shape = replace(SHAPE, sweep=sweep)
    made, places = builder(shape), {}
    for name, transaction in STEPS.items():
        assert (refusal := made.add(transaction)) is None, f"{name}: {refusal}"
        places[name] = len(made.steps) - 1
    batch = made.finish()
    statement = stated(batch)
    return Story(margin_circuit(PARAMETERS, shape), statement, batch, places, paper_of(batch, statement, shape))


def stated(batch: Batch) -> Statement:
    lists = batch.last_oracle, batch.ticks, batch.next_queue, batch.l1, tuple(batch.diff.items())
    return Statement(batch.number, None, None, *lists, sweep=batch.sweep, orders=batch.orders)


def paper_of(batch: Batch, statement: Statement, shape: Shape = SHAPE) -> Paper:
    circuit = margin_circuit(PARAMETERS, shape)
    assignment = build_assignment(circuit, PARAMETERS, statement, batch.steps, batch.old, batch.new)
    return Paper(circuit, assignment, public_scalars(statement), public_terms(statement))


def taken(steps: Sequence[Step]) -> Batch:
    """The batch of these steps on the story's state, whoever made them."""
    made = builder()
    for step in steps:
        made.row_tick = step.tick
        made._take(step)
    return made.finish()
