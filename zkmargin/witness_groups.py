"""The witness of groups: what a leg says of its own, and the rows of the pass over the others."""

from collections.abc import Mapping, Sequence

from circuits.margin.leg import FUNDING_FRACTION, PRICE_FRACTION, SIGN_BIAS
from circuits.margin.parameters import Market
from circuits.margin.statement import OracleRow
from circuits.margin.transitions import INITIAL, INITIAL_OPEN, MAINTENANCE
from zkmargin.recorder import Recorder, Values
from zkmargin.state import Group, Leg

SUMS = ("equity", "maintenance", "initial")
_ZEROS = (
    "head", "member", "own", "address", "offset", "time", "tick", "magnitude", "negative", "position", "market",
    "length", "last", "kind", "gap", "price", "oracle_index", "funding_dust", "notional", "open_tier", "lower", "upper",
    "maintenance_rate", "maintenance_deduction", "initial_rate", "initial_deduction",
    *(f"{name}_sum" for name in SUMS),
)  # fmt: skip
UNUSED: Values = dict.fromkeys(_ZEROS, 0) | dict.fromkeys(("collateral", "index", "settled"), SIGN_BIAS)
Oracle = Mapping[tuple[int, int], OracleRow]


def grouped(
    leg: Leg | None, place: int, tick: int, markets: Sequence[Market], oracle: Oracle, recorder: Recorder
) -> Values:
    """The columns of the transitions table that only a key with groups has; records the pass, if the leg needs one."""
    rest, member = dict.fromkeys(SUMS, 0), False
    if leg is not None:
        member = leg.before.is_member or leg.after.is_member
        if leg.group is not None:
            rest = _pass(leg.group, leg.address, place, tick, markets, oracle, recorder)
    return {
        "member": int(member),
        "offset": max(leg.before.offset, leg.after.offset) if leg is not None and member else 0,
        "linked": int(leg is not None and leg.group is not None),
        "kind": 0 if leg is None else leg.before.kind,
        "kind_after": 0 if leg is None else leg.after.kind,
        **{f"rest_{name}": value for name, value in rest.items()},
    }


def _pass(
    group: Group, own: int, place: int, tick: int, markets: Sequence[Market], oracle: Oracle, recorder: Recorder
) -> Values:
    """Appends the rows of a pass to the record; the sums over all members but the leg's own."""
    sums = dict.fromkeys(SUMS, 0)
    for offset, cell in enumerate(group.cells):
        address = group.head + offset
        row = UNUSED | {"address": address, "offset": offset, "time": place + 1, "tick": tick, "kind": cell.kind}
        row |= {"length": len(group.cells), "last": int(offset == len(group.cells) - 1)}
        row |= {"head": int(offset == 0), "member": int(offset > 0), "own": int(address == own)}
        if address != own:
            row |= {"collateral": cell.collateral + SIGN_BIAS, "magnitude": abs(cell.position)}
            row |= {"negative": int(cell.position < 0), "position": cell.position, "market": cell.market}
            row |= {"index": cell.index + SIGN_BIAS, "gap": recorder.access(address, place)}
        if offset and address != own:
            listed = oracle[recorder.look_up(tick, cell.market)]
            owed = cell.position * (listed.index - cell.index)
            pay = -(-owed >> FUNDING_FRACTION)
            settled, notional = cell.collateral - pay, abs(cell.position) * listed.price
            row |= {"price": listed.price, "oracle_index": listed.index, "notional": notional}
            row |= {"settled": settled + SIGN_BIAS, "funding_dust": (pay << FUNDING_FRACTION) - owed}
            tier = markets[cell.market].tier(notional)
            row |= {"lower": tier.lower, "upper": tier.upper, "open_tier": int(tier.open)}
            sums["equity"] += (settled << PRICE_FRACTION) + cell.position * listed.price
            for name, requirement in (
                ("maintenance", MAINTENANCE),
                ("initial", INITIAL_OPEN if tier.open else INITIAL),
            ):
                _, _, rate, deduction = recorder.use(cell.market, tier, requirement)
                row |= {f"{name}_rate": rate, f"{name}_deduction": deduction}
                sums[name] += rate * notional - deduction
        row |= {f"{name}_sum": value for name, value in sums.items()}
        recorder.passes.append(row)
    return sums
