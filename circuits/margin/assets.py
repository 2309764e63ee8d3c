"""Collateral assets: spot markets, whose positions are supplied, redeemed and traded, and never below zero.

An asset counts in equity at the oracle's price, and its tiers are its haircut: what a position of a notional n requires
is what of n counts for nothing. What all cells hold of an asset is what was supplied less what was redeemed; statements
carry that amount from batch to batch, and no more than the key's cap is supplied.
"""

from collections.abc import Iterable, Sequence

from circuits.margin.parameters import Parameters
from circuits.margin.statement import ASSET_UNIT, L1_KINDS, L1Row, Statement, require

ASSET_OPERATIONS = {name: L1_KINDS[name] for name in ("supply", "redeem")}


def asset_of(kind: int) -> int | None:
    """The market of an L1 row that supplies or redeems; None of another kind."""
    market, operation = divmod(kind, ASSET_UNIT)
    return market if operation in ASSET_OPERATIONS.values() else None


def supplied_after(before: Sequence[int], rows: Iterable[L1Row], parameters: Parameters) -> tuple[int, ...]:
    """What is supplied of each asset after the L1 rows of a batch, in the order of the markets; InvalidStatement where
    it would be below zero or beyond a cap."""
    amounts = dict(zip(parameters.assets, before, strict=True))
    for row in rows:
        market = asset_of(row.kind)
        if market is None:
            continue
        name = f"L1 row {row.queue}"
        require(market in amounts, f"{name}: market {market} is no asset")
        if row.outcome:
            supplies = row.kind % ASSET_UNIT == L1_KINDS["supply"]
            amounts[market] += row.amount if supplies else -row.amount
            require(amounts[market] >= 0, f"{name}: more is redeemed of market {market} than is supplied")
            require(not supplies or amounts[market] <= cap_of(parameters, market), f"{name}: beyond the cap on supply")
    return tuple(amounts.values())


def cap_of(parameters: Parameters, market: int) -> int:
    """The most that may be supplied of a market, in base units; 0 of one that is no asset."""
    return parameters.markets[market].supply_cap or 0


def check_assets(statement: Statement, parameters: Parameters) -> None:
    """InvalidStatement unless an amount is told for each asset, none at genesis, and the L1 rows keep to the caps."""
    assets, told = parameters.assets, statement.supplied
    require(len(told) == len(assets), f"supplied: {len(assets)} amounts are needed, one for each asset")
    for market, amount in zip(assets, told, strict=True):
        require(0 <= amount <= cap_of(parameters, market), f"supplied: {amount} of market {market} is out of range")
    require(statement.batch > 0 or not any(told), "supplied: nothing is, before batch 0")
    supplied_after(told, statement.l1, parameters)
