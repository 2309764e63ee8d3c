"""Portfolio margin by scenarios with a discount on what is owned, in the manner of Derive's portfolio manager (v1).

The parameters below are what its published cases follow. Where it differs from the module `portfolio` of
`circuits.margin.modules`: expiries are discounted by the sign of their total, which is not linear in positions; the
charge on short options is added to the worst scenario instead of bounding it; and the forward's own contingency is one
more scenario.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp

from zkmargin.venues.options import OptionPosition

PRICES = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)
FORWARDS = (0.95, 1.05)
FORWARD_SHARE, FORWARD_SHARE_PER_YEAR = 0.25, 0.01
STATIC_DISCOUNT, RATE_FACTOR, RATE_SPREAD = 0.95, 4.0, 0.05
OPTION_CHARGE, PERPETUAL_CHARGE, BASE_CHARGE = 0.01, 0.02, 0.02  # of the spot price
INITIAL_FACTOR = 1.3
PEG, PEG_FACTOR = 0.98, 2.0
LEAST_CONFIDENCE, ORACLE_FACTOR = 0.75, 0.5


@dataclass(frozen=True)
class Series:
    """Options of one expiry. rate: of interest, a year; up, down: what the scenarios multiply volatility by."""

    options: tuple[OptionPosition, ...]
    rate: float
    up: float
    down: float

    def value(self, price_factor: float = 1.0, volatility_factor: float = 1.0) -> float:
        return sum(option.value(price_factor, volatility_factor) for option in self.options)

    def loss(self, price_factor: float, volatility_factor: float) -> float:
        """What a scenario takes; what is owned after it is discounted, what is owed is not."""
        after, years = self.value(price_factor, volatility_factor), self.options[0].years
        discount = STATIC_DISCOUNT * exp(-years * (RATE_FACTOR * self.rate + RATE_SPREAD)) if after > 0 else 1.0
        return self.value() - after * discount

    def forward_contingency(self) -> float:
        """A share of what a move of the forward alone takes."""
        lost = max(0.0, *(self.value() - self.value(factor) for factor in FORWARDS))
        return lost * (FORWARD_SHARE + FORWARD_SHARE_PER_YEAR * self.options[0].years)

    def shorts(self) -> float:
        """Short options, calls and puts of a strike netted."""
        by_strike = groupby(sorted(self.options, key=lambda option: option.strike), key=lambda option: option.strike)
        return sum(max(0.0, -sum(option.amount for option in options)) for _, options in by_strike)


@dataclass(frozen=True)
class SpanBook:
    """An account on one underlying: amounts of each, prices in quote. gains: of perpetuals and funding, not settled."""

    series: Sequence[Series]
    cash: float
    perpetuals: float
    base: float
    spot: float
    perpetual_price: float
    gains: float
    spot_confidence: float = 1.0
    perpetual_confidence: float = 1.0
    stable_price: float = 1.0

    def value(self) -> float:
        return sum(series.value() for series in self.series) + self.cash + self.base * self.spot + self.gains

    def losses(self) -> list[float]:
        """Of each price with volatilities up, unchanged and down."""
        return [self._loss(price, kind) for price in PRICES for kind in ("up", "same", "down")]

    def _loss(self, price: float, kind: str) -> float:
        linear = (self.perpetuals * self.perpetual_price + self.base * self.spot) * (1 - price)
        factors = [{"up": series.up, "same": 1.0, "down": series.down}[kind] for series in self.series]
        return linear + sum(each.loss(price, factor) for each, factor in zip(self.series, factors, strict=True))

    def forward_contingency(self) -> float:
        return sum(series.forward_contingency() for series in self.series)

    def worst(self) -> float:
        return max(0.0, *self.losses())

    def required(self) -> float:
        """The worst scenario, or the forward's contingency where that is more, and the charges."""
        return max(self.worst(), self.forward_contingency()) + sum(self.contingencies())

    def contingencies(self) -> tuple[float, float, float]:
        """On short options, perpetuals and base."""
        options = OPTION_CHARGE * sum(series.shorts() for series in self.series)
        linear = PERPETUAL_CHARGE * abs(self.perpetuals), BASE_CHARGE * abs(self.base)
        return options * self.spot, linear[0] * self.spot, linear[1] * self.spot

    def oracle_contingency(self) -> float:
        """On everything whose price the oracle is unsure of."""

        def doubt(*confidences: float) -> float:
            least = min(confidences)
            return 1 - least if least < LEAST_CONFIDENCE else 0.0

        options = [option for series in self.series for option in series.options]
        unsure = sum(abs(o.amount) * self.spot * doubt(self.spot_confidence, o.confidence) for o in options)
        unsure += abs(self.perpetuals) * self.perpetual_price * doubt(self.spot_confidence, self.perpetual_confidence)
        unsure += abs(self.base) * self.spot * doubt(self.spot_confidence)
        return ORACLE_FACTOR * unsure

    def initial_factor(self) -> float:
        return INITIAL_FACTOR + PEG_FACTOR * max(PEG - self.stable_price, 0.0)

    def maintenance(self) -> float:
        """Value less requirement: healthy where it is not negative."""
        return self.value() - self.required()

    def initial(self) -> float:
        return self.value() - self.initial_factor() * self.required() - self.oracle_contingency()
