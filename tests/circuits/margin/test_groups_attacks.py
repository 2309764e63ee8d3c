"""An operator who wants to pass an insolvent group through, with the laws that stop him.

Steps are made without asking a rule; what follows from them is filled in honestly, but for what is patched.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import PropertyMock, patch

import pytest

from circuits.margin.cell import EMPTY_CELL, ROOM_UNIT, Cell, head_kind
from circuits.margin.circuit import margin_circuit
from circuits.margin.kinds import L1_CODES
from circuits.margin.modules import CROSS
from circuits.margin.modules import PORTFOLIO as PORTFOLIO_MODULE
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import L1Row, OracleRow, Statement
from tests.circuits.margin.forge import low_limbs
from tests.circuits.margin.groups_story import CELLS, SHAPE, first_tick, parameters
from tests.circuits.margin.paper import Paper
from zkmargin import columns, witness, witness_groups
from zkmargin.machine import Machine
from zkmargin.recorder import Recorder, Values
from zkmargin.state import Group, Leg, Rule, State, Step
from zkmargin.transactions import Join, Trade, Withdraw
from zkmargin.witness_scenarios import Block

RULES = parameters()
RICH, PORTFOLIO, CROSS_THIN = 13, 12, 21


def machine() -> Machine:
    """The story's book at its first tick."""
    made = Machine(State.genesis(RULES), RULES, SHAPE.cells, SHAPE.groups, SHAPE.scenarios)
    made.state.cells = {address: cell.pack() for address, cell in CELLS.items()}
    made.apply(first_tick())
    return made


def forged(*steps: Step) -> set[str]:
    """The laws that a batch of these steps breaks."""
    cells = {address: cell.pack() for address, cell in CELLS.items()}
    new = dict(cells)
    for leg in (leg for step in steps for leg in step.legs):
        new[leg.address] = leg.after.pack()
    tick, genesis = first_tick(), State.genesis(RULES)
    rows = tuple(OracleRow(1, tick.time, market, *row) for market, row in enumerate(tick.rows))
    l1 = tuple(
        L1Row(i, L1_CODES[step.kind], step.legs[0].address, step.amount, int(step.kind != "refuse"))
        for i, step in enumerate(step for step in steps if step.queue is not None)
    )
    diff = tuple((a, new[a] - cells.get(a, 0)) for a in sorted(new) if new[a] != cells.get(a, 0))
    statement = Statement(1, None, None, genesis.oracle_rows(), rows, 0, l1, diff, scenarios=tick.scenarios)
    circuit = margin_circuit(RULES, SHAPE)
    with patch.object(columns, "_limbs", low_limbs):
        assignment = witness.build_assignment(circuit, RULES, statement, steps, cells, new)
    paper = Paper(circuit, assignment, public_scalars(statement), public_terms(statement))
    return paper.failures()


def withdrawn(address: int, amount: int, made: Machine | None = None) -> Step:
    """A withdrawal that nobody asked the margin rule about."""
    account = (made or machine()).context.judged(address)
    return Step("withdraw", 1, account.moved(-amount), amount=amount, queue=0, rule_a="initial")


def beyond(address: int) -> int:
    """One unit more than the group may pay out."""
    made, low, high = machine(), 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        paid = made.transition(Withdraw(address, middle, 0)).kind == "withdraw"
        low, high = (middle, high) if paid else (low, middle - 1)
    return low + 1


def test_what_is_honest_passes() -> None:
    assert forged(machine().transition(Withdraw(RICH, 300, 0))) == set()
    assert forged(machine().transition(Withdraw(9, 300, 0))) == set()


@pytest.mark.parametrize("address", [9, RICH])
def test_a_unit_more_than_initial_margin_lets_out(address: int) -> None:
    most = beyond(address) - 1
    assert forged(withdrawn(address, most)) == set()
    assert forged(withdrawn(address, most + 1)) == {"transitions.margin"}


