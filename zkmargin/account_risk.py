"""What one account is worth and requires, scenario by scenario, and the prices at which it could be liquidated.

The figures are the state machine's own: they come from `Context.judged`, at the rows that are asked about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from circuits.margin.cell import GROUP_MAX
from circuits.margin.modules import Module, taken
from circuits.margin.parameters import PRICE_LIMIT, Parameters
from circuits.margin.portfolio import Vector
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.context import Context
from zkmargin.rules import Refused, Settled
from zkmargin.state import State

Rows = Sequence[tuple[int, int]]
"""Price and funding index of each market."""


@dataclass(frozen=True)
class Holding:
    """A cell of an account, its funding settled. losses: the charge on short units, then what each scenario takes;
    empty where no scenarios are asked. Equity, notional and losses in quote * 2^-16, requirements in quote * 2^-32."""

    cell: int
    market: int
    collateral: int
    position: int
    price: int
    equity: int
    notional: int
    maintenance: int
    initial: int
    losses: Vector


@dataclass(frozen=True)
class AccountRisk:
    """E in quote * 2^-16, M and I in quote * 2^-32: what the module makes of the sums of those of the holdings, and
    with scenarios of the largest of the losses."""

    module: str
    equity: int
    maintenance: int
    initial: int
    holdings: tuple[Holding, ...]

    @property
    def losses(self) -> Vector:
        """The account's: sums over its holdings."""
        return tuple(map(sum, zip(*(holding.losses for holding in self.holdings), strict=True)))

    @property
    def buffer(self) -> int:
        """What equity is above the maintenance requirement, in quote * 2^-32; negative where it may be liquidated."""
        return (self.equity << 16) - self.maintenance

    @property
    def standing(self) -> str:
        """Which rules its transactions are under."""
        if self.equity < 0:
            return "bankrupt"
        if self.buffer < 0:
            return "below maintenance"
        return "below initial" if self.equity << 16 < self.initial else "above initial"


@dataclass(frozen=True)
class Liquidation:
    """The nearest prices of a market, below and above its present one, at which the account is below maintenance, while
    every other row stays; None where there is none, or where a position would leave the tiers first."""

    market: int
    below: int | None
    above: int | None

    def distance(self, price: int) -> float | None:
        """How far the nearer one is, as a share of the present price."""
        return min((abs(at - price) / price for at in (self.below, self.above) if at is not None), default=None)


@dataclass(frozen=True)
class Account:
    """An account in a state, by the address of its cell or of any cell of its group.

    scenarios: what the oracle says of each market's options at the state's tick, where the parameters have a portfolio.
    """

    state: State
    parameters: Parameters
    size: int
    address: int
    scenarios: tuple[Vector, ...] = ()

    @cached_property
    def cells(self) -> tuple[int, ...]:
        """Addresses of the cells that hold its money; Refused where there are none."""
        context = self._context(self.state)
        cell = context.cell(self.address)
        if not cell.is_head and not context.account(self.address).is_member:
            return (self.address,)
        head = self.address - (cell.offset if cell.is_member else 0)
        count = self.state.cell(head).position
        if count < 2:
            raise Refused("group", f"the group of cell {head} has no members yet")
        return tuple(range(head + 1, head + count))

    @property
    def due(self) -> int:
        """When it has to be checked, in a rollup whose key has a cadence."""
        cell = self.state.cell(self.cells[0])
        return self.state.cell(self.cells[0] - cell.offset).due if cell.is_member else cell.due

    @property
    def rows(self) -> Rows:
        return self.state.rows

    def risk(self, rows: Rows | None = None) -> AccountRisk:
        """At the state's rows, or at others with the same options' scenarios; Refused where the rules cannot say."""
        rows = tuple(self.state.rows if rows is None else rows)
        state = replace(self.state, rows=rows, vectors=self._vectors(rows))
        first = self._context(state).judged(self.cells[0])
        position = first.before.position
        maintenance = first.maintenance()
        initial = first.requirement(position, "initial")
        holdings = tuple(self._holding(state, address, first.module) for address in self.cells)
        return AccountRisk(first.module.name, first.equity, maintenance, initial, holdings)

    def liquidation(self, market: int) -> Liquidation:
        """By bisection. E*2^16 - M is concave in one price (E is linear between the signs of positions, tiers and the
        largest loss are convex), so prices above maintenance are one interval; shocks are rounded to 2^-16, and where
        that leaves the last unit open, the price that is told is one that is below maintenance."""
        price = self.rows[market][0]
        sizes = [abs(h.position) for h in self.risk().holdings if h.market == market]
        highest = min(PRICE_LIMIT - 1, (NOTIONAL_LIMIT - 1) // max(max(sizes, default=0), 1))
        if not any(sizes) or self.is_option(market) or self.buffer_at(market, price) < 0:
            return Liquidation(market, None, None)
        due: Callable[[int], bool] = lambda at: self.buffer_at(market, at) < 0  # noqa: E731
        return Liquidation(market, _last_due(due, 1, price), _first_due(due, price, highest))

    def buffer_at(self, market: int, price: int) -> int:
        return self.risk(self.moved(market, price)).buffer

    def moved(self, market: int, price: int) -> Rows:
        """The state's rows with another price of one market."""
        return [(price, row[1]) if i == market else row for i, row in enumerate(self.rows)]

    def is_option(self, market: int) -> bool:
        portfolio = self.parameters.portfolio
        return portfolio is not None and portfolio.instruments[market].option is not None

    def _vectors(self, rows: Rows) -> tuple[Vector, ...]:
        portfolio = self.parameters.portfolio
        if portfolio is None or not self.scenarios:
            return ()
        try:
            return portfolio.vectors([price for price, _ in rows], self.state.time, self.scenarios)
        except ValueError as error:
            raise Refused("scenarios", str(error)) from error

    def _context(self, state: State) -> Context:
        return Context(state, self.parameters, self.size, GROUP_MAX, len(self.scenarios))

    def _holding(self, state: State, address: int, module: Module) -> Holding:
        cell = state.cell(address)
        markets = self.parameters.portfolio_markets if module.scans else self.parameters.markets
        settled = Settled.of(address, cell, markets[cell.market], *state.rows[cell.market], module)
        required = settled.required(cell.position, "maintenance"), settled.required(cell.position, "initial")
        short = max(-cell.position, 0)
        losses = tuple(taken(cell.position, short, state.vectors[cell.market])) if module.scans else ()
        amounts = settled.collateral, cell.position, settled.price, settled.equity, settled.notional
        return Holding(address, cell.market, *amounts, *required, losses)


def _last_due(due: Callable[[int], bool], low: int, high: int) -> int | None:
    """The highest price of [low, high) that is due, where high is not."""
    if not due(low):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if due(middle) else (low, middle)
    return low


def _first_due(due: Callable[[int], bool], low: int, high: int) -> int | None:
    """The lowest price of (low, high] that is due, where low is not."""
    if low >= high or not due(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if due(middle) else (middle, high)
    return high
