"""The scanner against the rules, account by account, and the triggers against the scanner, tick by tick."""

from random import Random

import numpy as np
import pytest

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.tiers import NOTIONAL_LIMIT
from tests.circuits.margin.situations import INDICES, PRICES, near_a_rule
from tests.margin_worlds import small_parameters
from zkmargin.book import Book, Evaluator, Row, book_of, books_of
from zkmargin.rules import Settled
from zkmargin.state import State
from zkmargin.watch import Watched

RULES = small_parameters()


def one_by_one(book: Book, market: int, row: Row) -> list[int]:
    """The slow twin: the rules on every account."""
    found = []
    for place in range(len(book)):
        account = Settled.of(place, book.cell(place, market), RULES.markets[market], *row)
        if account.notional < NOTIONAL_LIMIT and account.equity << 16 < account.maintenance():
            found.append(place)
    return found


def at_the_edges(seed: int, market: int, row: Row, count: int) -> Book:
    """Accounts within a unit of their margin, or with any digits that a cell can hold."""
    rng = Random(seed)
    return book_of([(i, near_a_rule(rng, RULES, market, *row)) for i in range(count)])


@pytest.mark.parametrize("seed", range(40))
def test_a_scan_is_the_rules_on_every_account(seed: int) -> None:
    rng = Random(seed)
    market, row = seed % 2, (rng.choice(PRICES), rng.choice(INDICES))
    book = at_the_edges(seed, market, row, 400)
    assert Evaluator(RULES.markets[market], market).scan(book, row).tolist() == one_by_one(book, market, row)


def test_a_scan_of_nobody() -> None:
    empty, row = book_of([]), (1 << 16, 0)
    assert Evaluator(RULES.markets[0], 0).scan(empty, row).tolist() == []
    assert Watched(Evaluator(RULES.markets[0], 0), empty).tick(row).tolist() == []


def test_a_state_by_market() -> None:
    cells = {5: Cell(10, 3, 0, 1, ACCOUNT), 3: Cell(-4, -2, 7, 0, ACCOUNT), 9: Cell(1, 0, 0, 0, ACCOUNT)}
    state = State({address: cell.pack() for address, cell in cells.items()}, ((1, 0), (1, 0)), 1, 1)
    near, wide = books_of(state, 2)
    assert near.address.tolist() == [3, 9] and wide.address.tolist() == [5]
    assert [near.cell(0, 0), near.cell(1, 0), wide.cell(0, 1)] == [cells[3], cells[9], cells[5]]


def walk(seed: int, ticks: int, price: int) -> list[Row]:
    """Prices that jump, and an index that drifts both ways, slowly or fast."""
    rng, index, rows = np.random.default_rng(seed), 0, []
    speed = 10 ** rng.uniform(-6, -2)
    for _ in range(ticks):
        price = max(1, int(price * float(np.exp(rng.normal(0, rng.choice([1e-4, 1e-3, 2e-2]))))))
        index += int(rng.normal(0, speed) * (price << 16))
        rows.append((price, index))
    return rows


def leveraged(seed: int, accounts: int, price: int) -> Book:
    """Positions of either side with an equity from nothing to all of their notional."""
    rng = np.random.default_rng(seed)
    magnitude = (10 ** rng.uniform(0, 9, accounts)).astype(np.uint64)
    negative = rng.random(accounts) < 0.5
    worth = [(int(m) * price >> 16) * (-1 if n else 1) for m, n in zip(magnitude, negative, strict=True)]
    share = 10 ** rng.uniform(-2.5, 0, accounts)
    collateral = np.array([int(abs(w) * s) - w for w, s in zip(worth, share, strict=True)], np.int64)
    index = rng.integers(-(1 << 20), 1 << 20, accounts)
    return Book(np.arange(accounts), collateral, magnitude, negative, index)


@pytest.mark.parametrize("seed", range(12))
def test_nobody_is_missed(seed: int) -> None:
    """Accounts change sides between ticks as well, and keep their equity."""
    rng, market = np.random.default_rng(seed), seed % 2
    evaluator = Evaluator(RULES.markets[market], market)
    book = leveraged(seed, 3000, 100 << 16)
    watched = Watched(evaluator, book)
    for row in walk(seed, 120, 100 << 16):
        found = watched.tick(row)
        assert found.tolist() == evaluator.scan(book, row).tolist()
        changed = rng.choice(len(book), 5, replace=False)
        for place in changed:
            cell = book.cell(int(place), market)
            collateral = cell.collateral + (2 * cell.position * row[0] >> 16)
            book.put(int(place), Cell(collateral, -cell.position, row[1], market, ACCOUNT))
        watched.touch(changed)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_long_that_turns_short_beside_one_that_stays(order: list[int]) -> None:
    """Both are touched, in either order; the one that turned is due when the price has risen."""
    now, later = (100 << 16, 0), (200 << 16, 0)
    book = book_of([(i, Cell(10**9, 10**6, 0, 0, ACCOUNT)) for i in range(64)])
    watched = Watched(Evaluator(RULES.markets[0], 0), book)
    assert [watched.tick(now).tolist() for _ in range(2)] == [[], []]  # sorted, once all were checked
    book.put(0, Cell(18 * 10**7, -(10**6), 0, 0, ACCOUNT))
    watched.touch(np.array(order))
    assert watched.tick(now).tolist() == []
    assert watched.tick(later).tolist() == one_by_one(book, 0, later) == [0]


def test_few_are_checked_where_little_happens() -> None:
    """After the first look at everyone, a price that hardly moves concerns hardly anyone."""
    book, evaluator = leveraged(5, 20_000, 100 << 16), Evaluator(RULES.markets[0], 0)
    watched = Watched(evaluator, book)
    below = watched.tick((100 << 16, 0))
    first = watched.checks.sum()
    for step in range(50):
        watched.tick(((100 << 16) + (step % 5), 0))
    assert first == len(book)
    assert watched.checks.sum() - first < 50 * (len(below) + len(book) // 50)


def test_the_bounds_hold_where_the_index_is_at_its_ends() -> None:
    """Differences of indices that no 64 bits hold."""
    row = (1 << 16, (1 << 63) - 1)
    book = book_of([(i, Cell(0, q, -(1 << 63) + 1, 0, ACCOUNT)) for i, q in enumerate((1, -1, 5, -5))])
    assert Evaluator(RULES.markets[0], 0).scan(book, row).tolist() == one_by_one(book, 0, row)
