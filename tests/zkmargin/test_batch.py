"""Batches: rows between ticks, capacity, fees, what changed, and the statement that the arbiters check."""

from itertools import pairwise

import pytest

from circuits.field import MODULUS
from circuits.margin.cell import unpack
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import L1Row, OracleRow, Statement
from circuits.margin.statement_rules import check_statement
from tests.margin_scenario import every_kind
from tests.margin_worlds import World, small_parameters
from tests.zkmargin.machines import FEE, INSURANCE, ONE, account, parameters, system
from zkmargin.batch import Batch, BatchBuilder, build_batch
from zkmargin.machine import Refused, State
from zkmargin.transactions import Deposit, Liquidate, Tick, Touch, Trade, Withdraw

SHAPE = Shape(transitions=8, cells=16, limb_bits=4, published_diff=True)
ROW = (ONE, 0)
TICK = Tick(1000, (ROW, ROW))


def state() -> State:
    cells = {2: account(10**9), 3: account(10**9), 4: account(-1501, 1600)}
    return State({address: cell.pack() for address, cell in cells.items()}, (ROW, ROW), 7, 1000, queue=5, batch=3)


def builder(**shape: int) -> BatchBuilder:
    return BatchBuilder(
        state(), parameters(), Shape(**{"transitions": 8, "cells": 16, "limb_bits": 4} | shape, published_diff=True)
    )


def kinds(batch: Batch) -> list[tuple[str, int]]:
    return [(step.kind, step.tick) for step in batch.steps]


def test_a_batch_begins_with_a_tick() -> None:
    made = builder()
    refusal = made.add(Touch(2), 4)
    assert refusal is not None and refusal.code == "no-tick"
    with pytest.raises(Refused, match="no-tick"):
        made.finish()
    assert made.state.batch == 3


def test_an_empty_batch() -> None:
    made = builder()
    made.add(TICK)
    batch = made.finish()
    assert (batch.number, batch.steps, batch.diff, batch.l1, batch.next_queue) == (3, (), {}, (), 5)
    assert batch.last_oracle == (OracleRow(7, 1000, 0, *ROW), OracleRow(7, 1000, 1, *ROW))
    assert batch.ticks == (OracleRow(8, 1000, 0, *ROW), OracleRow(8, 1000, 1, *ROW))
    assert (made.state.batch, batch.old, batch.new) == (4, batch.new, made.state.cells)


def test_pads_stand_where_ticks_pass() -> None:
    made = builder()
    for transaction in (TICK, TICK, TICK, Touch(2), Touch(3), TICK, Touch(2), TICK):
        assert made.add(transaction) is None
    expected = [("pad", 8), ("pad", 9), ("touch", 10), ("touch", 10), ("touch", 11)]
    assert kinds(made.finish()) == expected


def test_rows_leave_room_for_collect() -> None:
    made = builder(transitions=4)
    made.add(TICK)
    trade = Trade(2, 3, 10**6, 1, 10**6, 3, 4)
    outcomes = [made.add(trade, line) for line in range(1, 6)]
    assert [refusal.code if refusal else None for refusal in outcomes] == [None, None, None, "full", "full"]
    batch = made.finish()
    assert [kind for kind, _ in kinds(batch)] == ["trade", "trade", "trade", "collect"]
    assert [line for line, _ in batch.refusals] == [4, 5] and made.state.cell(2).position == 3 * 10**6


def test_pads_count_as_rows() -> None:
    made = builder(transitions=4)
    for _ in range(5):
        made.add(TICK)
    refusal = made.add(Touch(2))
    assert refusal is not None and refusal.code == "full"
    assert made.finish().steps == ()


def test_oracle_rows_are_limited() -> None:
    made = builder()
    refusals = [made.add(TICK) for _ in range(9)]
    assert [refusal is None for refusal in refusals] == [True] * 8 + [False]
    assert made.state.tick == 15 and len(made.finish().ticks) == 16


def test_l1_rows_are_limited() -> None:
    made = builder(transitions=64)
    made.add(TICK)
    refusals = [made.add(Deposit(2, 1, 5 + i)) for i in range(17)]
    assert [refusal is None for refusal in refusals] == [True] * 16 + [False]
    assert made.state.queue == 21 and len(made.finish().l1) == 16


def test_cells_are_limited() -> None:
    made = builder(cells=4)
    made.add(TICK)
    refusal = made.add(Touch(4))
    assert refusal is not None and refusal.code == "address"


