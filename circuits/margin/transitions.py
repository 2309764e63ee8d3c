"""The transitions table: a transition is a pair of rows, a leg on each, every rule of the margin engine a constraint.

The rules in words are in docs/margin.md, the identifiers in docs/protocol.md. Kinds are selectors; a pair without one
is padding. Leg a stands on the first row of a pair; leg b, where the kind has one, on the second, with the selector of
the kind on both. What groups of cells need is there when the shape has a table for them: without, their kinds and flags
are the constant 0.
"""

from circuits.expression import Expression, lagrange, public, query, total
from circuits.margin.asset_legs import (
    add_asset_code,
    add_closeout,
    add_long_only,
    add_overdrawn,
    add_written_position,
    closeout_of,
    overdrawn_of,
)
from circuits.margin.baskets import add_baskets, base_share_kept, victim_of
from circuits.margin.cell import NEVER
from circuits.margin.dues import add_cadence, add_due, checked_room, due_of
from circuits.margin.fills import add_ordered_legs
from circuits.margin.kinds import GROUP_PAIR_KINDS, L1_CODES, Row, add_kinds
from circuits.margin.leg import (
    SIGN_BIAS,
    Leg,
    add_funding,
    add_leg,
    add_memory,
    add_requirements,
    add_tier_lookup,
)
from circuits.margin.membership import add_cell_kinds, add_membership, add_rest, beyond_of
from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.parameters import Parameters, Shape
from circuits.table import Table

SIZE_BITS, FEE_BITS = 64, 48
MAINTENANCE, INITIAL, INITIAL_OPEN = 0, 1, 2  # requirement classes of the tier channel
ADDONS = 3  # the same three of a portfolio's add-ons
LONG = 4  # more for an open tier of an asset, where positions never go below zero
CLOSEOUT = 7  # maintenance, of assets alone
OVERSIZED = 1 << 79  # from this notional on there is no tier
PRODUCT_BITS = 128  # band*size*P and cap*size*P
MARGIN_BITS = 176  # E < 2^176, hence D as well
STRICT_BITS = 112  # MM - TV*2^16 < 2^98
DUST_BAND = 1 << 32  # one unit of quote: without it the last unit of a position could not be closed


