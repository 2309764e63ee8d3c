"""How much of a position a liquidation takes, and what it costs: the smallest part that restores health.

A part of the position goes to the liquidator at the oracle's price, rounded for the victim. It is the smallest with
which equity is again above maintenance by a buffer; the whole position, where that takes all of it, or where the rest
would be worth next to nothing. The fee is half of what the rules let the victim be charged, at most the cap.
"""

from circuits.margin.modules import PRICE_FRACTION
from zkmargin.machine import Machine
from zkmargin.rules import Settled
from zkmargin.transactions import Liquidate

BUFFER = 1 << 14  # over 2^16: a quarter of maintenance on top of it
DUST = 10**6  # quote units of notional below which a position is taken whole


def liquidation(machine: Machine, victim: Settled, liquidator: int, whole: bool = False) -> Liquidate:
    """The liquidation that the victim's cell calls for. whole: of the position, in any case."""
    cap = machine.context.parameters.liquidation_fee_cap
    size = abs(victim.before.position) if whole else smallest(victim, cap)
    cash, fee = terms(victim, size, cap)
    return Liquidate(liquidator, victim.address, size, cash, fee)


def smallest(victim: Settled, cap: int) -> int:
    """The least size after which the account is healthy with the buffer; the whole position where none is, or where the
    rest of it would be dust."""
    held = abs(victim.before.position)
    low, high = 1, held
    while low < high:  # more taken is never less healthy, but for roundings
        middle = (low + high) // 2
        low, high = (low, middle) if restored(victim, middle, cap) else (middle + 1, high)
    rest = (held - low) * victim.price >> PRICE_FRACTION
    return held if rest < DUST else low


def restored(victim: Settled, size: int, cap: int) -> bool:
    """Whether TV'*2^16 >= MM' with the buffer, once so much has been taken."""
    cash, fee = terms(victim, size, cap)
    after = victim.moved(cash - fee, -_signed(victim, size)).after
    required = victim.requirement(after.position, "maintenance")
    return victim.equity_after(after) << 2 * PRICE_FRACTION >= required * ((1 << PRICE_FRACTION) + BUFFER)


def terms(victim: Settled, size: int, cap: int) -> tuple[int, int]:
    """Cash that the liquidator pays, negative for a short victim, and the fee: half of what E >= 0 leaves, at most the
    cap; in quote units."""
    delta = _signed(victim, size)
    cash = -(-delta * victim.price >> PRICE_FRACTION)
    after = victim.moved(cash, -delta).after
    required, required_after = victim.maintenance(), victim.requirement(after.position, "maintenance")
    # E >= 0 while TV' >= TV*MM'/MM
    spare = victim.equity_after(after) - (-(-victim.equity * required_after // required) if required else 0)
    most = cap * size * victim.price >> 2 * PRICE_FRACTION
    return cash, min(most, max(spare >> PRICE_FRACTION + 1, 0))


def _signed(victim: Settled, size: int) -> int:
    return size if victim.before.position > 0 else -size
