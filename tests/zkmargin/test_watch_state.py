"""A state that is watched against everyone looked at: accounts of every kind that come, change and go."""

from pathlib import Path
from random import Random

import pytest

from circuits.margin.cell import ACCOUNT, Cell
from tests.zkmargin.test_watch_groups import CELLS, GROUPS, START, Walk, made
from zkmargin import population
from zkmargin.demo import make_batches
from zkmargin.machine import Machine
from zkmargin.risk import risk_actions
from zkmargin.watch_state import Accounts, WatchedState, accounts_below

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MARCH_2020 = DATA / "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz"
TRADES = DATA / "binance_um_btcusdt_trades.csv.gz"
FIRST = 600  # behind the groups


class Everyone:
    """The slow twin: nothing is remembered from tick to tick."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def touch(self, _: object) -> None:
        pass

    def tick(self) -> Accounts:
        return accounts_below(self.machine)


@pytest.mark.parametrize("tape", [None, TRADES, MARCH_2020], ids=["price model", "trades", "bars of 12 March 2020"])
def test_a_venue_does_the_same_as_one_that_looks_at_everyone(
    tape: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tape is not None and not tape.is_file():
        pytest.skip("the market data folder ../shared/data is not here")
    trades, bars = [tape] if tape == TRADES else [], tape if tape == MARCH_2020 else None
    arguments = trades, bars, "2020-03-12", 512, 1024, 16, 1, "watched"
    watched = list(make_batches(*arguments)[2])
    monkeypatch.setattr(population, "WatchedState", Everyone)
    assert watched == list(make_batches(*arguments)[2])


@pytest.mark.parametrize("seed", range(3))
def test_what_a_venue_does_for_groups_is_the_same(seed: int) -> None:
    """Whether it judges every group at every tick or those that are due."""
    machines = [made(seed), made(seed)]
    for machine in machines:
        rich = {1000 + market: Cell(1 << 50, 0, 0, market, ACCOUNT) for market in range(4)}
        machine.state.cells |= {address: cell.pack() for address, cell in rich.items()}
    walks = [Walk(seed, 2e-2), Walk(seed, 2e-2)]
    for machine, walk in zip(machines, walks, strict=True):
        machine.apply(walk.tick())
    watched, done = WatchedState(machines[0]), 0
    for _ in range(12):
        told = []
        for machine, walk in zip(machines, walks, strict=True):
            machine.apply(walk.tick())
            below = watched.tick() if machine is machines[0] else accounts_below(machine)
            actions = []
            for action in risk_actions(machine, below, range(1000, 1004)):
                actions.append(action)
                step = machine.apply(action)
                if step is not None and machine is machines[0]:
                    watched.touch(address for address, _ in step.written)
            told.append(actions)
        assert told[0] == told[1]
        done += len(told[0])
    assert done > 10 and watched.checks.sum() < 12 * GROUPS


def account(rng: Random, market: int) -> Cell:
    """Of any side, flat or not, with an equity from a little less than nothing to plenty."""
    position = rng.choice((0, 1, -1)) * int(10 ** rng.uniform(0, 6))
    worth = position * START[market] >> 16
    return Cell(int(abs(worth) * rng.uniform(-0.02, 0.5)) - worth, position, 0, market, ACCOUNT)


@pytest.mark.parametrize("seed", range(6))
def test_accounts_that_open_change_and_close(seed: int) -> None:
    """Also at the same address in another market, and from nobody on."""
    rng, machine, walk, found = Random(seed), made(seed), Walk(seed, 5e-3), 0
    state = machine.state
    machine.apply(walk.tick())
    watched = WatchedState(machine)
    for _ in range(60):
        machine.apply(walk.tick())
        told = watched.tick()
        assert told == watched.scan() == accounts_below(machine)
        found += len(told)
        changed = rng.sample(range(FIRST, CELLS), rng.randrange(20))
        for address in changed:
            state.cells.pop(address, None)
            if rng.random() < 0.8:
                state.cells[address] = account(rng, rng.randrange(4)).pack()
        watched.touch(changed)
    assert found and sum(len(each.book) for each in watched.isolated) > 100


def test_bands_count_everyone_and_checks_are_theirs() -> None:
    rng, machine, walk = Random(0), made(0), Walk(0, 1e-3)
    machine.state.cells |= {address: account(rng, address % 4).pack() for address in range(FIRST, CELLS)}
    machine.apply(walk.tick())
    watched = WatchedState(machine)
    below = len(watched.tick())
    bands = watched.bands()
    assert bands.sum() == len(watched) and (bands > 0).all()
    assert abs(bands[0] - below) < 3  # some are within a unit of their margin
    assert watched.checks.tolist() == bands.tolist()  # the first tick looks at everyone
    for _ in range(30):
        machine.apply(walk.tick())
        watched.tick()
    checks = watched.checks - bands
    assert checks[0] > 0 and checks[-3:].sum() < checks[1:4].sum()
