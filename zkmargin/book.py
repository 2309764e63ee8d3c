"""A whole book in arrays, and the scan that says which of its accounts are below maintenance, exactly.

The amounts of `circuits.margin.modules` are evaluated in float64, whole columns at a time. What is further from its
margin than the arithmetic can be wrong is decided; the few others are decided again in integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.modules import FUNDING_FRACTION, equity, requirement
from circuits.margin.parameters import Market
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.rules import Settled
from zkmargin.state import State

CHUNK = 1 << 15  # accounts at a time, so that what lies between the columns stays in the cache
ERROR = 2.0**-44  # of the largest amounts: some dozen operations of relative error 2^-53 each, and room
Row = tuple[int, int]
"""Price and funding index of a market."""


@dataclass
class Book:
    """Isolated accounts of one market. address: int64; collateral, index: int64, as in cells; magnitude: uint64 and
    negative: bool, the position. All of shape (accounts,)."""

    address: np.ndarray
    collateral: np.ndarray
    magnitude: np.ndarray
    negative: np.ndarray
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.address)

    def followed_by(self, other: "Book") -> "Book":
        return Book(*map(np.concatenate, zip(vars(self).values(), vars(other).values(), strict=True)))

    def cell(self, place: int, market: int) -> Cell:
        """The account at a place of the arrays."""
        position = int(self.magnitude[place]) * (-1 if self.negative[place] else 1)
        return Cell(int(self.collateral[place]), position, int(self.index[place]), market, ACCOUNT)

    def put(self, place: int, cell: Cell) -> None:
        """Changes an account."""
        self.collateral[place], self.index[place] = cell.collateral, cell.index
        self.magnitude[place], self.negative[place] = abs(cell.position), cell.position < 0


def books_of(state: State, markets: int) -> list[Book]:
    """The isolated accounts of a state by market, ascending by address."""
    found: list[list[tuple[int, Cell]]] = [[] for _ in range(markets)]
    for address, cell in state.accounts():
        found[cell.market].append((address, cell))
    return [book_of(accounts) for accounts in found]


def book_of(accounts: Sequence[tuple[int, Cell]]) -> Book:
    cells = [cell for _, cell in accounts]
    return Book(
        np.array([address for address, _ in accounts], np.int64),
        np.array([cell.collateral for cell in cells], np.int64),
        np.array([abs(cell.position) for cell in cells], np.uint64),
        np.array([cell.position < 0 for cell in cells], bool),
        np.array([cell.index for cell in cells], np.int64),
    )


class Evaluator:
    """What the accounts of a market have beyond maintenance, in float64 with a bound on its error."""

    def __init__(self, market: Market, number: int) -> None:
        self.market, self.number = market, number
        tiers = market.tiers
        self.lowers = np.array([float(tier.lower) for tier in tiers])
        self.rates = np.array([float(tier.maintenance_rate) for tier in tiers])
        self.deductions = np.array([float(tier.maintenance_deduction) for tier in tiers])

    def room(self, book: Book, places: slice | np.ndarray, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """(TV*2^16 - MM, bound) of the accounts at these places: the integer is within the bound of the first; quote *
        2^-32. Where a notional is near 2^79 or beyond, the bound is infinite."""
        price, index = row
        magnitude = book.magnitude[places].astype(np.float64)
        position = np.where(book.negative[places], -magnitude, magnitude)
        collateral, settled = book.collateral[places].astype(np.float64), book.index[places].astype(np.float64)
        owed = position * (float(index) - settled) * 2.0**-FUNDING_FRACTION
        notional = magnitude * float(price)
        tier = np.searchsorted(self.lowers, notional, side="right") - 1
        required = requirement(self.rates[tier], self.deductions[tier], notional)
        room = equity(collateral - owed, position, float(price)) * 2.0**16 - required
        # The payment's ceiling is up to a unit more; near a tier's end the other tier's amount is as near
        indices = np.abs(settled).max(initial=0) + float(abs(index))
        spread = np.abs(collateral) + magnitude * (indices * 2.0**-FUNDING_FRACTION)
        bound = (spread * 2.0**32 + notional * 2.0**17 + self.deductions[tier]) * ERROR
        bound += 2.0**32 * (magnitude > 0)
        bound[notional > NOTIONAL_LIMIT * (1 - ERROR)] = np.inf
        return room, bound

    def below(self, book: Book, places: np.ndarray, row: Row) -> np.ndarray:
        """Of these places, those whose account is below maintenance: TV*2^16 < MM, with a notional that has a tier."""
        return places[self._below(book, places, row)]

    def scan(self, book: Book, row: Row) -> np.ndarray:
        """The places of all accounts below maintenance, ascending."""
        starts = range(0, len(book), CHUNK)
        found = [start + self._below(book, slice(start, start + CHUNK), row).nonzero()[0] for start in starts]
        return np.concatenate(found) if found else np.arange(0)

    def _below(self, book: Book, places: slice | np.ndarray, row: Row) -> np.ndarray:
        room, bound = self.room(book, places, row)
        certain = room < -bound
        for near in (np.abs(room) <= bound).nonzero()[0]:
            place = places.start + near if isinstance(places, slice) else places[near]
            certain[near] = self._exactly(book, place, row)
        return certain

    def _exactly(self, book: Book, place: int, row: Row) -> bool:
        cell = book.cell(int(place), self.number)
        account = Settled.of(int(book.address[place]), cell, self.market, *row)
        return account.notional < NOTIONAL_LIMIT and account.equity << 16 < account.maintenance()
