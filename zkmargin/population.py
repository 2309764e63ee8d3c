"""A seeded population on a tape: every trade of the tape is given two accounts, and what the venue does around it
follows from the rules.

Units: a base unit is 1e-6 coin and a quote unit 1e-6 quote, so a price in quote units per base unit is the price per
coin. Cash is price times size, which the decimals of exchanges make whole; prices, sizes and times stay those of the
tape. The oracle's price is that of the first trade after its tick.

Each account deposits what its own trades of the tape will need under the initial margin, times a factor: 1 for a
quarter of the accounts (these live at the edge, and are who is liquidated when prices hardly move); for the others
2^k (1 + u), k uniform on 0..5 and u on [0.1, 1), so between 1.1 and 64. A trade that an account cannot bear when it
comes goes to another one that can.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

import msgspec

from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import NOTIONAL_LIMIT, build_tiers
from zkmargin.batch import BatchBuilder
from zkmargin.risk import possible, risk_actions
from zkmargin.rules import AMOUNT_LIMIT, Refused, margin_rule
from zkmargin.state import State
from zkmargin.tape import Trade as Print
from zkmargin.transactions import Deposit, Open, Tick, Touch, Trade, Transaction, Transfer, Withdraw
from zkmargin.watch_state import WatchedState

FEE_CELL, INSURANCE_CELL, FIRST_ACCOUNT = 0, 1, 2
LIQUIDATORS = 4  # the first accounts; they trade nothing else
UNIT = 10**6
TAKER_FEE = 10  # over 2^16: 1.5 basis points; makers pay nothing
RICH = 10**14
INSURANCE = 10**9  # pays a part of what a crash leaves; deleveraging is for the rest
TICKS, MOST_TICKS = 64, 256  # of a trading batch: on a calm tape, and on any
LEAST_ROUND = 16  # trades between two ticks of a calm tape, at least
JUMP = 50  # a price that is 1/JUMP away from the oracle's brings the next tick
CANDIDATES = 16  # accounts that are asked to take a trade
EDGE_SHARE = 25  # percent of the accounts
FUNDING_CAP = 1 << 16  # per second over 2^32: 5.5 % an hour
FUNDING_RATE = 50  # of the cap's 2^16: what the index moves by


def population_parameters(price: Decimal, time: int) -> Parameters:
    """A venue of one market: 0.40 % initial and 0.35 % maintenance margin, more from a notional of 2^50 quote units
    on."""
    tiers = build_tiers([(0, 229, 262), (1 << 66, 655, 1311)], cap=1 << 69)
    return Parameters(
        (Market("COIN-USD", FUNDING_CAP, tiers, oracle_price(price), 0),),
        FEE_CELL,
        INSURANCE_CELL,
        3277,
        6554,
        66,
        655,
        time,
    )


def oracle_price(price: Decimal) -> int:
    """With 16 fractional bits, rounded down."""
    return int(price * 65536)


def rounds(prints: Sequence[Print], most: int) -> list[list[Print]]:
    """The tape cut where the oracle ticks: TICKS times, and when a price has moved by 1/JUMP; `most` pieces at most."""
    length = max(LEAST_ROUND, -(-len(prints) // min(TICKS, most)))
    result: list[list[Print]] = []
    for trade in prints:
        fresh = not result or len(result[-1]) >= length
        if not fresh:
            first = result[-1][0].price
            fresh = abs(trade.price - first) * JUMP > first
        if not result or (fresh and len(result) < most):
            result.append([])
        result[-1].append(trade)
    return result


@dataclass(frozen=True)
class Order:
    """A trade of the tape with its accounts, a takes and b makes, and the oracle's price when it is made."""

    trade: Trade
    time: int
    price: int


