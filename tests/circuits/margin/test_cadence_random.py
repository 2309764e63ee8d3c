"""Random transactions under a cadence: what the machine accepts the circuit proves, and the dates are those of a naive
model."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest

from circuits.margin.cadence import sample
from circuits.margin.cell import ACCOUNT, NEVER, Cell
from circuits.margin.parameters import Parameters
from tests.circuits.margin.cadence_story import BANDS, CELLS_DATED, rules
from tests.circuits.margin.groups_story import SHAPE
from tests.circuits.margin.test_groups_random import ACCOUNTS, MEMBERS, WORLDS, Stream, in_fractions, paper_of
from zkmargin.transactions import (
    Check,
    Cover,
    Deleverage,
    Form,
    Liquidate,
    Open,
    Tick,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)

JUDGED = Trade | Transfer | Withdraw | Liquidate | Deleverage | Cover | Check


class Dated(Stream):
    """A stream with checks among the proposals; `dates` is kept by the rules' words, beside the machine."""

    shape = replace(SHAPE, samples=64)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.dates = {address: cell.due for address, cell in self.state.occupied() if cell.is_dated}
        self.late = 0

    def world(self, seed: int) -> tuple[Parameters, Mapping[int, Cell]]:
        venue, cells = WORLDS[seed % 2]
        dues = {a: replace(c, due=CELLS_DATED[a].due) if c.is_dated else c for a, c in cells.items()}
        return replace(venue, cadence=rules().cadence), dues

    def proposal(self) -> Transaction:
        if self.random.randrange(4):
            return super().proposal()
        return Check(tuple(self.random.sample([*MEMBERS, *ACCOUNTS], self.random.choice((1, 2)))))

    def account(self, address: int) -> int:
        """Where the date of a cell's account stands."""
        cell = self.state.cell(address)
        return address - cell.offset if cell.is_member else address

    def follow(self, accepted: Transaction) -> None:
        if isinstance(accepted, Tick):
            return
        step = self.builder.steps[-1]
        for leg, rule in ((step.a, step.rule_a), (step.b, step.rule_b)):
            if leg is None:
                continue
            place, now = self.account(leg.address), self.state.time
            asked = leg.before.kind == ACCOUNT or isinstance(accepted, JUDGED)
            if isinstance(accepted, Form | Open):
                self.dates[place] = NEVER
            elif place in self.dates and asked and leg.settled:
                self.late += self.dates[place] < now
            if isinstance(accepted, Check):
                self.dates[place] = self.by_words(leg.address)
            elif rule == "initial":
                self.dates[place] = now + (BANDS[0].interval if self.rules.modules else BANDS[1].interval)

    def by_words(self, address: int) -> int:
        """When an account that was checked now is due, in fractions of a quote unit."""
        cell = self.state.cell(address)
        if cell.is_member:
            equity, maintenance, _ = in_fractions(self, address)
        else:
            price, index = self.state.rows[cell.market]
            owed = ceil(Fraction(cell.position * (index - cell.index), 1 << 32))
            equity = cell.collateral - owed + cell.position * Fraction(price, 1 << 16)
            notional = abs(cell.position) * price
            tier = next(t for t in self.rules.markets[cell.market].tiers if t.lower <= notional < t.upper)
            maintenance = Fraction(tier.maintenance_rate * notional - tier.maintenance_deduction, 1 << 32)
        if not maintenance:
            return NEVER
        inside = [b.interval for b in BANDS if equity >= maintenance * (1 + Fraction(b.buffer, 1 << 16))]
        return self.state.time + inside[-1]


def run(seed: int) -> set[str]:
    stream = Dated(seed)
    found = [stream.state.cell(cell) for cell in sample(seed, 64, SHAPE.cells)]
    overdue = sum(cell.is_dated and cell.due < 1000 for cell in found)
    batch = stream.run(80)
    assert {a: c.due for a, c in stream.state.occupied() if c.is_dated} == stream.dates
    assert batch.checks is not None
    assert (batch.checks.overdue, batch.checks.sampled) == (overdue, sum(cell.is_dated for cell in found))
    assert batch.checks.late == stream.late
    assert paper_of(stream.rules, batch, stream.shape).failures() == set()
    return set(stream.accepted)


def test_dates_are_those_of_a_naive_model() -> None:
    accepted: set[str] = set()
    for seed in range(8):
        accepted |= run(seed)
    assert {"Check", "Trade", "Liquidate", "Withdraw", "Transfer", "Form"} <= accepted


@pytest.mark.long
def test_dates_are_those_of_a_naive_model_at_length() -> None:
    for seed in range(100, 300):
        run(seed)
