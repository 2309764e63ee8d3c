"""One scenario, in three small batches without a refusal, that visits every kind of transition and every rule of a leg.

batches, parameters = every_kind()      # fits limbs of 4 bits: at most 16 L1 rows and 16 oracle rows a batch
"""

from circuits.margin.parameters import Parameters, Shape
from tests.margin_worlds import FEE_CELL, INSURANCE_CELL, SMALL, World
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.transactions import (
    Close,
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

NEAR, WIDE = 0, 1
LOT = 1 << 50  # of the wide market: its notional is 2^66 at the price 1, and 2^70 is the cap


class Scenario:
    """A world that is told what happens, and fails where the machine refuses."""

    def __init__(self, shape: Shape) -> None:
        self.world = World(0, shape)
        self.state = self.world.state
        self.builder = self._builder()
        self.batches: list[Batch] = []

    def _builder(self) -> BatchBuilder:
        return BatchBuilder(self.state, self.world.parameters, self.world.shape)

    def do(self, transaction: Transaction) -> None:
        refusal = self.builder.add(transaction)
        assert refusal is None, f"{transaction}: {refusal}"

    def tick(self, near: int, wide: int, seconds: int = 60, index: int = 0) -> None:
        """Prices in quote units per base unit; the near index moves by `index`."""
        rows = self.state.rows
        self.do(Tick(self.state.time + seconds, ((near << 16, rows[NEAR][1] + index), (wide << 16, rows[WIDE][1]))))

    def liquidate(self, a: int, b: int, size: int, fee: int) -> None:
        """At the least favourable cash that leaves the victim its share."""
        share = self.world._share(self.world.settled(b), size)
        self.do(Liquidate(a, b, size, share + fee, fee))

    def deleverage(self, a: int, b: int, size: int) -> None:
        self.do(Deleverage(a, b, size, self.world._share(self.world.settled(b), size)))

    def finish(self) -> None:
        self.batches.append(self.builder.finish())
        self.builder = self._builder()

    @property
    def queue(self) -> int:
        return self.state.queue


def every_kind(shape: Shape = SMALL) -> tuple[list[Batch], Parameters]:
    """The batches and the parameters; AssertionError when a transaction is refused."""
    scenario = Scenario(shape)
    for part in (_found, _trade, _fall):
        part(scenario)
        scenario.finish()
    return scenario.batches, scenario.world.parameters


def _found(s: Scenario) -> None:
    """Accounts, deposits, and the first write of both system cells: one by a refused withdrawal."""
    s.tick(100, 1)
    s.do(Withdraw(FEE_CELL, 1, s.queue))
    s.do(Deposit(INSURANCE_CELL, 5000, s.queue))
    near = [(2, NEAR, 100_000), (3, NEAR, 20_000), (4, NEAR, 100_000), (5, NEAR, 20_000)]
    for address, market, amount in (*near, (6, WIDE, 1 << 55), (7, WIDE, 1 << 55)):
        s.do(Open(address, market, s.queue))
        s.do(Deposit(address, amount, s.queue))


def _trade(s: Scenario) -> None:
    """Positions in both markets, funding, a tick without a transition, withdrawals paid and refused, fees."""
    s.tick(100, 1)
    s.do(Trade(2, 3, 1000, -1, -100_000, 10, 20))
    s.do(Trade(4, 5, 1000, 1, 100_000, 0, 30))
    s.do(Trade(6, 7, LOT, 1, LOT, 0, 0))
    s.do(Transfer(2, 6, 7))
    s.tick(100, 1, 3600, index=1 << 30)
    s.tick(100, 1)
    s.do(Touch(3))
    s.do(Withdraw(2, 5000, s.queue))
    s.do(Withdraw(3, 19_000, s.queue))


def _fall(s: Scenario) -> None:
    """Liquidation, deleverage, cover on both sides, a close, reducing above the cap, and a notional without a tier."""
    s.tick(84, 17)
    s.do(Withdraw(FEE_CELL, 10, s.queue))
    s.do(Withdraw(FEE_CELL, 1000, s.queue))
    s.liquidate(2, 3, 400, fee=3)
    s.do(Trade(7, 6, LOT >> 6, 1, 17 * LOT >> 6, 0, 0))
    s.tick(60, 33)
    s.deleverage(2, 3, 300)
    s.do(Cover(3, 100))
    s.liquidate(6, 7, LOT >> 6, fee=0)
    s.tick(150, 34)
    s.deleverage(6, 7, LOT >> 6)
    s.do(Cover(5, 100))
    s.deleverage(4, 5, 1000)
    s.do(Close(2, s.queue))
    s.do(Close(5, s.queue))
    s.tick(150, 1 << 14)
    s.do(Withdraw(6, 1, s.queue))
