"""Which groups can be below maintenance by now: those whose limits the market has passed, and no others.

Let r = E*2^16 - M when a group was looked at, K = P*2^16 - I the key of each market, Q the sum of the group's positions
in it and G that of their sizes, all in quote * 2^-32. Since then r has fallen, in one market, by at most

    -Q*dK + rho*G*max(dP, 0) + sigma*G*|dP| + G*D        with dP = dK + dI,

where rho is the steepest that the market's requirement rises, sigma the largest shock of a linear instrument in a
portfolio times what a unit of the worst scenario counts, and D the most
that the oracle has changed of an option's scenarios; besides, by less than 2^32 for each member, whose funding is
rounded up, and for each unit of a linear instrument in a portfolio by less than 2^16, since its scenarios are rounded.
So r is shared out: each market is given a lowest and a highest key, a range of indices and a largest D that together
cost no more than r. While all of them hold the group is not below maintenance: nobody is missed.

D is measured from a common origin, then and now.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from circuits.margin.modules import PRICE_FRACTION, Module
from circuits.margin.tiers import Tier
from zkmargin.bands import WATCHED, count
from zkmargin.machine import Machine
from zkmargin.rules import Refused, Settled

SLACK = 2.0**-48  # relative, for the arithmetic in float64
INDEX_SHARE = 6  # funding is slow: a range of 2^-6 of that of prices
VECTOR_SHARE = 2  # of an option's scenarios, a quarter of what its price is given
LOWEST, HIGHEST, LEAST, MOST, FARTHEST = range(5)  # limits: of the key, of the index, of D


@dataclass(frozen=True)
class _Held:
    """What a group has in a market, and what may be lost, times 2^16, by a key that rises or falls by one, by an index
    that moves by one, and by a D of one."""

    rises: int
    falls: int
    index: int
    vector: int

    @property
    def steepest(self) -> int:
        return max(self.rises, self.falls)

    @classmethod
    def of(cls, net: int, size: int, rate: int, shock: int, vector: int) -> "_Held":
        """net, size: Q and G; rate, shock: rho and sigma over 2^16; vector: what a unit that the oracle changes of an
        option's scenarios counts, over 2^16."""
        either = (rate + shock) * size
        falls = max((net << 16) + shock * size, 0)
        return cls(max(either - (net << 16), 0), falls, either, size * vector << 16)


def judged(machine: Machine, address: int) -> Settled | None:
    """The account, unless a member of its group has left the tiers or the bit budget: then no rule speaks of it."""
    try:
        account = machine.context.judged(address)
        account.maintenance()
    except Refused:
        return None
    return account


