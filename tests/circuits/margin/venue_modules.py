"""Modules of a venue's own: one over sums alone, and two that ask for scenarios."""

from dataclasses import dataclass
from typing import Any

from circuits.margin.modules import Module, Risk, register


@register
@dataclass(frozen=True)
class Directional(Module):
    """Cross margin where short positions pay `surcharge` of their notional, over 2^16, and initial requirements count
    `multiple` times."""

    id, name = 16, "directional"
    surcharge: int
    multiple: int

    def requirement(self, rate: Any, deduction: Any, notional: Any, short: Any) -> Any:
        return rate * notional - deduction + self.surcharge * short * notional

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        return Risk(equity, maintenance, self.multiple * initial)


@register
@dataclass(frozen=True)
class Stressed(Module):
    """Portfolio margin with twice the add-ons, and `weight` of the worst scenario, over 2^16."""

    id, name, scans = 4095, "stressed", True
    weight: int

    def requirement(self, rate: Any, deduction: Any, notional: Any, short: Any) -> Any:
        return 2 * (rate * notional - deduction)

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        return Risk(equity, maintenance + self.weight * worst, initial + (self.weight + factor) * worst)


@register
@dataclass(frozen=True)
class Weighted(Module):
    """Portfolio margin whose maintenance takes of the worst scenario what the initial requirement does, too."""

    id, name, scans = 19, "weighted", True

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        return Risk(equity, maintenance + worst * factor, initial + 2 * worst * factor)
