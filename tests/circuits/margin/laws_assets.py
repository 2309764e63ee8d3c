"""A tamper for every law that collateral assets add to the circuit, with all the laws that it breaks."""

from collections.abc import Callable

from circuits.field import inverse
from tests.circuits.margin.assets_story import SHAPE, tell
from tests.circuits.margin.paper import Paper

Tamper = Callable[[Paper], object]
T, HALF = "transitions", inverse(2)
PAD = 2 * (SHAPE.transitions - 2)  # a row that nothing uses
ASSET_TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


def leg(step: str, second: int = 0) -> int:
    return 2 * tell().places[step] + second


def add(name: str, tamper: Tamper, *others: str) -> None:
    """Registers a tamper for a law; others: what it cannot help breaking."""
    assert name not in ASSET_TAMPERS, name
    ASSET_TAMPERS[f"{T}.{name}"] = tamper, frozenset((f"{T}.{name}", *others))


for kind in ("supply", "redeem", "refuse_redeem"):
    add(f"{kind}_boolean", lambda p, n=kind: p.write(T, PAD, **{n: HALF}))
add("overdrawn_boolean", lambda p: p.write(T, leg("redeem_overdrawn"), overdrawn=3))
add("long_boolean", lambda p: p.write(T, leg("trade"), long=HALF))
add("asset", lambda p: p.add(T, PAD, asset=1))
add("position_written", lambda p: p.add(T, PAD, position_written=1))
add("overdrawn_kind", lambda p: p.write(T, PAD, overdrawn=1, position_after=-1, magnitude_after=1, negative_after=1))
add("one_reason", lambda p: p.write(T, leg("redeem_overdrawn"), oversized=1))
add("redeem_held", lambda p: p.write(T, leg("redeem_overdrawn"), redeem=1, refuse_redeem=0, overdrawn=0))
add("long_rule", lambda p: p.write(T, PAD, long=1))
add("long_only", lambda p: p.write(T, leg("trade"), negative_after=1))