def assign(cut: Sequence[Sequence[Print]], accounts: int, seed: str) -> list[list[Order]]:
    """Two different accounts for each trade of each round, liquidators aside."""
    random = Random(f"parties {seed}")
    traders = range(FIRST_ACCOUNT + LIQUIDATORS, FIRST_ACCOUNT + accounts)
    return [[_order(p, random.sample(traders, 2), oracle_price(piece[0].price)) for p in piece] for piece in cut]


def _order(trade: Print, parties: Sequence[int], price: int) -> Order:
    size, cash = int(trade.quantity * UNIT), round(trade.price * int(trade.quantity * UNIT))
    direction: Literal[1, -1] = 1 if trade.buyer_took else -1
    taken = Trade(parties[0], parties[1], size, direction, direction * cash, cash * TAKER_FEE >> 16, 0)
    return Order(taken, trade.time, price)


def needed_collateral(orders: Iterator[Order], market: Market) -> dict[int, int]:
    """For each account, the least deposit with which each of its trades meets the initial margin at the oracle's
    price; trades beyond the last tier, which no deposit allows, aside."""
    position: dict[int, int] = {}
    cash: dict[int, int] = {}
    need: dict[int, int] = {}
    for order in orders:
        for address, change, paid in legs(order.trade):
            if abs(position.get(address, 0) + change) * order.price >= NOTIONAL_LIMIT:
                continue
            position[address] = position.get(address, 0) + change
            cash[address] = cash.get(address, 0) - paid
            required = market.requirement(abs(position[address]) * order.price, "initial")
            equity = (cash[address] << 16) + position[address] * order.price
            need[address] = max(need.get(address, 0), -(-(required - (equity << 16)) >> 32))
    return need


