"""Parameters of portfolio margin, and what the oracle says of each instrument at a tick: its scenario vector.

A scenario moves the prices and volatilities of all underlyings at once, so hedges between them are worth what the
scenarios say they are: the matrix of shocks is the matrix of offsets. A vector holds the charge on a short unit, then
the change of a unit's value under each scenario, all in quote * 2^-16. For linear instruments both arbiters compute it
from the committed shocks; for options it is the oracle's, within bounds, and ends with the expiry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from circuits.margin.reading import at_path, exact_fields, read_list
from circuits.margin.tiers import RATE_MAX, ParameterError, Tier, check_integer, check_tiers

SCENARIOS_MAX = 32
SHOCK_MAX = 1 << 17  # over 2^16: a price at most triples
FACTOR_MAX = 1 << 20
PRICE_LIMIT = 1 << 48

Vector = tuple[int, ...]
Prices = tuple[int, Sequence[int]]  # the time of a tick, and the price of each market


@dataclass(frozen=True)
class Option:
    """A European option on a market; strike: quote with 16 fractional bits; expiry: seconds; short_rate: charge on a
    short unit, over 2^16 of the underlying's price. It settles in cash against the underlying's price."""

    underlying: int
    call: bool
    strike: int
    expiry: int
    short_rate: int

    def __post_init__(self) -> None:
        if type(self.call) is not bool:
            raise ParameterError("call", f"true or false is needed, not {self.call!r}")
        check_integer("strike", self.strike, 1, PRICE_LIMIT - 1)
        check_integer("short_rate", self.short_rate, 0, RATE_MAX)

    def settlement(self, price: int) -> int:
        """What a unit is worth at expiry: at least the least price there is, 2^-16 quote."""
        return max(price - self.strike if self.call else self.strike - price, 1)

    def charge(self, price: int) -> int:
        """On a short unit, at a price of the underlying; rounded up."""
        return -(-self.short_rate * price >> 16)


@dataclass(frozen=True)
class Instrument:
    """A market inside a portfolio. shocks: of a linear instrument, its price's change in each scenario over 2^16.

    addons: tiers of what a position requires beside the scenarios (contingency, liquidity, a minimum on delta).
    """

    shocks: tuple[int, ...]
    addons: tuple[Tier, ...]
    option: Option | None

    def __post_init__(self) -> None:
        for i, shock in enumerate(self.shocks):
            check_integer(f"shocks[{i}]", shock, -RATE_MAX, SHOCK_MAX)
        if self.option is not None and self.shocks:
            raise ParameterError("shocks", "the oracle says what scenarios do to an option")
        try:
            check_tiers(self.addons)
        except ParameterError as error:
            raise ParameterError(f"addons.{error.field}", str(error).removeprefix(f"{error.field}: ")) from None

    def linear_vector(self, price: int) -> Vector:
        """No charge, and what each shock does to a unit, rounded down."""
        return (0, *(price * shock >> 16 for shock in self.shocks))


@dataclass(frozen=True)
class Portfolio:
    """Portfolio margin: the worst scenario, or the charges on short options where they are more, and add-ons.

    scenarios: how many. initial_factor: over 2^16, what the initial requirement takes of the worst scenario.
    instruments: one a market.
    """

    scenarios: int
    initial_factor: int
    instruments: tuple[Instrument, ...]

    def __post_init__(self) -> None:
        check_integer("portfolio.scenarios", self.scenarios, 1, SCENARIOS_MAX)
        check_integer("portfolio.initial_factor", self.initial_factor, 1 << 16, FACTOR_MAX)
        for i, instrument in enumerate(self.instruments):
            if instrument.option is None and len(instrument.shocks) != self.scenarios:
                raise ParameterError(f"portfolio.instruments[{i}].shocks", f"{self.scenarios} are needed")

    @classmethod
    def from_json(cls, data: object) -> "Portfolio":
        """ParameterError names what is missing, unknown or out of range."""
        values = exact_fields(cls, data, "portfolio")
        listed = read_list(values["instruments"], "portfolio.instruments")
        instruments = [_instrument(item, f"portfolio.instruments[{i}]") for i, item in enumerate(listed)]
        return cls(**(values | {"instruments": tuple(instruments)}))

    @property
    def has_options(self) -> bool:
        return any(instrument.option is not None for instrument in self.instruments)

    def expired(self, market: int, time: int) -> bool:
        """Whether the market is an option that has expired at this time."""
        option = self.instruments[market].option
        return option is not None and time >= option.expiry

    def settlement(self, market: int, last: Prices, now: Prices) -> int | None:
        """The price that an expired option has: that of the first tick after its expiry, and from then on; None for
        others."""
        option = self.instruments[market].option
        if option is None or now[0] < option.expiry:
            return None
        return last[1][market] if last[0] >= option.expiry else option.settlement(now[1][option.underlying])

    def vectors(self, prices: Sequence[int], time: int, given: Sequence[Vector]) -> tuple[Vector, ...]:
        """The vectors of a tick. given: what the oracle says of each market's scenarios, empty for linear and expired
        ones; ValueError names a market for which it may not say that."""
        if len(given) != len(prices):
            raise ValueError(f"{len(given)} vectors for {len(prices)} markets")
        result = []
        for market, (instrument, price, changes) in enumerate(zip(self.instruments, prices, given, strict=True)):
            option = instrument.option
            asked = option is not None and not self.expired(market, time)
            if len(changes) != (self.scenarios if asked else 0):
                raise ValueError(f"market {market}: {len(changes)} changes in {self.scenarios} scenarios")
            if option is None:
                result.append(instrument.linear_vector(price))
            elif not asked:
                result.append((0,) * (self.scenarios + 1))
            elif not all(0 <= price + change < PRICE_LIMIT for change in changes):
                raise ValueError(f"market {market}: a scenario leaves the range of prices")
            else:
                result.append((option.charge(prices[option.underlying]), *changes))
        return tuple(result)


def _instrument(data: object, path: str) -> Instrument:
    values = exact_fields(Instrument, data, path)
    tiers = read_list(values["addons"], f"{path}.addons")
    addons = tuple(at_path(f"{path}.addons[{i}]", Tier, item) for i, item in enumerate(tiers))
    option = None if values["option"] is None else at_path(f"{path}.option", Option, values["option"])
    shocks: tuple[Any, ...] = tuple(read_list(values["shocks"], f"{path}.shocks"))
    return at_path(path, Instrument, {"shocks": shocks, "addons": addons, "option": option})
