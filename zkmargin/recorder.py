"""What the rows of a witness are filled in from, and what accumulates while they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from circuits.margin.parameters import Market, Parameters, Tier
from circuits.margin.portfolio import Vector
from circuits.margin.statement import OracleRow
from circuits.margin.transitions import ADDONS, CLOSEOUT, INITIAL, INITIAL_OPEN, LONG, MAINTENANCE

Values = dict[str, int]
"""column or stated register -> its integer, of one row."""
TierUse = tuple[int, int, int, int]
"""lower, upper, rate and deduction of a tier that is looked up."""


@dataclass
class Recorder:
    """Oracle rows and scenario vectors by (tick, market); last access of each cell, how often each lookup row is used,
    and the rows of the tables for groups, portfolios and orders."""

    parameters: Parameters
    oracle: Mapping[tuple[int, int], OracleRow]
    vectors: Mapping[tuple[int, int], Vector]
    last_access: dict[int, int] = field(default_factory=dict)
    tier_uses: dict[tuple[int, int, int], int] = field(default_factory=dict)
    oracle_uses: dict[tuple[int, int], int] = field(default_factory=dict)
    vector_uses: dict[tuple[int, int], int] = field(default_factory=dict)
    expired_uses: dict[tuple[int, int], int] = field(default_factory=dict)
    clock_uses: dict[int, int] = field(default_factory=dict)
    band_uses: dict[int, int] = field(default_factory=dict)
    passes: list[Values] = field(default_factory=list)
    scans: list[Values] = field(default_factory=list)
    fills: list[Values] = field(default_factory=list)

    def access(self, address: int, place: int) -> int:
        """The gap between the cell's last access and this one, in the `place`-th transition."""
        gap = place - self.last_access.get(address, 0)
        self.last_access[address] = place + 1
        return gap

    def look_up(self, tick: int, market: int) -> OracleRow:
        """The oracle's row, its use counted."""
        self.oracle_uses[tick, market] = self.oracle_uses.get((tick, market), 0) + 1
        return self.oracle[tick, market]

    def vector(self, tick: int, market: int) -> Vector:
        """A scenario vector, its use counted."""
        self.vector_uses[tick, market] = self.vector_uses.get((tick, market), 0) + 1
        return self.vectors[tick, market]

    def expire(self, tick: int, market: int) -> None:
        """Counts a use of the row that says that a market has expired."""
        self.expired_uses[tick, market] = self.expired_uses.get((tick, market), 0) + 1

    def time(self, tick: int) -> int:
        """Of a tick, its use counted."""
        self.clock_uses[tick] = self.clock_uses.get(tick, 0) + 1
        return self.oracle[tick, 0].time

    def count_band(self, buffer: int) -> None:
        """Counts a use of a band of the cadence."""
        self.band_uses[buffer] = self.band_uses.get(buffer, 0) + 1

    def markets(self, portfolio: bool) -> tuple[Market, ...]:
        """The markets with the tiers that an account, or a portfolio, is judged by."""
        return self.parameters.portfolio_markets if portfolio else self.parameters.markets

    def maintenance(self, market: int, notional: int, portfolio: bool = False, closeout: bool = False) -> TierUse:
        """The tier of a notional, its use for maintenance counted; closeout: as an asset's."""
        tier = self.markets(portfolio)[market].tier(notional)
        self._use(market, MAINTENANCE + (CLOSEOUT if closeout else 0), tier, portfolio)
        return tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction

    def initial(self, market: int, notional: int, portfolio: bool = False, grows: bool = False) -> tuple[TierUse, bool]:
        """The tier of a notional, its use for initial margin counted, and whether it is looked up as open: of an asset
        only where the position may grow."""
        tier, asset = self.markets(portfolio)[market].tier(notional), self.parameters.markets[market].is_asset
        is_open = tier.open and (grows or not asset)
        growing = INITIAL_OPEN + LONG if asset else INITIAL_OPEN
        self._use(market, growing if is_open else INITIAL, tier, portfolio)
        return (tier.lower, tier.upper, tier.initial_rate, tier.initial_deduction), is_open

    def _use(self, market: int, requirement: int, tier: Tier, portfolio: bool) -> None:
        key = market, requirement + (ADDONS if portfolio else 0), tier.lower
        self.tier_uses[key] = self.tier_uses.get(key, 0) + 1
