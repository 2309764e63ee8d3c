"""Trades that need no file: a seeded random walk with a crash in it.

log price moves by 1 basis point (standard deviation) a trade; from 55 % to 60 % of the tape it also falls by a total
of 6 %, and wins half of that back until 70 %. Two trades a second; quantities are log-normal around 0.05 coins, at
most 5.
"""

from decimal import Decimal
from math import exp
from random import Random

from zkmargin.tape import Trade

START_PRICE = 30_000.0
START_TIME = 1_700_000_000
STEP = 1e-4
CRASH, RECOVERY = (0.55, 0.60, -0.06), (0.60, 0.70, 0.03)


def model_trades(count: int, seed: str) -> list[Trade]:
    """`count` trades; the same for the same seed. Prices in cents, quantities in thousandths."""
    random = Random(f"price model {seed}")
    trades, log_price = [], 0.0
    for i in range(count):
        log_price += random.gauss(0, STEP) + sum(_drift(i / count, *phase) for phase in (CRASH, RECOVERY)) / count
        quantity = min(5.0, 0.05 * exp(random.gauss(0, 1)))
        price = Decimal(round(START_PRICE * exp(log_price) * 100)) / 100
        trades.append(
            Trade(START_TIME + i // 2, price, Decimal(max(1, round(quantity * 1000))) / 1000, random.random() < 0.5)
        )
    return trades


def _drift(at: float, start: float, end: float, total: float) -> float:
    """The change per unit of tape of a move that is spread evenly over [start, end)."""
    return total / (end - start) if start <= at < end else 0.0
