"""The state between transitions, and what a transition reports of itself."""

from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from circuits.margin.cadence import Band
from circuits.margin.cell import ACCOUNT, EMPTY, EMPTY_CELL, SYSTEM, Cell, unpack
from circuits.margin.parameters import Parameters
from circuits.margin.portfolio import Vector
from circuits.margin.statement import OracleRow
from zkmargin.transactions import Order

Rule = Literal["initial", "reducing"]
CHANGES_POSITION = {"trade", "liquidate", "deleverage"}  # kinds that move a position from leg to leg
RESCANNED = CHANGES_POSITION | {"redeem", "refuse_redeem"}  # the rules ask what scenarios do after the change


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of a group as a transition finds them: the head, and the members behind it at consecutive addresses."""

    head: int
    cells: tuple[Cell, ...]

    @property
    def is_portfolio(self) -> bool:
        return self.cells[0].module.scans


@dataclass(frozen=True, slots=True)
class Leg:
    """One cell of a transition; settled: its funding was settled at the transition's tick. group: the account that its
    rule is asked of, where that is not the cell alone. due: in a key with a cadence, when the account was and is due,
    where the leg knows; late: that it was so before this tick; band: of a check of an account with positions."""

    address: int
    before: Cell
    after: Cell
    settled: bool
    group: Group | None = None
    due: tuple[int, int] | None = None
    late: bool = False
    band: Band | None = None

    @property
    def written(self) -> list[tuple[int, Cell]]:
        """(address, cell after) of its own cell, and of the head's where its group is due anew."""
        own = [(self.address, self.after)]
        if self.group is None or self.due is None or self.due[0] == self.due[1]:
            return own
        return [*own, (self.group.head, replace(self.group.cells[0], due=self.due[1]))]


@dataclass(frozen=True, slots=True)
class Fill:
    """What a leg fills of an order: the slot's cell before and after."""

    order: Order
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True)
class Base:
    """What a victim is judged by: equity in quote * 2^-16, maintenance * 2^-32, what the worst scenario takes * 2^-16,
    and the address of its head, or of its one cell."""

    equity: int
    maintenance: int
    worst: int
    group: int


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that was applied: a pair of rows of the transitions table.

    tick: the oracle tick it holds at. delta, cash: what a's position gains and a's collateral pays; in a transfer and a
    cover cash = size = the amount moved. amount, queue: of the L1 row. rule_a, rule_b: the margin rule a leg meets.
    system: the L1 operation is on a system cell. oversized: the refusal's reason is a notional without a tier;
    overdrawn: that the cell holds less. closeout: b, without equity, sells an asset for no less than it is worth.
    fresh_a, fresh_b: the first write of a system cell. base: of a liquidation, what b was before it, or before the
    first of a basket; continues, more: there is another one of the basket before it, behind it. fills: of the
    voluntary legs, a's first, in a key with orders.
    """

    kind: str
    tick: int
    a: Leg | None = None
    b: Leg | None = None
    size: int = 0
    delta: int = 0
    cash: int = 0
    fee_a: int = 0
    fee_b: int = 0
    amount: int = 0
    queue: int | None = None
    rule_a: Rule | None = None
    rule_b: Rule | None = None
    system: bool = False
    oversized: bool = False
    overdrawn: bool = False
    closeout: bool = False
    fresh_a: bool = False
    fresh_b: bool = False
    base: "Base | None" = None
    continues: bool = False
    more: bool = False
    fills: tuple[Fill, ...] = ()

    @property
    def written(self) -> list[tuple[int, Cell]]:
        """(address, cell after) of all that it writes."""
        written = [each for leg in self.legs for each in leg.written]
        return written + [(fill.order.slot, fill.after) for fill in self.fills]

    @property
    def legs(self) -> list[Leg]:
        return [leg for leg in (self.a, self.b) if leg is not None]


@dataclass
class State:
    """Cells (address -> packed value, empty ones left out), the last oracle tick, and the counters of the rollup.

    rows: (price, index) of each market at the last tick. queue: index of the next L1 operation. batch: number of the
    batch that is open or comes next. trade_fees, liquidation_fees: of the open batch, not yet collected. chain,
    contract: where the rollup's contract is, zero off chain. vectors: of each market at the last tick of the open
    batch, where portfolios are judged by them.
    """

    cells: dict[int, int]
    rows: tuple[tuple[int, int], ...]
    tick: int
    time: int
    queue: int = 0
    batch: int = 0
    trade_fees: int = 0
    liquidation_fees: int = 0
    chain: int = 0
    contract: int = 0
    vectors: tuple[Vector, ...] = ()
    _supplied: dict[int, int] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def genesis(cls, parameters: Parameters, chain: int = 0, contract: int = 0) -> "State":
        """No cells; tick 0 at the parameters' time, prices and indices."""
        rows = tuple((market.price, market.index) for market in parameters.markets)
        return cls({}, rows, 0, parameters.genesis_time, chain=chain, contract=contract)

    def cell(self, address: int) -> Cell:
        """The cell at an address, empty where nothing was written."""
        value = self.cells.get(address)
        return EMPTY_CELL if value is None else unpack(value)

    def supplied(self, market: int) -> int:
        """What accounts hold of an asset together; counted once, kept up by `write`."""
        if market not in self._supplied:
            cells = (cell for _, cell in self.occupied() if cell.holds_money and cell.market == market)
            self._supplied[market] = sum(cell.position for cell in cells)
        return self._supplied[market]

    def write(self, step: Step) -> None:
        """Takes over the cells, the fees and the L1 operation of a step."""
        for address, cell in step.written:
            if cell.kind == EMPTY:
                self.cells.pop(address, None)
            else:
                self.cells[address] = cell.pack()
        if step.kind == "trade":
            self.trade_fees += step.fee_a + step.fee_b
        elif step.kind == "liquidate":
            self.liquidation_fees += step.fee_b
        elif step.kind == "collect":
            self.trade_fees = self.liquidation_fees = 0
        if step.queue is not None:
            self.queue += 1
        if step.kind in ("supply", "redeem") and step.a is not None and step.a.after.market in self._supplied:
            self._supplied[step.a.after.market] += step.a.after.position - step.a.before.position

    @contextmanager
    def tentative(self) -> Iterator[None]:
        """What is written within is taken back at its end; no cell may be emptied within."""
        cells, fees, supplied = self.cells, (self.trade_fees, self.liquidation_fees), dict(self._supplied)
        self.cells = cast("dict[int, int]", ChainMap({}, cells))
        try:
            yield
        finally:
            self.cells, self._supplied = cells, supplied
            self.trade_fees, self.liquidation_fees = fees

    def oracle_rows(self) -> tuple[OracleRow, ...]:
        """The rows of the last tick, in the order of the markets."""
        return tuple(OracleRow(self.tick, self.time, market, *row) for market, row in enumerate(self.rows))

    def accounts(self) -> list[tuple[int, Cell]]:
        """(address, cell) of every account that is one cell, by address."""
        return [(address, cell) for address, cell in self.occupied() if cell.kind == ACCOUNT]

    def occupied(self) -> Iterator[tuple[int, Cell]]:
        """(address, cell) of every cell in use, by address."""
        return ((address, unpack(value)) for address, value in sorted(self.cells.items()))

    def group(self, address: int, member: Cell) -> Group:
        """The group of a member, all cells of it."""
        head = address - member.offset
        return Group(head, tuple(self.cell(head + i) for i in range(self.cell(head).position)))


def as_system(cell: Cell) -> Cell:
    """A system cell as it is written: the first write gives the empty cell its kind."""
    return Cell(collateral=cell.collateral, kind=SYSTEM)
