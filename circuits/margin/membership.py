"""What a leg has to do with its group: its place behind the head, how a group grows and shrinks, and what a member's
margin rule asks of the others."""

from circuits.expression import Expression, lift, query
from circuits.margin.baskets import base_relief
from circuits.margin.cell import ACCOUNT, DUE_UNIT, HEAD, MEMBER, MODULE_UNIT, OFFSET_UNIT, ROOM_UNIT, SYSTEM
from circuits.margin.dues import due_columns, due_of
from circuits.margin.formulas import flag_name
from circuits.margin.kinds import Row
from circuits.margin.leg import NO_REST, Leg, Own, Rest
from circuits.margin.modules import conclude
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.scenarios import LOSS_BITS
from circuits.table import Table

OFFSET_BITS = 16
JUDGED = ("withdraw", "refuse", "trade", "liquidate", "deleverage", "redeem", "refuse_redeem", "check")
SUMS = ("equity", "maintenance", "initial")


def add_rest(table: Table, parameters: Parameters, shape: Shape) -> Rest:
    """The columns of what a member's leg is told of its group: sums over the other cells, and of a portfolio the worst
    scenario of all cells before and after."""
    if not shape.groups:
        return NO_REST
    equity, maintenance, initial = (table.witness(f"rest_{name}") for name in SUMS)
    flags = {module: table.witness(flag_name(module)) for module in parameters.modules}
    nothing = lift(0)
    if not shape.scenarios or parameters.portfolio is None:
        own = Own(flags, maintenance, initial, nothing, nothing, 0) if flags else None
        return Rest(equity, maintenance, maintenance, initial, NO_REST.scanned, own)
    before, after, scanned = table.witness("worst"), table.witness("worst_after"), table.boolean("scanned")
    table.require("unscanned", (1 - scanned) * before)
    table.require("unscanned_after", (1 - scanned) * after)
    sums, factor = (equity, maintenance, initial), parameters.portfolio.initial_factor
    risk, risk_after = (conclude(*sums, worst, factor) for worst in (before, after))
    own = Own(flags, maintenance, initial, before, after, factor) if flags else None
    return Rest(equity, risk.maintenance, risk_after.maintenance, risk_after.initial, scanned, own)


def add_membership(table: Table, row: Row, leg: Leg, time: Expression, parameters: Parameters) -> None:
    """Nothing, in a key without groups."""
    if row.member.constant == 0:
        return
    offset = table.register("offset", OFFSET_BITS)
    group = leg.address - offset
    _add_growth(table, row, leg, offset, group, parameters)
    linked = table.witness("linked")
    judged = row.of(*JUDGED) + row.first * row.kind["transfer"] + row.second * row.kind["cover"]
    table.require("linked", linked - row.member * judged)
    sums = [query(f"rest_{name}") for name in SUMS]
    sums.append(table.witness("rest_beyond"))  # a member has left the tiers
    for name, column in zip((*SUMS, "beyond"), sums, strict=True):
        table.require(f"rest_{name}", column * (1 - linked))
    table.require("beyond_refused", sums[-1] * (1 - query("oversized")))
    flags = [query(flag_name(module)) for module in parameters.modules]
    for flag in flags:
        table.require(flag.arguments[0], flag * (1 - linked))
    table.send("own", "own", linked, time, leg.address, group)
    scanned, told = leg.rest.scanned, [*flags, *due_columns(table)]
    if scanned.constant == 0:
        table.send("sums", "sums", linked, time, group, query("tick"), *sums, *told)
        return
    table.send("sums", "sums", linked, time, group, query("tick"), *sums, scanned, *told)
    table.require("scanned", scanned * (1 - linked))
    _add_scan(table, row, leg, time, group)


