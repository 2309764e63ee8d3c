"""Risk modules: what equity and requirements are, written once.

The same text runs over the integers of the state machine, the NumPy arrays of the scanner and the expressions of the
circuits, so the numbers here are of any type that adds and multiplies. What a domain does its own way, it brings: which
tier holds a notional, how cells are summed, which of the losses is the largest.

Equity is in quote * 2^-16, requirements are in quote * 2^-32, rates and factors over 2^16: nothing rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, ClassVar, TypeVar

M = TypeVar("M", bound="Module")

PRICE_FRACTION = 16  # bits behind the point of a price, and of every rate
FUNDING_FRACTION = 32  # bits behind the point of a funding index


@dataclass(frozen=True)
class Risk:
    """Of an account: E, M and I."""

    equity: Any
    maintenance: Any
    initial: Any


class Module:
    """How an account is judged: what it requires of each cell, and what the sums over its cells make.

    id: what the head of a group states. groups: an account has a head and members; scans: the scenarios take part, and
    the tiers are the add-ons of the portfolio's instruments.

    A venue's own module is a frozen dataclass in a file of its own that derives from this class: its fields are
    integers, committed as parameters, and it says otherwise what `requirement` or `conclude` say here. Both are
    polynomials, for they run over expressions too: sums, differences and products, no branches.
    `circuits.margin.formulas` checks them.
    """

    id: ClassVar[int]
    name: ClassVar[str]
    groups: ClassVar[bool] = True
    scans: ClassVar[bool] = False

    def requirement(self, rate: Any, deduction: Any, notional: Any, short: Any) -> Any:
        """Of one cell, in quote * 2^-32, at the rate and deduction of its tier, of maintenance or initial margin;
        short: 1 where its position is negative, else 0."""
        return requirement(rate, deduction, notional)

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        """Of the account, from sums over its cells: as `conclude` below."""
        return conclude(equity, maintenance, initial, worst, factor)


class Isolated(Module):
    id, name, groups = 0, "isolated", False


class Cross(Module):
    id, name = 1, "cross"


class Portfolio(Module):
    id, name, scans = 2, "portfolio", True


ISOLATED, CROSS, PORTFOLIO = Isolated(), Cross(), Portfolio()
BUILT_IN: tuple[Module, ...] = (ISOLATED, CROSS, PORTFOLIO)
ENTRY_POINTS = "zkmargin.modules"
"""The group of entry points by which an installed package brings modules: name of the module = its class."""

_registered: dict[str, type[Module]] = {type(module).name: type(module) for module in BUILT_IN}


def register(module: type[M]) -> type[M]:
    """Makes a module known by its name and id, as a decorator of its class. ValueError where another one has either."""
    for known in _registered.values():
        if (known.id == module.id) != (known.name == module.name):
            raise ValueError(f"module {module.name}, id {module.id}: {known.name} has id {known.id}")
    _registered[module.name] = module
    return module


def named(name: str) -> type[Module] | None:
    """The class of a module that is registered, or brought by an installed package; None where there is none."""
    if name not in _registered:
        for point in entry_points(group=ENTRY_POINTS, name=name):
            point.load()
    return _registered.get(name)


def with_id(module_id: int) -> type[Module] | None:
    """The class of a registered module."""
    return next((module for module in _registered.values() if module.id == module_id), None)


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
