"""A tamper for every law that orders add to the circuit, with all the laws that it breaks."""

from collections.abc import Callable

from circuits.field import inverse
from tests.circuits.margin.orders_story import SHAPE, SLOT
from tests.circuits.margin.paper import Paper

Tamper = Callable[[Paper], object]
F, FREE = "fills", SHAPE.orders - 1  # the last row of the table, which nothing uses
HALF = inverse(2)
ACCESS = ("bus.fill", "bus.memory", "bus.order")
ORDER_TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


def add(name: str, tamper: Tamper, *others: str) -> None:
    """Registers a tamper for a law; others: what it cannot help breaking."""
    assert name not in ORDER_TAMPERS, name
    ORDER_TAMPERS[name] = tamper, frozenset((name, *others))


add("fills.used_boolean", lambda p: p.write(F, FREE, used=HALF), *ACCESS)
add("fills.fresh_boolean", lambda p: p.write(F, FREE, fresh=HALF))
add("fills.same_boolean", lambda p: p.write(F, FREE, same=3))
add("fills.fresh_id", lambda p: p.write(F, FREE, fresh=1, id=1, id_before=1))
add("fills.fresh_filled", lambda p: p.write(F, FREE, fresh=1, filled_before=1, filled=1, most=1))
add("fills.same_id", lambda p: p.write(F, FREE, id=1))
add("fills.newer", lambda p: p.write(F, FREE, same=0, id=6, id_before=6))
add("fills.filled", lambda p: p.write(F, FREE, filled=1, most=1))
add("fills.left", lambda p: p.write(F, FREE, size=61, filled=61, most=60))
add("fills.limit_room", lambda p: p.write(F, FREE, cash=1))
add("fills.fee_room", lambda p: p.write(F, FREE, fee=1))
add("bus.fill", lambda p: p.add(F, 0, fee=-1))
add("bus.order", lambda p: p.add(F, 0, highest=1))

SWEEP_TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {
    "book.order_boolean": (
        lambda p: p.write("book", SLOT + 7, order=HALF),
        frozenset({"book.order_boolean", "book.content", "book.one_class"}),
    ),
    "book.content": (
        lambda p: p.write("book", SLOT, order=0),
        frozenset({"book.content", "bus.positions", "sum.collateral"}),
    ),
}
