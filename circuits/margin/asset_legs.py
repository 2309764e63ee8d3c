"""What a leg of the transitions table has to do with collateral assets: nothing, in a key without them.

A redemption that is refused is judged as if it had been paid: the leg's digits after it are those that were asked for,
and its cell is written as it was. An asset has no funding, so settling it changes nothing.
"""

from circuits.expression import Expression, lift, query
from circuits.margin.kinds import Row
from circuits.margin.leg import Leg
from circuits.margin.statement import ASSET_UNIT
from circuits.table import Table


def add_written_position(table: Table, row: Row, leg: Leg) -> Expression:
    """What is written as position: what the rules judge, but for a redemption that is refused."""
    written = table.witness("position_written")
    kept = row.kind["refuse_redeem"] * (leg.before.position - leg.after.position)
    table.require("position_written", written - leg.after.position - kept)
    return written


def add_asset_code(table: Table, row: Row, leg: Leg) -> Expression:
    """The part of an L1 row's kind that names the asset."""
    asset = table.witness("asset")
    table.require("asset", asset - (row.kind["supply"] + row.redeems) * leg.market)
    return asset * ASSET_UNIT


def add_overdrawn(table: Table, row: Row) -> None:
    """The reason to refuse a redemption is that the cell holds less; and none is paid of what is not there."""
    overdrawn = table.boolean("overdrawn")
    table.require("overdrawn_kind", overdrawn * (1 - row.kind["refuse_redeem"]))
    table.require("one_reason", overdrawn * query("oversized"))  # the tier lookup would count -1
    table.require("redeem_held", row.kind["redeem"] * query("negative_after"))


def add_long_only(table: Table) -> Expression:
    """1 where the tier after is an open one of an asset, which growing positions look up: then none is below zero."""
    long = table.boolean("long")
    table.require("long_rule", long * (1 - query("open_tier")))
    table.require("long_only", long * query("negative_after"))
    return long


def add_closeout(table: Table, row: Row) -> Expression:
    """1 where a liquidation sells an asset for no less than it is worth, fee included: equity does not fall, which is
    all that is asked of an account without any. The tier after, of a class that assets alone have, says that it is one.
    """
    closeout = table.boolean("closeout")
    table.require("closeout_kind", closeout * (1 - row.second * row.kind["liquidate"]))
    return closeout


def closeout_of(table: Table) -> Expression:
    """The selector of `add_closeout`; the constant 0 in a key without assets."""
    return query("closeout") if "closeout" in table.columns else lift(0)


def overdrawn_of(table: Table) -> Expression:
    """The selector of `add_overdrawn`; the constant 0 in a key without assets."""
    return query("overdrawn") if "overdrawn" in table.columns else lift(0)