def test_fees_are_collected_last_and_spent_in_the_next_batch() -> None:
    made = builder()
    made.add(TICK)
    assert made.add(Trade(2, 3, 10**6, 1, 10**6, 30, 4)) is None
    assert made.add(Liquidate(2, 4, 800, 800, 9)) is None
    assert made.add(Withdraw(FEE, 1, 5)) is None
    batch = made.finish()
    collect = batch.steps[-1]
    assert kinds(batch) == [("trade", 8), ("liquidate", 8), ("refuse", 8), ("collect", 8)]
    assert (collect.fresh_a, collect.fresh_b) == (False, True)
    assert (unpack(batch.new[FEE]), unpack(batch.new[INSURANCE])) == (system(34), system(9))
    assert batch.l1 == (L1Row(5, 4, FEE, 1, 0),)
    following = BatchBuilder(made.state, parameters(), SHAPE)
    following.add(TICK)
    assert following.add(Withdraw(FEE, 34, 6)) is None
    batch = following.finish()
    assert batch.l1 == (L1Row(6, 4, FEE, 34, 1),) and kinds(batch) == [("withdraw", 9)]


def test_a_refused_transaction_changes_nothing_and_is_told() -> None:
    made = builder()
    made.add(TICK)
    made.add(Deposit(2, 5, 99), 7)
    made.add(Trade(2, 2, 1, 1, 1, 0, 0), 8)
    batch = made.finish()
    assert [line for line, _ in batch.refusals] == [7, 8]
    assert batch.refusals[0][1].startswith("queue: ") and batch.refusals[1][1].startswith("same-cell: ")
    assert batch.old == batch.new and batch.steps == () and batch.diff == {}


def test_a_cell_that_comes_back_is_not_in_the_diff() -> None:
    made = builder()
    made.add(TICK)
    for direction, cash in ((1, 100), (-1, -100)):
        assert made.add(Trade(2, 3, 100, direction, cash, 0, 0)) is None  # type: ignore[arg-type]
    batch = made.finish()
    assert len(batch.steps) == 2 and batch.diff == {}


def as_statement(batch: Batch) -> Statement:
    diff = tuple(batch.diff.items())
    return Statement(batch.number, None, None, batch.last_oracle, batch.ticks, batch.next_queue, batch.l1, diff)


def check_batch(batch: Batch, rules: Parameters, shape: Shape) -> None:
    """The rows follow the ticks one at a time, the diff takes old to new, and the arbiters accept the lists."""
    check_statement(as_statement(batch), rules, shape)
    ticks = [batch.ticks[0].tick, *(step.tick for step in batch.steps)]
    assert all(after - before in (0, 1) for before, after in pairwise(ticks))
    assert not batch.steps or batch.steps[0].tick == batch.ticks[0].tick
    assert len(batch.steps) <= shape.transitions
    assert [step.kind for step in batch.steps[:-1]].count("collect") == 0
    addresses = batch.old.keys() | batch.new.keys()
    changes = {a: (batch.new.get(a, 0) - batch.old.get(a, 0)) % MODULUS for a in addresses}
    assert batch.diff == {address: change for address, change in changes.items() if change}


@pytest.mark.parametrize("shape", [Shape(32, 16, 4, True), Shape(64, 16, 8, True)])
def test_random_batches_make_statements(shape: Shape) -> None:
    world = World(5, shape)
    previous: Batch | None = None
    for number in range(8):
        batch = world.batch(40)
        check_batch(batch, world.parameters, shape)
        assert batch.number == number
        if previous is not None:
            assert batch.old == previous.new and batch.last_oracle == previous.ticks[-2:]
            assert batch.next_queue == previous.next_queue + len(previous.l1)
        previous = batch


def test_the_scenario_makes_statements() -> None:
    shape = Shape(32, 16, 4, True)
    batches, rules = every_kind(shape)
    for batch in batches:
        check_batch(batch, rules, shape)


def test_build_batch() -> None:
    rules = small_parameters()
    empty = State.genesis(rules)
    tick = Tick(1000, tuple((market.price, market.index) for market in rules.markets))
    batch = build_batch(empty, rules, SHAPE, [(1, tick), (2, Touch(2)), (3, Deposit(INSURANCE, 4, 0))])
    assert batch.refusals[0][0] == 2 and unpack(batch.new[INSURANCE]) == system(4)
    with pytest.raises(Refused, match="no-tick"):
        build_batch(empty, rules, SHAPE, [])
