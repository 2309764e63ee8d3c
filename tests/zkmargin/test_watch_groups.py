"""The limits of groups against the rules on every one of them, tick by tick."""

from dataclasses import replace
from math import inf
from random import Random

import pytest

from circuits.margin.cell import Cell, head_kind, member_kind
from circuits.margin.modules import CROSS, PORTFOLIO, Module
from tests.circuits.margin.groups_story import P_BTC, P_CALL, P_ETH, P_PUT, SCENARIOS, parameters
from tests.circuits.margin.venue_modules import Directional, Stressed, Weighted
from zkmargin.machine import Machine
from zkmargin.state import State
from zkmargin.transactions import Tick
from zkmargin.watch_groups import WatchedGroups, judged
from zkmargin.watch_state import accounts_below

OWN = Directional(9000, 2), Stressed(110_000)
RULES = replace(parameters(), modules=OWN)
MODULES = (CROSS, PORTFOLIO, *OWN)
INSTRUMENTS = RULES.portfolio.instruments if RULES.portfolio is not None else ()
ROOM, GROUPS, CELLS = 8, 60, 1024
START = (P_BTC, P_ETH, P_CALL, P_PUT)


class Walk:
    """Prices, indices and scenarios that move, a little or by jumps."""

    def __init__(self, seed: int, pace: float) -> None:
        self.rng, self.pace, self.time = Random(seed), pace, 1060
        self.prices, self.indices, self.moves = list(START), [0, 0], [[0] * SCENARIOS, [0] * SCENARIOS]

    def tick(self) -> Tick:
        rng = self.rng
        self.time += 10
        for market in range(4):
            pace = self.pace * rng.choice((0.1, 1, 1, 10))
            self.prices[market] = max(int(self.prices[market] * (1 + rng.uniform(-pace, pace))), 1 << 10)
        for market in range(2):
            self.indices[market] += int(self.prices[market] * 65536 * rng.uniform(-self.pace, self.pace) / 50)
        for option, moves in enumerate(self.moves):
            price = self.prices[2 + option]
            changed = (move + int(price * rng.uniform(-self.pace, self.pace)) for move in moves)
            self.moves[option] = [max(move, -price) for move in changed]
        rows = zip(self.prices, (*self.indices, 0, 0), strict=True)
        return Tick(self.time, tuple(rows), ((), (), *map(tuple, self.moves)))


def book(seed: int) -> dict[int, Cell]:
    """Groups of one to seven members of any market, hedged or not, with equity from nothing to plenty."""
    rng, cells = Random(seed), {}
    for number in range(GROUPS):
        head, members = 2 + number * ROOM, rng.randrange(1, ROOM)
        module = MODULES[number % len(MODULES)]
        cells[head] = Cell(ROOM, members + 1, 0, 0, head_kind(module))
        for offset in range(1, members + 1):
            market = rng.randrange(4)
            position = rng.choice((0, 1, -1, -1)) * int(10 ** rng.uniform(0, 6))
            worth = position * START[market] >> 16
            collateral = int(abs(worth) * 10 ** rng.uniform(-1.5, 0.3)) - worth
            cells[head + offset] = Cell(collateral, position, 0, market, member_kind(offset))
    return cells


def made(seed: int) -> Machine:
    machine = Machine(State.genesis(RULES), RULES, CELLS, 256, 2048)
    machine.state.cells = {address: cell.pack() for address, cell in book(seed).items()}
    return machine


def below(machine: Machine) -> list[int]:
    """The slow twin."""
    return [members[0] - 1 for members in accounts_below(machine)]


