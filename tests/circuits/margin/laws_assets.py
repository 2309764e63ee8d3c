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


READ = ("bus.l1", "bus.memory", "bus.oracle", f"{T}.kind", f"{T}.kind_after", f"{T}.one_kind", f"{T}.queue_next")
REFUSED = ("bus.tier", f"{T}.margin", f"{T}.tier_after_above")
OTHERS = {
    "supply": READ,
    "redeem": (*READ, f"{T}.rule"),
    "refuse_redeem": (*READ, "bus.tier", f"{T}.margin", f"{T}.tier_after_below"),
}


def breaks(name: str) -> Callable[[Tamper], Tamper]:
    def register(tamper: Tamper) -> Tamper:
        add(name, tamper)
        return tamper

    return register


for kind, others in OTHERS.items():
    add(f"{kind}_boolean", lambda p, n=kind: p.write(T, PAD, **{n: HALF}), *others)
add("overdrawn_boolean", lambda p: p.write(T, leg("redeem_overdrawn"), overdrawn=3), *REFUSED)
add("long_boolean", lambda p: p.write(T, leg("trade"), long=HALF), "bus.tier")
add("closeout_boolean", lambda p: p.write(T, leg("closeout", 1), closeout=HALF), f"{T}.margin", "bus.tier")
ALONE = (f"{T}.closing", f"{T}.more_goes_on", f"{T}.more_portfolio")
add("closeout_alone", lambda p: p.write(T, leg("closeout", 1), more=1), *ALONE)
add("closeout_kind", lambda p: p.write(T, leg("reduce", 1), closeout=1), "bus.tier")
add("asset", lambda p: p.add(T, PAD, asset=1))
add("position_written", lambda p: p.add(T, PAD, position_written=1))
add("overdrawn_kind", lambda p: p.write(T, leg("supply"), overdrawn=1), "bus.tier", f"{T}.tier_after_above")
add("one_reason", lambda p: p.write(T, leg("redeem_overdrawn"), oversized=1), *REFUSED)
add("redeem_held", lambda p: p.write(T, leg("redeem_alone"), negative_after=1))
add("long_rule", lambda p: p.write(T, PAD, long=1))


@breaks("long_only")
def an_asset_that_is_owed(p: Paper) -> None:
    """A flat position says that it is short."""
    p.write(T, leg("sell_out"), negative_after=1)