@pytest.mark.parametrize("address", [9, RICH])
def test_the_refusal_of_what_is_due(address: int) -> None:
    account = machine().context.judged(address)
    assert forged(Step("refuse", 1, account.moved(0), amount=300, queue=0)) == {"transitions.margin"}


Scan = Callable[[Group, Leg, int, int, bool, Rule | None, Recorder], tuple[int, int]]


def scanning(blocks: Callable[[list[Cell]], Sequence[Sequence[Cell]]]) -> Scan:
    """A prover's own way to lay out the block of a leg; the leg is told the least of the worst."""

    def scan(
        group: Group, leg: Leg, place: int, tick: int, changes: bool, rule: Rule | None, recorder: Recorder
    ) -> tuple[int, int]:
        members = [cell for i, cell in enumerate(group.cells) if i]
        found = []
        for cells in blocks(members):
            block = Block(recorder, {"time": place + 1, "group": group.head, "tick": tick})
            block.add([(cell.market, cell.position, max(-cell.position, 0)) for cell in cells])
            found.append(block.end(0, block.turn())[1])
        return min(found), min(found)

    return scan


def losing_last(members: list[Cell]) -> list[Cell]:
    return sorted(members, key=lambda cell: cell.position * (1 if cell.market == 0 else 0))


@pytest.mark.parametrize(
    ("blocks", "law"),
    [
        (lambda members: [losing_last(members)[:-1]], "bus.position"),
        (lambda members: [[*members, members[1]]], "bus.position"),
        (lambda members: [losing_last(members)[:-1], losing_last(members)[-1:]], "bus.worst"),
        (lambda members: [members, members], "bus.worst"),
    ],
    ids=["a position left out", "a hedge counted twice", "the hedge in a block of its own", "two blocks"],
)
def test_blocks_of_scenarios(blocks: Callable[[list[Cell]], Sequence[Sequence[Cell]]], law: str) -> None:
    with patch.object(witness_groups, "scan", scanning(blocks)):
        assert law in forged(withdrawn(RICH, 300)) <= {law, "bus.position"}


@pytest.mark.parametrize(("claimed", "laid_out"), [("reducing", "initial"), ("initial", "reducing")])
def test_a_leg_whose_block_is_of_the_other_rule(claimed: Rule, laid_out: Rule) -> None:
    """What is judged by the worst before asks for it, and a first turn is made for nobody else."""
    honest = witness_groups.scan

    def scan(*arguments: Any) -> tuple[int, int]:
        *others, _, recorder = arguments
        return honest(*others, laid_out, recorder)

    made = machine()
    trades = {"reducing": Trade(41, 2, 100, -1, -10_000, 0, 0), "initial": Trade(15, 4, 20, -1, -100, 0, 0)}
    step = made.transition(trades[claimed])
    assert step.rule_a == claimed and forged(step) == set()
    with patch.object(witness_groups, "scan", scan):
        assert "bus.worst" in forged(step)


def test_a_portfolio_judged_as_a_cross_group() -> None:
    with patch.object(Group, "is_portfolio", PropertyMock(return_value=False)):
        assert forged(withdrawn(RICH, 300)) == {"groups.kind"}


def other_group(step: Step, group: Group) -> Step:
    return replace(step, a=replace(step.a, group=group))  # type: ignore[type-var]


def test_a_group_without_its_losing_member() -> None:
    """The head is told to have one cell less."""
    step = withdrawn(RICH, 300)
    assert step.a is not None and step.a.group is not None
    head, *members = step.a.group.cells
    shorter = Group(PORTFOLIO, (replace(head, position=head.position - 1), *members[:-1]))
    assert forged(other_group(step, shorter)) == {"bus.memory"}


def test_a_group_that_ends_before_its_head_says() -> None:
    step = withdrawn(RICH, 300)
    assert step.a is not None and step.a.group is not None
    assert "groups.head_length" in forged(other_group(step, Group(PORTFOLIO, step.a.group.cells[:-1])))


