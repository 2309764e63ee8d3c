"""The state machine and the circuit agree on every input, valid or not."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.check import check
from circuits.margin.circuit import margin_circuit
from circuits.margin.kinds import KINDS
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.margin.statement_rules import check_statement
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.agreement import agree
from tests.circuits.margin.situations import INDICES, PRICES, situation
from tests.margin_scenario import every_kind
from tests.margin_worlds import World
from tests.zkmargin.machines import FEE, INSURANCE, account, machine, parameters, system
from zkmargin.batch import Batch
from zkmargin.machine import Machine, Refused
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
from zkmargin.witness import build_assignment

RATE = 655  # of maintenance in the tiers below: odd, so that a margin comes to any remainder mod 2^32
ODD = build_tiers([(0, RATE, 2 * RATE + 1), (1 << 36, 4 * RATE, 8 * RATE + 1)], 1 << 40)


def proved(batch: Batch, rules: Parameters, shape: Shape) -> None:
    statement = Statement(
        batch.number, None, None, batch.last_oracle, batch.ticks, batch.next_queue, batch.l1, tuple(batch.diff.items())
    )
    check_statement(statement, rules, shape)
    circuit = margin_circuit(rules, shape)
    columns = build_assignment(circuit, rules, statement, batch.steps, batch.old, batch.new)
    assert check(circuit, columns, public_scalars(statement), public_terms(statement)) == []


@pytest.mark.parametrize("limb_bits", [4, 8])
def test_every_kind_is_proved(limb_bits: int) -> None:
    shape = Shape(32, 16, limb_bits, True)
    batches, rules = every_kind(shape)
    assert {step.kind for batch in batches for step in batch.steps} - {"pad"} == set(KINDS)
    for batch in batches:
        proved(batch, rules, shape)


@pytest.mark.parametrize("seed", range(4))
def test_batches_are_proved(seed: int) -> None:
    world = World(seed)
    for _ in range(3):
        proved(world.batch(60), world.parameters, world.shape)


@pytest.mark.parametrize("seed", range(6))
def test_streams(seed: int) -> None:
    """Every second transaction is spoiled: what is refused cannot be proved, what is accepted can, in one way."""
    world = World(1000 + seed)
    made = Machine(world.state, world.parameters, world.shape.cells)
    made.apply(world.transaction("tick"))
    for _ in range(90):
        transaction = world.transaction()
        _apply(made, world.spoiled(transaction) if world.rng.random() < 0.5 else transaction)


def _apply(made: Machine, transaction: Transaction) -> None:
    agree(made, transaction)
    try:
        made.apply(transaction)
    except Refused:
        return


def verdicts(made: list[tuple[Machine, Transaction]]) -> list[str]:
    """What the machine makes of each, the circuit agreeing."""
    steps = [agree(one, transaction) for one, transaction in made]
    return ["refused" if step is None else step.kind for step in steps]


def with_room(room: int, rate: int) -> tuple[int, int]:
    """(collateral, position) at the price 1 with TV*2^16 - rate*n = room, exactly."""
    slope = (1 << 16) - rate
    position = room * pow(slope, -1, 1 << 32) % (1 << 32)
    return (room - position * slope) >> 32, position


@pytest.mark.parametrize("room", [-1, 0, 1])
def test_initial_margin_to_the_last_bit(room: int) -> None:
    """D = -1, 0, 1 after a transfer or withdrawal of one unit."""
    collateral, position = with_room(room, 2 * RATE + 1)
    made = machine({2: account(collateral + 1, position), 3: account(0)}, price=1, rules=parameters(ODD))
    assert verdicts([(made, Transfer(2, 3, 1))]) == ["refused" if room < 0 else "transfer"]
    assert verdicts([(made, Withdraw(2, 1, 0))]) == ["refuse" if room < 0 else "withdraw"]


@pytest.mark.parametrize("room", [-1, 0, 1])
def test_maintenance_margin_to_the_last_bit(room: int) -> None:
    """TV*2^16 - MM = -1 is below it; 0 is not."""
    collateral, position = with_room(room, RATE)
    made = machine({2: account(1 << 60), 3: account(collateral, position)}, price=1, rules=parameters(ODD))
    cash = -collateral  # all of the position, at more than its worth
    assert verdicts([(made, Liquidate(2, 3, position, cash, 0))]) == ["liquidate" if room < 0 else "refused"]


@pytest.mark.parametrize("equity", [-1, 0, 1])
def test_bankruptcy_to_the_last_bit(equity: int) -> None:
    """TV = -1 is bankrupt; 0 is not. A cover of one unit leaves 2^16 - 1."""
    victim = account(-1, (1 << 16) + equity)
    made = machine({2: account(10, -1 << 17), 3: victim, INSURANCE: system(5)}, price=1, rules=parameters(ODD))
    assert verdicts([(made, Cover(3, 1)), (made, Cover(3, 2))]) == ["cover" if equity < 0 else "refused", "refused"]
    quotes = [(made, Deleverage(2, 3, 1 << 15, cash)) for cash in (-1, 0, 1, 2)]
    assert verdicts(quotes).count("deleverage") == int(equity < 0)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("lost", [7, 8, 9])
def test_a_share_of_equity_to_the_unit(side: int, lost: int) -> None:
    """Half of q = 80 with TV = 16 may cost 8, on either leg: there E = 0."""
    tiers = build_tiers([(0, 60000, 65536)], 1 << 70)
    cells = {2: account(10**6), 3: account(16 - side * 80, side * 80)}
    made = machine(cells, rules=parameters(tiers, band=1 << 14))
    sold, bought = Trade(3, 2, 40, -side, lost - side * 40, 0, 0), Trade(2, 3, 40, side, side * 40 - lost, 0, 0)  # type: ignore[arg-type]
    assert verdicts([(made, sold), (made, bought)]) == ["trade" if lost <= 8 else "refused"] * 2


@pytest.mark.parametrize("bound", [1 << 36, 1 << 40])
@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_tier_bounds(bound: int, offset: int, side: int) -> None:
    """A position up to the cap, on either leg; and one that has to meet the next tier."""
    size = bound + offset
    made = machine({2: account(1 << 50), 3: account(1 << 50)}, price=1, rules=parameters(ODD))
    cash = side * (size >> 16)
    expected = "trade" if size < 1 << 40 else "refused"
    assert verdicts([(made, Trade(2, 3, size, side, cash, 0, 0))]) == [expected]  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [(1 << 63) - 1, 1 << 62])
def test_no_withdrawal_is_too_deep_to_pay_or_to_refuse(position: int) -> None:
    """D >= 0 and a notional below 2^79 imply c' > -2^63, even at the lowest margin there is."""
    notional = position << 16
    lowest = -((notional << 16) - notional >> 32)  # of c' with D >= 0
    assert lowest > -(1 << 63)
    rules = parameters(build_tiers([(0, 1, 1)], 1 << 70))
    for left, kind in ((lowest, "withdraw"), (lowest - 1, "refuse")):
        assert verdicts([(machine({2: account(left + 1, position)}, rules=rules), Withdraw(2, 1, 0))]) == [kind]


