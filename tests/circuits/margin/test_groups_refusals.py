"""What the machine refuses of groups, portfolios and options nobody can prove: the rules are taken out of the machine,
and the step that it then makes breaks a law."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import product
from unittest.mock import patch

import pytest

from circuits.field import MODULUS
from circuits.margin.cell import ACCOUNT, ROOM_UNIT, Cell
from circuits.margin.modules import CROSS
from circuits.margin.parameters import Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement, most_room
from tests.circuits.margin.groups_story import BTC, CELLS, ETH, P_BTC, SHAPE, first_tick, group, parameters
from tests.circuits.margin.test_groups_attacks import forged, machine
from tests.circuits.margin.test_groups_random import Stream, paper_of
from zkmargin import context, exchange, groups, operations, rules
from zkmargin.batch import BatchBuilder
from zkmargin.rules import Refused
from zkmargin.state import State, Step
from zkmargin.transactions import Deposit, Form, Join, Tick, Trade, Transaction, Withdraw

MODULES = ("cross", "portfolio")
NO_STEP = (Refused, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError)
IGNORED = ("require", "require_reducing", "require_relief", "require_register", "require_tier", "require_budget")
BEYOND_THE_CIRCUIT = {"queue", "amount", "collect", "expiry", "address", "room", "module", "market", "system"}
"""Refusals of what another test tries, or the arbiters check, or no step can be made of."""


@contextmanager
def lawless(rule_a: str, rule_b: str) -> Iterator[None]:
    """The machine without rules: it makes the step that was asked for, and claims these margin rules."""
    claimed = iter((rule_a, rule_b))
    with ExitStack() as stack:
        for module, name in product((context, exchange, groups, operations, rules), IGNORED):
            if hasattr(module, name):
                stack.enter_context(patch.object(module, name, lambda *_: None))
        stack.enter_context(patch.object(exchange, "margin_rule", lambda *_: next(claimed)))
        yield


def claims(transaction: Transaction) -> Iterator[Step]:
    """The steps that a prover could claim for a transaction that is refused."""
    for rule_a, rule_b in product(("initial", "reducing"), repeat=2):
        with (
            lawless(rule_a, rule_b),
            suppress(*NO_STEP),
        ):
            yield machine().transition(transaction)


class Asked(Stream):
    """Proposals over the story's first tick, none of which is applied."""

    def tick(self) -> Tick:
        return first_tick()


def refusals(seed: int, count: int) -> Iterator[tuple[Transaction, str]]:
    stream = Asked(seed)
    assert stream.builder.add(stream.tick()) is None
    found = 0
    while found < count:
        proposal = stream.proposal()
        try:
            stream.builder.machine.transition(proposal)
        except Refused as refusal:
            if refusal.code not in BEYOND_THE_CIRCUIT:
                found += 1
                yield proposal, refusal.code


@pytest.mark.parametrize("seed", range(6))
def test_nobody_can_prove_what_is_refused(seed: int) -> None:
    tried = 0
    for transaction, code in refusals(seed, 12):
        for step in claims(transaction):
            tried += 1
            assert forged(step), f"{transaction}, refused for {code}, has a proof: {step}"
    assert tried > 12


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_nobody_can_prove_what_is_refused_at_length(seed: int) -> None:
    for transaction, code in refusals(seed, 40):
        for step in claims(transaction):
            assert forged(step), f"{transaction}, refused for {code}, has a proof: {step}"


SMALL_TABLES = (Shape(64, 64, 8, True, groups=4), Shape(64, 64, 8, True, groups=8, scenarios=64))


