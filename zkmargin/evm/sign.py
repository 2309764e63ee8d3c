"""Orders for transactions that have none, by the owners that the chain in this process has."""

from collections.abc import Iterable, Iterator

import msgspec

from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.orders import ID_SHIFT
from circuits.margin.parameters import Parameters, Shape
from zkmargin.evm.chain import CHAIN_ID, Chain
from zkmargin.evm.local import owner_name
from zkmargin.evm.orders import signed
from zkmargin.machine import Machine
from zkmargin.rules import Refused
from zkmargin.state import State
from zkmargin.transactions import Liquidate, Order, Taken, Trade, Transaction

FAR = (1 << 40) - 1  # the last expiry


class Owners:
    """Whoever owns a cell orders exactly what happens to it next, counted in the slots in turn.

    state: before the next batch of a rollup whose contract is on the chain in this process; it is moved along.
    """

    def __init__(self, state: State, parameters: Parameters, shape: Shape) -> None:
        self.state, self.shape, self.chain = state, shape, Chain()
        self.machine = Machine(state, parameters, shape.cells, shape.groups, shape.scenarios)
        self.contract = state.contract.to_bytes(20, "big")
        self.number = 0

    def ordered(self, transactions: Iterable[Transaction]) -> Iterator[Transaction]:
        """The transactions, each voluntary leg with an order."""
        for transaction in transactions:
            yield self._ordered(transaction)
            try:
                self.machine.apply(transaction)
            except Refused:
                continue

    def _ordered(self, transaction: Transaction) -> Transaction:
        if not isinstance(transaction, Trade | Liquidate) or transaction.size <= 0:
            return transaction
        if isinstance(transaction, Liquidate):
            then = tuple(msgspec.structs.replace(part, orders=(self._taken(part),)) for part in transaction.then)
            return msgspec.structs.replace(transaction, orders=(self._taken(transaction),), then=then)
        change, cash = transaction.direction * transaction.size, transaction.cash
        bought = self._order(transaction.a, change, cash, transaction.fee_a)
        sold = self._order(transaction.b, -change, -cash, transaction.fee_b)
        return msgspec.structs.replace(transaction, orders=(bought, sold))

    def _taken(self, part: Liquidate | Taken) -> Order:
        """Of a liquidator: to the side of the position that he takes a part of."""
        side = -1 if self.state.cell(part.b).position < 0 else 1
        return self._order(part.a, side * part.size, part.cash, 0)

    def _order(self, cell: int, change: int, cash: int, fee: int) -> Order:
        """The worst price and the highest fee that it allows are those that it has."""
        size, sells = abs(change), change < 0
        received = (-cash << PRICE_FRACTION) // size  # for a unit, rounded down
        limit = max(0, received if sells else -received)
        rate = -(-(fee << PRICE_FRACTION) // abs(cash)) if fee and cash else 0
        slot = self.shape.accounts + self.number % self.shape.slots
        self.number += 1
        number = (self.state.time << ID_SHIFT) + self.number  # it rises with the ticks, and within one
        order = Order(cell, self.state.cell(cell).market, sells, size, limit, rate, FAR, slot, number)
        return signed(order, self.chain.account(owner_name(cell)), CHAIN_ID, self.contract)
