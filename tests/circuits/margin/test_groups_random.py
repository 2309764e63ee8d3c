"""Random transactions on accounts, groups and portfolios: what the machine accepts the circuit proves, and its amounts
are those of fractions."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil
from random import Random

import pytest

from circuits.margin.cell import Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.groups_story import (
    BTC,
    CALL,
    CALLS,
    CELLS,
    ETH,
    INSURANCE,
    P_CALL,
    P_PUT,
    PUT,
    PUTS,
    SHAPE,
    judged_by,
    parameters,
)
from tests.circuits.margin.paper import Paper
from tests.circuits.margin.venue_modules import Directional, Stressed
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.context import Context
from zkmargin.risk import deleverage_cash
from zkmargin.rules import Refused, Settled, initial_room
from zkmargin.state import State
from zkmargin.transactions import (
    Cover,
    Deleverage,
    Deposit,
    Form,
    Join,
    Leave,
    Liquidate,
    Settle,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)
from zkmargin.witness import build_assignment

SURCHARGE, WEIGHT = 300, 70_000
OWN = Directional(SURCHARGE, 2), Stressed(WEIGHT)
WORLDS = (
    (parameters(), CELLS),
    (replace(parameters(), modules=OWN), judged_by({8: OWN[0], 12: OWN[1], 24: OWN[0], 32: OWN[1], 36: OWN[0]})),
)
"""Every other seed's world has modules of the venue's own."""
MEMBERS = [address for address, cell in CELLS.items() if cell.is_member]
ACCOUNTS = [2, 3, 4, 5, 6]
HEADS = [address for address, cell in CELLS.items() if cell.is_head]


class Stream:
    """Proposals over the story's cells; most are valid."""

    shape = SHAPE

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.rules, cells = self.world(seed)
        self.state = State.genesis(self.rules)
        self.state.batch, self.state.cells = 1, {address: cell.pack() for address, cell in cells.items()}
        self.builder = BatchBuilder(self.state, self.rules, self.shape, seed)
        self.time, self.prices = 1000, [100 << 16, 10 << 16]
        self.accepted: list[str] = []

    def world(self, seed: int) -> tuple[Parameters, Mapping[int, Cell]]:
        return WORLDS[seed % 2]

    @property
    def context(self) -> Context:
        return self.builder.machine.context

    def tick(self) -> Tick:
        self.time += self.random.randrange(1, 3000)
        self.prices = [price * self.random.randrange(90, 111) // 100 for price in self.prices]
        indices = [self.random.randrange(-(1 << 30), 1 << 30) for _ in self.prices]
        expired = self.time >= 5000
        settled = self.state.rows[PUT][0] if self.state.time >= 5000 else max((12 << 16) - self.prices[ETH], 1)
        rows = [*zip(self.prices, indices, strict=True), (P_CALL, 0), (settled if expired else P_PUT, 0)]
        return Tick(self.time, tuple(rows), ((), (), CALLS, () if expired else PUTS))

    def proposal(self) -> Transaction:
        rng = self.random
        a, b = rng.sample([*MEMBERS, *ACCOUNTS], 2)
        market = self.state.cell(b).market
        same = [
            address for address in (*MEMBERS, *ACCOUNTS) if self.state.cell(address).market == market and address != b
        ]
        a = rng.choice(same or [a])
        size, queue = rng.choice((1, 7, 50, 300)), self.state.queue
        worth = size * self.state.rows[market][0] >> 16
        held = self.state.cell(b).position
        direction = rng.choice((1, -1))
        bankrupt = self._deleverage(a, b, size) if held else Touch(a)
        match rng.randrange(13):
            case 0 | 1 | 2 | 3:
                return Trade(a, b, size, direction, direction * worth, 0, rng.choice((0, worth // 200)))
            case 4:
                return Withdraw(b, rng.choice((1, 500, 20_000, 10**6)), queue)
            case 5:
                return Deposit(b, rng.randrange(1, 5000), queue)
            case 6:
                return Transfer(b, a, rng.choice((1, 300, 30_000)))
            case 7 | 8:
                size = min(abs(held), size) or 1
                cash = (
                    -(-held * self.state.rows[market][0] >> 16)
                    if size == abs(held)
                    else ((1 if held > 0 else -1) * (size * self.state.rows[market][0] >> 16))
                )
                return Liquidate(a, b, size, cash, 0)
            case 9:
                return bankrupt
            case 10:
                return Cover(b, rng.choice((1, 50, 5000)))
            case 11:
                return rng.choice(
                    (
                        Form(48, 4, queue, rng.choice(self.rules.group_modules(True)).name),
                        Join(rng.choice(HEADS), rng.choice((BTC, CALL))),
                        Leave(rng.choice(HEADS)),
                    )
                )
            case _:
                return rng.choice((Touch(b), Settle(16), Settle(5), Settle(34)))

    def _deleverage(self, a: int, b: int, size: int) -> Transaction:
        try:
            account = self.context.judged(b)
            size = min(size, abs(account.before.position))
            return Deleverage(a, b, size, deleverage_cash(account, size)) if account.maintenance() else Touch(b)
        except Refused:
            return Touch(b)

    def run(self, attempts: int) -> Batch:
        assert self.builder.add(self.tick()) is None
        for number in range(1, attempts):
            proposal = self.tick() if number % 20 == 0 else self.proposal()
            if self.builder.add(proposal) is None:
                self.accepted.append(type(proposal).__name__)
                self.follow(proposal)
        return self.builder.finish()

    def follow(self, accepted: Transaction) -> None:
        """What a test wants to know of each."""


def paper_of(rules: Parameters, batch: Batch, shape: Shape = SHAPE) -> Paper:
    lists = batch.last_oracle, batch.ticks, batch.next_queue, batch.l1, tuple(batch.diff.items())
    statement = Statement(batch.number, None, None, *lists, scenarios=batch.scenarios, checks=batch.checks)
    check_statement(statement, rules, shape)
    assert Statement.decode(statement.encode()) == statement == Statement.from_json(statement.to_json())
    circuit = margin_circuit(rules, shape)
    assignment = build_assignment(circuit, rules, statement, batch.steps, batch.old, batch.new)
    return Paper(circuit, assignment, public_scalars(statement), public_terms(statement))


def proves(seeds: range) -> set[str]:
    accepted: set[str] = set()
    for seed in seeds:
        stream = Stream(seed)
        assert paper_of(stream.rules, stream.run(90)).failures() == set(), seed
        accepted |= set(stream.accepted)
    return accepted


KINDS = {
    "Tick", "Trade", "Withdraw", "Deposit", "Transfer", "Liquidate", "Deleverage", "Cover", "Form", "Join", "Leave",
    "Touch", "Settle",
}  # fmt: skip


def test_what_the_machine_accepts_the_circuit_proves() -> None:
    assert proves(range(12)) == KINDS


@pytest.mark.long
def test_what_the_machine_accepts_the_circuit_proves_at_length() -> None:
    proves(range(100, 400))


def in_fractions(stream: Stream, address: int) -> tuple[Fraction, Fraction, Fraction]:
    """Equity, maintenance and initial requirement of a member's group, in quote units, from the rules' words."""
    rules, state, head = stream.rules, stream.state, address - stream.state.cell(address).offset
    name, portfolio, length = state.cell(head).module.name, state.cell(head).module.scans, state.cell(head).position
    equity = maintenance = initial = Fraction(0)
    losses, shorts = [Fraction(0)] * 16, Fraction(0)
    for place in range(head + 1, head + length):
        cell = state.cell(place)
        price, index = (Fraction(part, 1 << bits) for part, bits in zip(state.rows[cell.market], (16, 32), strict=True))
        cash = cell.collateral - ceil(cell.position * (index - Fraction(cell.index, 1 << 32)))
        equity += cash + cell.position * price
        assert rules.portfolio is not None
        tiers = rules.portfolio.instruments[cell.market].addons if portfolio else rules.markets[cell.market].tiers
        notional = abs(cell.position) * price
        tier = next(tier for tier in tiers if tier.lower <= notional * 65536 < tier.upper)
        maintenance += notional * Fraction(tier.maintenance_rate, 1 << 16) - Fraction(
            tier.maintenance_deduction, 1 << 32
        )
        initial += notional * Fraction(tier.initial_rate, 1 << 16) - Fraction(tier.initial_deduction, 1 << 32)
        if name == "directional" and cell.position < 0:
            maintenance += notional * Fraction(SURCHARGE, 1 << 16)
            initial += notional * Fraction(SURCHARGE, 1 << 16)
        if portfolio:
            charge, *changes = state.vectors[cell.market]
            shorts += max(-cell.position, 0) * Fraction(charge, 1 << 16)
            losses = [loss - cell.position * Fraction(d, 1 << 16) for loss, d in zip(losses, changes, strict=True)]
    worst = max(*losses, shorts) if portfolio else Fraction(0)
    assert rules.portfolio is not None
    factor = Fraction(rules.portfolio.initial_factor, 1 << 16)
    if name == "directional":
        return equity, maintenance, 2 * initial
    if name == "stressed":
        weight = Fraction(WEIGHT, 1 << 16)
        return equity, 2 * maintenance + weight * worst, 2 * initial + (weight + factor) * worst
    return equity, maintenance + worst, initial + worst * factor


def in_integers(account: Settled) -> tuple[Fraction, Fraction, Fraction]:
    room = initial_room(account, account.moved(0).after)
    initial = (account.equity << 16) - room
    return Fraction(account.equity, 1 << 16), Fraction(account.maintenance(), 1 << 32), Fraction(initial, 1 << 32)


@pytest.mark.parametrize("seed", range(8))
def test_amounts_are_those_of_fractions(seed: int) -> None:
    stream = Stream(seed)
    stream.run(40)
    members = [address for address, cell in stream.state.occupied() if cell.is_member]
    assert len(members) > 10
    for address in members:
        assert in_integers(stream.context.judged(address)) == in_fractions(stream, address)


def money(state: State) -> int:
    """2^32 * all collateral, with what positions owe of funding and what expired options will pay."""
    held = [cell for _, cell in state.occupied() if not cell.is_head]
    funded = sum((cell.collateral << 32) + cell.position * cell.index for cell in held)
    left = sum(cell.position for cell in held if cell.market == PUT and cell.holds_money)
    return funded + (left * state.rows[PUT][0] << 16)


@pytest.mark.parametrize("seed", range(6))
def test_positions_and_money_are_conserved(seed: int) -> None:
    """Positions change by settlements alone; money by L1 alone, but for what is rounded against accounts."""
    stream = Stream(seed)
    markets = (BTC, ETH, CALL)
    cells = [cell for _, cell in stream.state.occupied() if cell.holds_money]
    assert all(sum(cell.position for cell in cells if cell.market == market) == 0 for market in (*markets, PUT))
    before = money(stream.state)
    batch = stream.run(90)
    cells = [cell for _, cell in stream.state.occupied() if cell.holds_money]
    assert all(sum(cell.position for cell in cells if cell.market == market) == 0 for market in markets)
    moved = sum(step.amount * {"deposit": 1, "withdraw": -1}.get(step.kind, 0) for step in batch.steps)
    rounded = before + (moved << 32) - money(stream.state)
    assert 0 <= rounded < (2 * len(batch.steps) + 1) << 32
    assert stream.state.cell(INSURANCE).collateral >= 0
