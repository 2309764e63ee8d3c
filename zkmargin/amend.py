"""Announcing other parameters: whether they may follow, and whom they would hurt."""

from dataclasses import dataclass

from circuits.margin.parameters import Parameters, Shape
from circuits.margin.succession import Amendment, check_succession
from zkmargin.machine import Machine, machine_under
from zkmargin.rollup import Rollup
from zkmargin.rules import Settled
from zkmargin.watch_groups import judged
from zkmargin.watch_state import accounts_below


@dataclass(frozen=True)
class Hurt:
    """An account that keeps its maintenance margin under the present rules and would not under others.

    cells: that hold its money. before, after: what equity is above maintenance, in quote * 2^-32.
    """

    cells: tuple[int, ...]
    before: int
    after: int


@dataclass(frozen=True)
class Proposal:
    """Parameters that may follow the present ones. hurt: by address; below: how many are below maintenance already."""

    amendment: Amendment
    parameters: Parameters
    shape: Shape
    hurt: tuple[Hurt, ...]
    below: int


def propose(rollup: Rollup, parameters: Parameters, shape: Shape, start: int) -> Proposal:
    """What an announcement now would say; ParameterError where the parameters may not follow, or not so soon."""
    state, _ = rollup.store.state()
    amendment = Amendment(state.time, start)
    amendment.check_notice(rollup.parameters)
    check_succession((rollup.parameters, rollup.shape), (parameters, shape), start)
    scenarios = rollup.last_scenarios()
    now = machine_under(state, rollup.parameters, rollup.shape, scenarios)
    then = machine_under(state, parameters, shape, scenarios)
    already = {tuple(cells) for cells in accounts_below(now)}
    hurt = [cells for cells in map(tuple, accounts_below(then)) if cells not in already]
    told = tuple(Hurt(cells, _buffer(now, cells[0]), _buffer(then, cells[0])) for cells in hurt)
    return Proposal(amendment, parameters, shape, told, len(already))


def _buffer(machine: Machine, cell: int) -> int:
    account: Settled | None = judged(machine, cell)
    if account is None:
        raise AssertionError(f"cell {cell} was judged before")
    return (account.equity << 16) - account.maintenance()
