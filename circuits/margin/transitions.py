"""The transitions table: a transition is a pair of rows, a leg on each, every rule of the margin engine a constraint.

The rules in words are in docs/margin.md, the identifiers in docs/protocol.md. Kinds are selectors; a pair without one
is padding. Leg a stands on the first row of a pair; leg b, where the kind has one, on the second, with the selector of
the kind on both. What groups of cells need is there when the shape has a table for them: without, their kinds and flags
are the constant 0.
"""

from dataclasses import dataclass

from circuits.expression import Expression, lagrange, lift, public, query, total
from circuits.margin.cell import ACCOUNT, CROSS_HEAD, MEMBER, OFFSET_UNIT, ROOM_UNIT, SYSTEM
from circuits.margin.leg import (
    NO_REST,
    PRICE_FRACTION,
    SIGN_BIAS,
    Leg,
    Rest,
    add_funding,
    add_leg,
    add_memory,
    add_tier_lookup,
)
from circuits.margin.parameters import Parameters, Shape
from circuits.table import Table

SINGLE_KINDS = ("open", "close", "refuse_close", "deposit", "withdraw", "refuse", "touch")
PAIR_KINDS = ("trade", "transfer", "liquidate", "deleverage", "cover", "collect")
KINDS = SINGLE_KINDS + PAIR_KINDS
GROUP_PAIR_KINDS = ("join", "leave")
GROUP_KINDS = ("form", *GROUP_PAIR_KINDS)
L1_CODES = {"open": 1, "form": 1, "close": 2, "refuse_close": 2, "deposit": 3, "withdraw": 4, "refuse": 4}
OFFSET_BITS = 16
MAINTENANCE, INITIAL, INITIAL_OPEN = 0, 1, 2  # requirement classes of the tier channel
OVERSIZED = 1 << 79  # from this notional on there is no tier

SIZE_BITS, FEE_BITS = 64, 48
PRODUCT_BITS = 128  # band*size*P and cap*size*P
MARGIN_BITS = 176  # E < 2^176, hence D as well
STRICT_BITS = 112  # MM - TV*2^16 < 2^98
DUST_BAND = 1 << 32  # one unit of quote: without it the last unit of a position could not be closed


