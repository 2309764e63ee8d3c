"""A synthetic book and a batch on it, made without proving how the accounts came to be.

Most accounts are comfortable; of twenty, four are near their maintenance margin, so that they may only reduce, and one
is below it. Prices and funding move every 64 transitions; trades are off the mark, with fees.
"""

from random import Random
from typing import Literal

from circuits.margin.cell import ACCOUNT, Cell, unpack
from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.state import State
from zkmargin.transactions import Liquidate, Tick, Trade

PRICE = 30_000 << 16  # quote units of 1e-6 per base unit of 1e-6
FUNDING_STEP = 500_000_000  # quote units of 2^-32 per base unit, in a tick
FIRST_ACCOUNT = 2  # behind the fee cell and the insurance cell
TRANSITIONS_PER_TICK, SECONDS_PER_TICK = 64, 60
COMFORTABLE, THIN, BROKE = range(3)
EQUITY = {THIN: (600, 640), BROKE: (100, 200)}  # over 2^16 of the notional; 328 to 1311 is maintenance


def bench_parameters() -> Parameters:
    """One market with three tiers."""
    tiers = build_tiers([(0, 328, 655), (1 << 60, 655, 1311), (1 << 64, 1311, 2622)], cap=1 << 68)
    return Parameters((Market("BTC-USD", 1000, tiers, PRICE, 0),), 0, 1, 3000, 6000, 100, 1000, 0)


def power_above(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << max(count - 1, 1).bit_length()


def kind_of(address: int) -> int:
    """The condition that an account begins in."""
    return BROKE if address % 20 == 19 else THIN if address % 5 == 3 else COMFORTABLE


def account(address: int, random: Random) -> Cell:
    """A position below the second tier, and the collateral that puts the account in its condition."""
    kind, sign = kind_of(address), random.choice((1, -1))
    position = sign * random.randrange(10**6, 5 * 10**8)
    worth = position * PRICE >> PRICE_FRACTION
    share = random.randrange(*EQUITY[kind]) if kind in EQUITY else random.randrange(1 << 13, 1 << 16)
    equity = abs(worth) * share >> 16
    return Cell(equity - worth, position, -random.randrange(1 << 30), 0, ACCOUNT)


class Trader:
    """Transactions of random accounts that the rules allow."""

    def __init__(self, state: State, accounts: int, random: Random) -> None:
        self.state, self.random = state, random
        self.addresses = range(FIRST_ACCOUNT, FIRST_ACCOUNT + accounts)
        self.safe = [address for address in self.addresses if kind_of(address) == COMFORTABLE]
        self.price, self.index, self.time = PRICE, 0, 0

    def tick(self) -> Tick:
        """The price within a thousandth of the first one, and some funding."""
        self.time += SECONDS_PER_TICK
        self.price = PRICE + self.random.randrange(-PRICE >> 10, PRICE >> 10)
        self.index += self.random.randrange(-FUNDING_STEP, FUNDING_STEP)
        return Tick(self.time, ((self.price, self.index),))

    def transaction(self) -> Trade | Liquidate:
        """Of a random account with a comfortable one: the former reduces where it is not comfortable itself."""
        b = self.random.choice(self.addresses)
        a = self.random.choice(self.safe)
        while a == b:
            a = self.random.choice(self.safe)
        position = unpack(self.state.cells[b]).position
        if kind_of(b) == COMFORTABLE or not position:
            direction: Literal[1, -1] = 1 if self.random.random() < 0.5 else -1
            size = self.random.randrange(1, 10**6)
        else:
            direction = 1 if position > 0 else -1  # what a buys, b sells
            size = self.random.randrange(1, min(abs(position), 10**6) + 1)
        worth = size * self.price >> PRICE_FRACTION
        fee = worth * 30 >> 16
        if kind_of(b) == BROKE and position:
            return Liquidate(a, b, size, direction * worth, 0)
        cash = direction * (worth + self.random.randrange(-worth >> 12, (worth >> 12) + 1))
        return Trade(a, b, size, direction, cash, fee, 0 if kind_of(b) == THIN else fee)


def trade_batch(transitions: int, accounts: int, limb_bits: int, seed: int = 0) -> tuple[Parameters, Shape, Batch]:
    """A batch of so many transitions: trades and liquidations, and the collection of their fees."""
    parameters, random = bench_parameters(), Random(seed)
    shape = Shape(transitions, power_above(accounts + FIRST_ACCOUNT), limb_bits, True)
    state = State.genesis(parameters)
    state.batch = 1  # the book is there already
    state.cells = {FIRST_ACCOUNT + i: account(FIRST_ACCOUNT + i, random).pack() for i in range(accounts)}
    builder, trader = BatchBuilder(state, parameters, shape), Trader(state, accounts, random)
    filled = refused = 0
    while filled < transitions - 1:
        tick = filled % TRANSITIONS_PER_TICK == 0
        if tick and (refusal := builder.add(trader.tick())):
            raise ValueError(f"the bench's own tick is refused: {refusal}")
        while refusal := builder.add(trader.transaction()):
            refused += 1
            if refused > transitions + 100:
                raise ValueError(f"{refused} of the bench's own transactions are refused, the last: {refusal}")
        filled += 1
    return parameters, shape, builder.finish()
