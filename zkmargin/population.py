"""A seeded population on a tape: every trade of the tape is given two accounts, and what the venue does around it
follows from the rules.

Units: a base unit is 1e-6 coin and a quote unit 1e-6 quote, so a price in quote units per base unit is the price per
coin. Cash is price times size, which the decimals of exchanges make whole; prices, sizes and times stay those of the
tape.

Each account deposits what its own trades of the tape will need under the initial margin, times a factor: 1 for a
quarter of the accounts (these live at the edge, and are who is liquidated), 1.1 to 20 for the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from zkmargin.batch import BatchBuilder
from zkmargin.rules import Refused, Settled
from zkmargin.state import State
from zkmargin.tape import Trade as Print
from zkmargin.transactions import (
    Cover,
    Deleverage,
    Deposit,
    Liquidate,
    Open,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)

FEE_CELL, INSURANCE_CELL, FIRST_ACCOUNT = 0, 1, 2
LIQUIDATORS = 4  # the first accounts; they trade nothing else
UNIT = 10**6
TAKER_FEE = 10  # over 2^16: 1.5 basis points; makers pay nothing
RICH = 10**14
INSURANCE = 10**12
TICKS = 64  # a trading batch
EDGE_SHARE = 0.25
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


def ticks_apart(trades: int) -> int:
    """Trades between two oracle ticks."""
    return max(1, -(-trades // TICKS))


@dataclass(frozen=True)
class Order:
    """A trade of the tape with its accounts, a takes and b makes, and the oracle's price when it is made."""

    trade: Trade
    time: int
    price: int


def assign(trades: Sequence[Print], accounts: int, seed: str) -> list[Order]:
    """Two different accounts for each trade, liquidators aside; the oracle's price is that of the first trade after
    its tick."""
    random = Random(f"parties {seed}")
    orders: list[Order] = []
    group = ticks_apart(len(trades))
    for i, trade in enumerate(trades):
        price = orders[-1].price if i % group else oracle_price(trade.price)
        a, b = random.sample(range(FIRST_ACCOUNT + LIQUIDATORS, FIRST_ACCOUNT + accounts), 2)
        size = int(trade.quantity * UNIT)
        direction: Literal[1, -1] = 1 if trade.buyer_took else -1
        cash = round(trade.price * size)
        taken = Trade(a, b, size, direction, direction * cash, cash * TAKER_FEE >> 16, 0)
        orders.append(Order(taken, trade.time, price))
    return orders


def needed_collateral(orders: Sequence[Order], market: Market) -> dict[int, int]:
    """For each account, the least deposit with which each of its trades meets the initial margin at the oracle's
    price."""
    position: dict[int, int] = {}
    cash: dict[int, int] = {}
    need: dict[int, int] = {}
    for order in orders:
        trade = order.trade
        delta = trade.direction * trade.size
        for address, change, paid in (
            (trade.a, delta, trade.cash + trade.fee_a),
            (trade.b, -delta, -trade.cash + trade.fee_b),
        ):
            position[address] = position.get(address, 0) + change
            cash[address] = cash.get(address, 0) - paid
            required = market.requirement(abs(position[address]) * order.price, "initial")
            equity = (cash[address] << 16) + position[address] * order.price
            need[address] = max(need.get(address, 0), -(-(required - (equity << 16)) >> 32))
    return need


