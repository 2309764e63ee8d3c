"""Risk modules: what equity and requirements are, written once.

The same text runs over the integers of the state machine, the NumPy arrays of the scanner and the expressions of the
circuits, so the numbers here are of any type that adds and multiplies. What a domain does its own way, it brings: which
tier holds a notional, how cells are summed, which of the losses is the largest.

Equity is in quote * 2^-16, requirements are in quote * 2^-32, rates and factors over 2^16: nothing rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PRICE_FRACTION = 16  # bits behind the point of a price, and of every rate
FUNDING_FRACTION = 32  # bits behind the point of a funding index


@dataclass(frozen=True)
class Module:
    """How an account is judged. groups: it has a head and members; scans: the scenarios take part."""

    id: int
    name: str
    groups: bool
    scans: bool


ISOLATED, CROSS, PORTFOLIO = (
    Module(0, "isolated", groups=False, scans=False),
    Module(1, "cross", groups=True, scans=False),
    Module(2, "portfolio", groups=True, scans=True),
)
MODULES = (ISOLATED, CROSS, PORTFOLIO)
"""By their ids, which the heads of groups state."""


@dataclass(frozen=True)
class Risk:
    """Of an account: E, M and I."""

    equity: Any
    maintenance: Any
    initial: Any


def equity(collateral: Any, position: Any, price: Any) -> Any:
    """TV = c*2^16 + q*P of a cell whose funding is settled."""
    return collateral * (1 << PRICE_FRACTION) + position * price


def requirement(rate: Any, deduction: Any, notional: Any) -> Any:
    """rate*n - deduction of a cell, by the tier that holds its notional n = |q|*P."""
    return rate * notional - deduction


def taken(size: Any, short: Any, vector: Sequence[Any]) -> list[Any]:
    """What each entry of an instrument's vector takes from `size` units, of which `short` are short, in quote * 2^-16:
    the charge on short ones, then minus what each scenario changes of a unit's value."""
    return [short * vector[0], *(-size * change for change in vector[1:])]


def conclude(equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
    """E, M and I of an account, from the sums over its cells.

    worst, factor: of a module that scans, the largest of the sums of `taken`, and what the initial requirement takes of
    it.
    """
    return Risk(equity, maintenance + worst * (1 << PRICE_FRACTION), initial + worst * factor)
