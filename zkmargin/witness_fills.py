"""The witness of orders: a row for each leg that fills one."""

from zkmargin.recorder import Recorder, Values
from zkmargin.state import Fill, Step

UNUSED_FILL: Values = dict.fromkeys(
    (
        "used", "time", "cell", "market", "sells", "size", "cash", "fee", "slot", "id", "most", "limit", "highest",
        "fresh", "id_before", "filled_before", "filled", "gap",
    ),
    0,
) | {"same": 1}  # fmt: skip


def fill_rows(place: int, step: Step, recorder: Recorder) -> list[Values]:
    """Those of the `place`-th transition, its slots accessed."""
    paid = (step.cash, step.fee_a), (-step.cash, step.fee_b)
    return [_row(place, step, fill, *paid[leg], recorder) for leg, fill in enumerate(step.fills)]


def _row(place: int, step: Step, fill: Fill, cash: int, fee: int, recorder: Recorder) -> Values:
    order, before = fill.order, fill.before
    leg = {"time": place + 1, "cell": order.cell, "market": order.market, "sells": int(order.sells)}
    leg |= {"size": step.size, "cash": cash, "fee": fee}
    asked = {"slot": order.slot, "id": order.id, "most": order.size, "limit": order.limit, "highest": order.fee}
    counted = {"fresh": int(not before.kind), "same": int(order.id == before.collateral), "filled": fill.after.position}
    counted |= {"id_before": before.collateral, "filled_before": before.position}
    return leg | asked | counted | {"used": 1, "gap": recorder.access(order.slot, place)}
