"""A tape past a book: what the watch finds at each tick, what it costs, and that a full scan finds no one else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Market
from zkmargin.book import Book, Evaluator, Row
from zkmargin.population import oracle_price
from zkmargin.tape import BAR_COLUMNS, read_bars, read_trades
from zkmargin.transactions import InputError
from zkmargin.watch import Watched

LEAST_SHARE, MOST_SHARE = 0.005, 1.0  # equity over notional of a made book, log-uniform


@dataclass(frozen=True)
class Watching:
    """One tick. checks: accounts that were looked at; found: below maintenance, and taken out of the book; missed: by a
    full scan besides, None where none was made. seconds: of the watch, and of the full scan."""

    tick: int
    price: int
    checks: int
    found: int
    missed: int | None
    seconds: float
    full_seconds: float | None


def read_rows(path: Path) -> list[Row]:
    """(price, 0) of each change of price in a file of bars or trades; InputError as their readers."""
    try:
        prices = [price for _, price in read_bars(path)]
    except InputError as error:
        if error.field not in BAR_COLUMNS or error.line != 1:
            raise
        prices = [trade.price for trade in read_trades(path)]
    rows = [(oracle_price(price), 0) for price in prices]
    return [row for i, row in enumerate(rows) if not i or row != rows[i - 1]]


def made_book(accounts: int, price: int, seed: int) -> Book:
    """Positions on either side, log-uniform in size and in the share of their notional that is equity."""
    rng = np.random.default_rng(seed)
    magnitude = (10 ** rng.uniform(3, 9, accounts)).astype(np.uint64)
    negative = rng.random(accounts) < 0.5
    notional = magnitude.astype(np.float64) * price / 65536
    share = np.exp(rng.uniform(np.log(LEAST_SHARE), np.log(MOST_SHARE), accounts))
    collateral = (notional * np.where(negative, 1 + share, share - 1)).astype(np.int64)
    return Book(np.arange(accounts), collateral, magnitude, negative, np.zeros(accounts, np.int64))


def watch(
    market: Market, number: int, book: Book, rows: Sequence[Row], full_every: int, progress: Callable[[int], None]
) -> Iterator[Watching]:
    """The ticks of a tape. Who is found is liquidated: has no position, and a unit of collateral, from then on.

    full_every: a full scan is made at every so manieth tick, and compared.
    """
    evaluator = Evaluator(market, number)
    watched = Watched(evaluator, book)
    for tick, row in enumerate(rows):
        before, began = watched.checks.sum(), perf_counter()
        found = watched.tick(row)
        seconds, missed, full_seconds = perf_counter() - began, None, None
        if tick % full_every == 0:
            began = perf_counter()
            everyone = evaluator.scan(book, row)
            full_seconds = perf_counter() - began
            missed = len(np.setxor1d(everyone, found))
        for place in found:
            book.put(int(place), Cell(1, 0, row[1], number, ACCOUNT))
        watched.touch(found)
        yield Watching(tick, row[0], int(watched.checks.sum() - before), len(found), missed, seconds, full_seconds)
        progress(tick + 1)


def summary(ticks: Sequence[Watching], accounts: int) -> dict[str, float | int]:
    """Over all ticks; the first looks at everyone, and is counted."""
    checks, full = sum(tick.checks for tick in ticks), accounts * len(ticks)
    scans = [tick.full_seconds for tick in ticks if tick.full_seconds is not None]
    return {
        "accounts": accounts,
        "ticks": len(ticks),
        "found": sum(tick.found for tick in ticks),
        "missed": sum(tick.missed or 0 for tick in ticks),
        "full scans compared": len(scans),
        "checks of full scans": full,
        "checks": checks,
        "times less": round(full / max(checks, 1), 1),
        "ms a tick": round(1000 * sum(tick.seconds for tick in ticks) / len(ticks), 3),
        "ms a full scan": round(1000 * sum(scans) / max(len(scans), 1), 3),
    }
