"""Margin tiers: requirement = rate * notional - deduction, a continuous and convex function of the notional.

Notional is in quote units of 2^-16, a requirement in quote units of 2^-32, a rate over 2^16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from circuits.margin import modules

NOTIONAL_LIMIT = 1 << 79  # tiers end here; notional at or above it has no requirement
OPEN_LIMIT = 1 << 70  # positions may not grow beyond the cap, and the cap is at most this
RATE_MAX = 1 << 16

Requirement = Literal["maintenance", "initial"]


class ParameterError(ValueError):
    """A parameter of the key is missing, of another type or outside its range; `field` is its path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def check_integer(field: str, value: object, low: int, high: int) -> None:
    """low <= value <= high, or ParameterError."""
    if type(value) is not int:
        raise ParameterError(field, f"an integer is needed, not {value!r}")
    if not low <= value <= high:
        raise ParameterError(field, f"{value} is outside {low}..{high}")


@dataclass(frozen=True)
class Tier:
    """Notional in [lower, upper); `open` tells whether a position may grow into this tier."""

    lower: int
    upper: int
    open: bool
    maintenance_rate: int
    maintenance_deduction: int
    initial_rate: int
    initial_deduction: int

    def __post_init__(self) -> None:
        check_integer("lower", self.lower, 0, NOTIONAL_LIMIT - 1)
        check_integer("upper", self.upper, self.lower + 1, NOTIONAL_LIMIT)
        if type(self.open) is not bool:
            raise ParameterError("open", f"true or false is needed, not {self.open!r}")
        for kind in ("maintenance", "initial"):
            check_integer(f"{kind}_rate", getattr(self, f"{kind}_rate"), 1, RATE_MAX)
            check_integer(f"{kind}_deduction", getattr(self, f"{kind}_deduction"), 0, RATE_MAX * NOTIONAL_LIMIT)

    def requirement(self, notional: int, kind: Requirement) -> int:
        """rate * notional - deduction, exact, for a notional of this tier."""
        return int(modules.requirement(*self.terms(kind), notional))

    def terms(self, kind: Requirement) -> tuple[int, int]:
        """Rate and deduction."""
        if kind == "maintenance":
            return self.maintenance_rate, self.maintenance_deduction
        return self.initial_rate, self.initial_deduction


def check_tiers(tiers: Sequence[Tier]) -> None:
    """Refuses what a prover could choose from or an account could be surprised by.

    Contiguous on [0, 2^79); each requirement 0 at 0, continuous, with slopes that do not fall; initial >= maintenance;
    open exactly below one point of at most 2^70. Errors name the tier by its place.
    """
    if not tiers:
        raise ParameterError("tiers", "at least one tier is needed")
    first, last = tiers[0], tiers[-1]
    if first.lower or first.maintenance_deduction or first.initial_deduction:
        raise ParameterError("tiers[0]", "the first tier starts at 0 and requires nothing there")
    if last.upper != NOTIONAL_LIMIT:
        raise ParameterError(f"tiers[{len(tiers) - 1}].upper", "the last tier ends at 2^79")
    if not first.open or last.open:
        raise ParameterError("tiers", "the first tier is open and the last is not")
    for i in range(1, len(tiers)):
        _check_neighbours(f"tiers[{i}]", tiers[i - 1], tiers[i])
    for i, tier in enumerate(tiers):
        # Both are linear inside a tier, so the ends decide.
        for notional in (tier.lower, tier.upper):
            if tier.requirement(notional, "initial") < tier.requirement(notional, "maintenance"):
                raise ParameterError(f"tiers[{i}].initial_rate", f"less initial than maintenance margin at {notional}")
        if tier.open and tier.upper > OPEN_LIMIT:
            raise ParameterError(f"tiers[{i}].open", "positions may not grow beyond a notional of 2^70")


def _check_neighbours(name: str, below: Tier, above: Tier) -> None:
    if below.upper != above.lower:
        raise ParameterError(f"{name}.lower", "a tier starts where the one before it ends")
    if above.open and not below.open:
        raise ParameterError(f"{name}.open", "an open tier above one that is not")
    if above.maintenance_rate < below.maintenance_rate:
        raise ParameterError(f"{name}.maintenance_rate", "the rate falls")
    if above.initial_rate < below.initial_rate:
        raise ParameterError(f"{name}.initial_rate", "the rate falls")
    if above.requirement(above.lower, "maintenance") != below.requirement(below.upper, "maintenance"):
        raise ParameterError(f"{name}.maintenance_deduction", "the requirement jumps")
    if above.requirement(above.lower, "initial") != below.requirement(below.upper, "initial"):
        raise ParameterError(f"{name}.initial_deduction", "the requirement jumps")


def build_tiers(schedule: Sequence[tuple[int, int, int]], cap: int) -> tuple[Tier, ...]:
    """Tiers of a schedule of (lower, maintenance rate, initial rate), split at the cap on notional.

    The deductions follow from continuity: a rate that rises by s at notional l adds s * l.
    Raises ParameterError as check_tiers does.
    """
    check_integer("cap", cap, 1, OPEN_LIMIT)
    rates = {lower: (maintenance, initial) for lower, maintenance, initial in schedule}
    if 0 not in rates or len(rates) != len(schedule):
        raise ParameterError("schedule", "the first tier starts at 0, and no two tiers start at one notional")
    if cap not in rates:
        rates[cap] = rates[max(lower for lower in rates if lower < cap)]
    bounds = [*sorted(rates), NOTIONAL_LIMIT]
    tiers: list[Tier] = []
    for lower, upper in pairwise(bounds):
        maintenance, initial = rates[lower]
        deductions = (0, 0)
        if tiers:
            below = tiers[-1]
            deductions = (
                below.maintenance_deduction + (maintenance - below.maintenance_rate) * lower,
                below.initial_deduction + (initial - below.initial_rate) * lower,
            )
        tiers.append(Tier(lower, upper, upper <= cap, maintenance, deductions[0], initial, deductions[1]))
    check_tiers(tiers)
    return tuple(tiers)
