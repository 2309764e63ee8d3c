"""Parameters that follow others over the same cells: a new key, announced before it counts.

What an account has, and what it was told it has, may not change under it: the cells, what a market is, an option's
terms, a group's module, who publishes what. What the rules ask of it may, and that is what the notice is for.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from circuits.margin.parameters import Parameters, Shape
from circuits.margin.reading import exact_fields
from circuits.margin.statement import OracleRow
from circuits.margin.statement_rules import most_room
from circuits.margin.tiers import ParameterError, check_integer

KEPT_PARAMETERS = ("fee_cell", "insurance_cell", "genesis_time")
KEPT_SIZES = ("cells", "slots", "published_diff")
NEVER_LESS = ("groups", "scenarios", "orders", "samples")  # a group that the tables cannot judge could not move
KEPT_OF_A_MARKET = ("name", "price", "index", "is_asset")
TIME_LIMIT = 1 << 40


@dataclass(frozen=True)
class Amendment:
    """When parameters change, in seconds. announced: the last tick's time then; start: the first batch with a tick of
    this time or later is the first one under them."""

    announced: int
    start: int

    def __post_init__(self) -> None:
        for field in fields(self):
            check_integer(field.name, getattr(self, field.name), 0, TIME_LIMIT - 1)

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> "Amendment":
        return cls(**exact_fields(cls, data, "amendment"))

    def check_notice(self, parameters: Parameters) -> None:
        """ParameterError unless it leaves the notice that the parameters before it promise."""
        least = self.announced + max(parameters.notice, 1)
        if self.start < least:
            raise ParameterError("start", f"{self.start} is too soon: {least} at the earliest, by the present notice")


def check_succession(before: tuple[Parameters, Shape], after: tuple[Parameters, Shape], start: int) -> None:
    """ParameterError unless the new parameters and shape may follow from `start` on; it names the field."""
    (old, old_shape), (new, new_shape) = before, after
    for name in KEPT_PARAMETERS:
        _keep(name, getattr(old, name), getattr(new, name))
    for name in KEPT_SIZES:
        _keep(f"shape.{name}", getattr(old_shape, name), getattr(new_shape, name))
    for name in NEVER_LESS:
        if getattr(new_shape, name) < getattr(old_shape, name):
            raise ParameterError(f"shape.{name}", f"at least {getattr(old_shape, name)}, as accounts were promised")
    if len(new.markets) < len(old.markets):
        raise ParameterError("markets", f"{len(old.markets)} at least: markets stay, others come behind them")
    for i, (was, becomes) in enumerate(zip(old.markets, new.markets, strict=False)):
        for name in KEPT_OF_A_MARKET:
            _keep(f"markets[{i}].{name}", getattr(was, name), getattr(becomes, name))
        if (becomes.supply_cap or 0) < (was.supply_cap or 0):
            raise ParameterError(f"markets[{i}].supply_cap", "what may be supplied today may have been by then")
    if old.cadence is not None and new.cadence is None:
        raise ParameterError("cadence", "cells say when accounts are due, and it stays")
    _check_portfolios(old, new, start)
    _check_rooms(before, after)
    known = {module.id: module.name for module in new.modules}
    for module in old.modules:
        if known.get(module.id) != module.name:
            raise ParameterError("modules", f"{module.name} judges groups, and stays")


def _check_rooms(before: tuple[Parameters, Shape], after: tuple[Parameters, Shape]) -> None:
    """A sweep judges portfolios once more: it may come with a larger table alone, or the largest could not move."""
    was, becomes = (most_room(of.portfolio, s.groups, s.scenarios, s.sweep) for of, s in (before, after))
    if before[1].scenarios and before[0].portfolio is not None and becomes < was:
        raise ParameterError("shape.scenarios", f"more with a sweep, as portfolios were promised {was} cells")


def _check_portfolios(old: Parameters, new: Parameters, start: int) -> None:
    was, becomes = old.portfolio, new.portfolio
    if was is not None and becomes is None:
        raise ParameterError("portfolio", "groups are judged by it, and it stays")
    if was is not None and becomes is not None:
        _keep("portfolio.scenarios", was.scenarios, becomes.scenarios)
    options = [each.option for each in was.instruments] if was is not None else [None] * len(old.markets)
    for i, instrument in enumerate(becomes.instruments if becomes is not None else ()):
        name = f"portfolio.instruments[{i}].option"
        if i < len(options):
            _keep(name, options[i], instrument.option)
        elif instrument.option is not None and instrument.option.expiry <= start:
            raise ParameterError(f"{name}.expiry", f"a new option expires after {start}")


def _keep(name: str, was: Any, becomes: Any) -> None:
    if was != becomes:
        raise ParameterError(name, f"{was!r} stays: accounts are built on it")


def last_rows(rows: tuple[OracleRow, ...], new: Parameters) -> tuple[OracleRow, ...]:
    """The last oracle rows as a batch under the new parameters begins with them: markets that are new begin as at a
    genesis, at the last tick."""
    told = enumerate(new.markets[len(rows) :], len(rows))
    return rows + tuple(OracleRow(rows[0].tick, rows[0].time, i, market.price, market.index) for i, market in told)
