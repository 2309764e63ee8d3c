"""When an account has to be checked again: bands of distance to maintenance, an interval for each, a sample of cells.

An account of one cell states in its cell when it is *due*, a group in its head's: the time of its last check plus the
interval of the band it was found in. Whoever reads it compares one number, and a venue that changes its intervals
leaves the dates that were given. Times are in seconds, as those of oracle rows.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

from circuits.margin.modules import Module
from circuits.margin.reading import at_path, exact_fields, read_list
from circuits.margin.tiers import NOTIONAL_LIMIT, ParameterError, Tier, check_integer

if TYPE_CHECKING:
    from circuits.margin.parameters import Parameters

DUE_BITS = 32
NEVER = (1 << DUE_BITS) - 1  # an account without positions, of which no price makes anything
INTERVAL_LIMIT = 1 << 28
CLOCK_LIMIT = (1 << DUE_BITS) - INTERVAL_LIMIT  # of the time of a tick: with an interval more it is below NEVER
BUFFER_MAX = 1 << 24
BANDS_MAX = 16
ONE = 1 << 16


@dataclass(frozen=True)
class Band:
    """Accounts whose equity is maintenance and `buffer` (over 2^16 of it) more, or better, are checked every `interval`
    seconds."""

    buffer: int
    interval: int

    def __post_init__(self) -> None:
        check_integer("buffer", self.buffer, 0, BUFFER_MAX)
        check_integer("interval", self.interval, 1, INTERVAL_LIMIT - 1)

    def room(self, equity: int, maintenance: int) -> int:
        """What an account has beyond the band's lower end, in quote * 2^-48; not negative inside it."""
        return (equity << 32) - maintenance * (ONE + self.buffer)


@dataclass(frozen=True)
class Cadence:
    """bands: by rising buffer, from 0 on, the nearer the more often."""

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.bands) <= BANDS_MAX:
            raise ParameterError("bands", f"1..{BANDS_MAX} are needed, not {len(self.bands)}")
        if self.bands[0].buffer:
            raise ParameterError("bands[0].buffer", "the first band begins at maintenance itself, 0")
        for i, (nearer, further) in enumerate(pairwise(self.bands), 1):
            for name in ("buffer", "interval"):
                if getattr(further, name) <= getattr(nearer, name):
                    raise ParameterError(f"bands[{i}].{name}", "buffers and intervals rise from band to band")

    @classmethod
    def from_json(cls, data: object) -> "Cadence":
        """ParameterError names what is missing, unknown or out of range."""
        values = exact_fields(cls, data, "cadence")
        listed = enumerate(read_list(values["bands"], "cadence.bands"))
        bands = tuple(at_path(f"cadence.bands[{i}]", Band, item) for i, item in listed)
        return at_path("cadence", cls, {"bands": bands})

    def band(self, equity: int, maintenance: int) -> Band | None:
        """The furthest band that an account (quote * 2^-16, * 2^-32) is in; None below maintenance."""
        inside = (band for band in reversed(self.bands) if band.room(equity, maintenance) >= 0)
        return next(inside, None)


def renewal(parameters: "Parameters", cadence: Cadence) -> int:
    """The interval of whoever has just met the initial margin: that of the furthest band which every account that
    meets it is in. Modules of a venue's own may make anything of requirements: the nearest."""
    if parameters.modules:
        return cadence.bands[0].interval
    pairs = list(_requirements(parameters))
    return [band.interval for band in cadence.bands if all(_implied(band, *pair) for pair in pairs)][-1]


def _implied(band: Band, maintenance: int, initial: int) -> bool:
    return initial * ONE >= maintenance * (ONE + band.buffer)


def _requirements(parameters: "Parameters") -> Iterator[tuple[int, int]]:
    """(maintenance, initial) wherever the one as a function of the other has a corner; sums of such pairs keep what all
    of them keep."""
    for market in (*parameters.markets, *parameters.portfolio_markets):
        yield from (pair for tier in market.tiers for pair in _ends(tier))
    if parameters.portfolio is not None:
        yield ONE, parameters.portfolio.initial_factor


