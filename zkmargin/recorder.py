"""What accumulates while the rows of a witness are filled in."""

from dataclasses import dataclass, field

from circuits.margin.parameters import Tier
from circuits.margin.transitions import MAINTENANCE

Values = dict[str, int]
"""column or stated register -> its integer, of one row."""


@dataclass
class Recorder:
    """Last access of each cell, how often each lookup row is used, and the rows of the groups' table."""

    last_access: dict[int, int] = field(default_factory=dict)
    tiers: dict[tuple[int, int, int], int] = field(default_factory=dict)
    oracle: dict[tuple[int, int], int] = field(default_factory=dict)
    passes: list[Values] = field(default_factory=list)

    def access(self, address: int, place: int) -> int:
        """The gap between the cell's last access and this one, in the `place`-th transition."""
        gap = place - self.last_access.get(address, 0)
        self.last_access[address] = place + 1
        return gap

    def look_up(self, tick: int, market: int) -> tuple[int, int]:
        """Counts a use of the oracle's row (tick, market)."""
        self.oracle[tick, market] = self.oracle.get((tick, market), 0) + 1
        return tick, market

    def use(self, market: int, tier: Tier, requirement: int) -> tuple[int, int, int, int]:
        """Counts a use of a tier's row; its lower, upper, rate and deduction."""
        key = market, requirement, tier.lower
        self.tiers[key] = self.tiers.get(key, 0) + 1
        if requirement == MAINTENANCE:
            return tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction
        return tier.lower, tier.upper, tier.initial_rate, tier.initial_deduction
