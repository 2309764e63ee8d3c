"""Situations near the edge of a rule, drawn from a seed."""

from random import Random

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Parameters
from tests.margin_worlds import FEE_CELL, INSURANCE_CELL, World
from tests.zkmargin.machines import system
from zkmargin.machine import Machine
from zkmargin.state import State
from zkmargin.transactions import Transaction

PRICES = (1, 1, 3, 1 << 16, 1 << 16, 100 << 16, 1 << 31, (1 << 48) - 1)
INDICES = (0, 0, 1, -1, 1 << 32, -(1 << 33) - 1, (1 << 63) - 1, 1 - (1 << 63))
SIZES = (0, 1, 7, 1000, 10**6, 1 << 31, 1 << 62, 1 << 63, (1 << 64) - 1)
PROPOSED = ("open", "close", "deposit", "withdraw", "touch", "trade", "transfer", "liquidate", "deleverage", "cover")


def near_a_rule(rng: Random, rules: Parameters, market: int, price: int, index: int) -> Cell:
    """An account whose equity is close to 0, to its maintenance or to its initial margin, or is anything."""
    position = rng.choice((1, -1)) * min(rng.choice(SIZES) + rng.choice((0, 0, 1, rng.getrandbits(8))), (1 << 64) - 1)
    notional = min(abs(position) * price, (1 << 79) - 1)
    entry = rules.markets[market]
    margin = rng.choice([0, entry.requirement(notional, "maintenance"), entry.requirement(notional, "initial")])
    noise = rng.choice((-1, 0, 1, rng.randint(-1000, 1000), rng.getrandbits(62)))
    collateral = (margin >> 32) - (position * price >> 16) + noise
    lowest, highest = -(1 << 63), (1 << 63) - 1
    settled_at = rng.choice((index, index, rng.choice(INDICES)))
    return Cell(max(lowest, min(highest, collateral)), position, settled_at, market, ACCOUNT)


def situation(rng: Random) -> tuple[Machine, Transaction]:
    """Accounts with digits at their edges, and a transaction aimed at the edge of its rule, or beside it."""
    world = World(rng.getrandbits(32))
    rows = tuple((rng.choice(PRICES), rng.choice(INDICES)) for _ in world.parameters.markets)
    cells = {}
    for address in range(2, 7):
        market = rng.choice((0, 0, 1))
        cells[address] = near_a_rule(rng, world.parameters, market, *rows[market])
    cells[7] = Cell(0, 0, 5, 1, ACCOUNT)
    for address in (FEE_CELL, INSURANCE_CELL):
        if rng.random() < 0.8:
            cells[address] = system(rng.choice((0, 1, 1000, 1 << 62, (1 << 63) - 1)))
    world.state = State({address: cell.pack() for address, cell in cells.items()}, rows, 1, 1000)
    transaction = world.transaction(rng.choice(PROPOSED))
    if rng.random() < 0.2:
        transaction = world.spoiled(transaction)
    return Machine(world.state, world.parameters, world.shape.cells), transaction
