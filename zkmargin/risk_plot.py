"""Equity and requirements of an account against the price of one of its markets."""

from pathlib import Path

from matplotlib.figure import Figure

from circuits.margin.parameters import PRICE_LIMIT
from zkmargin.account_risk import Account
from zkmargin.rules import Refused

POINTS = 200
UNIT = 1 << 16  # of prices and of equity; requirements have its square


def draw(account: Account, market: int, path: Path) -> None:
    """A PNG (or what the ending says) of E, M and I from half the price to one and a half times it, or as far as the
    liquidation prices are; other markets stay."""
    price = account.rows[market][0]
    ends = account.liquidation(market)
    near = [at for at in (ends.below, ends.above) if at is not None]
    low = max(min([price // 2, *(at * 9 // 10 for at in near)]), 1)
    high = min(max([price * 3 // 2, *(at * 11 // 10 for at in near)]), PRICE_LIMIT - 1)
    prices, lines = [], []
    for step in range(POINTS + 1):
        at = low + (high - low) * step // POINTS
        try:
            risk = account.risk(account.moved(market, at))
        except Refused:  # beyond the tiers, or where a scenario leaves the range of prices
            continue
        prices.append(at / UNIT)
        lines.append((risk.equity / UNIT, risk.maintenance / UNIT**2, risk.initial / UNIT**2))
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, values in zip(("equity", "maintenance", "initial"), zip(*lines, strict=True), strict=True):
        axes.plot(prices, values, label=name)
    axes.axvline(price / UNIT, color="grey", linewidth=0.8, label="price")
    for at in near:
        axes.axvline(at / UNIT, color="red", linestyle="--", label=f"liquidation {at / UNIT:.6g}")
    axes.set_xlabel(f"price of {account.parameters.markets[market].name}, quote units a base unit")
    axes.set_ylabel("quote units")
    axes.legend()
    figure.savefig(path)
