"""A synthetic book and a batch of trades on it, made without proving how the accounts came to be."""

from random import Random
from typing import Literal

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.state import State
from zkmargin.transactions import Tick, Trade

PRICE = 30_000 << 16  # quote units of 1e-6 per base unit of 1e-6
COLLATERAL = 10**12
FIRST_ACCOUNT = 2  # behind the fee cell and the insurance cell


def bench_parameters() -> Parameters:
    """One market with three tiers."""
    tiers = build_tiers([(0, 328, 655), (1 << 60, 655, 1311), (1 << 64, 1311, 2622)], cap=1 << 68)
    return Parameters((Market("BTC-USD", 1000, tiers, PRICE, 0),), 0, 1, 3000, 6000, 100, 1000, 0)


def power_above(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << max(count - 1, 1).bit_length()


def trade_batch(rows: int, accounts: int, limb_bits: int, seed: int = 0) -> tuple[Parameters, Shape, Batch]:
    """A batch that fills `rows` rows with trades between random accounts, each with its fees, and the collection of
    the fees."""
    parameters = bench_parameters()
    shape = Shape(rows, power_above(accounts + FIRST_ACCOUNT), limb_bits, True)
    state = State.genesis(parameters)
    state.batch = 1  # the book is there already
    account = Cell(COLLATERAL, 0, 0, 0, ACCOUNT).pack()
    state.cells = {FIRST_ACCOUNT + i: account for i in range(accounts)}
    builder = BatchBuilder(state, parameters, shape)
    random = Random(seed)
    builder.add(Tick(1, ((PRICE, 7),)))
    for _ in range(rows - 1):
        a, b = random.sample(range(FIRST_ACCOUNT, FIRST_ACCOUNT + accounts), 2)
        size = random.randrange(1, 10_000)
        direction: Literal[1, -1] = 1 if random.random() < 0.5 else -1
        if refusal := builder.add(Trade(a, b, size, direction, direction * size * 30_000, 2, 1)):
            raise ValueError(f"the bench's own trade is refused: {refusal}")
    return parameters, shape, builder.finish()
