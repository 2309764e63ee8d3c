"""The witness of a cadence: what a leg says of when its account is due, and the rows of the sample."""

from collections.abc import Iterator, Mapping, Sequence

from circuits.margin.cell import ACCOUNT, DUE_UNIT, unpack
from circuits.margin.leg import SIGN_BIAS
from zkmargin.recorder import Recorder, Values
from zkmargin.state import Leg, Step

_NOTHING: Values = dict.fromkeys(
    ("due", "due_after", "clock", "dated", "late", "never", "buffer", "interval", "kind", "kind_after"), 0
)


def dues(step: Step, leg: Leg | None, recorder: Recorder) -> Values:
    """The columns of the transitions table that only a key with a cadence has; lookups are counted."""
    if leg is None:
        return _NOTHING
    values = _NOTHING | {"kind": leg.before.kind_digit, "kind_after": leg.after.kind_digit}
    if step.kind == "open":
        return values | {"due_after": leg.after.due}
    if leg.due is None:
        return values
    values |= {"due": leg.due[0], "due_after": leg.due[1]}
    if not leg.settled:
        return values
    values |= {"dated": 1, "late": int(leg.late), "clock": recorder.time(step.tick)}
    if step.kind == "check" and leg.band is not None:
        values |= {"buffer": leg.band.buffer, "interval": leg.band.interval}
        recorder.count_band(leg.band.buffer)
    return values | {"never": int(step.kind == "check" and leg.band is None)}


def sample_rows(addresses: Sequence[int], old: Mapping[int, int], time: int, recorder: Recorder) -> Iterator[Values]:
    """The rows of the sample, the first accesses of the batch. time: that of the tick that the batch starts from."""
    for place, address in enumerate(addresses):
        cell = unpack(old.get(address, 0))
        kind = cell.kind_digit % DUE_UNIT
        yield {
            "account": int(cell.kind == ACCOUNT),
            "head": int(cell.is_head),
            "other": 0 if cell.is_dated else kind,
            "collateral": cell.collateral + SIGN_BIAS,
            "magnitude": abs(cell.position),
            "negative": int(cell.position < 0),
            "index": cell.index_digit + SIGN_BIAS,
            "market": cell.market,
            "upper": cell.kind_digit // DUE_UNIT,
            "value": cell.pack(),
            "gap": recorder.access(address, place),
            "late": int(cell.is_dated and cell.due < time),
        }
