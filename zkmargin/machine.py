"""The state machine: (state, transaction) -> state in plain integers, or a refusal that changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from circuits.margin.cadence import CLOCK_LIMIT
from circuits.margin.cell import GROUP_MAX
from circuits.margin.parameters import INDEX_LIMIT, PRICE_LIMIT, TIME_LIMIT, Parameters, Shape
from circuits.margin.portfolio import Vector
from circuits.margin.succession import last_rows
from zkmargin.assets import redeem, supply
from zkmargin.context import Context
from zkmargin.dues import check, dated
from zkmargin.exchange import collect, cover, deleverage, liquidate, trade, transfer
from zkmargin.groups import form, join, leave
from zkmargin.operations import close_account, deposit, open_account, settle, touch, withdraw
from zkmargin.rules import Refused, require
from zkmargin.state import Base, Leg, State, Step
from zkmargin.transactions import (
    Check,
    Close,
    Cover,
    Deleverage,
    Deposit,
    Form,
    Join,
    Leave,
    Liquidate,
    Open,
    Redeem,
    Settle,
    Supply,
    Taken,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)

__all__ = ["Leg", "Machine", "Refused", "State", "Step"]

_TRANSITIONS: dict[type[Any], Callable[[Context, Any], Step]] = {
    Open: open_account,
    Close: close_account,
    Deposit: deposit,
    Withdraw: withdraw,
    Touch: touch,
    Trade: trade,
    Transfer: transfer,
    Liquidate: liquidate,
    Deleverage: deleverage,
    Cover: cover,
    Form: form,
    Join: join,
    Leave: leave,
    Settle: settle,
    Supply: supply,
    Redeem: redeem,
    Check: check,
}


class Machine:
    """Applies transactions to a state of `size` cells.

    groups, scenarios: rows of the tables for groups of cells and for portfolios, 0 where the key has none. slots: cells
    at the end that count fills, where the key has orders. sweep: batches end with the solvency of the book.
    """

    def __init__(
        self,
        state: State,
        parameters: Parameters,
        size: int,
        groups: int = 0,
        scenarios: int = 0,
        slots: int = 0,
        sweep: bool = False,
    ) -> None:
        self.state = state
        self.context = Context(state, parameters, size, groups, scenarios, slots, sweep)

    def apply(self, transaction: Transaction) -> Step | None:
        """The last step that was applied; None for a tick, which is no transition. Refused leaves the state as it
        was."""
        if isinstance(transaction, Tick):
            self._advance(transaction)
            return None
        steps = self.steps(transaction)
        for step in steps:
            self.state.write(step)
        return steps[-1]

    def steps(self, transaction: Transaction) -> list[Step]:
        """The steps of a transaction other than a tick, one after the other, not yet written; Refused where no rule
        allows it. Only a liquidation of several positions has more than one."""
        if not isinstance(transaction, Liquidate) or not transaction.then:
            return [self.transition(transaction)]
        parts: list[Liquidate | Taken] = [transaction, *transaction.then]
        base: Base | None = None
        steps: list[Step] = []
        with self.state.tentative():
            for number, part in enumerate(parts, 1):
                step = dated(self.context, liquidate(self.context, part, base, number < len(parts)))
                base = step.base
                self.state.write(step)
                steps.append(step)
        return steps

    def transition(self, transaction: Transaction) -> Step:
        """The step of a transaction other than a tick that has one, not yet written; Refused where no rule allows
        it."""
        if isinstance(transaction, Liquidate) and transaction.then:
            raise ValueError("a liquidation of several positions has several steps")
        return dated(self.context, _TRANSITIONS[type(transaction)](self.context, transaction))

    def collect(self, tick: int) -> Step:
        """The step that ends a batch with fees, not yet written."""
        return collect(self.context, tick)

    def require_tick(self, tick: Tick) -> None:
        """What both arbiters check of oracle rows; Refused where one of them would."""
        state, markets = self.state, self.context.parameters.markets
        require(len(tick.rows) == len(markets), "tick", f"{len(tick.rows)} rows for {len(markets)} markets")
        require(state.tick + 1 < TIME_LIMIT, "tick", "ticks are numbered in 40 bits")
        require(state.time <= tick.time < TIME_LIMIT, "time", f"{tick.time} goes back or leaves 40 bits")
        room = self.context.parameters.cadence is None or tick.time < CLOCK_LIMIT
        require(room, "time", f"{tick.time} leaves no room for when accounts are due")
        elapsed = tick.time - state.time
        for market, (price, index), (_, last) in zip(markets, tick.rows, state.rows, strict=True):
            require(1 <= price < PRICE_LIMIT, "price", f"{market.name}: {price} is outside 1..2^48-1")
            require(abs(index) < INDEX_LIMIT, "index", f"{market.name}: {index} leaves 63 bits")
            capped = abs(index - last) << 16 <= market.funding_cap * price * elapsed
            require(capped, "funding-cap", f"{market.name}: the index moves from {last} to {index} in {elapsed} s")
        if (portfolio := self.context.parameters.portfolio) is not None:
            last_prices, prices = ([price for price, _ in rows] for rows in (state.rows, tick.rows))
            for i, (market, price) in enumerate(zip(markets, prices, strict=True)):
                settled = portfolio.settlement(i, (state.time, last_prices), (tick.time, prices))
                require(settled in (None, price), "settlement", f"{market.name}: settles at {settled}, not at {price}")

    def vectors(self, tick: Tick) -> tuple[Vector, ...]:
        """The scenario vectors of a tick, none where nothing is judged by them; Refused where it may not say so."""
        portfolio = self.context.parameters.portfolio
        if portfolio is None or not self.context.scenarios:
            require(not tick.scenarios, "scenarios", "this rollup's key has no portfolios")
            return ()
        given = tick.scenarios or ((),) * len(tick.rows)
        try:
            return portfolio.vectors([price for price, _ in tick.rows], tick.time, given)
        except ValueError as error:
            raise Refused("scenarios", str(error)) from None

    def _advance(self, tick: Tick) -> None:
        self.require_tick(tick)
        self.state.vectors = self.vectors(tick)
        self.state.rows, self.state.time, self.state.tick = tick.rows, tick.time, self.state.tick + 1


def machine_under(state: State, parameters: Parameters, shape: Shape, scenarios: Sequence[Vector]) -> Machine:
    """The state under these parameters at its last rows; new options are told to have no scenarios."""
    rows = last_rows(state.oracle_rows(), parameters)
    state = replace(state, rows=tuple((row.price, row.index) for row in rows), vectors=())
    portfolio = parameters.portfolio
    if portfolio is not None and shape.scenarios:
        new = portfolio.instruments[len(scenarios) :]
        told = (*scenarios, *(() if each.option is None else (0,) * portfolio.scenarios for each in new))
        state.vectors = portfolio.vectors([row.price for row in rows], state.time, told)
    return Machine(state, parameters, shape.cells, GROUP_MAX, shape.scenarios)