@pytest.mark.parametrize("index", [(1 << 63) - 1, 1 - (1 << 63)])
@pytest.mark.parametrize("position", [1, -1, 3, -3])
def test_indices_at_their_ends(index: int, position: int) -> None:
    made = machine({2: account(0, position, -index), 3: account(7)}, index=index)
    assert verdicts([(made, Touch(2)), (made, Deposit(2, 1, 0)), (made, Transfer(3, 2, 7))]) == [
        "touch",
        "deposit",
        "transfer",
    ]


@pytest.mark.parametrize("market", [-1, 0, 1, 2])
@pytest.mark.parametrize("cell", [FEE, INSURANCE, 2, 3, 15])
def test_open(market: int, cell: int) -> None:
    expected = "open" if 0 <= market < 2 and cell not in (FEE, INSURANCE, 2) else "refused"
    assert verdicts([(machine({2: account(0)}), Open(cell, market, 0))]) == [expected]


@settings(max_examples=350, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 1 << 64))
def test_any_situation(seed: int) -> None:
    agree(*situation(Random(seed)))


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 20_000, 1000))
def test_very_many_situations(first: int) -> None:
    for seed in range(first, first + 1000):
        agree(*situation(Random(seed)))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3), st.integers(-1, 100))
def test_any_tick(rng: Random, listed: int, elapsed: int) -> None:
    made = machine({})
    rows = ((rng.choice((0, *PRICES, 1 << 48)), rng.choice((*INDICES, 1 << 63))) for _ in range(listed))
    agree(made, Tick(made.state.time + elapsed, tuple(rows)))
