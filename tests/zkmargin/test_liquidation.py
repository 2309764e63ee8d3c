"""The smallest liquidation that restores health, and what is done for groups of every module."""

from random import Random

import pytest

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from tests.circuits.margin.groups_story import CELLS, SHAPE, first_tick, parameters
from tests.zkmargin.test_population import FIRST_ACCOUNT, PARAMETERS, PRICE, maintenance, world
from zkmargin.liquidation import DUST, restored, smallest, terms
from zkmargin.machine import Machine
from zkmargin.risk import next_action, risk_actions
from zkmargin.state import State
from zkmargin.transactions import Cover, Deleverage, Liquidate, Tick
from zkmargin.watch_state import accounts_below

CAP = PARAMETERS.liquidation_fee_cap


@pytest.mark.parametrize("position", [10**6, -(10**6), 333_333, -7])
@pytest.mark.parametrize("missing", [1, 1000, 10**7])
def test_the_smallest_part_that_restores_health(position: int, missing: int) -> None:
    machine = world(0, (max(maintenance(position) - missing, 0) - position * PRICE, position))
    victim = machine.context.judged(FIRST_ACCOUNT + 1)
    size = smallest(victim, CAP)
    assert 1 <= size <= abs(position)
    if size < abs(position):
        assert restored(victim, size, CAP) and not (size > 1 and restored(victim, size - 1, CAP))
        assert (abs(position) - size) * PRICE >= DUST
    for action in risk_actions(machine, accounts_below(machine), [FIRST_ACCOUNT]):
        assert isinstance(action, Liquidate) and action.size == size
        machine.apply(action)
    after = machine.context.judged(FIRST_ACCOUNT + 1)
    assert after.equity << 16 >= after.maintenance()


def test_dust_is_taken_whole() -> None:
    machine = world(0, (maintenance(30) - 1 - 30 * PRICE, 30))
    assert smallest(machine.context.judged(FIRST_ACCOUNT + 1), CAP) == 30


def test_the_fee_is_what_the_victim_can_bear() -> None:
    """With one unit more than twice of it E would be negative, or the cap passed."""
    machine = world(0, (maintenance(10**6) - 10 - 10**6 * PRICE, 10**6))
    victim = machine.context.judged(FIRST_ACCOUNT + 1)
    for size in (1000, 500_000, 10**6):
        cash, fee = terms(victim, size, CAP)
        step = machine.transition(Liquidate(FIRST_ACCOUNT, victim.address, size, cash, fee))
        assert step.rule_b == "reducing" and 0 < fee <= CAP * size * PRICE >> 16


def groups() -> Machine:
    """The story's book before its first transaction."""
    rules = parameters()
    machine = Machine(State.genesis(rules), rules, SHAPE.cells, SHAPE.groups, SHAPE.scenarios)
    machine.state.cells = {address: cell.pack() for address, cell in CELLS.items()}
    machine.apply(first_tick())
    return machine


def test_groups_are_liquidated_covered_and_deleveraged() -> None:
    """Until none is below maintenance, but those whose deficit nobody takes."""
    machine = groups()
    assert [cells[0] for cells in accounts_below(machine)] == [21, 25, 29, 33, 57]
    kinds = []
    for action in risk_actions(machine, accounts_below(machine), [2, 3, 4, 5]):
        machine.apply(action)
        kinds.append(type(action))
    assert {Liquidate, Cover} <= set(kinds)
    assert accounts_below(machine) == []


def test_without_insurance_positions_of_a_bankrupt_group_go_to_the_other_side() -> None:
    machine = groups()
    machine.state.cells[1] = Cell(0, kind=SYSTEM).pack()
    actions = []
    for action in risk_actions(machine, accounts_below(machine), [2, 3, 4, 5]):
        machine.apply(action)
        actions.append(action)
    taken = {action.b for action in actions if isinstance(action, Deleverage)}
    assert {25, 33} <= taken


def test_who_is_below_is_who_the_rules_say() -> None:
    """The scan and the groups' heads, against every account one by one."""
    rng = Random(3)
    for _ in range(20):
        machine = groups()
        rows = [(price * rng.randrange(80, 121) // 100, index) for price, index in machine.state.rows]
        machine.apply(
            Tick(
                1100, tuple(rows), ((), (), *([max(d, -rows[m][0]) for d in first_tick().scenarios[m]] for m in (2, 3)))
            )
        )
        found = {address for cells in accounts_below(machine) for address in cells}
        for address, cell in machine.state.occupied():
            if cell.kind == ACCOUNT or cell.is_member:
                account = machine.context.judged(address)
                assert (account.equity << 16 < account.maintenance()) == (address in found)
        assert all(
            next_action(machine, [a], [2, 3, 4, 5], dict) is None for a, c in machine.state.accounts() if a not in found
        )
