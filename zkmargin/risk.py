"""What a venue does about accounts below maintenance, as far as the rules of the machine go.

Liquidation first, insurance next, deleveraging last: an account with equity is liquidated; a deficit that the insurance
can pay is covered, and what is left is liquidated; of another deficit the positions go to accounts of the other side,
and assets, which have none, are sold for what they are worth.
An account is a cell, or a group of them under its own module: of those the largest position is taken first.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from zkmargin.liquidation import basket, liquidation
from zkmargin.machine import Machine
from zkmargin.rules import Refused, Settled
from zkmargin.state import State
from zkmargin.transactions import Cover, Deleverage, Transaction
from zkmargin.watch_groups import judged

ACTIONS = 16  # on one account at one tick
ATTEMPTS = 32  # counterparties that are asked for one deleveraging

Sides = dict[tuple[int, bool], list[int]]  # market, is long -> addresses, the largest position last


def risk_actions(
    machine: Machine, below: Sequence[Sequence[int]], liquidators: Sequence[int], whole: bool = False
) -> Iterator[Transaction]:
    """Each action follows from the state as the one before it left it, so apply each before the next is asked for.

    below: the cells of each account that is below maintenance. whole: liquidations take whole positions, not the
    smallest part that restores health. No action brings an account below maintenance that was above it: every leg keeps
    initial margin, or its share.
    """
    sides = cache(lambda: _sides(machine.state))
    for cells in below:
        for _ in range(ACTIONS):
            action = next_action(machine, cells, liquidators, sides, whole)
            if action is None:
                break
            yield action


def next_action(
    machine: Machine, cells: Sequence[int], liquidators: Sequence[int], sides: Callable[[], Sides], whole: bool = False
) -> Transaction | None:
    """What the account of these cells calls for now; None when it meets its maintenance margin or nothing is
    possible."""
    accounts = [account for address in cells if (account := judged(machine, address)) is not None]
    if not accounts:
        return None
    open_first = sorted((one for one in accounts if one.before.position), key=lambda one: one.notional, reverse=True)
    account = accounts[0]
    if account.equity >= 0:
        below = account.equity << 16 < account.maintenance()
        return _liquidation(machine, open_first, liquidators, whole) if below else None
    insurance = machine.state.cell(machine.context.parameters.insurance_cell).collateral
    deficit = -(account.equity >> 16)  # ceil(-TV / 2^16)
    if insurance >= deficit or (insurance > 0 and not open_first):
        return Cover(account.address, min(deficit, insurance))
    steps = (deleveraging(machine, one, sides()) for one in open_first)
    return next((step for step in steps if step is not None), None) or _sale(machine, open_first, liquidators)


def _sale(machine: Machine, held: Sequence[Settled], liquidators: Sequence[int]) -> Transaction | None:
    """The largest of a bankrupt account's assets, whole and at the oracle's price, to the first who may take it."""
    for asset in (one for one in held if one.market.is_asset):
        for taker in liquidators:
            if taker != asset.address and machine.state.cell(taker).market == asset.before.market:
                step = liquidation(machine, asset, taker, whole=True)
                if possible(machine, step):
                    return step
    return None


def _liquidation(
    machine: Machine, victims: Sequence[Settled], liquidators: Sequence[int], whole: bool
) -> Transaction | None:
    """The first of the positions that a liquidator of its market may take; of a hedge less may be worse, and then all
    are taken together."""
    takers = {}
    for victim in victims:
        others = [
            a for a in liquidators if a != victim.address and machine.state.cell(a).market == victim.before.market
        ]
        if others:
            takers[victim.address] = others[victim.address % len(others)]
            step = liquidation(machine, victim, takers[victim.address], whole)
            if len(victims) == 1 or possible(machine, step):
                return step
    hedged = len(victims) > 1 and len(takers) == len(victims) and victims[0].rest.scan is not None
    return basket(machine, victims, takers) if hedged else None


def deleveraging(machine: Machine, bankrupt: Settled, sides: Sides) -> Deleverage | None:
    """Against the largest position of the other side that may give it up; None when none of ATTEMPTS may."""
    held = bankrupt.before.position
    others = sides.get((bankrupt.before.market, held < 0), [])
    while others and not _holds(machine.state, others[-1], held < 0):
        others.pop()
    for other in reversed(others[-ATTEMPTS:]):
        if _holds(machine.state, other, held < 0):
            size = min(abs(held), abs(machine.state.cell(other).position))
            step = Deleverage(other, bankrupt.address, size, deleverage_cash(bankrupt, size))
            if possible(machine, step):
                return step
    return None


def deleverage_cash(bankrupt: Settled, size: int) -> int:
    """The one amount with 0 <= E < 2^16*MM: after it TV' is TV*MM'/MM, rounded up by less than one quote unit."""
    delta = size if bankrupt.before.position > 0 else -size
    required = bankrupt.maintenance()
    required_after = bankrupt.requirement(bankrupt.before.position - delta, "maintenance")
    # E = (TV + cash*2^16 - delta*P)*MM - TV*MM' >= 0
    least = bankrupt.equity * (required_after - required) + delta * bankrupt.price * required
    return -(-least // (required << 16))


def possible(machine: Machine, transaction: Transaction) -> bool:
    """Whether the machine would do it now."""
    try:
        machine.transition(transaction)
    except Refused:
        return False
    return True


def _sides(state: State) -> Sides:
    cells = [(address, cell) for address, cell in state.occupied() if cell.holds_money and cell.position]
    sides: Sides = {}
    for address, cell in sorted(cells, key=lambda entry: abs(entry[1].position)):
        sides.setdefault((cell.market, cell.position > 0), []).append(address)
    return sides


def _holds(state: State, address: int, long: bool) -> bool:
    cell = state.cell(address)
    return cell.holds_money and (cell.position > 0 if long else cell.position < 0)