def test_the_sums_of_a_richer_group() -> None:
    """A thin group's member asks for the pass of another one."""
    made = machine()
    rich = made.context.judged(9).group
    assert rich is not None
    found = forged(other_group(withdrawn(CROSS_THIN, 1, made), rich))
    assert {"bus.own", "bus.sums"} <= found


def test_a_member_as_an_account_of_its_own() -> None:
    step = withdrawn(CROSS_THIN, 1)
    assert step.a is not None
    assert "transitions.linked" in forged(replace(step, a=replace(step.a, group=None)))


def test_a_pass_at_another_tick() -> None:
    """The sums of yesterday's prices."""
    honest = witness_groups._pass

    def stale(*arguments: Any) -> Values:
        sums, recorder = honest(*arguments), arguments[-1]
        for row in recorder.passes:
            row["tick"] = 0
        return sums

    with patch.object(witness_groups, "_pass", stale):
        assert {"bus.sums", "bus.oracle"} <= forged(withdrawn(9, 300))


def test_both_legs_in_one_group() -> None:
    """The sender's pass reads the receiver's cell at the time at which the receiver's leg writes it."""
    sender, receiver = machine().context.judged(9), CELLS[10]
    after = replace(receiver, collateral=receiver.collateral + 5)
    legs = sender.moved(-5), Leg(10, receiver, after, False)
    assert "bus.memory" in forged(Step("transfer", 1, *legs, size=5, cash=5, rule_a="initial"))


def test_an_option_settled_before_its_expiry() -> None:
    account = machine().context.settled(16)
    value = account.before.position * account.price >> 16
    step = Step("settle", 1, account.moved(value, -account.before.position))
    assert forged(step) == {"bus.expired"}


def test_half_an_option_settled() -> None:
    account = machine().context.settled(16)
    half = account.before.position // 2
    step = Step("settle", 1, account.moved(half * account.price >> 16, -half))
    assert "transitions.position_moves" in forged(step)


def test_a_head_that_changes_its_module_when_a_member_joins() -> None:
    step = machine().transition(Join(PORTFOLIO, 0))
    assert forged(step) == set() and step.b is not None
    cross = replace(step.b, after=replace(step.b.after, kind=head_kind(CROSS)))
    assert forged(replace(step, b=cross)) & {"transitions.kind", "transitions.kind_after", "bus.memory"}


def test_more_members_than_there_is_room() -> None:
    made = machine()
    step = made.transition(Join(28, 0))
    assert step.b is not None
    full = replace(step.b.before, position=4), replace(step.b.after, position=5)
    overfull = replace(step, b=replace(step.b, before=full[0], after=full[1]))
    assert "transitions.margin" in forged(overfull)


def test_a_member_that_joins_an_occupied_cell() -> None:
    """Behind the cross group of cell 8 with room, cell 11 is given an account first."""
    step = machine().transition(Join(8, 0))
    assert step.a is not None
    taken = replace(step, a=replace(step.a, before=Cell(5, 0, 0, 0, 1)))
    assert {"bus.memory"} <= forged(taken)


def formed(amount: int, room: int) -> set[str]:
    """The laws broken where an L1 `open` of this amount makes the first free cell the head of a portfolio."""
    address = next(cell for cell in range(2, SHAPE.cells) if cell not in CELLS)
    head = Cell(room, 1, 0, 0, head_kind(PORTFOLIO_MODULE))
    step = Step("form", 1, Leg(address, EMPTY_CELL, head, False), amount=amount, queue=0)
    return forged(step)


def test_an_account_of_the_first_market_made_a_head() -> None:
    """Its amount 1 is that of a portfolio without room; nothing its owner asks of it on L1 could be consumed."""
    assert formed(4 * ROOM_UNIT + 1, 4) == set()
    assert formed(1, 0) == {"transitions.margin"}