def legs(trade: Trade) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(address, position change, what it pays) of both sides."""
    delta = trade.direction * trade.size
    return (trade.a, delta, trade.cash + trade.fee_a), (trade.b, -delta, trade.fee_b - trade.cash)


class Population:
    """Yields batches of transactions; keeps its own copy of the rollup to see what will be accepted.

    unplaced: trades of the tape that no account was found for, or that are outside the band or beyond the batch's rows.
    """

    def __init__(self, prints: Sequence[Print], parameters: Parameters, shape: Shape, accounts: int, seed: str) -> None:
        self.random = Random(f"population {seed}")
        self.parameters, self.shape, self.accounts = parameters, shape, accounts
        self.market = parameters.markets[0]
        self.liquidators = range(FIRST_ACCOUNT, FIRST_ACCOUNT + LIQUIDATORS)
        self.traders = range(FIRST_ACCOUNT + LIQUIDATORS, FIRST_ACCOUNT + accounts)
        self.rounds = assign(rounds(prints, min(MOST_TICKS, 1 << shape.limb_bits)), accounts, seed)
        self.unplaced: list[Trade] = []
        self.state = State.genesis(parameters)
        self.builder = BatchBuilder(self.state, parameters, shape)
        self.pending: list[Transaction] = []

    def batches(self) -> Iterator[list[Transaction]]:
        """First the batches in which all accounts open and deposit, then one batch of trading."""
        yield from self._openings()
        yield self._trading()

    def _openings(self) -> Iterator[list[Transaction]]:
        need = needed_collateral((order for orders in self.rounds for order in orders), self.market)
        self._tick(self.parameters.genesis_time, self.market.price)
        self._do(Deposit(INSURANCE_CELL, INSURANCE, self.state.queue))
        for address in range(FIRST_ACCOUNT, FIRST_ACCOUNT + self.accounts):
            if min(self._rows_left(), self._operations_left()) < 2:
                yield self._flush()
                self._tick(self.parameters.genesis_time, self.market.price)
            self._do(Open(address, 0, self.state.queue))
            self._do(Deposit(address, self._deposit(address, need.get(address, 0)), self.state.queue))
        yield self._flush()

    def _deposit(self, address: int, need: int) -> int:
        if address in self.liquidators:
            return RICH
        edge = self.random.randrange(100) < EDGE_SHARE
        percent = 100 if edge else self.random.randrange(110, 200) << self.random.randrange(6)
        return min(max(1, -(-need * percent // 100)), AMOUNT_LIMIT - 1)

    def _trading(self) -> list[Transaction]:
        """Ticks at the tape's prices; after each what risk demands, then trades, then what people do besides."""
        machine, seen = self.builder.machine, 0
        watched = WatchedState(machine)
        for i, orders in enumerate(self.rounds):
            if self._rows_left() > 1:
                self._tick(orders[0].time, orders[0].price)
            watched.touch(address for step in self.builder.steps[seen:] for address, _ in step.written)
            seen = len(self.builder.steps)
            for action in risk_actions(machine, watched.tick(), self.liquidators, whole=True):
                if self._rows_left() < 1:
                    break
                self._do(action)
            for order in orders:
                self._place(order.trade)
            if i * TICKS % len(self.rounds) < TICKS:  # TICKS times, evenly
                self._besides()
        return self._flush()

    def _place(self, trade: Trade) -> None:
        """With the accounts it was planned for, or others for those of them that cannot bear it."""
        a = self._party(legs(trade)[0], trade.b)
        b = None if a is None else self._party(legs(trade)[1], a)
        if a is not None and b is not None and self._rows_left() > 0:
            placed = msgspec.structs.replace(trade, a=a, b=b)
            if possible(self.builder.machine, placed):
                self._do(placed)
                return
        self.unplaced.append(trade)

    def _party(self, leg: tuple[int, int, int], other: int) -> int | None:
        """The account of the leg, else the first of CANDIDATES, that keeps a margin rule after it."""
        planned, delta, paid = leg
        candidates = (planned, *(self.random.choice(self.traders) for _ in range(CANDIDATES)))
        return next((cell for cell in candidates if cell != other and self._bears(cell, delta, paid)), None)

    def _bears(self, address: int, delta: int, paid: int) -> bool:
        account = self.builder.machine.context.settled(address)
        try:
            margin_rule(account, account.moved(-paid, delta).after, abs(delta))
        except Refused:
            return False
        return True

    def _besides(self) -> None:
        """A withdrawal that may be refused with proof, a deposit, a transfer, a touch, and a trade that no rule
        allows."""
        if min(self._rows_left(), self._operations_left()) < 5:
            return
        a, b = self.random.sample(self.traders, 2)
        balance = max(2, self.state.cell(a).collateral)
        self._do(Withdraw(a, self.random.randrange(1, min(balance, 1 << 55)), self.state.queue))
        self._do(Deposit(b, self.random.randrange(1, UNIT), self.state.queue))
        self._do(Transfer(FIRST_ACCOUNT, b, self.random.randrange(1, UNIT)))
        self._do(Touch(b))
        self._do(Trade(a, b, 1 << 50, 1, 1 << 60, 0, 0))

    def _rows_left(self) -> int:
        """One row is kept for `collect`, and ticks without a row between them take pads."""
        pads = max(0, self.state.tick - self.builder.row_tick - 1)
        return self.shape.transitions - 1 - len(self.builder.steps) - pads

    def _operations_left(self) -> int:
        return (1 << self.shape.limb_bits) - len(self.builder.l1)

    def _tick(self, time: int, price: int) -> None:
        """The index rises by a premium of longs over shorts, FUNDING_RATE a second, nowhere near its cap."""
        elapsed = max(0, time - self.state.time)
        index = self.state.rows[0][1] + (FUNDING_RATE * price * elapsed >> 16)
        self._do(Tick(max(time, self.state.time), ((price, index),)))

    def _do(self, transaction: Transaction) -> None:
        self.pending.append(transaction)
        self.builder.add(transaction, len(self.pending))

    def _flush(self) -> list[Transaction]:
        done, self.pending = self.pending, []
        self.builder.finish()
        self.builder = BatchBuilder(self.state, self.parameters, self.shape)
        return done
