"""A seeded book on the markets of some tapes: isolated accounts, and groups under cross and portfolio margin."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

import numpy as np

from circuits.margin.cell import Cell, head_kind, member_kind
from circuits.margin.modules import CROSS, PORTFOLIO, Module
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Instrument, Portfolio
from circuits.margin.tiers import build_tiers
from zkmargin.book import Book
from zkmargin.machine import Machine, machine_under
from zkmargin.population import FIRST_ACCOUNT, population_parameters
from zkmargin.state import State

LEAST_SHARE, MOST_SHARE = 0.005, 1.0  # of its notional an account has as equity, log-uniform
LEAST_GROUP_SHARE = 0.02  # a group, of the notionals of its members
SIZES = 3, 9  # powers of ten between which positions are, log-uniform
MEMBERS = 6  # of a group at most
SCENARIOS, STEP = 16, 328  # shocks are 1 to 4 steps of 0.5 %, of even and odd markets together or apart


def made_machine(prices: Sequence[int], accounts: int, groups: int, seed: int) -> Machine:
    """A state at these prices. Accounts are spread evenly over the markets."""
    parameters = made_parameters(prices)
    state, markets = State.genesis(parameters), len(prices)
    address = FIRST_ACCOUNT
    for market, price in enumerate(prices):
        book = made_book(accounts * (market + 1) // markets - accounts * market // markets, price, seed + market)
        state.cells |= {address + place: book.cell(place, market).pack() for place in range(len(book))}
        address += len(book)
    random = Random(f"groups {seed}")
    for number in range(groups):
        cells = _made_group(random, prices, PORTFOLIO if number % 2 else CROSS)
        state.cells |= {place: cell.pack() for place, cell in enumerate(cells, address)}
        address += len(cells)
    return machine_under(state, parameters, Shape(2, 1 << address.bit_length(), 16, True, scenarios=SCENARIOS), ())


def made_parameters(prices: Sequence[int]) -> Parameters:
    """Those of a population for each market, and a portfolio over all of them."""
    alone = population_parameters(Decimal(prices[0]) / 65536, 0)
    markets = [replace(alone.markets[0], name=f"COIN-{i}", price=price) for i, price in enumerate(prices)]
    addons = build_tiers([(0, 66, 131)], cap=1 << 69)
    instruments = tuple(Instrument(_shocks(market), addons, None) for market in range(len(prices)))
    return replace(alone, markets=tuple(markets), portfolio=Portfolio(SCENARIOS, 1 << 16, instruments))


def _shocks(market: int) -> tuple[int, ...]:
    signs = [1 if scenario >> 2 + market % 2 & 1 else -1 for scenario in range(SCENARIOS)]
    return tuple(sign * STEP * (1 + scenario % 4) for scenario, sign in enumerate(signs))


def made_book(accounts: int, price: int, seed: int) -> Book:
    """Positions on either side, log-uniform in size and in the share of their notional that is equity."""
    rng = np.random.default_rng(seed)
    magnitude = (10 ** rng.uniform(*SIZES, accounts)).astype(np.uint64)
    negative = rng.random(accounts) < 0.5
    notional = magnitude.astype(np.float64) * price / 65536
    share = np.exp(rng.uniform(np.log(LEAST_SHARE), np.log(MOST_SHARE), accounts))
    collateral = (notional * np.where(negative, 1 + share, share - 1)).astype(np.int64)
    return Book(np.arange(accounts), collateral, magnitude, negative, np.zeros(accounts, np.int64))


def _made_group(random: Random, prices: Sequence[int], module: Module) -> list[Cell]:
    """A head and up to MEMBERS members, each of any market and side; all have the same share as equity."""
    members, share = random.randint(1, MEMBERS), LEAST_GROUP_SHARE ** random.random()
    cells = [Cell(members + 1, members + 1, 0, 0, head_kind(module))]
    for offset in range(1, members + 1):
        market, position = random.randrange(len(prices)), random.choice((-1, 1)) * int(10 ** random.uniform(*SIZES))
        worth = position * prices[market] >> 16
        cells.append(Cell(int(abs(worth) * share) - worth, position, 0, market, member_kind(offset)))
    return cells
