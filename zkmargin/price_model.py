"""Trades that need no file: a seeded random walk with a crash in it, in integers alone, so the same on every machine.

A price moves by a step of mean 0 and standard deviation 1 basis point a trade (a sum of twelve uniforms, near enough a
normal). From 55 % to 60 % of the tape it also falls by 12 % in all, and from there to 70 % it rises by 5 %. Two trades
a second. A quantity is 2^k (1 + u) thousandths of a coin, k binomial (11, 1/2) and u uniform on [0, 1): a median near
0.065 coins, at most 4.096.
"""

from decimal import Decimal
from random import Random

from zkmargin.tape import Trade

START_PRICE = 30_000 << 32  # quote per coin over 2^32
START_TIME = 1_700_000_000
ONE = 1 << 32
UNIFORM_BITS = 32
STEP = 10_000  # a standard deviation is ONE / STEP
MOVES = ((55, 60, -12), (60, 70, 5))  # from, until, by: percent of the tape, percent of the price where it begins


def model_trades(count: int, seed: str) -> list[Trade]:
    """`count` trades; the same for the same seed. Prices in cents, quantities in thousandths."""
    random = Random(f"price model {seed}")
    trades: list[Trade] = []
    level, base = START_PRICE, START_PRICE  # of the walk, and where the present move began
    for i in range(count):
        if any(_place(count, start) == i for start, _, _ in MOVES):
            base = level
        level += (level * _noise(random) >> UNIFORM_BITS) // STEP + _drift(i, count, base)
        cents = max(1, (level * 100 + ONE // 2) >> 32)
        thousandths = random.randrange(size := 1 << random.getrandbits(11).bit_count(), 2 * size)
        buyer_took = bool(random.getrandbits(1))
        trades.append(Trade(START_TIME + i // 2, Decimal(cents) / 100, Decimal(thousandths) / 1000, buyer_took))
    return trades


def _noise(random: Random) -> int:
    """Mean 0, variance 1, over 2^UNIFORM_BITS: twelve uniforms have a variance of 1 together, and a mean of 6."""
    return sum(random.getrandbits(UNIFORM_BITS) for _ in range(12)) - (6 << UNIFORM_BITS)


def _place(count: int, percent: int) -> int:
    return count * percent // 100


def _drift(i: int, count: int, base: int) -> int:
    """The change by a trade of a move that is spread evenly over its part of the tape."""
    for start, end, percent in MOVES:
        first, last = _place(count, start), _place(count, end)
        if first <= i < last:
            return base * percent // (100 * (last - first))
    return 0
