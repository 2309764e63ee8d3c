"""Voluntary legs are fills of orders, within what the orders say: the laws, and what the machine refuses."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from circuits.margin.cell import ORDER, Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import ParameterError, Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.forge import low_limbs
from tests.circuits.margin.laws_orders import ORDER_TAMPERS, SWEEP_TAMPERS
from tests.circuits.margin.orders_story import (
    BUY,
    CELLS,
    NEWEST,
    SELL,
    SHAPE,
    SLOT,
    STEPS,
    TIME,
    builder,
    machine,
    order,
    paper_of,
    stated,
    taken,
    tell,
)
from tests.circuits.margin.story import PARAMETERS, PRICE
from zkmargin import columns, exchange, fills
from zkmargin.rules import Refused
from zkmargin.solvency_rows import book_totals
from zkmargin.state import State, Step
from zkmargin.transactions import Form, Liquidate, Open, Order, Tick, Trade, Transfer, encode, parse

WITHOUT = replace(SHAPE, orders=0, slots=0)
ORDER_CODES = {"order", "slot", "filled", "replaced", "limit", "order-fee", "expired"}


def laws(shape: Shape) -> set[str]:
    circuit = margin_circuit(PARAMETERS, shape)
    return {f"{table}.{law.name}" for table, found in circuit.base_constraints.items() for law in found}


def test_the_story_is_true() -> None:
    story = tell()
    check_statement(story.statement, PARAMETERS, SHAPE)
    assert story.paper.copy().failures() == set()
    assert [(row.slot - SLOT, row.id, row.fills) for row in story.statement.orders] == [
        (0, 5, 2), (1, 1, 2), (1, 2, 1), (2, NEWEST, 1), (3, 1, 1)
    ]  # fmt: skip
    slots = [story.batch.new[SLOT + i] for i in range(4)]
    counts = [Cell(5, 60, kind=ORDER), Cell(2, 5, kind=ORDER), Cell(NEWEST, 5, kind=ORDER), Cell(1, 50, kind=ORDER)]
    assert slots == [cell.pack() for cell in counts]


def test_no_law_without_a_tamper() -> None:
    added = laws(SHAPE) - laws(WITHOUT)
    assert added | {"bus.fill", "bus.order"} == {*ORDER_TAMPERS, "transitions.transfer_unordered"}


@pytest.mark.parametrize("name", ORDER_TAMPERS)
def test_law(name: str) -> None:
    tamper, expected = ORDER_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    assert paper.failures() == expected


def test_slots_are_no_money() -> None:
    """In the sums over a book, where a batch ends with them."""
    story = tell(sweep=True)
    assert story.paper.copy().failures() == set() and story.batch.sweep is not None
    money = [cell.collateral for cell in CELLS.values() if cell.kind != ORDER]
    assert story.batch.sweep.totals.collateral == sum(money) + 500
    rows = story.batch.ticks
    slots = {address: value for address, value in story.batch.new.items() if address < SLOT}
    assert book_totals(slots, PARAMETERS, rows) == story.batch.sweep.totals


@pytest.mark.parametrize("name", SWEEP_TAMPERS)
def test_law_of_the_book(name: str) -> None:
    tamper, expected = SWEEP_TAMPERS[name]
    paper = tell(sweep=True).paper.copy()
    tamper(paper)
    assert paper.failures() == expected


def forged(*steps: Step) -> set[str]:
    """The laws that a batch of these steps breaks, or that its statement is refused."""
    batch = taken(steps)
    try:
        check_statement(stated(batch), PARAMETERS, SHAPE)
    except InvalidStatement:
        return {"statement"}
    with patch.object(columns, "_limbs", low_limbs):
        return paper_of(batch, stated(batch)).failures()


@contextmanager
def lawless() -> Iterator[None]:
    """The machine without rules of orders: it makes the step that was asked for."""
    with (
        patch.object(fills, "require", lambda *_: None),
        patch.object(fills, "_require_bounds", lambda *_: None),
        patch.object(exchange, "require_unordered", lambda *_: None),
    ):
        yield


def trade(
    buy: Order = BUY, sell: Order = SELL, size: int = 10, cash: int = 1000, fees: tuple[int, int] = (0, 0)
) -> Any:
    return Trade(2, 3, size, 1, cash, *fees, (buy, sell))


def changed(made: Order, **changes: Any) -> Order:
    return Order(**{name: getattr(made, name) for name in made.__struct_fields__} | changes)


REFUSED = {
    "another's order": ("order", trade(changed(BUY, cell=5)), "bus.fill"),
    "an order of another market": ("order", trade(changed(BUY, market=1)), "bus.fill"),
    "an order to sell": ("order", trade(changed(BUY, sells=True)), "bus.fill"),
    "both legs in one slot": ("slot", trade(sell=changed(SELL, slot=SLOT)), "bus.memory"),
    "more than is left": ("filled", trade(size=21, cash=2100), "fills.left"),
    "an older order": ("replaced", trade(changed(BUY, id=4)), "fills.newer"),
    "dearer than the limit": ("limit", trade(cash=1032), "fills.limit_room"),
    "cheaper than the limit": ("limit", trade(cash=968), "fills.limit_room"),
    "a higher fee": ("order-fee", trade(changed(BUY, fee=196), fees=(3, 0)), "fills.fee_room"),
    "a fee on the seller": ("order-fee", trade(sell=changed(SELL, fee=0), fees=(0, 1)), "fills.fee_room"),
    "an expired order": ("expired", trade(changed(BUY, expiry=TIME - 1)), "statement"),
    "an account as slot": ("order", trade(changed(BUY, slot=7)), "statement"),
    "the id of no order": ("order", trade(changed(BUY, id=0, slot=SLOT + 4)), "statement"),
    "an order of nothing": ("order", trade(changed(BUY, size=0)), "statement"),
    "an id beyond its digit": ("order", trade(changed(BUY, id=1 << 63)), "statement"),
    "an id of the future": ("order", trade(changed(BUY, id=NEWEST + 1)), "statement"),
    "a transfer": ("order", Transfer(2, 6, 5), "transitions.transfer_unordered"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_nobody_can_prove_what_is_refused(name: str) -> None:
    code, transaction, law = REFUSED[name]
    with pytest.raises(Refused) as refusal:
        machine().transition(transaction)
    assert refusal.value.code == code
    with lawless():
        step = machine().transition(transaction)
    assert law in forged(step)


@pytest.mark.parametrize(
    "transaction",
    [
        trade(size=20, cash=2000),
        trade(cash=1031),
        trade(cash=969),
        trade(changed(BUY, fee=197), fees=(3, 0)),
        trade(changed(BUY, expiry=TIME)),
        trade(changed(BUY, id=6), size=60, cash=6000),
        trade(changed(BUY, slot=31)),
        trade(changed(BUY, limit=(1 << 48) - 1, size=(1 << 64) - 1), sell=changed(SELL, limit=0)),
    ],
)  # fmt: skip
def test_what_is_just_allowed_is_proven(transaction: Trade) -> None:
    assert forged(machine().transition(transaction)) == set()


EDGES = {
    "fills": (1, 16), "cell": (0, 23), "market": (0, 1), "sells": (0, 1), "size": (1, (1 << 64) - 1),
    "limit": (0, (1 << 48) - 1), "fee": (0, (1 << 16) - 1), "expiry": (TIME, (1 << 40) - 1), "slot": (24, 31),
    "id": (1, NEWEST),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_the_numbers_of_an_order(name: str) -> None:
    """At the edges of what the arbiters accept, and one beyond."""
    first, *others = tell().statement.orders
    least, most = EDGES[name]
    for value in (least, most, least - 1, most + 1):
        told = replace(tell().statement, orders=(replace(first, **{name: value}), *others))
        if least <= value <= most:
            check_statement(told, PARAMETERS, SHAPE)
        else:
            with pytest.raises(InvalidStatement, match=r"order 0: "):
                check_statement(told, PARAMETERS, SHAPE)


@pytest.mark.parametrize("kind", [1, 2])
def test_no_slot_is_opened(kind: int) -> None:
    rows = tuple(replace(row, cell=SLOT + 7) if row.kind == kind else row for row in tell().statement.l1)
    with pytest.raises(InvalidStatement, match="opens a slot") if kind == 1 else nullcontext():
        check_statement(replace(tell().statement, l1=rows), PARAMETERS, SHAPE)


@pytest.mark.parametrize("orders", [(), (BUY,), (BUY, SELL, BUY)])
def test_a_leg_without_an_order(orders: tuple[Order, ...]) -> None:
    with pytest.raises(Refused, match="order: 2 orders are needed"):
        machine().transition(Trade(2, 3, 10, 1, 1000, 0, 0, orders))


@pytest.mark.parametrize("leg", [0, 1])
def test_a_leg_that_hides_its_order(leg: int) -> None:
    """The leg sends what it did; nobody answers."""
    step = machine().transition(trade())
    assert "bus.fill" in forged(replace(step, fills=(step.fills[leg],)))


def test_a_fill_that_is_not_counted() -> None:
    """The slot is written as it was."""
    step = machine().transition(trade())
    first = replace(step.fills[0], after=step.fills[0].before)
    assert forged(replace(step, fills=(first, step.fills[1]))) & {"fills.filled", "bus.memory"}


def test_a_key_without_orders_knows_none() -> None:
    made = machine()
    made.context = replace(made.context, slots=0)
    with pytest.raises(Refused, match="order: this rollup's key has no orders"):
        made.transition(trade())
    with pytest.raises(InvalidStatement, match="orders: the key knows none"):
        check_statement(tell().statement, PARAMETERS, WITHOUT)


def test_slots_are_nobody_elses() -> None:
    made = machine()
    with pytest.raises(Refused, match="slot"):
        made.transition(Open(SLOT + 4, 0, 0))
    grouped = replace(made.context, groups=64)
    made.context = grouped
    with pytest.raises(Refused, match="slot"):
        made.transition(Form(SLOT - 2, 3, 0))
    made.context = replace(grouped, slots=0)
    assert made.transition(Form(SLOT - 2, 2, 0)).kind == "form"


def test_a_tick_waits_for_a_batch_whose_orders_it_would_expire() -> None:
    made = builder()
    assert made.add(trade(changed(BUY, expiry=TIME + 10))) is None
    later = Tick(TIME + 11, ((PRICE, 0), (1 << 16, -5 << 32)))
    refusal = made.add(later)
    assert refusal is not None and refusal.code == "expired"
    assert made.add(Tick(TIME + 10, later.rows)) is None
    check_statement(stated(made.finish()), PARAMETERS, SHAPE)


def test_the_table_of_fills_may_be_full() -> None:
    made = builder(replace(SHAPE, orders=2))
    assert made.add(trade(size=1, cash=100)) is None
    refusal = made.add(trade(size=1, cash=100))
    assert refusal is not None and refusal.code == "full"


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        ("slots", {"orders": 8, "slots": 0}),
        ("slots", {"orders": 0, "slots": 4}),
        ("slots", {"orders": 8, "slots": 31}),
        ("orders", {"orders": 12, "slots": 4}),
    ],
)
def test_shapes(field: str, shape: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match=field):
        replace(WITHOUT, **shape)  # type: ignore[arg-type]


def test_the_system_has_no_slot() -> None:
    with pytest.raises(ParameterError, match="insurance_cell"):
        margin_circuit(replace(PARAMETERS, insurance_cell=SLOT), SHAPE)


def test_a_trade_is_written_with_its_orders() -> None:
    for transaction in (STEPS["trade"], STEPS["liquidate"], trade(changed(BUY, signature="0x12"))):
        assert parse(encode(transaction)) == transaction
    statement = tell().statement
    assert Statement.decode(statement.encode()) == statement == Statement.from_json(statement.to_json())


def random_transaction(rng: Random) -> Trade | Liquidate:
    """Near the edges of what the orders say."""
    a, b = rng.sample((2, 3, 5), 2)
    direction, size = rng.choice((1, -1)), rng.choice((1, 5, 20, 60))
    cash = direction * (size * 100 + rng.choice((-3, 0, 0, 3)) * size + rng.choice((-1, 0, 1)))
    fees = [rng.choice((0, 0, size)) for _ in range(2)]
    orders = [
        order(
            leg, side, rng.randrange(-1, 5), rng.choice((1, 2, 5, 6)), rng.choice((size, 60)),
            expiry=rng.choice((TIME, TIME - 1, 2000, 2000)), fee=rng.choice((0, 655, 1000, 1000)),
        )
        for leg, side in ((a, direction), (b, -direction))
    ]  # fmt: skip
    if rng.random() < 0.2:
        return Liquidate(a, 4, min(size, 50), min(size, 50) * 98, 0, (order(a, 1, 5, 1, 60),))
    return Trade(a, b, size, direction, cash, *fees, tuple(orders))


@pytest.mark.parametrize("seed", range(6))
def test_random_batches(seed: int) -> None:
    """What the machine accepts is proven together; what it refuses for its orders has no proof."""
    rng, made = Random(seed), builder()
    while len(made.steps) < 6:
        transaction, first = random_transaction(rng), not made.steps
        refusal = made.add(transaction)
        if first and refusal is not None and refusal.code in ORDER_CODES:
            with lawless(), suppress(Refused, ValueError):
                assert forged(machine().transition(transaction)), f"{transaction}, refused for {refusal}"
    batch = made.finish()
    check_statement(stated(batch), PARAMETERS, SHAPE)
    assert paper_of(batch, stated(batch)).failures() == set()


def test_an_order_dies_with_a_newer_one_in_its_slot() -> None:
    """And a slot's count never falls for the same order, over two batches."""
    first = builder()
    assert first.add(trade(size=20, cash=2000)) is None  # to the end
    state: State = first.state
    first.finish()
    second = machine()
    second.state.cells = dict(state.cells)
    with pytest.raises(Refused, match="filled: 61"):
        second.transition(trade(size=1, cash=100))
    second.state.write(second.transition(trade(changed(BUY, id=6), size=1, cash=100)))
    with pytest.raises(Refused, match="replaced: slot 24 has seen order 6"):
        second.transition(trade(size=1, cash=100))
