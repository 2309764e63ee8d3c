"""When an account has to be checked again: bands of distance to maintenance, an interval for each, a sample of cells.

An account of one cell states in its cell when it is *due*, a group in its head's: the time of its last check plus the
interval of the band it was found in. Whoever reads it compares one number, and a venue that changes its intervals
leaves the dates that were given. Times are in seconds, as those of oracle rows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise

from circuits.margin.cell import DUE_BITS
from circuits.margin.reading import at_path, exact_fields, read_list
from circuits.margin.tiers import ParameterError, check_integer

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

    def implied(self, requirements: Iterable[tuple[int, int]]) -> Band:
        """The furthest band that whoever meets the initial one of each pair (maintenance, initial) is in."""
        pairs = list(requirements)
        found = (band for band in reversed(self.bands) if all(i * ONE >= m * (ONE + band.buffer) for m, i in pairs))
        return next(found, self.bands[0])


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