class Population:
    """Yields batches of transactions; keeps its own copy of the rollup to see what will be accepted."""

    def __init__(self, prints: Sequence[Print], parameters: Parameters, shape: Shape, accounts: int, seed: str) -> None:
        self.random = Random(f"population {seed}")
        self.parameters, self.shape, self.accounts = parameters, shape, accounts
        self.market = parameters.markets[0]
        self.orders = assign(prints, accounts, seed)
        self.state = State.genesis(parameters)
        self.builder = BatchBuilder(self.state, parameters, shape)
        self.pending: list[Transaction] = []

    def batches(self) -> Iterator[list[Transaction]]:
        """First the batches in which all accounts open and deposit, then one batch of trading."""
        yield from self._openings()
        yield self._trading()

    def _openings(self) -> Iterator[list[Transaction]]:
        need = needed_collateral(self.orders, self.market)
        self._tick(self.parameters.genesis_time, self.market.price)
        self._do(Deposit(INSURANCE_CELL, INSURANCE, self.state.queue))
        for address in range(FIRST_ACCOUNT, FIRST_ACCOUNT + self.accounts):
            if len(self.builder.steps) + 4 > min(self.shape.rows, 1 << self.shape.limb_bits):
                yield self._flush()
                self._tick(self.parameters.genesis_time, self.market.price)
            self._do(Open(address, 0, self.state.queue))
            self._do(Deposit(address, self._deposit(address, need.get(address, 0)), self.state.queue))
        yield self._flush()

    def _deposit(self, address: int, need: int) -> int:
        if address < FIRST_ACCOUNT + LIQUIDATORS:
            return RICH
        factor = 100 if self.random.random() < EDGE_SHARE else round(100 * 1.1 * 18 ** self.random.random())
        return max(1, -(-need * factor // 100))

    def _trading(self) -> list[Transaction]:
        """Ticks at the tape's prices; between them its trades, what people do besides, and what risk demands."""
        group = ticks_apart(len(self.orders))
        for start in range(0, len(self.orders), group):
            orders = self.orders[start : start + group]
            self._tick(orders[0].time, orders[0].price)
            self._risk()
            for order in orders:
                self._do(order.trade)
            self._besides()
            if len(self.builder.steps) + 2 * group > self.shape.rows:
                break
        return self._flush()

    def _besides(self) -> None:
        """A withdrawal that may be refused with proof, a transfer, a touch, and a trade that no rule allows."""
        a, b = self.random.sample(range(FIRST_ACCOUNT + LIQUIDATORS, FIRST_ACCOUNT + self.accounts), 2)
        balance = max(2, self.state.cell(a).collateral)
        self._do(Withdraw(a, self.random.randrange(1, min(balance, 1 << 55)), self.state.queue))
        self._do(Transfer(FIRST_ACCOUNT, b, self.random.randrange(1, UNIT)))
        self._do(Touch(b))
        self._do(Trade(a, b, 1 << 50, 1, 1 << 60, 0, 0))

    def _risk(self) -> None:
        """Every account below maintenance is liquidated, deleveraged or covered, as far as the rules go."""
        price, index = self.state.rows[0]
        accounts = [
            Settled.of(address, cell, self.market, price, index)
            for address, cell in self.state.accounts()
            if cell.position or cell.collateral < 0
        ]
        for account in accounts:
            if account.equity < 0:
                self._bankrupt(account, accounts)
            elif account.equity << 16 < account.maintenance():
                self._liquidate(account)

    def _liquidate(self, victim: Settled) -> None:
        """The whole position at the oracle's price, rounded for the victim; half of what it has left is the fee."""
        size, position = abs(victim.before.position), victim.before.position
        cash = -(-position * victim.price >> 16)
        cap = self.parameters.liquidation_fee_cap * size * victim.price >> 32
        left = victim.collateral + cash
        self._do(Liquidate(self._liquidator(victim.address), victim.address, size, cash, min(cap, max(left // 2, 0))))

    def _liquidator(self, address: int) -> int:
        return FIRST_ACCOUNT + address % LIQUIDATORS

    def _bankrupt(self, account: Settled, others: Sequence[Settled]) -> None:
        """Deleveraged against an account of the other side at the price where nothing is left; without a position,
        covered."""
        if not account.before.position:
            insurance = self.state.cell(INSURANCE_CELL).collateral
            self._do(Cover(account.address, min(-account.collateral, insurance)))
            return
        size = abs(account.before.position)
        for other in others:
            opposite = other.before.position * account.before.position < 0
            if (
                opposite
                and abs(self.state.cell(other.address).position) >= size
                and self._possible(step := Deleverage(other.address, account.address, size, -account.collateral))
            ):
                self._do(step)
                return

    def _possible(self, transaction: Transaction) -> bool:
        try:
            self.builder.machine.transition(transaction)
        except Refused:
            return False
        return True

    def _tick(self, time: int, price: int) -> None:
        """The index moves with the premium of longs over shorts nowhere near its cap: FUNDING_RATE a second."""
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
