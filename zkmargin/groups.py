"""Groups of cells: a head and members behind it whose margin is one account's (modules `cross` and `portfolio`)."""

from dataclasses import replace

from circuits.margin.cell import (
    EMPTY,
    EMPTY_CELL,
    ROOM_UNIT,
    Cell,
    head_kind,
    member_kind,
)
from circuits.margin.modules import CROSS
from zkmargin.context import Context
from zkmargin.operations import require_next
from zkmargin.rules import require
from zkmargin.state import Leg, Step
from zkmargin.transactions import Form, Join, Leave


def form(context: Context, transaction: Form) -> Step:
    """The empty cell becomes the head of a group, which has no members yet and room for `room` - 1 behind it."""
    require_next(context, transaction.queue)
    cell, room = transaction.cell, transaction.room
    require(context.groups > 0, "group", "this rollup's key has no groups")
    known = {module.name: module for module in context.parameters.group_modules(True)}
    require(transaction.module in known, "module", f"groups have no module {transaction.module}")
    module = known[transaction.module]
    require(context.scenarios > 0 or not module.scans, "module", "this rollup's key has no portfolios")
    most = context.room(module)
    require(2 <= room <= most, "room", f"{room} is outside 2..{most}")
    _require_free(context, cell)
    context.cell(cell + room - 1)
    require(cell + room <= context.accounts, "slot", f"the group of cell {cell} reaches into the slots of orders")
    inside = {context.parameters.fee_cell, context.parameters.insurance_cell} & set(range(cell, cell + room))
    require(not inside, "system", "a system cell is inside the group")
    leg = Leg(cell, EMPTY_CELL, Cell(room, 1, 0, 0, head_kind(module)), False)
    amount = room * ROOM_UNIT + module.id - CROSS.id
    return Step("form", context.state.tick, leg, amount=amount, queue=transaction.queue)


def join(context: Context, transaction: Join) -> Step:
    """The cell behind the group's last becomes a member, of the market and at its current index."""
    head, market = _head(context, transaction.head), transaction.market
    address = transaction.head + head.position
    require(head.position < head.collateral, "room", f"the group of cell {transaction.head} is full")
    _require_free(context, address)
    require(0 <= market < len(context.state.rows), "market", f"there is no market {market}")
    member = Cell(0, 0, context.state.rows[market][1], market, member_kind(head.position))
    after = replace(head, position=head.position + 1)
    legs = Leg(address, EMPTY_CELL, member, True), Leg(transaction.head, head, after, False)
    return Step("join", context.state.tick, *legs, amount=market + 1)


def leave(context: Context, transaction: Leave) -> Step:
    """The group's last member, flat and without collateral, becomes the empty cell."""
    head = _head(context, transaction.head)
    require(head.position > 1, "room", f"the group of cell {transaction.head} has no members")
    address = transaction.head + head.position - 1
    member = context.cell(address)
    require(not member.position and not member.collateral, "flat", f"cell {address} is not flat")
    after = replace(head, position=head.position - 1)
    legs = Leg(address, member, EMPTY_CELL, False), Leg(transaction.head, head, after, False)
    return Step("leave", context.state.tick, *legs)


def _head(context: Context, address: int) -> Cell:
    cell = context.cell(address)
    require(cell.is_head, "kind", f"cell {address} is no head of a group")
    return cell


def _require_free(context: Context, address: int) -> None:
    require(context.cell(address).kind == EMPTY, "kind", f"cell {address} is not empty")
    require(not context.is_system(address), "system", f"cell {address} is a system cell")
