"""The fills table: in a key with orders, a voluntary leg is the fill of an order that the owner of its cell signed.

No more is filled in all than the order's size, at no worse a price than its limit, with no higher a fee than its own.
What is filled of an order stands in a cell of the state, its *slot*; slots are the last cells, where no account can be.
"""

from circuits.expression import Expression, query
from circuits.margin.cell import ORDER, POSITION_BITS, packed
from circuits.margin.kinds import Row
from circuits.margin.leg import TIME_BITS, Leg
from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.parameters import Shape
from circuits.table import Table

ID_BITS = 64
ROOM_BITS = 128  # size*limit < 2^112, |cash|*2^16 < 2^79


def add_ordered_legs(table: Table, row: Row, leg: Leg, time: Expression) -> None:
    """In the transitions table: each voluntary leg is a fill; collateral leaves an account by L1 operations alone."""
    kind, fee = row.kind, table.composed(table.limbs("fee"))
    voluntary = kind["trade"] + row.first * kind["liquidate"]
    said = (query(name) for name in ("sells", "size", "cash"))
    table.send("fill", "fill", voluntary, time, leg.address, leg.market, *said, fee)
    table.require("transfer_unordered", kind["transfer"])


def fills_table(shape: Shape) -> Table:
    """The table of `shape.orders` rows, a fill each: the leg, its order, and the order's counter."""
    table = Table("fills", shape.orders, shape.limb_bits)
    used = table.boolean("used")
    leg = [table.witness(name) for name in ("time", "cell", "market", "sells", "size", "cash", "fee")]
    time, cell, market, sells, size, cash, fee = leg
    table.receive("fill", "fill", used, *leg)
    slot, number, most, limit, highest = (table.witness(name) for name in ("slot", "id", "most", "limit", "highest"))
    table.receive("order", "order", used, slot, number, cell, market, sells, most, limit, highest)
    filled = _add_counter(table, used, time, slot, number, size)
    table.register("left", POSITION_BITS, most - filled)
    side = 1 - 2 * sells
    table.register("limit_room", ROOM_BITS, side * size * limit - cash * (1 << PRICE_FRACTION))
    table.register("fee_room", ROOM_BITS, highest * side * cash - fee * (1 << PRICE_FRACTION))
    return table


def _add_counter(
    table: Table, used: Expression, time: Expression, slot: Expression, number: Expression, size: Expression
) -> Expression:
    """Reads the slot at an earlier time and writes it at the leg's; what is filled by then. The count of an older order
    is dropped, so that one is dead: a count never goes down to an id that was there."""
    fresh, same = table.boolean("fresh"), table.boolean("same")
    id_before = table.register("id_before", ID_BITS)
    filled_before = table.register("filled_before", POSITION_BITS)
    table.require("fresh_id", fresh * id_before)
    table.require("fresh_filled", fresh * filled_before)
    table.require("same_id", same * (number - id_before))
    table.register("newer", ID_BITS, (1 - same) * (number - id_before - 1))
    filled, gap = table.witness("filled"), table.register("gap", TIME_BITS)
    table.require("filled", filled - same * filled_before - size)
    before = packed(id_before, filled_before, 0, 0, ORDER * (1 - fresh))
    table.receive("read", "memory", used, slot, before, time - 1 - gap)
    table.send("write", "memory", used, slot, packed(number, filled, 0, 0, ORDER), time)
    return filled
