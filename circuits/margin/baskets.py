"""Liquidations of several positions of one portfolio that are judged as one.

Of a hedge less may be a worse scenario, so none of its positions could be taken alone. A liquidation with `more` to
come has to keep its size, price and fee, and nothing else; the next pair of rows takes another position of the same
portfolio at the same tick, and the last one is judged by what the account was worth and required before the first. In
keys with portfolios alone.
"""

from circuits.expression import Expression, lagrange, lift, query
from circuits.margin.asset_legs import closeout_of
from circuits.margin.kinds import Row
from circuits.margin.leg import Leg
from circuits.margin.parameters import Parameters
from circuits.table import Table

BASE = ("equity", "maintenance", "worst", "group")


def add_baskets(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """On a second row `more` says that more is to come, on the first row behind it that this was so; `base_…` is what
    the victim was before the first of them."""
    if leg.rest.scanned.constant == 0:
        return
    more, victim, closing = table.boolean("more"), table.witness("victim"), table.witness("closing")
    table.require("victim", victim - row.second * row.kind["liquidate"])
    table.require("closing", closing - victim * (1 - more))
    before = more.at(-1)
    table.require("more_victim", row.second * more * (1 - victim))
    # of the last part as well: the offset of a cell that is no member is free, and with it the group it claims
    table.require("more_portfolio", row.second * (more + before) * (1 - leg.rest.scanned))
    table.require("more_goes_on", row.first * (more - before))
    table.require("more_liquidates", row.first * more * (1 - row.kind["liquidate"]))
    table.require("more_tick", row.second * more * (query("tick").at(1) - query("tick")))
    table.require("more_ends", lagrange(-1) * more)
    group = leg.address - table.composed(table.limbs("offset"))
    own = leg.equity_before(query("price")), leg.maintenance_before(), query("worst"), group
    for name, value in zip(BASE, own, strict=True):
        base = table.witness(f"base_{name}")
        carried = base.at(-1)
        table.require(f"base_{name}", base - row.first * more * carried - victim * (value + before * (carried - value)))
    table.require("one_portfolio", row.second * before * (group - query("base_group").at(-1)))
    if parameters.assets:
        table.require("closeout_alone", query("closeout") * (more + before))


def victim_of(table: Table) -> Expression:
    """The selector of a victim's leg; the constant 0 in a key without portfolios, where each is judged by itself."""
    return query("victim") if "victim" in table.columns else lift(0)


def base_share_kept(table: Table, leg: Leg, price: Expression) -> Expression:
    """E of a basket, in the last of its legs: TV'*MM - TV*MM', both before the first of them."""
    kept = leg.equity_after(price) * query("base_maintenance") - query("base_equity") * leg.maintenance_after()
    return (query("closing") - closeout_of(table)) * kept


def base_relief() -> Expression:
    """By how much the worst scenario is better than before the basket, in the last of its legs."""
    return query("closing") * (query("base_worst") - query("worst_after"))