def transitions_table(parameters: Parameters, shape: Shape) -> Table:
    """The table for these parameters: `shape.transitions` pairs of rows."""
    table = Table("transitions", 2 * shape.transitions, shape.limb_bits)
    table.fixed("second", [0, 1] * shape.transitions)  # 1 on the second row of each pair
    time = table.fixed("time", [shape.samples + 1 + row // 2 for row in range(table.size)])  # samples come first
    row = add_kinds(table, parameters, shape)
    for name in ("tick", "price", "oracle_index", "queue", "amount"):
        table.witness(name)
    leg = add_leg(table, add_rest(table, parameters, shape))
    if parameters.cadence is not None:
        add_due(table)
    add_membership(table, row, leg, time, parameters)
    add_requirements(table, leg)
    add_cadence(table, row, leg, parameters)
    add_baskets(table, row, leg, parameters)
    _add_oracle(table)
    _add_cells(table, row, leg, time, parameters)
    _add_l1(table, row, leg, parameters)
    _add_system(table, row, leg, parameters)
    _add_exchange(table, row, leg)
    _add_rules(table, row, leg)
    if parameters.assets:
        add_overdrawn(table, row)
    _add_tiers(table, row, leg, parameters)
    _add_margin(table, row, leg)
    _add_prices(table, row, leg, parameters)
    if shape.orders:
        add_ordered_legs(table, row, leg, time)
    return table


def _add_oracle(table: Table) -> None:
    """The tick goes on between pairs by at most one, and not across the wrap."""
    tick = query("tick")
    step = tick.at(1) - tick
    table.require("tick_step", (1 - lagrange(-1)) * step * (step - query("second")))
    table.require("first_tick", lagrange(0) * (tick - public("first_tick")))


def _add_cells(table: Table, row: Row, leg: Leg, time: Expression, parameters: Parameters) -> None:
    """What is read and written: funding, indices, markets, kinds of cells."""
    kind, index, settled = row.kind, query("oracle_index"), row.settled
    change = table.witness("market_change")  # `open` gives the cell its market, `close` takes it away
    table.require("market_change", change - row.opened * (query("amount") - 1) + row.emptied * leg.market)
    table.send("oracle", "oracle", settled, query("tick"), leg.market + change, query("price"), index)
    same = [limb.at(1) - limb for limb in table.limbs("market")]
    table.require("one_market", row.first * row.positions_change * table.composed(same))
    carried = 1 - settled - row.emptied
    formed = kind["form"] * NEVER if due_of(table) else 0  # a head's index says when its group is due
    table.require("index_after", leg.after.index - settled * index - carried * leg.before.index - formed)
    add_funding(table, leg, settled, index)
    empty = kind["form"] + row.first * row.of(*GROUP_PAIR_KINDS)
    for part, expression in (("collateral", leg.before.collateral), ("position", leg.before.position)):
        table.require(f"empty_{part}", (row.of("open", "close") + empty) * expression)
    table.require("open_index", (row.opened + kind["form"]) * leg.before.index)
    table.require("open_market", (row.opened + kind["form"]) * leg.market)
    fresh = table.boolean("fresh")
    written = add_written_position(table, row, leg) if parameters.assets else leg.after.position
    add_memory(table, leg, row.active, time, add_cell_kinds(table, row, fresh), leg.market + change, written)


def _add_l1(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """Consumes the statement's L1 row of this operation, with its cell and amount; `queue` counts them in order."""
    queue = query("queue")
    table.require("queue_first", lagrange(0) * (queue - public("next_queue")))
    table.require("queue_next", (1 - lagrange(-1)) * (queue.at(1) - queue - row.l1))
    code = total([row.kind[name] * number for name, number in L1_CODES.items()])
    if parameters.assets:
        code = code + add_asset_code(table, row, leg)
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
    supplied = (kind["supply"] - row.redeems) * query("amount")
    members = kind["form"] + row.second * (kind["join"] - kind["leave"])  # of a head: it counts them
    moved = row.positions_change * (1 - 2 * sells) * size + members - kind["settle"] * leg.before.position + supplied
    table.require("position_moves", leg.position_change - moved)
    fee = table.register("fee", FEE_BITS)
    table.require("fee_kind", (1 - kind["trade"] - row.second * kind["liquidate"]) * fee)
    received = (kind["deposit"] - kind["withdraw"]) * query("amount") - cash - fee
    received = received + _add_settlement(table, row, leg)
    moved = leg.after.collateral - leg.settled_collateral - received
    table.require("collateral_moves", (1 - kind["collect"] - kind["form"]) * moved)
    collected = kind["collect"] * (leg.after.collateral - leg.before.collateral)
    table.add_to_sum("trade_fees", kind["trade"] * fee - row.first * collected)
    table.add_to_sum("liquidation_fees", kind["liquidate"] * fee - row.second * collected)


def _add_settlement(table: Table, row: Row, leg: Leg) -> Expression:
    """What an expired option pays: its position at the settlement price, rounded down; 0 in a key without options."""
    settle = row.kind["settle"]
    if settle.constant == 0:
        return settle
    value, dust = table.witness("settlement"), table.register("settlement_dust", PRICE_FRACTION)
    worth = leg.before.position * query("price")
    table.require("settlement", settle * (worth - value * (1 << PRICE_FRACTION) - dust))
    # an option's index stays 0: no funding may be smuggled in with the settlement
    table.require("settles_no_funding", settle * (leg.before.collateral - leg.settled_collateral))
    table.send("expired", "expired", settle, query("tick"), leg.market)
    return settle * value


def _add_rules(table: Table, row: Row, leg: Leg) -> None:
    """Which margin rule the leg claims, and what the reducing one asks of its position."""
    kind, refuse = row.kind, row.kind["refuse"]
    claims = row.positions_change + row.first * kind["transfer"] + kind["withdraw"] * (1 - row.system) + kind["redeem"]
    table.require("rule", leg.initial + leg.reducing - claims)
    table.require("reducing_kind", leg.reducing * (1 - row.positions_change))
    table.require("victim_reduces", row.second * leg.initial * row.of("liquidate", "deleverage"))
    smaller = leg.after.magnitude + query("size") - leg.before.magnitude
    table.require("reduces", leg.reducing * smaller)
    table.require("counterparty_reduces", kind["deleverage"] * smaller)
    oversized = table.boolean("oversized")
    table.require("oversized_kind", oversized * (1 - refuse + row.system - kind["refuse_redeem"]))


def _add_tiers(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """Maintenance before where equity may fall by a share; after, the requirement of the rule that is claimed."""
    refuse, redeem = row.kind["refuse"], row.kind["refuse_redeem"]
    open_tier = table.boolean("open_tier")
    table.require("open_tier_rule", open_tier * (1 - leg.initial - refuse))
    table.require("open_tier_needed", leg.initial * row.positions_change * (1 - open_tier))
    scanned = ADDONS * leg.rest.scanned
    add_tier_lookup(table, leg, "before", leg.reducing, leg.reducing * MAINTENANCE + scanned)
    after = leg.initial + leg.reducing + refuse * (1 - row.system) + redeem - query("oversized") - overdrawn_of(table)
    after = after + row.kind["check"]
    requirement = INITIAL * (leg.initial + refuse + redeem) + (INITIAL_OPEN - INITIAL) * open_tier
    if parameters.assets:
        requirement = requirement + LONG * add_long_only(table) + CLOSEOUT * add_closeout(table, row)
    add_tier_lookup(table, leg, "after", after, requirement + scanned)


def _add_margin(table: Table, row: Row, leg: Leg) -> None:
    """One register for the inequality of the leg's rule, and one for what must hold strictly before."""
    kind, price, amount, system, oversized = row.kind, query("price"), query("amount"), row.system, query("oversized")
    one = 1 << PRICE_FRACTION
    left = leg.after.collateral
    redeem, overdrawn = kind["refuse_redeem"], overdrawn_of(table)
    paid = amount if redeem.constant == 0 else kind["refuse"] * amount
    short = leg.initial_after() - 1 - (leg.equity_after(price) - paid * one) * one
    not_flat = left * left + leg.after.magnitude - 1  # collateral squared, since it has a sign
    margin = (
        leg.initial * leg.initial_room(price)
        + _share_kept(table, leg, price)
        + closeout_of(table) * (leg.equity_after(price) - leg.equity_before(price))
        + (row.first * kind["cover"] + kind["withdraw"] * system) * left
        + kind["refuse"] * system * (amount - 1 - left)
        + kind["refuse_close"] * not_flat
        + (kind["refuse"] * (1 - system) + redeem - oversized - overdrawn) * short
        + oversized * (1 - beyond_of(table)) * (leg.after.notional - OVERSIZED)
        - overdrawn * (leg.after.position + 1)
        + row.second * kind["join"] * (left - leg.after.position)
        + kind["form"] * (left - 2)  # without room, the `open` of an account has the amount of a group's
        + checked_room(row, leg, price)
    )
    table.register("margin", MARGIN_BITS, margin)
    unhealthy = leg.maintenance_before() - leg.equity_before(price) * one - 1
    if victim_of(table).constant is None:  # before the first liquidation of a basket
        unhealthy = query("base_maintenance") - query("base_equity") * one - 1
    bankrupt = -1 - leg.equity_before(price)
    covered = one - 1 - leg.equity_after(price)
    strict = kind["liquidate"] * unhealthy + kind["deleverage"] * bankrupt + kind["cover"] * covered
    table.register("strict", STRICT_BITS, row.second * strict)


def _share_kept(table: Table, leg: Leg, price: Expression) -> Expression:
    """E under rule (B); of the victim of a basket in the last of its legs alone, and a closeout is judged otherwise."""
    if victim_of(table).constant == 0:
        return (leg.reducing - closeout_of(table)) * leg.share_kept(price)
    return (leg.reducing - query("victim")) * leg.share_kept(price) + base_share_kept(table, leg, price)


def _add_prices(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """Fees within their caps, and the price of a trade within its band: on each row, its leg does not pay too much; a
    deleverage has the one price at which E < 2^16*MM, E being what the victim's margin register holds."""
    trade, liquidate, price = row.kind["trade"], row.kind["liquidate"], query("price")
    value = query("size") * price
    cap = trade * parameters.trade_fee_cap + row.second * liquidate * parameters.liquidation_fee_cap
    table.register("fee_room", PRODUCT_BITS, cap * value - table.composed(table.limbs("fee")) * (1 << 32))
    band = trade * parameters.trade_band + liquidate * parameters.liquidation_band
    bound = band * value + (trade + liquidate) * DUST_BAND
    paid = query("cash") * (1 << PRICE_FRACTION) - leg.position_change * price
    share_kept = table.composed(table.limbs("margin"))
    unique = (1 << PRICE_FRACTION) * leg.maintenance_before() - 1 - share_kept
    off = (trade + liquidate) * paid * (1 << PRICE_FRACTION)
    table.register("band", PRODUCT_BITS, bound - off + row.second * row.kind["deleverage"] * unique)