class WatchedGroups:
    """The groups of a machine's state. checks: how often one was looked at so far, by the band that it was found in.

    limits: of shape (5, markets, groups); a group is due when one of them is passed.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.checks = machine, np.zeros(len(WATCHED), np.int64)
        self.markets = len(machine.context.parameters.markets)
        self.heads: list[int] = []
        self.places: dict[int, int] = {}
        self.limits = np.zeros((5, self.markets, 0))
        self.origin = machine.state.vectors
        self.touch(address for address, cell in machine.state.occupied() if cell.is_head)

    def touch(self, heads: Iterable[int]) -> None:
        """Groups that something else has changed, or that are new, are due at the next tick."""
        heads = list(heads)
        new = [head for head in heads if head not in self.places]
        self.places |= {head: place for place, head in enumerate(new, len(self.heads))}
        self.heads += new
        if new:
            self.limits = np.concatenate([self.limits, np.zeros((5, self.markets, len(new)))], axis=2)
        self.limits[:, :, [self.places[head] for head in heads]] = _DUE[:, :, None]

    def tick(self) -> list[int]:
        """The heads of all groups that are below maintenance at the state's last tick, ascending."""
        if not self.heads:
            return []
        now = self._now()
        due = self._due(now)
        shares = np.array([self._look(place, now) for place in due.tolist()], np.float64)
        self.checks += count(shares)
        self._move_origin(now)
        return sorted(self.heads[place] for place in due[shares < 0])

    def scan(self) -> list[int]:
        """The same, each group judged."""
        found = []
        for head in sorted(self.heads):
            account = judged(self.machine, head + 1) if self.machine.state.cell(head).position > 1 else None
            if account is not None and account.equity << 16 < account.maintenance():
                found.append(head)
        return found

    def distances(self) -> np.ndarray:
        """The share by which all prices could move before each group is due, were it looked at now; negative below
        maintenance, infinite without a position."""
        return np.array([self._distance(head)[0] for head in self.heads], np.float64)

    def _now(self) -> np.ndarray:
        """Keys, indices and each D: float64 of shape (3, markets)."""
        state = self.machine.state
        far = [0] * self.markets
        if state.vectors and self.origin:
            pairs = zip(state.vectors, self.origin, strict=True)
            far = [max(abs(a - b) for a, b in zip(now, origin, strict=True)) for now, origin in pairs]
        keys = [(price << 16) - index for price, index in state.rows]
        return np.array([keys, [index for _, index in state.rows], far], np.float64)

    def _due(self, now: np.ndarray) -> np.ndarray:
        key, index, far = now[:, :, None]
        limits = self.limits
        passed = (key < limits[LOWEST]) | (key > limits[HIGHEST]) | (far > limits[FARTHEST])
        passed |= (index < limits[LEAST]) | (index > limits[MOST])
        return passed.any(axis=0).nonzero()[0]

    def _look(self, place: int, now: np.ndarray) -> float:
        """Judges a group and gives it new limits, where it has something left: those of its distance, which is
        returned."""
        share, held = self._distance(self.heads[place])
        if share <= 0:
            self.limits[:, :, place] = _DUE
            return share
        self.limits[:, :, place] = _FREE
        for market, part in held.items():
            self.limits[:, market, place] = self._limits(market, part, share, now)
        return share

    def _distance(self, head: int) -> tuple[float, dict[int, _Held]]:
        """The share by which every price may move while the group keeps its maintenance margin, decided in integers
        where it is below (-1); and what it has in each market. Nothing (0) for one that no rule speaks of."""
        cell = self.machine.state.cell(head)
        if not cell.is_head or cell.position < 2:
            return np.inf, {}
        account = judged(self.machine, head + 1)
        if account is None:
            return 0.0, {}
        held, rounding = self._held(account)
        room = (account.equity << 16) - account.maintenance()
        if room < 0 or not held:
            return -1.0 if room < 0 else np.inf, held
        costs = 0
        for market, part in held.items():
            unit, index, vector = self._steps(market)
            costs += part.steepest * unit + part.index * index + part.vector * vector
        return (max(room - rounding, 0) << 16) / costs * (1 - SLACK), held

    def _steps(self, market: int) -> tuple[int, int, int]:
        """What a share of 1 lets the key, the index and D move by."""
        unit = self.machine.state.rows[market][0] << 16
        return unit, unit >> INDEX_SHARE, max(unit >> 16 + VECTOR_SHARE, 1)

    def _limits(self, market: int, part: _Held, share: float, now: np.ndarray) -> tuple[float, ...]:
        """Of a market, so that its price may move by this share."""
        key, index, far = now[:, market]
        unit, step, vector = (size * share for size in self._steps(market))
        rises = part.steepest * unit / part.rises if part.rises else np.inf
        falls = part.steepest * unit / part.falls if part.falls else np.inf
        error = abs(key) * SLACK, abs(index) * SLACK
        return (
            key - falls + error[0],
            key + rises - error[0],
            index - step + error[1],
            index + step - error[1],
            vector - far * (1 + SLACK) if part.vector else np.inf,
        )

    def _held(self, account: Settled) -> tuple[dict[int, _Held], int]:
        """What may be lost in each market, and by roundings."""
        group = self.machine.state.group(account.address, account.before)
        parameters = self.machine.context.parameters
        portfolio = parameters.portfolio if group.is_portfolio else None
        markets = parameters.markets if portfolio is None else parameters.portfolio_markets
        factor = 0 if portfolio is None else portfolio.initial_factor
        sums, worst = (account.module.conclude(0, *of, factor).maintenance for of in ((1, 0, 0), (0, 0, 1)))
        open_cells = [cell for cell in group.cells[1:] if cell.position]
        held, rounding = {}, len(open_cells) << 32
        for market in {cell.market for cell in open_cells}:
            positions = [cell.position for cell in open_cells if cell.market == market]
            net, size = sum(positions), sum(map(abs, positions))
            rate = sums * max(_slope(account.module, tier) for tier in markets[market].tiers)
            shock = vector = 0
            if portfolio is not None:
                instrument = portfolio.instruments[market]
                vector = worst if instrument.option is not None else 0
                shock = -(-worst * max(map(abs, instrument.shocks), default=0) >> PRICE_FRACTION)
                rounding += 0 if vector else size * worst
            held[market] = _Held.of(net, size, rate, shock, vector)
        return held, rounding

    def _move_origin(self, now: np.ndarray) -> None:
        """To the present scenarios of markets that are a quarter of their price away: what was measured from the old
        origin is off by no more than the distance."""
        state = self.machine.state
        if not self.origin:
            self.origin = state.vectors
            return
        origin = list(self.origin)
        for market, ((price, _), far) in enumerate(zip(state.rows, now[2], strict=True)):
            if far > price / 4:
                origin[market] = state.vectors[market]
                self.limits[FARTHEST, market] -= far * (1 + SLACK)
        self.origin = tuple(origin)


def _slope(module: Module, tier: Tier) -> int:
    """How steeply the maintenance requirement of a cell rises with its notional, over 2^16."""
    terms = tier.terms("maintenance")
    return max(int(module.requirement(*terms, 1, short) - module.requirement(*terms, 0, short)) for short in (0, 1))


_DUE = np.array([np.inf, -np.inf, np.inf, -np.inf, -np.inf])[:, None]
_FREE = np.array([-np.inf, np.inf, -np.inf, np.inf, np.inf])[:, None]
