"""What no stream of transactions can do: make quote, make positions, ruin an account by its own act, leak margin."""

from dataclasses import dataclass

import pytest

from circuits.margin.cell import unpack
from circuits.margin.modules import equity
from circuits.margin.tiers import NOTIONAL_LIMIT
from tests.margin_worlds import World, positions
from tests.zkmargin.machines import ONE, account, machine, parameters, refused
from zkmargin.machine import Machine, Refused, State, Step
from zkmargin.rules import Settled
from zkmargin.state import Leg
from zkmargin.transactions import Deleverage, Trade, Transfer, Withdraw

ACTORS = {"trade": "ab", "withdraw": "a", "transfer": "a", "liquidate": "a", "deleverage": "a"}


@dataclass
class Ledger:
    """2^32*(sum of c and fees) + sum of q*i + all funding dust so far."""

    dust: int = 0

    def total(self, state: State) -> int:
        cells = [unpack(value) for value in state.cells.values()]
        quote = sum(cell.collateral for cell in cells) + state.trade_fees + state.liquidation_fees
        return (quote << 32) + sum(cell.position * cell.index for cell in cells) + self.dust

    def settle(self, leg: Leg) -> None:
        """Adds d = pay*2^32 - q*(I - i), which is in [0, 2^32)."""
        if leg.settled:
            owed = leg.before.position * (leg.after.index - leg.before.index)
            self.dust += -owed % (1 << 32)


def from_l1(step: Step) -> int:
    return {"deposit": step.amount, "withdraw": -step.amount}.get(step.kind, 0) << 32


def legs(step: Step) -> list[Leg]:
    return [leg for leg in (step.a, step.b) if leg is not None]


@pytest.mark.parametrize("seed", range(8))
def test_quote_and_positions_are_conserved(seed: int) -> None:
    world, ledger = World(1000 + seed), Ledger()
    made = Machine(world.state, world.parameters, world.shape.cells)
    moved = 0
    for number in range(600):
        total = ledger.total(made.state)
        try:
            step = made.apply(world.transaction())
        except Refused:
            continue
        if number % 50 == 49:
            made.state.write(made.collect(made.state.tick))
        if step is None:
            continue
        for leg in legs(step):
            ledger.settle(leg)
        assert ledger.total(made.state) - total == from_l1(step), step
        cells = [unpack(value) for value in made.state.cells.values()]
        assert positions(cells, 2) == [0, 0], step
        moved += step.kind in ACTORS
    assert moved > 50


def judged(world: World, leg: Leg) -> tuple[Settled, int, int, int]:
    """The account as it was settled; equity after; both requirements after (maintenance, initial)."""
    market = world.parameters.markets[leg.after.market]
    price, index = world.state.rows[leg.after.market]
    notional = abs(leg.after.position) * price
    margins = market.requirement(notional, "maintenance"), market.requirement(notional, "initial")
    before = Settled.of(leg.address, leg.before, market, price, index)
    return before, equity(leg.after.collateral, leg.after.position, price), *margins


def acts_below_initial_margin(seed: int) -> int:
    """Healthy stays healthy; what is below initial margin afterwards kept its ratio of equity to requirement."""
    world = World(seed)
    made = Machine(world.state, world.parameters, world.shape.cells)
    below = 0
    for _ in range(600):
        try:
            step = made.apply(world.transaction())
        except Refused:
            continue
        for leg in [] if step is None else [getattr(step, name) for name in ACTORS.get(step.kind, "")]:
            if not leg.settled:
                continue
            before, after, maintenance, initial = judged(world, leg)
            if after << 16 >= initial:
                continue
            below += 1
            assert before.notional < NOTIONAL_LIMIT
            assert after * before.maintenance() >= before.equity * maintenance
            assert before.equity << 16 < before.maintenance() or after << 16 >= maintenance
    return below


def test_no_own_act_ruins_a_healthy_account() -> None:
    assert sum(acts_below_initial_margin(2000 + seed) for seed in range(24)) > 20


def least_cash(made: Machine, size: int) -> int:
    """The least that account 3 can be made to receive for `size`, by bisection of what the machine accepts."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        try:
            made.transition(Trade(3, 2, size, -1, -middle, 0, 0))
            high = middle
        except Refused:
            low = middle + 1
    return low


@pytest.mark.parametrize("size", [1, 7, 50, 400])
def test_small_steps_leak_no_more_than_one(size: int) -> None:
    """A friend buys a weak account's position as cheaply as the machine allows, in steps: the ratio never falls."""
    made = machine({2: account(1 << 40), 3: account(-730, 800)}, rules=parameters(band=1 << 14))
    first = Settled.of(3, made.state.cell(3), made.context.parameters.markets[0], ONE, 0)
    while made.state.cell(3).position >= size:
        made.apply(Trade(3, 2, size, -1, -least_cash(made, size), 0, 0))
        cell = made.state.cell(3)
        held = equity(cell.collateral, cell.position, ONE)
        required = first.market.requirement(cell.position * ONE, "maintenance")
        assert held * first.maintenance() >= first.equity * required
        left = (held << 16) - first.market.requirement(cell.position * ONE, "initial")
        free = max(0, left >> 32)
        assert free <= 1, "rounding in the account's favour, once"
        refused(made, Transfer(3, 2, free + 1), "margin")
        assert made.transition(Withdraw(3, free + 1, 0)).kind == "refuse"
    assert held >= 0


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("price", "position"), [(ONE, 1600), (3 * ONE + 7, 977), (ONE // 3, 5000)])
def test_a_deleverage_has_one_quote_and_it_is_signed(side: int, price: int, position: int) -> None:
    """Of all amounts near the share exactly one is accepted; for a deep enough deficit it has the other sign."""
    signs = set()
    for deficit in (1, 37, position, 40 * position):
        worth = side * position * price >> 16
        for size in (1, position // 3, position):
            victim = account(-worth - deficit, side * position)
            made = machine({2: account(1 << 40, -side * position), 3: victim}, price=price)
            held = -(-(deficit * size) // position)
            middle = (side * size * price >> 16) + held
            found = [cash for cash in range(middle - 60, middle + 61) if _accepts(made, Deleverage(2, 3, size, cash))]
            assert len(found) == 1, (deficit, size, found)
            signs.add(found[0] > 0)
    assert signs == ({True} if side == 1 else {True, False})


def _accepts(made: Machine, transaction: Deleverage) -> bool:
    try:
        made.transition(transaction)
    except Refused as refusal:
        assert refusal.code == "quote"
        return False
    return True
