"""Small random worlds of the margin engine: transactions that mostly hold, and neighbours of theirs that mostly do not.

    world = World(seed=1)
    batch = world.batch(40)          # a Batch of at most 40 tried transactions
    world.transaction("liquidate")   # a proposal of one kind, aimed at the edges of its rule

A proposal looks at the state, so a stream reaches every kind; what is valid, the machine alone decides.
"""

from random import Random
from typing import Literal

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import NOTIONAL_LIMIT, build_tiers
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.rules import Settled
from zkmargin.state import State
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

FEE_CELL, INSURANCE_CELL = 0, 1
SMALL = Shape(transitions=64, cells=16, limb_bits=8, published_diff=True)
WEIGHTS = {
    "tick": 4, "open": 2, "close": 2, "deposit": 4, "withdraw": 4, "touch": 1, "trade": 12, "transfer": 3,
    "liquidate": 6, "deleverage": 6, "cover": 4,
}  # fmt: skip
DISTRESS = {"liquidate", "deleverage", "cover"}
EDGES = (0, -1, 1 << 48, 1 << 56, -(1 << 63), (1 << 63) - 1, 1 << 63, 1 << 64, (1 << 64) + 1)
NUDGES = (0, 0, 0, 0, 1, -1)


def small_parameters(genesis_time: int = 1000) -> Parameters:
    """Two markets with several tiers; the second allows notionals that a price can carry beyond the last tier."""
    near = build_tiers([(0, 3277, 6554), (1 << 36, 6554, 13108), (1 << 38, 20000, 40000)], 1 << 40)
    wide = build_tiers([(0, 655, 1311), (1 << 60, 3277, 6554)], 1 << 70)
    markets = (
        Market("NEAR", 1 << 20, near, 100 << 16, 0),
        Market("WIDE", 1 << 24, wide, 1 << 16, -5 << 32),
    )
    return Parameters(markets, FEE_CELL, INSURANCE_CELL, 3277, 1 << 14, 655, 3277, genesis_time)