@pytest.mark.parametrize(("shape", "module"), [(SMALL_TABLES[0], "cross"), *((SMALL_TABLES[1], m) for m in MODULES)])
@pytest.mark.parametrize("amount", [10, 10**6])
def test_no_group_is_larger_than_its_tables(shape: Shape, module: str, amount: int) -> None:
    """The largest one can be paid, or refused; of a larger one the queue's row is refused by machine and arbiter."""
    made = parameters()
    most = most_room(made.portfolio if module == "portfolio" else None, shape.groups, shape.scenarios, False)
    builder = BatchBuilder(State.genesis(made), made, shape)
    assert builder.add(first_tick() if shape.scenarios else Tick(1060, first_tick().rows)) is None
    refusal = builder.add(Form(2, most + 1, 0, module))
    assert refusal is not None and refusal.code == "room"
    joins = [Join(2, number % 2) for number in range(most - 1)]
    for transaction in (Form(2, most, 0, module), *joins, Deposit(3, 1000, 1), Withdraw(3, amount, 2)):
        assert builder.add(transaction) is None
    batch = builder.finish()
    assert [row.outcome for row in batch.l1] == [1, 1, int(amount == 10)]
    told = Statement(0, None, None, batch.last_oracle, batch.ticks, 0, batch.l1, (), scenarios=batch.scenarios)
    check_statement(told, made, shape)
    larger = replace(batch.l1[0], amount=batch.l1[0].amount + ROOM_UNIT)
    with pytest.raises(InvalidStatement, match="a group has at most"):
        check_statement(replace(told, l1=(larger, *batch.l1[1:])), made, shape)


HUGE = -(-(1 << 79) // P_BTC)  # the least position whose notional no tier holds


@pytest.mark.parametrize(("position", "beyond"), [(HUGE, True), (HUGE - 1, False), (1 << 57, True), (-HUGE, True)])
def test_a_group_beyond_the_tiers_is_refused_with_proof(position: int, beyond: bool) -> None:
    """Else its owner's request would stay first in the queue for good."""
    cells = CELLS | group(8, CROSS, 4, (10, position, BTC), (1000, 3, ETH))
    cells |= {44: Cell(0, -position, 0, BTC, ACCOUNT)}
    state = State.genesis(parameters())
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in cells.items()}
    builder = BatchBuilder(state, parameters(), SHAPE)
    assert builder.add(first_tick()) is None
    assert builder.add(Withdraw(10, 1, 0)) is None
    step = builder.steps[-1]
    assert (step.kind, step.oversized) == ("refuse" if beyond else "withdraw", beyond)
    for other in (Withdraw(9, 1, 1), Deposit(10, 5, 2)):
        assert builder.add(other) is None
    refusal = builder.add(Trade(10, 3, 1, 1, 10, 0, 0))
    assert (refusal is not None and refusal.code == "group") == beyond
    paper = paper_of(parameters(), builder.finish())
    assert paper.copy().failures() == set()
    row = paper.columns["groups"]["position"].index(position % MODULUS)
    paper.write("groups", row, untiered=int(not beyond))
    assert ("groups.below" if beyond else "groups.above") in paper.failures()


def test_a_group_within_the_tiers_is_not_beyond_them() -> None:
    step = machine().transition(Withdraw(9, 300, 0))
    assert step.kind == "withdraw" and forged(step) == set()
    assert "transitions.margin" in forged(replace(step, kind="refuse", oversized=True, rule_a=None))


def test_the_largest_group_is_paid_where_a_batch_ends_with_a_sweep() -> None:
    made, shape = parameters(), Shape(64, 64, 8, True, groups=64, scenarios=64, sweep=True)
    builder = BatchBuilder(State.genesis(made), made, shape)
    most = most_room(made.portfolio, shape.groups, shape.scenarios, shape.sweep)
    joins = [Join(2, number % 2) for number in range(most - 1)]
    for transaction in (first_tick(), Form(2, most, 0, "portfolio"), *joins, Deposit(3, 1000, 1), Withdraw(3, 10, 2)):
        assert builder.add(transaction) is None
    assert builder.finish().sweep is not None


@pytest.mark.parametrize("sweep", [False, True])
def test_a_table_without_room_for_a_portfolio_has_room_for_none(sweep: bool) -> None:
    made, shape = parameters(), Shape(64, 64, 8, True, groups=64, scenarios=32, sweep=sweep)
    assert most_room(made.portfolio, shape.groups, shape.scenarios, shape.sweep) == 1
    builder = BatchBuilder(State.genesis(made), made, shape)
    assert builder.add(first_tick()) is None
    refusal = builder.add(Form(2, 2, 0, "portfolio"))
    assert refusal is not None and refusal.code == "room"