def _ends(tier: Tier) -> Iterator[tuple[int, int]]:
    for notional in (tier.lower, tier.upper):
        yield tier.requirement(notional, "maintenance"), tier.requirement(notional, "initial")


def check_supplies(parameters: "Parameters") -> None:
    """ParameterError unless who has collateral and assets alone is above maintenance at every price, and stays so in
    whatever does not date him anew: supplies, which ask nobody, and sales, which take no more than they pay.

    So it may be an account that is never due. (But for shocks, which are rounded to 2^-16 of a price.)
    """
    if not parameters.assets:
        return
    if 2 * parameters.trade_fee_cap + parameters.trade_band > ONE:
        message = "under a cadence, an asset's sale has to pay its fee: twice the cap and the band are at most 2^16"
        raise ParameterError("trade_fee_cap", message)
    for module in parameters.group_modules(parameters.portfolio is not None):
        for market in parameters.assets:
            if _most_required(parameters, module, market) > NOTIONAL_LIMIT * ONE:
                message = f"under a cadence, no asset requires more than it is worth, as it may by {module.name}"
                raise ParameterError(f"markets[{market}]", message)


def _most_required(parameters: "Parameters", module: Module, market: int) -> int:
    """Maintenance of an account that holds as much of an asset as tiers do; of less, it is no larger share."""
    markets, worst, factor = parameters.markets, 0, ONE
    if module.scans and parameters.portfolio is not None:
        markets, factor = parameters.portfolio_markets, parameters.portfolio.initial_factor
        worst = max(0, *(-shock for shock in parameters.portfolio.instruments[market].shocks)) * NOTIONAL_LIMIT // ONE
    required = module.requirement(*markets[market].tiers[-1].terms("maintenance"), NOTIONAL_LIMIT, 0)
    return int(module.conclude(0, required, 0, worst, factor).maintenance)


@dataclass(frozen=True)
class Checks:
    """What a batch says of its cadence.

    seed: of the sample, 256 bits, known to nobody before the state that the batch starts from was committed. late: legs
    that found their account overdue; sampled: accounts in the sample of that state, overdue: those of them that were
    due before its last tick.
    """

    seed: int
    late: int
    sampled: int
    overdue: int

    def words(self) -> tuple[int, ...]:
        return astuple(self)

    def counts(self) -> dict[str, int]:
        """Without the seed."""
        return {"late": self.late, "sampled": self.sampled, "overdue": self.overdue}

    @property
    def punctual(self) -> bool:
        return not self.late and not self.overdue


CHECK_WORDS = len(fields(Checks))


def sample(seed: int, size: int, cells: int) -> tuple[int, ...]:
    """The addresses of a sample of `size` cells, of all `cells` of the state; one may be drawn twice."""
    prefix = b"zkmargin sample" + seed.to_bytes(32, "big")
    digests = (hashlib.sha256(prefix + place.to_bytes(8, "big")).digest() for place in range(size))
    return tuple(int.from_bytes(digest, "big") % cells for digest in digests)


def derived_seed(root: Sequence[int] | None, batch: int) -> int:
    """The seed where no beacon gives one: of the state (affine coordinates) and the number of the batch on it.

    An operator can try other states until one is drawn from kindly, at the price of a point's addition and of hashes up
    to the first one drawn that is overdue, thousands of tries a second in Python alone: of N cells with m overdue a
    sample of K misses all in one of (1 - m/N)^-K, so it says nothing unless K*m/N is well above 30. A beacon later than
    the state leaves him one try.
    """
    words = b"".join(word.to_bytes(32, "big") for word in (*(root or (0, 0)), batch))
    return int.from_bytes(hashlib.sha256(b"zkmargin seed" + words).digest(), "big")