class World:
    """A state with its parameters, and proposals drawn from `rng`."""

    def __init__(self, seed: int, shape: Shape = SMALL, parameters: Parameters | None = None) -> None:
        self.rng = Random(seed)
        self.shape = shape
        self.parameters = parameters or small_parameters()
        self.state = State.genesis(self.parameters)

    def batch(self, attempts: int, spoiled: float = 0.25) -> Batch:
        """A batch of a tick and this many proposals, of which a share is spoiled."""
        builder = BatchBuilder(self.state, self.parameters, self.shape)
        builder.add(self.transaction("tick"))
        for line in range(1, attempts + 1):
            proposal = self.transaction()
            builder.add(self.spoiled(proposal) if self.rng.random() < spoiled else proposal, line)
        return builder.finish()

    def transaction(self, kind: str | None = None) -> Transaction:
        """A proposal of this kind, or of a random one."""
        if kind is None:
            kind = "open" if len(self.state.cells) < 6 else self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if kind in DISTRESS and not self._victims(kind != "liquidate") and self.rng.random() < 0.8:
                kind = "trade"
        proposal: Transaction = getattr(self, f"_{kind}")()
        return proposal

    def spoiled(self, transaction: Transaction) -> Transaction:
        """The transaction with one integer moved: by one, to an edge of its range, or anywhere."""
        fields = {name: getattr(transaction, name) for name in transaction.__struct_fields__}
        name = self.rng.choice([name for name in fields if isinstance(fields[name], int)])
        if name == "direction":
            return type(transaction)(**(fields | {name: -fields[name]}))
        anywhere = (self.rng.randrange(self.shape.cells), self.rng.getrandbits(66))
        value = self.rng.choice((fields[name] + 1, fields[name] - 1, -fields[name], *EDGES, *anywhere))
        return type(transaction)(**(fields | {name: value}))

    def settled(self, address: int) -> Settled:
        """An account at the last tick."""
        cell = self.state.cell(address)
        return Settled.of(address, cell, self.parameters.markets[cell.market], *self.state.rows[cell.market])

    def _accounts(self, market: int | None = None) -> list[int]:
        accounts = self.state.accounts()
        return [address for address, cell in accounts if market is None or cell.market == market] or [2]

    def _pick(self, addresses: list[int]) -> int:
        return self.rng.choice(addresses)

    def _nudge(self) -> int:
        return self.rng.choice(NUDGES)

    def _magnitude(self, high: int) -> int:
        """1..high, every order of magnitude alike."""
        return 1 + self.rng.getrandbits(self.rng.randint(1, max(1, high.bit_length()))) % max(1, high)

    def _tick(self) -> Tick:
        elapsed = self.rng.choice((0, 1, 60, 3600))
        rows = []
        for market, (price, index) in zip(self.parameters.markets, self.state.rows, strict=True):
            if market.name == "WIDE" and self.rng.random() < 0.05:
                moved = price << 14 if price < 1 << 30 else max(1, price >> 14)
            else:
                moved = price * self.rng.choice((60, 92, 93, 95, 97, 99, 100, 101, 103, 105, 107, 108, 150)) // 100
            moved = min(max(moved, 1 << 12), (1 << 48) - 1)
            cap = market.funding_cap * moved * elapsed >> 16
            drift = index + self.rng.choice((0, cap, -cap, self.rng.randint(-cap, cap)))
            rows.append((moved, min(max(drift, 1 - (1 << 63)), (1 << 63) - 1)))
        return Tick(self.state.time + elapsed, tuple(rows))

    def _open(self) -> Open:
        empty = [address for address in range(2, self.shape.cells) if address not in self.state.cells]
        address = self._pick(empty or [self.rng.randrange(self.shape.cells)])
        return Open(address, self.rng.randrange(len(self.parameters.markets)), self.state.queue)

    def _close(self) -> Close:
        flat = [a for a, cell in self.state.accounts() if not cell.position and not cell.collateral]
        return Close(self._pick(flat or self._accounts()), self.state.queue)

    def _deposit(self) -> Deposit:
        address = INSURANCE_CELL if self.rng.random() < 0.15 else self._pick(self._accounts())
        wide = self.state.cell(address).market == 1 and self.rng.random() < 0.5
        return Deposit(
            address, (1 << 55) - self.rng.getrandbits(40) if wide else 1 << self.rng.randint(20, 30), self.state.queue
        )

    def _withdraw(self) -> Withdraw:
        address = FEE_CELL if self.rng.random() < 0.15 else self._pick(self._accounts())
        if self.state.cell(address).kind != ACCOUNT:
            return Withdraw(address, max(1, self.state.cell(address).collateral + self._nudge()), self.state.queue)
        return Withdraw(address, max(1, self._free(address) + self._nudge()), self.state.queue)

    def _free(self, address: int) -> int:
        """The largest amount that rule (A) lets out, or less than 1."""
        account = self.settled(address)
        if account.notional >= NOTIONAL_LIMIT:
            return self._magnitude(1 << 40)
        return (account.equity << 16) - account.market.requirement(account.notional, "initial") >> 32

    def _free_or_zero(self, address: int) -> int:
        return self._free(address) if self._is_account(address) else 0

    def _touch(self) -> Touch:
        return Touch(self._pick(self._accounts()))

    def _transfer(self) -> Transfer:
        a, b = self._pick(self._accounts()), self._pick(self._accounts())
        share = self.rng.choice((1, 1, 2, 10))
        return Transfer(a, b, max(1, self._free_or_zero(a) // share + self._nudge()))

    def _is_account(self, address: int) -> bool:
        return self.state.cell(address).kind == ACCOUNT

    def _pair(self) -> tuple[int, int]:
        a = self._pick(self._accounts())
        others = [b for b in self._accounts(self.state.cell(a).market) if b != a] or [a]
        return a, max(self.rng.sample(others, min(3, len(others))), key=self._free_or_zero)

    def _trade(self) -> Trade:
        a, b = self._pair()
        cell, price = self.state.cell(a), self.state.rows[self.state.cell(a).market][0]
        direction: Literal[1, -1] = self.rng.choice((1, -1))
        if cell.position and self.rng.random() < 0.5:
            direction = -1 if cell.position > 0 else 1
            size = self.rng.choice((abs(cell.position), self._magnitude(abs(cell.position))))
        else:
            room = max(1, min(self._free_or_zero(a), self._free_or_zero(b)))
            size = max(1, (room << 16) * self.rng.choice((1, 2, 5, 9, 20)) // price)
        value = direction * size * price
        band = self.parameters.trade_band * size * price >> 16
        cash = (value + self.rng.choice((0, 0, 0, 0, band // 8, -band // 8, band, -band)) >> 16) + self._nudge()
        fee = min(self.parameters.trade_fee_cap * size * price >> 32, (1 << 48) - 1)
        return Trade(
            a,
            b,
            size,
            direction,
            cash,
            self.rng.choice((0, 0, fee // 9, fee)),
            self.rng.choice((0, 0, min(1, fee), fee)),
        )

    def _victims(self, bankrupt: bool) -> list[int]:
        """Accounts below maintenance margin, or with negative equity."""
        found = []
        for address in self._accounts():
            account = self.settled(address)
            if not self._is_account(address) or account.notional >= NOTIONAL_LIMIT:
                continue
            margin = 0 if bankrupt else account.maintenance()
            if (account.equity << 16) < margin:
                found.append(address)
        return found

    def _share(self, victim: Settled, size: int) -> int:
        """The least cash change of the victim at which its equity falls by no larger share than its requirement."""
        position = abs(victim.before.position) - size
        signed = position if victim.before.position > 0 else -position
        if victim.notional >= NOTIONAL_LIMIT or not victim.before.position or position < 0:
            return 0
        kept = victim.equity * victim.market.requirement(position * victim.price, "maintenance")
        needed = -(-kept // victim.maintenance()) - signed * victim.price
        return -(-needed >> 16) - victim.collateral

    def _liquidate(self) -> Liquidate:
        victim = self._pick(self._victims(False) or self._accounts())
        account = self.settled(victim)
        others = [x for x in self._accounts(account.before.market) if x != victim] or [victim]
        a = max(others, key=self._free_or_zero) if self.rng.random() < 0.8 else self._pick(others)
        held = abs(account.before.position)
        size = self.rng.choice((held, self._magnitude(held), held + self.rng.choice((0, 1))))
        cap = self.parameters.liquidation_fee_cap * size * account.price >> 32
        fee = self.rng.choice((0, 0, 1, cap, cap // 2))
        worth = (size if account.before.position > 0 else -size) * account.price >> 16
        cash = self.rng.choice((self._share(account, size) + fee, worth, worth - worth // 50)) + self._nudge()
        return Liquidate(a, victim, max(1, size), cash, fee)

    def _deleverage(self) -> Deleverage:
        bankrupt = [v for v in self._victims(True) if self.state.cell(v).position]
        victim = self._pick(bankrupt or self._accounts())
        account = self.settled(victim)
        held = account.before.position
        others = [x for x in self._accounts(account.before.market) if x != victim]
        opposite = [x for x in others if self.state.cell(x).position * held < 0]
        a = self._pick(opposite or others or [victim])
        most = min(abs(held), abs(self.state.cell(a).position)) or 1
        size = self.rng.choice((most, self._magnitude(most)))
        return Deleverage(a, victim, size, self._share(account, size) + self._nudge())

    def _cover(self) -> Cover:
        victim = self._pick(self._victims(True) or self._accounts())
        deficit = -(self.settled(victim).equity >> 16)
        held = self.state.cell(INSURANCE_CELL).collateral
        return Cover(victim, max(1, min(deficit, held) + self._nudge()))


def positions(cells: list[Cell], markets: int) -> list[int]:
    """The sum of positions of each market."""
    return [sum(cell.position for cell in cells if cell.market == market) for market in range(markets)]
