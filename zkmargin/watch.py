"""Which accounts can be below maintenance by now: those whose trigger the market has passed, and no others.

Let r = TV*2^16 - MM when an account was looked at, at price P and index I, and K = P*2^16 - I the key of its market,
all in quote * 2^-32. Tier rates are at most 1; let rho be the highest one. From there to another price and index, a
long position of m units loses at most m*(-dK) when the price has fallen, since its requirement fell too, and at most
m*(rho*|dI| - (1 - rho)*dK) when it has risen; a short one at most m*((1 + rho)*dK + rho*|dI|). The ceiling of funding
is less than 2^32. So while

    s0 - s + |dI| <= (r - 2^32) / (m*(1 + rho*short)),     s = K for a long, -K for a short,

the account is not below maintenance: nobody is missed. The trigger keeps s0 - (r - 2^32)/..., and |dI| is bounded by
what I has drifted from a common origin then and now. Who is checked and found healthy gets a new trigger, nearer to the
margin that is left.
"""

from dataclasses import dataclass, field

import numpy as np

from zkmargin.bands import WATCHED, count
from zkmargin.book import Book, Evaluator, Row

BLOCK = 1 << 10  # accounts of neighbouring triggers, looked at together or not at all
SLACK = 2.0**-48  # relative, for the arithmetic in float64
DRIFT_BITS = 6  # a new origin once the index has drifted by price * 2^6, a thousandth of the key
REBUILD = 8  # blocks are sorted anew when one in eight accounts has been checked


@dataclass
class Watched:
    """The accounts of one market, sorted by trigger in blocks; shorts behind longs.

    trigger: the level of s below which an account is due; highest: of each block. checks: how often accounts were
    evaluated so far, by the band that they were found in.
    """

    evaluator: Evaluator
    book: Book
    trigger: np.ndarray = field(init=False)
    order: np.ndarray = field(init=False)
    block: np.ndarray = field(init=False)
    highest: np.ndarray = field(init=False)
    with_shorts: np.ndarray = field(init=False)
    checks: np.ndarray = field(init=False)
    since: int = field(init=False, default=0)
    origin: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.checks = np.zeros(len(WATCHED), np.int64)
        self._restart(0)

    def tick(self, row: Row) -> np.ndarray:
        """The places of all accounts that are below maintenance now, ascending."""
        if abs(row[1] - self.origin) > row[0] << DRIFT_BITS:
            self._restart(row[1])
        elif self.since * REBUILD > len(self.book):
            self._sort()
        due = self._due(row)
        if not len(due):
            return due
        reach = self._reach(due, row)
        self.checks += count(reach / _unit(row))
        self.since += len(due)
        self._set_triggers(due, reach, row)
        return np.sort(self.evaluator.below(self.book, due, row))

    def distances(self, row: Row) -> np.ndarray:
        """The share of the price that each account is away from its trigger, were it looked at now: no more than it is
        away from its maintenance margin. Negative below it (to a unit of funding), infinite without a position."""
        return self._reach(slice(None), row) / _unit(row)

    def add(self, accounts: Book) -> None:
        """More accounts, due at the next tick; they are behind the others until these are sorted anew."""
        new = np.arange(len(self.book), len(self.book) + len(accounts))
        self.book = self.book.followed_by(accounts)
        self.order, self.block = np.append(self.order, new), np.append(self.block, new // BLOCK)
        blocks = -(-len(self.book) // BLOCK) - len(self.highest)
        self.highest = np.append(self.highest, np.full(blocks, -np.inf))
        self.with_shorts = np.append(self.with_shorts, np.zeros(blocks, bool))
        self.trigger = np.append(self.trigger, np.zeros(len(new)))
        self.touch(new)

    def touch(self, places: np.ndarray) -> None:
        """Accounts that something else has changed are due at the next tick."""
        self.trigger[places] = np.inf
        self.highest[self.block[places]] = np.inf
        self.with_shorts[self.block[places[self.book.negative[places]]]] = True

    def _due(self, row: Row) -> np.ndarray:
        """The places whose trigger is above the level of their side."""
        key, drift = _key(row), float(abs(row[1] - self.origin))
        blocks = (self.highest > np.where(self.with_shorts, -key, key) - drift).nonzero()[0]
        if not len(blocks):
            return self.order[:0]
        candidates = np.concatenate([self.order[block * BLOCK : (block + 1) * BLOCK] for block in blocks])
        level = np.where(self.book.negative[candidates], -key, key) - drift
        return candidates[self.trigger[candidates] > level]

    def _reach(self, places: slice | np.ndarray, row: Row) -> np.ndarray:
        """How far s may fall before an account can be below maintenance: (r - 2^32) / (m*(1 + rho*short))."""
        room, bound = self.evaluator.room(self.book, places, row)
        size = self.book.magnitude[places].astype(np.float64)
        steepest = float(self.evaluator.rates[-1]) / 65536
        per_unit = size * np.where(self.book.negative[places], 1 + steepest, 1.0)
        margin = np.where(room < 0, room, np.maximum(room - bound - 2.0**32, 0.0))
        without = np.where(room < 0, -np.inf, np.inf)  # a position: nothing moves it
        return np.divide(margin, per_unit, out=without, where=size > 0)

    def _set_triggers(self, places: np.ndarray, reach: np.ndarray, row: Row) -> None:
        side = np.where(self.book.negative[places], -1.0, 1.0) * _key(row)
        trigger = side + float(abs(row[1] - self.origin)) - reach * (1 - SLACK) + np.abs(side) * SLACK
        self.trigger[places] = np.where(reach > 0, trigger, np.inf)
        for block in np.unique(self.block[places]):
            self.highest[block] = self.trigger[self.order[block * BLOCK : (block + 1) * BLOCK]].max()

    def _restart(self, origin: int) -> None:
        """Another origin of the index: everyone is due."""
        self.origin = origin
        self.trigger = np.full(len(self.book), np.inf)
        self._sort()

    def _sort(self) -> None:
        self.since = 0
        self.order = np.lexsort((-self.trigger, self.book.negative))
        self.block = np.empty(len(self.order), np.int64)
        self.block[self.order] = np.arange(len(self.order)) // BLOCK
        starts = np.arange(0, len(self.order), BLOCK)
        empty = len(starts) == 0
        self.highest = np.zeros(0) if empty else np.maximum.reduceat(self.trigger[self.order], starts)
        negative = self.book.negative[self.order]
        self.with_shorts = np.zeros(0, bool) if empty else np.logical_or.reduceat(negative, starts)


def _unit(row: Row) -> float:
    """The price, as keys have it."""
    return float(row[0] << 16)


def _key(row: Row) -> float:
    return float((row[0] << 16) - row[1])
