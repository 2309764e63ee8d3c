"""Collateral assets: supplied to and redeemed from the cells that hold them."""

from dataclasses import replace

from circuits.margin.assets import cap_of
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.context import Context
from zkmargin.operations import require_amount, require_next
from zkmargin.rules import MARGIN_BITS, Settled, initial_room, require, require_register
from zkmargin.state import Step
from zkmargin.transactions import Redeem, Supply


def supply(context: Context, transaction: Supply) -> Step:
    """q + amount, up to what all accounts may hold together; equity grows by no less than the haircut does."""
    require_next(context, transaction.queue)
    require_amount(transaction.amount)
    account, amount = context.settled(transaction.cell), transaction.amount
    _require_asset(account, transaction)
    supplied, cap = context.state.supplied(transaction.market), cap_of(context.parameters, transaction.market)
    require(supplied + amount <= cap, "supply-cap", f"{supplied} of {cap} are supplied of market {transaction.market}")
    return Step("supply", context.state.tick, account.moved(0, amount), amount=amount, queue=transaction.queue)


def redeem(context: Context, transaction: Redeem) -> Step:
    """q - amount under rule (A); where that fails, or the cell holds less, the refusal that consumes the request."""
    require_next(context, transaction.queue)
    require_amount(transaction.amount)
    _require_asset(context.settled(transaction.cell), transaction)
    account, amount = context.judged(transaction.cell, refusable=True), transaction.amount
    tick, queue = context.state.tick, transaction.queue
    asked = replace(account.before, position=account.before.position - amount)
    refused = Step("refuse_redeem", tick, account.moved(0), amount=amount, queue=queue)
    if asked.position < 0 and not account.rest.beyond:
        return replace(refused, overdrawn=True)
    if asked.position * account.price >= NOTIONAL_LIMIT or account.rest.beyond:
        return replace(refused, oversized=True)
    room = initial_room(account, asked)
    if room < 0:
        require_register("-D - 1", -room - 1, MARGIN_BITS)
        return refused
    require_register("D", room, MARGIN_BITS)
    return Step("redeem", tick, account.moved(0, -amount), amount=amount, queue=queue, rule_a="initial")


def _require_asset(account: Settled, transaction: Supply | Redeem) -> None:
    """The cell is of the market that the request names, and that is an asset."""
    held = account.before.market
    require(held == transaction.market, "market", f"cell {account.address} is of market {held}")
    require(account.market.is_asset, "asset", f"market {held} is no collateral asset")
