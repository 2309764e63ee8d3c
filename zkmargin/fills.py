"""What orders let a voluntary leg do, in a rollup whose key asks for them."""

from collections.abc import Sequence

from circuits.margin.cell import ORDER, Cell
from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.orders import ID_SHIFT, OrderRow
from circuits.margin.statement_rules import order_bounds
from zkmargin.context import Context
from zkmargin.rules import Refused, require
from zkmargin.state import Fill
from zkmargin.transactions import Order

Taken = tuple[int, int, int, int]
"""Of a leg: its cell, its position change, the cash and the fee that it pays."""


def fills_of(context: Context, orders: Sequence[Order], legs: Sequence[Taken]) -> tuple[Fill, ...]:
    """An order for each of these legs, and none where the key has no orders; Refused where one does not allow its
    leg."""
    if not context.slots:
        require(not orders, "order", "this rollup's key has no orders")
        return ()
    require(len(orders) == len(legs), "order", f"{len(legs)} orders are needed, not {len(orders)}")
    slots = {order.slot for order in orders}
    require(len(slots) == len(orders), "slot", "two legs of one transition are counted in one slot")
    return tuple(_fill(context, order, leg) for order, leg in zip(orders, legs, strict=True))


def require_unordered(context: Context) -> None:
    """Refused where only orders let collateral out of an account, and none does."""
    require(not context.slots, "order", "no order moves collateral from account to account")


def row_of(order: Order, fills: int = 1) -> OrderRow:
    """The order as a row of a statement."""
    terms = (order.cell, order.market, int(order.sells), order.size, order.limit, order.fee)
    return OrderRow(fills, *terms, order.expiry, order.slot, order.id)


def _fill(context: Context, order: Order, leg: Taken) -> Fill:
    cell, change, cash, fee = leg
    row, size, side = row_of(order), abs(change), -1 if order.sells else 1
    _require_bounds(context, row)
    require(order.cell == cell, "order", f"it is one of cell {order.cell}, not of cell {cell}")
    market = context.cell(cell).market
    require(order.market == market, "order", f"it is one in market {order.market}, and cell {cell} is in {market}")
    require((change < 0) == order.sells, "order", f"cell {cell} would " + ("buy" if order.sells else "sell"))
    require(context.state.time <= order.expiry, "expired", f"the order of cell {cell} was good until {order.expiry}")
    require(order.id >> ID_SHIFT <= context.state.time, "order", f"id {order.id} is of the future")
    before = context.cell(order.slot)
    require(order.id >= before.collateral, "replaced", f"slot {order.slot} has seen order {before.collateral}")
    filled = size + (before.position if order.id == before.collateral else 0)
    require(filled <= order.size, "filled", f"{filled} is more than the order of cell {cell} is for")
    left = side * size * order.limit - (cash << PRICE_FRACTION)
    require(left >= 0, "limit", f"{cash} for {change} is worse than the limit of cell {cell}")
    highest = order.fee * side * cash
    require(fee << PRICE_FRACTION <= highest, "order-fee", f"{fee} is more than the order of cell {cell} pays")
    return Fill(order, before, Cell(order.id, filled, kind=ORDER))


def _require_bounds(context: Context, row: OrderRow) -> None:
    """What both arbiters check of an order's numbers."""
    for name, least, end in order_bounds(len(context.parameters.markets), context.accounts, context.size):
        value = getattr(row, name)
        if not least <= value < end:
            raise Refused("order", f"{name} {value} is outside {least}..{end - 1}")