@pytest.mark.parametrize("pace", [1e-4, 1e-3, 2e-2])
@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_missed(seed: int, pace: float) -> None:
    """Groups change between ticks as well, and what is found is not all there is."""
    machine, walk, rng = made(seed), Walk(seed, pace), Random(seed)
    machine.apply(walk.tick())
    watched, found = WatchedGroups(machine), set()
    for _ in range(60):
        machine.apply(walk.tick())
        told = watched.tick()
        assert told == below(machine)
        found |= set(told)
        head = rng.choice(watched.heads)
        member = machine.state.cell(head + 1)
        paid = replace(member, collateral=member.collateral - abs(member.collateral) // 8, position=-member.position)
        machine.state.cells[head + 1] = paid.pack()
        watched.touch([head])
    assert 0 < len(found) < GROUPS


@pytest.mark.parametrize("position", [1000, -1000])
def test_a_maintenance_that_takes_what_the_factor_says(position: int) -> None:
    """Limits by a smaller share of the worst scenario would be passed too late."""
    rules, heads = replace(parameters(), modules=(Weighted(),)), range(2, 1024, 4)
    machine = Machine(State.genesis(rules), rules, CELLS, 256, 2048)
    for number, head in enumerate(heads):
        equity = 20_000 + 50 * number
        member = Cell(equity - position * 100, position, 0, 0, member_kind(1))
        machine.state.cells |= {head: Cell(2, 2, 0, 0, head_kind(Weighted())).pack(), head + 1: member.pack()}
    machine.apply(Tick(1060, tuple((price, 0) for price in START), ((), (), *[(0,) * SCENARIOS] * 2)))
    watched, found = WatchedGroups(machine), []
    for step in range(1, 80):
        rows = P_BTC - position * step * 4, *START[1:]
        machine.apply(Tick(1060 + step, tuple((price, 0) for price in rows), ((), (), *[(0,) * SCENARIOS] * 2)))
        found.append(watched.tick())
        assert found[-1] == below(machine)
    assert 0 < len(found[0]) < len(found[-1]) < len(heads)


def to_a_corner(watched: WatchedGroups, place: int, state: State, rng: Random) -> None:
    """The market moves to the ends of a group's limits, up or down by chance: of a key, of the index, and of what the
    oracle says of each scenario."""
    rows, vectors = list(state.rows), list(state.vectors)
    for market, (price, index) in enumerate(state.rows):
        lowest, highest, least, most, farthest = watched.limits[:, market, place].tolist()
        if most < inf:
            index = rng.choice((int(least) + 1, int(most) - 1))
        low = -(-(int(lowest) + index) >> 16) if lowest > -inf else price // 8
        high = (int(highest) + index) >> 16 if highest < inf else 8 * price
        rows[market] = max(rng.choice((low, high)), 1), index
        instrument = INSTRUMENTS[market]
        if instrument.option is None:
            vectors[market] = instrument.linear_vector(rows[market][0])
        elif farthest < inf:
            move = rng.choice((-1, 1)) * int(farthest)
            vectors[market] = tuple(change + move for change in watched.origin[market])
    state.rows, state.vectors = tuple(rows), tuple(vectors)


@pytest.mark.parametrize("seed", range(8))
def test_nobody_is_below_at_the_ends_of_its_limits(seed: int) -> None:
    """Wherever the market jumps within what passes unseen; and some lose nearly all that they have there."""
    machine, walk, rng = made(seed), Walk(seed, 1e-2), Random(seed)
    state = machine.state
    machine.apply(walk.tick())
    watched = WatchedGroups(machine)
    for _ in range(5):
        machine.apply(walk.tick())
        watched.tick()
    at, unseen, nearest = (state.rows, state.vectors), 0, 1.0
    for place, head in enumerate(watched.heads):
        state.rows, state.vectors = at
        watched.touch([head])
        watched.tick()
        if watched.limits[0, 0, place] == inf:
            continue  # it is due whatever happens
        before = room(machine, head)
        for _ in range(24):
            state.rows, state.vectors = at
            to_a_corner(watched, place, state, rng)
            if place not in watched._due(watched._now()):
                unseen, left = unseen + 1, room(machine, head)
                assert left >= 0
                nearest = min(nearest, left / max(before, 1))
    assert unseen > 500 and nearest < 0.02


def room(machine: Machine, head: int) -> int:
    """E*2^16 - M."""
    account = judged(machine, head + 1)
    assert account is not None
    return (account.equity << 16) - account.maintenance()


def test_few_are_judged_where_little_happens() -> None:
    machine, walk = made(1), Walk(1, 1e-5)
    machine.apply(walk.tick())
    watched = WatchedGroups(machine)
    watched.tick()
    assert watched.checks.sum() == GROUPS
    always = len(below(machine))
    for _ in range(50):
        machine.apply(walk.tick())
        watched.tick()
    assert watched.checks.sum() - GROUPS < 50 * (always + GROUPS // 10)


def test_a_group_that_joins_and_one_that_is_emptied() -> None:
    machine, walk = made(2), Walk(2, 1e-4)
    new, gone = 2 + GROUPS * ROOM, 2
    machine.apply(walk.tick())
    watched = WatchedGroups(machine)
    watched.tick()
    cells = {new: Cell(ROOM, 2, 0, 0, head_kind(CROSS)), new + 1: Cell(-5, 0, 0, 0, member_kind(1))}
    machine.state.cells |= {address: cell.pack() for address, cell in cells.items()}
    machine.state.cells[gone] = replace(machine.state.cell(gone), position=1).pack()
    watched.touch([new, gone])
    machine.apply(walk.tick())
    found = watched.tick()
    assert new in found and gone not in found and found == below(machine)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("market", range(2))
@pytest.mark.parametrize("position", [1000, -1000])
def test_each_market_alone_and_step_by_step(module: Module, market: int, position: int) -> None:
    """One position against the market: it is found at the step that the rules say, and looked at seldom before."""
    machine, still = alone(module, market, position, 0.5), ((), (), (0,) * SCENARIOS, (0,) * SCENARIOS)
    watched, prices, seen = WatchedGroups(machine), list(START), []
    for step in range(100):
        prices[market] += (START[market] // 200) * (-1 if position > 0 else 1)
        machine.apply(Tick(1070 + step, tuple((price, 0) for price in prices), still))
        seen.append(found_at(machine, watched, step))
    first = seen.index([2])
    assert first > 20 and watched.checks.sum() < first // 2 + 100 - first


def alone(module: Module, market: int, position: int, share: float) -> Machine:
    """One group of one member, whose equity is this share of its notional, at the first tick's prices."""
    machine = Machine(State.genesis(RULES), RULES, CELLS, 256, 2048)
    worth = position * START[market] >> 16
    member = Cell(int(abs(worth) * share) - worth, position, 0, market, member_kind(1))
    cells = {2: Cell(2, 2, 0, 0, head_kind(module)), 3: member}
    machine.state.cells = {address: cell.pack() for address, cell in cells.items()}
    still = ((), (), (0,) * SCENARIOS, (0,) * SCENARIOS)
    machine.apply(Tick(1060, tuple((price, 0) for price in START), still))
    return machine


def found_at(machine: Machine, watched: WatchedGroups, step: int) -> list[int]:
    told = watched.tick()
    assert told == below(machine), step
    return told


def test_a_price_that_moves_as_its_index_does() -> None:
    """The key stands still, and so does equity; the requirement grows."""
    machine = alone(CROSS, 0, -1000, 0.06)
    watched, seen = WatchedGroups(machine), []
    for step in range(100):
        change = step * P_BTC // 100
        machine.state.rows = ((P_BTC + change, change << 16), *machine.state.rows[1:])
        seen.append(found_at(machine, watched, step))
    assert seen[0] == [] and seen[-1] == [2]


def test_scenarios_that_move_away_by_small_steps() -> None:
    """The origin follows, and what a group has left of its range shrinks with it."""
    machine = alone(PORTFOLIO, 2, -1000, 4.0)
    watched, seen = WatchedGroups(machine), []
    charge, *changes = machine.state.vectors[2]
    for step in range(100):
        moved = tuple(change + step * P_CALL // 20 for change in changes)
        machine.state.vectors = (*machine.state.vectors[:2], (charge, *moved), machine.state.vectors[3])
        seen.append(found_at(machine, watched, step))
    assert seen[0] == [] and seen[-1] == [2] and watched.checks.sum() < 80
