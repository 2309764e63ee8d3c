"""European options by Black-76, and their scenario vectors as an oracle would publish them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log, sqrt
from statistics import NormalDist

from circuits.margin.portfolio import Option, Vector

YEAR = 365 * 86_400  # seconds
PRICE_UNIT = 1 << 16
_cumulative = NormalDist().cdf


def black_76(forward: float, strike: float, volatility: float, years: float, call: bool) -> float:
    """The undiscounted value of a European option on a forward (Black 1976); at expiry what it settles for."""
    deviation = volatility * sqrt(years)
    if forward <= 0 or deviation <= 0:
        return max(forward - strike if call else strike - forward, 0.0)
    above = log(forward / strike) / deviation + deviation / 2
    value = forward * _cumulative(above) - strike * _cumulative(above - deviation)
    return value if call else value - forward + strike


@dataclass(frozen=True)
class OptionPosition:
    """A number of options of one series. fixed, variable: the forward is their sum; inside an averaged settlement the
    first part of it does not move any more. confidence: the least of the oracle's in what prices it, 0 … 1."""

    expiry: int  # seconds from now
    strike: float
    call: bool
    amount: float
    volatility: float
    fixed: float
    variable: float
    confidence: float = 1.0

    @property
    def forward(self) -> float:
        return self.fixed + self.variable

    @property
    def years(self) -> float:
        return self.expiry / YEAR

    def value(self, price_factor: float = 1.0, volatility_factor: float = 1.0) -> float:
        """Of the whole position, once what moves of the forward, and the volatility, are multiplied by these."""
        forward = self.fixed + self.variable * price_factor
        return self.amount * black_76(forward, self.strike, self.volatility * volatility_factor, self.years, self.call)

    def payoff(self, price: float) -> float:
        return self.amount * max(price - self.strike if self.call else self.strike - price, 0.0)


def option_vector(
    option: Option, mark: int, price: int, time: int, volatility: float, moves: Sequence[tuple[float, float]]
) -> Vector:
    """What each scenario changes of a unit's value, in quote * 2^-16 and rounded down, as `Tick.scenarios` carries it.

    mark, price: of the option and its underlying, as in the tick's rows, of seconds `time`. moves: of each scenario,
    what price and volatility are multiplied by.
    """
    years = max(option.expiry - time, 0) / YEAR
    strike = option.strike / PRICE_UNIT
    values = (
        black_76(price * move / PRICE_UNIT, strike, volatility * scale, years, option.call) for move, scale in moves
    )
    return tuple(floor(value * PRICE_UNIT) - mark for value in values)
