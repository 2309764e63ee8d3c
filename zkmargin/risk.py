"""What a venue does about accounts below maintenance, as far as the rules of the machine go.

Liquidation first, insurance next, deleveraging last: an account with equity is liquidated; a deficit that the insurance
can pay is covered, and what is left is liquidated; of another deficit the position goes to accounts of the other side.
"""

from collections.abc import Iterator, Sequence

from zkmargin.machine import Machine
from zkmargin.rules import Refused, Settled
from zkmargin.state import State
from zkmargin.transactions import Cover, Deleverage, Liquidate, Transaction

ACTIONS = 16  # on one account at one tick
ATTEMPTS = 32  # counterparties that are asked for one deleveraging

Sides = dict[bool, list[int]]  # is long -> addresses, the largest position last


def risk_actions(machine: Machine, liquidators: Sequence[int]) -> Iterator[Transaction]:
    """Each action follows from the state as the one before it left it, so apply each before the next is asked for."""
    accounts = [(address, cell) for address, cell in machine.state.accounts() if cell.position or cell.collateral < 0]
    by_size = sorted(accounts, key=lambda account: abs(account[1].position))
    sides = {long: [address for address, cell in by_size if (cell.position > 0) is long] for long in (True, False)}
    for address, _ in accounts:
        for _ in range(ACTIONS):
            action = next_action(machine, address, liquidators, sides)
            if action is None:
                break
            yield action


def next_action(machine: Machine, address: int, liquidators: Sequence[int], sides: Sides) -> Transaction | None:
    """What the account calls for now; None when it meets its maintenance margin or nothing is possible."""
    account = machine.context.settled(address)
    if account.equity >= 0:
        below = account.equity << 16 < account.maintenance()
        others = [cell for cell in liquidators if cell != address]
        return liquidation(machine, account, others[address % len(others)]) if below and others else None
    insurance = machine.state.cell(machine.context.parameters.insurance_cell).collateral
    deficit = -(account.equity >> 16)  # ceil(-TV / 2^16)
    if insurance >= deficit or (insurance > 0 and not account.before.position):
        return Cover(address, min(deficit, insurance))
    return deleveraging(machine, account, sides) if account.before.position else None


def liquidation(machine: Machine, victim: Settled, liquidator: int) -> Liquidate:
    """The whole position at the oracle's price, rounded for the victim; half of what it has left, at most the cap, is
    the fee."""
    size = abs(victim.before.position)
    cash = -(-victim.before.position * victim.price >> 16)
    cap = machine.context.parameters.liquidation_fee_cap * size * victim.price >> 32
    left = victim.collateral + cash
    return Liquidate(liquidator, victim.address, size, cash, min(cap, max(left // 2, 0)))


def deleveraging(machine: Machine, bankrupt: Settled, sides: Sides) -> Deleverage | None:
    """Against the largest position of the other side that may give it up; None when none of ATTEMPTS may."""
    held = bankrupt.before.position
    others = sides[held < 0]
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


def _holds(state: State, address: int, long: bool) -> bool:
    position = state.cell(address).position
    return position > 0 if long else position < 0