def _add_growth(
    table: Table, row: Row, leg: Leg, offset: Expression, group: Expression, parameters: Parameters
) -> None:
    """A member is so far behind its head as its head has cells before it."""
    kind, member, first = row.kind, row.member, row.first
    grows, shrinks = first * kind["join"], first * kind["leave"]
    may = row.of("deposit", "touch", "transfer", "settle", "supply", *JUDGED) - row.system
    table.require("member_kind", member * (1 - may - row.second * kind["cover"] - grows - shrinks))
    table.require("moved_member", (grows + shrinks) * (1 - member))
    table.require("moved_head", (grows + shrinks) * (group - leg.address.at(1)))
    table.require("join_place", grows * (offset - leg.before.position.at(1)))
    table.require("leave_place", shrinks * (offset - leg.after.position.at(1)))
    room = query("amount") - leg.after.collateral * ROOM_UNIT
    known = parameters.group_modules(leg.rest.scanned.constant != 0)
    if len(known) == 1:
        table.require("form_room", kind["form"] * room)
        return
    module = table.witness("module")  # of a head; an L1 `open` of a group adds to its room's amount the module - 1
    table.require("form_room", kind["form"] * (room - module + 1))
    # Of four the law has no degree left for the selector: then every row states one.
    one_of = lift(1) if parameters.modules else row.head
    for choice in known:
        one_of = one_of * (module - choice.id)
    table.require("module", one_of)


def _add_scan(table: Table, row: Row, leg: Leg, time: Expression, group: Expression) -> None:
    """A portfolio's leg puts its own position before the scenarios, and what it changes of it. Under rule (B) it asks
    for the worst one before as well, and the later may not be the larger; nothing else looks at the former."""
    scanned, rescanned = leg.rest.scanned, table.witness("rescanned")
    table.require("rescanned", rescanned - scanned * (row.positions_change + row.redeems))
    shorts = []
    for when, side in (("", leg.before), ("_after", leg.after)):
        short = table.witness(f"short{when}")
        table.require(f"short{when}", short - query(f"negative{when}") * side.magnitude)
        shorts.append(short)
    before, after = shorts
    table.send("position", "position", scanned, time, group, leg.market, leg.before.position, before)
    table.send("change", "change", rescanned, time, group, leg.market, leg.position_change, after - before)
    worst = query("worst"), query("worst_after")
    table.receive("worst", "worst", scanned, time, group, query("tick"), leg.reducing, *worst)
    table.register("relief", LOSS_BITS, (leg.reducing - query("victim")) * (worst[0] - worst[1]) + base_relief())


def add_cell_kinds(table: Table, row: Row, fresh: Expression) -> tuple[Expression, Expression]:
    """The kind of the leg's cell before and after; with groups or a cadence they have columns, so that tuples stay of
    degree 1."""
    kind = row.kind
    alone = row.active - row.system
    if row.member.constant == 0 and due_of(table) is None:
        account, system = ACCOUNT * alone, SYSTEM * row.system
        return account - ACCOUNT * kind["open"] + system - SYSTEM * fresh, account - ACCOUNT * kind["close"] + system
    grows, shrinks = row.first * kind["join"], row.first * kind["leave"]
    alone = ACCOUNT * (alone - row.member - row.head)
    member = MEMBER + OFFSET_UNIT * (table.composed(table.limbs("offset")) if "offset" in table.registers else 0)
    head = HEAD + MODULE_UNIT * (query("module") if "module" in table.columns else 1)
    before = alone - ACCOUNT * kind["open"] + SYSTEM * (row.system - fresh)
    after = alone - ACCOUNT * kind["close"] + SYSTEM * row.system
    if row.member.constant is None:
        before = before + (row.member - grows) * member + (row.head - kind["form"]) * head
        after = after + (row.member - shrinks) * member + row.head * head
    if dues := due_of(table):
        before = before + DUE_UNIT * dues[0] * (row.alone - kind["open"])
        after = after + DUE_UNIT * dues[1] * (row.alone - kind["close"])
    columns = table.witness("kind"), table.witness("kind_after")
    table.require("kind", columns[0] - before)
    table.require("kind_after", columns[1] - after)
    return columns


def beyond_of(table: Table) -> Expression:
    """1 where another member of the leg's group has left the tiers; the constant 0 in a key without groups."""
    return query("rest_beyond") if "rest_beyond" in table.columns else lift(0)
