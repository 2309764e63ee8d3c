"""Portfolio margin by scenarios with a discount on what is owned, in the manner of Derive's portfolio manager (v1).

Where it differs from the module `portfolio` of
`circuits.margin.modules`: expiries are discounted by the sign of their total, which is not linear in positions; the
charge on short options is added to the worst scenario instead of bounding it; and the forward's own contingency is one
more scenario.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp

from zkmargin.venues.options import OptionPosition


@dataclass(frozen=True)
class SpanRules:
    """prices: what the scenarios multiply prices by, each with volatilities up, unchanged and down. forwards: what the
    forward's contingency multiplies them by, of whose loss it is `forward_share`, and more by the year.

    What is owned is discounted by static_discount * exp(-years * (rate_factor * rate + rate_spread)). Charges are
    shares of the spot price; the oracle's is asked below least_confidence.
    """

    prices: tuple[float, ...]
    forwards: tuple[float, ...]
    forward_share: float
    forward_share_per_year: float
    static_discount: float
    rate_factor: float
    rate_spread: float
    option_charge: float
    perpetual_charge: float
    base_charge: float
    initial_factor: float
    peg: float
    peg_factor: float
    least_confidence: float
    oracle_factor: float


DERIVE = SpanRules(
    prices=(0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15),
    forwards=(0.95, 1.05),
    forward_share=0.25,
    forward_share_per_year=0.01,
    static_discount=0.95,
    rate_factor=4.0,
    rate_spread=0.05,
    option_charge=0.01,
    perpetual_charge=0.02,
    base_charge=0.02,
    initial_factor=1.3,
    peg=0.98,
    peg_factor=2.0,
    least_confidence=0.75,
    oracle_factor=0.5,
)
"""What the 21 published cases follow."""


@dataclass(frozen=True)
class Series:
    """Options of one expiry. rate: of interest, a year; up, down: what the scenarios multiply volatility by."""

    options: tuple[OptionPosition, ...]
    rate: float
    up: float
    down: float
    rules: SpanRules = DERIVE

    def value(self, price_factor: float = 1.0, volatility_factor: float = 1.0) -> float:
        return sum(option.value(price_factor, volatility_factor) for option in self.options)

    def loss(self, price_factor: float, volatility_factor: float) -> float:
        """What a scenario takes; what is owned after it is discounted, what is owed is not."""
        after, years = self.value(price_factor, volatility_factor), self.options[0].years
        rate = self.rules.rate_factor * self.rate + self.rules.rate_spread
        discount = self.rules.static_discount * exp(-years * rate) if after > 0 else 1.0
        return self.value() - after * discount

    def forward_contingency(self) -> float:
        """A share of what a move of the forward alone takes."""
        lost = max(0.0, *(self.value() - self.value(factor) for factor in self.rules.forwards))
        return lost * (self.rules.forward_share + self.rules.forward_share_per_year * self.options[0].years)

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
    rules: SpanRules = DERIVE

    def value(self) -> float:
        return sum(series.value() for series in self.series) + self.cash + self.base * self.spot + self.gains

    def losses(self) -> list[float]:
        """Of each price with volatilities up, unchanged and down."""
        return [self._loss(price, kind) for price in self.rules.prices for kind in ("up", "same", "down")]

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
        options = self.rules.option_charge * sum(series.shorts() for series in self.series)
        linear = self.rules.perpetual_charge * abs(self.perpetuals), self.rules.base_charge * abs(self.base)
        return options * self.spot, linear[0] * self.spot, linear[1] * self.spot

    def oracle_contingency(self) -> float:
        """On everything whose price the oracle is unsure of."""

        def doubt(*confidences: float) -> float:
            least = min(confidences)
            return 1 - least if least < self.rules.least_confidence else 0.0

        options = [option for series in self.series for option in series.options]
        unsure = sum(abs(o.amount) * self.spot * doubt(self.spot_confidence, o.confidence) for o in options)
        unsure += abs(self.perpetuals) * self.perpetual_price * doubt(self.spot_confidence, self.perpetual_confidence)
        unsure += abs(self.base) * self.spot * doubt(self.spot_confidence)
        return self.rules.oracle_factor * unsure

    def initial_factor(self) -> float:
        return self.rules.initial_factor + self.rules.peg_factor * max(self.rules.peg - self.stable_price, 0.0)

    def maintenance(self) -> float:
        """Value less requirement: healthy where it is not negative."""
        return self.value() - self.required()

    def initial(self) -> float:
        return self.value() - self.initial_factor() * self.required() - self.oracle_contingency()