def transitions_table(parameters: Parameters, shape: Shape) -> Table:
    """The table for these parameters: `shape.transitions` pairs of rows."""
    table = Table("transitions", 2 * shape.transitions, shape.limb_bits)
    table.fixed("second", [0, 1] * shape.transitions)  # 1 on the second row of each pair
    time = table.fixed("time", [1 + row // 2 for row in range(table.size)])
    row = _add_kinds(table, shape.groups > 0)
    for name in ("tick", "price", "oracle_index", "queue", "amount"):
        table.witness(name)
    names = ("rest_equity", "rest_maintenance", "rest_initial")
    leg = add_leg(table, Rest(*map(table.witness, names)) if shape.groups else NO_REST)
    if shape.groups:
        _add_groups(table, row, leg, time)
    _add_oracle(table)
    _add_cells(table, row, leg, time)
    _add_l1(table, row, leg)
    _add_system(table, row, leg, parameters)
    _add_exchange(table, row, leg)
    _add_rules(table, row, leg)
    _add_tiers(table, row, leg)
    _add_margin(table, row, leg)
    _add_prices(table, row, leg, parameters)
    return table


@dataclass(frozen=True)
class Row:
    """Selectors, and their sums that several rules share; all of degree 1 but for `settled`.

    system: the leg's cell is a system cell; member: it belongs to a group. first, second: which row of the pair.
    """

    kind: dict[str, Expression]
    system: Expression
    member: Expression

    @property
    def second(self) -> Expression:
        return query("second")

    @property
    def first(self) -> Expression:
        return 1 - self.second

    def of(self, *names: str) -> Expression:
        return total([self.kind[name] for name in names])

    @property
    def active(self) -> Expression:
        return self.of(*KINDS, *GROUP_KINDS)

    @property
    def head(self) -> Expression:
        """The leg's cell is the head of a group."""
        return self.kind["form"] + self.second * self.of(*GROUP_PAIR_KINDS)

    @property
    def emptied(self) -> Expression:
        return self.kind["close"] + self.first * self.kind["leave"]

    @property
    def opened(self) -> Expression:
        return self.kind["open"] + self.first * self.kind["join"]

    @property
    def refused(self) -> Expression:
        return self.of("refuse", "refuse_close")

    @property
    def l1(self) -> Expression:
        return self.of("open", "close", "deposit", "withdraw", "form") + self.refused

    @property
    def positions_change(self) -> Expression:
        return self.of("trade", "liquidate", "deleverage")

    @property
    def moves_cash(self) -> Expression:
        return self.positions_change + self.of("transfer", "cover")

    @property
    def settled(self) -> Expression:
        """Every account, but one that is closed or receives a transfer."""
        unsettled = self.second * (self.kind["transfer"] + self.kind["join"])
        return self.active - self.system - self.of("close", "refuse_close", "form", "leave") - unsettled


def _add_kinds(table: Table, groups: bool) -> Row:
    """At most one kind a row; both rows of a pair have the same one, or the first alone one without a leg b."""
    kinds = {name: table.boolean(name) for name in KINDS}
    system = table.boolean("system")
    kinds |= {name: table.boolean(name) if groups else lift(0) for name in GROUP_KINDS}
    row = Row(kinds, system, table.boolean("member") if groups else lift(0))
    table.require("one_kind", row.active * (row.active - 1))
    table.require("single_kind", row.second * row.of(*SINGLE_KINDS, "form"))
    for name in (*PAIR_KINDS, *GROUP_PAIR_KINDS) if groups else PAIR_KINDS:
        column = row.kind[name]
        table.require(f"{name}_pair", row.first * (column.at(1) - column))
    return row


def _add_groups(table: Table, row: Row, leg: Leg, time: Expression) -> None:
    """A member's place behind its head, how a group grows and shrinks, and what a member's rule asks of the others."""
    kind, member, first, second = row.kind, row.member, row.first, row.second
    offset = table.register("offset", OFFSET_BITS)
    group = leg.address - offset
    grows, shrinks = first * kind["join"], first * kind["leave"]
    may = row.of("deposit", "withdraw", "refuse", "touch", "trade", "transfer", "liquidate", "deleverage") - row.system
    table.require("member_kind", member * (1 - may - second * kind["cover"] - grows - shrinks))
    table.require("moved_member", (grows + shrinks) * (1 - member))
    table.require("moved_head", (grows + shrinks) * (group - leg.address.at(1)))
    table.require("join_place", grows * (offset - leg.before.position.at(1)))
    table.require("leave_place", shrinks * (offset - leg.after.position.at(1)))
    table.require("form_room", kind["form"] * (query("amount") - leg.after.collateral * ROOM_UNIT))

    linked = table.witness("linked")
    judged = row.of("withdraw", "refuse", "trade", "liquidate", "deleverage")
    table.require("linked", linked - member * (judged + first * kind["transfer"] + second * kind["cover"]))
    rest = {"equity": leg.rest.equity, "maintenance": leg.rest.maintenance, "initial": leg.rest.initial}
    for name, column in rest.items():
        table.require(f"rest_{name}", column * (1 - linked))
    table.send("own", "own", linked, time, leg.address, group)
    table.send("sums", "sums", linked, time, group, query("tick"), *rest.values())


def _add_oracle(table: Table) -> None:
    """The tick goes on between pairs by at most one, and not across the wrap."""
    tick = query("tick")
    step = tick.at(1) - tick
    table.require("tick_step", (1 - lagrange(-1)) * step * (step - query("second")))
    table.require("first_tick", lagrange(0) * (tick - public("first_tick")))


def _add_cells(table: Table, row: Row, leg: Leg, time: Expression) -> None:
    """What is read and written: funding, indices, markets, kinds of cells."""
    kind, index, settled = row.kind, query("oracle_index"), row.settled
    change = table.witness("market_change")  # `open` gives the cell its market, `close` takes it away
    table.require("market_change", change - row.opened * (query("amount") - 1) + row.emptied * leg.market)
    table.send("oracle", "oracle", settled, query("tick"), leg.market + change, query("price"), index)
    same = [limb.at(1) - limb for limb in _limbs(table, "market")]
    table.require("one_market", row.first * row.positions_change * _composed(table, same))
    carried = 1 - settled - row.emptied
    table.require("index_after", leg.after.index - settled * index - carried * leg.before.index)
    add_funding(table, leg, settled, index)
    empty = kind["form"] + row.first * row.of(*GROUP_PAIR_KINDS)
    for part, expression in (("collateral", leg.before.collateral), ("position", leg.before.position)):
        table.require(f"empty_{part}", (row.of("open", "close") + empty) * expression)
    table.require("open_index", (row.opened + kind["form"]) * leg.before.index)
    table.require("open_market", (row.opened + kind["form"]) * leg.market)
    fresh = table.boolean("fresh")
    add_memory(table, leg, row.active, time, _add_cell_kinds(table, row, fresh), leg.market + change)


def _add_cell_kinds(table: Table, row: Row, fresh: Expression) -> tuple[Expression, Expression]:
    """The kind of the leg's cell before and after; with groups they have columns, so that tuples stay of degree 1."""
    kind = row.kind
    alone = row.active - row.system
    if row.member.constant == 0:
        account, system = ACCOUNT * alone, SYSTEM * row.system
        return account - ACCOUNT * kind["open"] + system - SYSTEM * fresh, account - ACCOUNT * kind["close"] + system
    grows, shrinks = row.first * kind["join"], row.first * kind["leave"]
    alone = ACCOUNT * (alone - row.member - row.head)
    member = MEMBER + OFFSET_UNIT * _composed(table, _limbs(table, "offset"))
    before = alone - ACCOUNT * kind["open"] + SYSTEM * (row.system - fresh)
    after = alone - ACCOUNT * kind["close"] + SYSTEM * row.system
    before = before + (row.member - grows) * member + (row.head - kind["form"]) * CROSS_HEAD
    after = after + (row.member - shrinks) * member + row.head * CROSS_HEAD
    columns = table.witness("kind"), table.witness("kind_after")
    table.require("kind", columns[0] - before)
    table.require("kind_after", columns[1] - after)
    return columns


def _add_l1(table: Table, row: Row, leg: Leg) -> None:
    """Consumes the statement's L1 row of this operation, with its cell and amount; `queue` counts them in order."""
    queue = query("queue")
    table.require("queue_first", lagrange(0) * (queue - public("next_queue")))
    table.require("queue_next", (1 - lagrange(-1)) * (queue.at(1) - queue - row.l1))
    code = total([row.kind[name] * number for name, number in L1_CODES.items()])
    table.receive("l1", "l1", row.l1, queue, code, leg.address, query("amount"), 1 - row.refused)


def _add_system(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """The fee and insurance cells: fixed addresses, no position, index or market; their first write finds the empty
    cell."""
    kind, system, fresh = row.kind, row.system, query("fresh")
    fee, insurance = parameters.fee_cell, parameters.insurance_cell
    table.require("system_kind", system * (1 - row.of("deposit", "withdraw", "refuse", "cover", "collect")))
    table.require("cover_system", kind["cover"] * (system - row.first))
    table.require("collect_system", kind["collect"] * (1 - system))
    target = (
        row.of("deposit", "cover") * insurance
        + row.of("withdraw", "refuse") * fee
        + kind["collect"] * (row.first * fee + row.second * insurance)
    )
    table.require("system_address", system * (leg.address - target))
    table.require("collect_last", row.second * kind["collect"] * (1 - lagrange(-1)))
    for part, expression in (("position", leg.before.position), ("index", leg.before.index), ("market", leg.market)):
        table.require(f"system_{part}", system * expression)
    table.require("fresh_kind", fresh * (1 - system))
    table.require("fresh_collateral", fresh * leg.before.collateral)


def _add_exchange(table: Table, row: Row, leg: Leg) -> None:
    """One signed position change and one signed cash amount between the legs, and the fees.

    On each row `cash` is what its leg pays: the two are opposite, as are the directions of the legs.
    """
    kind = row.kind
    size, cash, sells = table.witness("size"), table.witness("cash"), table.boolean("sells")
    # limbs of size - 1, so that a size is at least 1, and of what a pays
    first, second = row.first * (size - row.moves_cash), row.second * (SIGN_BIAS - cash)
    table.register("exchanged", SIZE_BITS, first + second)
    table.require("one_size", row.first * (size.at(1) - size))
    table.require("one_cash", row.first * (cash.at(1) + cash))
    table.require("one_direction", row.first * row.positions_change * (sells.at(1) + sells - 1))
    table.require("no_cash", (1 - row.moves_cash) * cash)
    table.require("cash_is_size", row.first * row.of("transfer", "cover") * (cash - size))
    members = kind["form"] + row.second * (kind["join"] - kind["leave"])  # of a head: it counts them
    table.require("position_moves", leg.position_change - row.positions_change * (1 - 2 * sells) * size - members)
    fee = table.register("fee", FEE_BITS)
    table.require("fee_kind", (1 - kind["trade"] - row.second * kind["liquidate"]) * fee)
    received = (kind["deposit"] - kind["withdraw"]) * query("amount") - cash - fee
    moved = leg.after.collateral - leg.settled_collateral - received
    table.require("collateral_moves", (1 - kind["collect"] - kind["form"]) * moved)
    collected = kind["collect"] * (leg.after.collateral - leg.before.collateral)
    table.add_to_sum("trade_fees", kind["trade"] * fee - row.first * collected)
    table.add_to_sum("liquidation_fees", kind["liquidate"] * fee - row.second * collected)


def _limbs(table: Table, name: str) -> list[Expression]:
    """The limbs of a register that the table already has, lowest first."""
    return [query(f"{name}_{i}") for i in range(table.registers[name].bits // table.limb_bits)]


def _composed(table: Table, limbs: list[Expression]) -> Expression:
    return total([limb * (1 << i * table.limb_bits) for i, limb in enumerate(limbs)])


def _add_rules(table: Table, row: Row, leg: Leg) -> None:
    """Which margin rule the leg claims, and what the reducing one asks of its position."""
    kind, refuse = row.kind, row.kind["refuse"]
    claims = row.positions_change + row.first * kind["transfer"] + kind["withdraw"] * (1 - row.system)
    table.require("rule", leg.initial + leg.reducing - claims)
    table.require("reducing_kind", leg.reducing * (1 - row.positions_change))
    table.require("victim_reduces", row.second * leg.initial * row.of("liquidate", "deleverage"))
    smaller = leg.after.magnitude + query("size") - leg.before.magnitude
    table.require("reduces", leg.reducing * smaller)
    table.require("counterparty_reduces", kind["deleverage"] * smaller)
    oversized = table.boolean("oversized")
    table.require("oversized_kind", oversized * (1 - refuse + row.system))


def _add_tiers(table: Table, row: Row, leg: Leg) -> None:
    """Maintenance before where equity may fall by a share; after, the requirement of the rule that is claimed."""
    refuse = row.kind["refuse"]
    open_tier = table.boolean("open_tier")
    table.require("open_tier_rule", open_tier * (1 - leg.initial - refuse))
    table.require("open_tier_needed", leg.initial * row.positions_change * (1 - open_tier))
    add_tier_lookup(table, leg, "before", leg.reducing, leg.reducing * MAINTENANCE)
    after = leg.initial + leg.reducing + refuse * (1 - row.system) - query("oversized")
    add_tier_lookup(table, leg, "after", after, INITIAL * (leg.initial + refuse) + (INITIAL_OPEN - INITIAL) * open_tier)


def _add_margin(table: Table, row: Row, leg: Leg) -> None:
    """One register for the inequality of the leg's rule, and one for what must hold strictly before."""
    kind, price, amount, system, oversized = row.kind, query("price"), query("amount"), row.system, query("oversized")
    one = 1 << PRICE_FRACTION
    left = leg.after.collateral
    short = leg.initial_after() - 1 - (leg.equity_after(price) - amount * one) * one
    not_flat = left * left + leg.after.magnitude - 1  # collateral squared, since it has a sign
    margin = (
        leg.initial * leg.initial_room(price)
        + leg.reducing * leg.share_kept(price)
        + (row.first * kind["cover"] + kind["withdraw"] * system) * left
        + kind["refuse"] * system * (amount - 1 - left)
        + kind["refuse_close"] * not_flat
        + (kind["refuse"] * (1 - system) - oversized) * short
        + oversized * (leg.after.notional - OVERSIZED)
        + row.second * kind["join"] * (left - leg.after.position)
    )
    table.register("margin", MARGIN_BITS, margin)
    unhealthy = leg.maintenance_before() - leg.equity_before(price) * one - 1
    bankrupt = -1 - leg.equity_before(price)
    covered = one - 1 - leg.equity_after(price)
    strict = kind["liquidate"] * unhealthy + kind["deleverage"] * bankrupt + kind["cover"] * covered
    table.register("strict", STRICT_BITS, row.second * strict)


def _add_prices(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """Fees within their caps, and the price of a trade within its band: on each row, its leg does not pay too much; a
    deleverage has the one price at which E < 2^16*MM, E being what the victim's margin register holds."""
    trade, liquidate, price = row.kind["trade"], row.kind["liquidate"], query("price")
    value = query("size") * price
    cap = trade * parameters.trade_fee_cap + row.second * liquidate * parameters.liquidation_fee_cap
    table.register("fee_room", PRODUCT_BITS, cap * value - _composed(table, _limbs(table, "fee")) * (1 << 32))
    band = trade * parameters.trade_band + liquidate * parameters.liquidation_band
    bound = band * value + (trade + liquidate) * DUST_BAND
    paid = query("cash") * (1 << PRICE_FRACTION) - leg.position_change * price
    share_kept = _composed(table, _limbs(table, "margin"))
    unique = (1 << PRICE_FRACTION) * leg.maintenance_before() - 1 - share_kept
    off = (trade + liquidate) * paid * (1 << PRICE_FRACTION)
    table.register("band", PRODUCT_BITS, bound - off + row.second * row.kind["deleverage"] * unique)
