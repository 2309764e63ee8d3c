"""How much of a position a liquidation takes, and what it costs: the smallest part that restores health.

A part of the position goes to the liquidator at the oracle's price, rounded for the victim. It is the smallest with
which equity is again above maintenance by a buffer; the whole position, where that takes all of it, or where the rest
would be worth next to nothing. The fee is half of what the rules let the victim be charged, at most the cap.

Of a portfolio whose positions hedge each other none can be taken alone: then the same share of all of them is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from circuits.margin.modules import PRICE_FRACTION
from zkmargin.machine import Machine
from zkmargin.rules import Refused, Settled
from zkmargin.transactions import Liquidate, Taken

BUFFER = 1 << 14  # over 2^16: a quarter of maintenance on top of it
SHARES = (8, 4, 2, 1)  # of a portfolio that is taken as a whole: an eighth of each position, and so on
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


def basket(machine: Machine, victims: Sequence[Settled], takers: Mapping[int, int]) -> Liquidate | None:
    """The liquidation of the smallest of SHARES of all positions of a portfolio after which it is healthy with the
    buffer, or of all there is; None where the rules let none pass. takers: by the victim's cell, who takes its part."""
    found = None
    for share in SHARES:
        sizes = {one.address: -(-abs(one.before.position) // share) for one in victims}
        parts = [_part(one, takers[one.address], sizes[one.address]) for one in victims]
        outcome = _outcome(machine, parts, victims[-1].address)
        if outcome is None:
            continue
        most = machine.context.parameters.liquidation_fee_cap * sizes[victims[-1].address] * victims[-1].price
        fee = min(most >> 2 * PRICE_FRACTION, max(outcome.spare >> PRICE_FRACTION + 1, 0))
        found = _joined([*parts[:-1], structs.replace(parts[-1], fee=fee)])
        if outcome.healthy:
            break
    return found


@dataclass(frozen=True)
class _Outcome:
    """spare: what the victim could be charged by the rules, in quote * 2^-16."""

    healthy: bool
    spare: int


def _outcome(machine: Machine, parts: Sequence[Taken], member: int) -> _Outcome | None:
    """Of a basket without a fee; None where the rules refuse it."""
    try:
        steps = machine.steps(_joined(parts))
    except Refused:
        return None
    base = steps[0].base
    with machine.state.tentative():
        for step in steps:
            machine.state.write(step)
        after = machine.context.judged(member)
        equity, maintenance = after.equity, after.maintenance()
    kept = -(-base.equity * maintenance // base.maintenance) if base is not None and base.maintenance else 0
    healthy = equity << 2 * PRICE_FRACTION >= maintenance * ((1 << PRICE_FRACTION) + BUFFER)
    return _Outcome(healthy, equity - kept)


def _part(victim: Settled, taker: int, size: int) -> Taken:
    """At the oracle's price, rounded for the victim."""
    return Taken(taker, victim.address, size, -(-_signed(victim, size) * victim.price >> PRICE_FRACTION), 0)


def _joined(parts: Sequence[Taken]) -> Liquidate:
    first, *others = parts
    return Liquidate(first.a, first.b, first.size, first.cash, first.fee, first.orders, tuple(others))


def _signed(victim: Settled, size: int) -> int:
    return size if victim.before.position > 0 else -size
