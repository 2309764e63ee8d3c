"""The population that trades a tape, and what the venue does about accounts below maintenance."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from circuits.margin.parameters import Parameters, Shape
from zkmargin.batch import Batch, build_batch
from zkmargin.demo import make_batches
from zkmargin.machine import Machine
from zkmargin.population import (
    FIRST_ACCOUNT,
    INSURANCE_CELL,
    JUMP,
    LIQUIDATORS,
    UNIT,
    Population,
    assign,
    needed_collateral,
    population_parameters,
    rounds,
)
from zkmargin.price_model import model_trades
from zkmargin.risk import deleverage_cash, possible, risk_actions
from zkmargin.rules import Refused, Settled
from zkmargin.state import State
from zkmargin.tape import Trade as Print
from zkmargin.transactions import Cover, Deleverage, Liquidate, Trade, Transaction
from zkmargin.watch_state import accounts_below

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PRICE = 30_000
PARAMETERS = population_parameters(Decimal(PRICE), 0)


def replay(parameters: Parameters, shape: Shape, batches: list[list[Transaction]]) -> list[Batch]:
    state = State.genesis(parameters)
    return [build_batch(state, parameters, shape, list(enumerate(batch, 1))) for batch in batches]


def kinds(batch: Batch) -> Counter[str]:
    return Counter(step.kind for step in batch.steps)


def refused(batch: Batch) -> Counter[str]:
    return Counter(reason.split(":")[0] for _, reason in batch.refusals)


def of_the_tape(batch: list[Transaction]) -> list[Trade]:
    return [t for t in batch if isinstance(t, Trade) and t.size < 1 << 50]


def test_a_population_is_seeded_and_keeps_the_tape() -> None:
    arguments = (), None, None, 64, 128, 8, 1
    parameters, shape, made = make_batches(*arguments, "a")
    batches = list(made)
    assert batches == list(make_batches(*arguments, "a")[2]) != list(make_batches(*arguments, "b")[2])
    prints = model_trades(int(128 * 0.56), "a")
    traded = of_the_tape(batches[-1])
    assert [t.size for t in traded] == [int(p.quantity * UNIT) for p in prints[: len(traded)]]
    assert [t.direction * t.cash for t in traded] == [p.price * int(p.quantity * UNIT) for p in prints[: len(traded)]]
    assert [t.direction == 1 for t in traded] == [p.buyer_took for p in prints[: len(traded)]]
    replayed = replay(parameters, shape, batches)
    assert kinds(replayed[-1])["liquidate"]
    assert set(refused(replayed[-1])) == {"band"}  # the trades that no rule allows
    assert all(not batch.refusals for batch in replayed[:-1])


@pytest.mark.parametrize(("rows", "limb_bits"), [(64, 4), (64, 8), (128, 16)])
def test_a_population_keeps_to_the_tables(rows: int, limb_bits: int) -> None:
    """Nothing is refused for want of room, and what finds none is counted."""
    prints, shape = model_trades(300, "c"), Shape(rows, 64, limb_bits, True)
    parameters = population_parameters(prints[0].price, prints[0].time)
    population = Population(prints, parameters, shape, 40, "c")
    batches = list(population.batches())
    replayed = replay(parameters, shape, batches)
    assert all("full" not in refused(batch) for batch in replayed)
    assert len(of_the_tape(batches[-1])) + len(population.unplaced) == 300 and population.unplaced
    assert len(replayed[-1].steps) == rows
    assert replayed[-1].new == population.state.cells


def test_a_crash_that_asks_for_more_rows_than_there_are() -> None:
    """What risk demands is done as far as the rows go, and nothing after them is in the batch."""
    prints = [Print(i, Decimal(PRICE if i < 48 else PRICE * 19 // 20), Decimal("0.05"), True) for i in range(64)]
    shape = Shape(64, 64, 8, True)
    population = Population(prints, PARAMETERS, shape, 40, "e")
    batches = list(population.batches())
    *_, trading = replay(PARAMETERS, shape, batches)
    assert "full" not in refused(trading) and len(trading.steps) == 64
    below = [
        address
        for address, cell in population.state.accounts()
        if (account := Settled.of(address, cell, population.market, *population.state.rows[0])).equity << 16
        < account.maintenance()
    ]
    assert below and population.unplaced


@pytest.mark.parametrize("quantity", ["0.0000001", "1000000000", "281474976710655"])
def test_quantities_that_no_account_can_hold_are_counted(quantity: str) -> None:
    prints = [Print(i, Decimal(100_000), Decimal(quantity if i == 7 else "0.1"), True) for i in range(20)]
    parameters, shape = population_parameters(Decimal(100_000), 0), Shape(64, 64, 8, True)
    population = Population(prints, parameters, shape, 40, "f")
    batches = list(population.batches())
    assert len(population.unplaced) == 1 and len(of_the_tape(batches[-1])) == 19
    assert all(set(refused(batch)) <= {"band"} for batch in replay(parameters, shape, batches))


def test_planned_deposits_are_the_least_that_do() -> None:
    """On what was planned for it, an account meets the initial margin in each trade; on one unit less, not in each."""
    prints = [Print(i, Decimal(PRICE + i % 7), Decimal("0.01") * (1 + i % 5), i % 3 > 0) for i in range(60)]
    orders = [order for piece in assign(rounds(prints, 1), 12, "d") for order in piece]
    need = needed_collateral(iter(orders), PARAMETERS.markets[0])
    assert set(need) <= set(range(FIRST_ACCOUNT + LIQUIDATORS, FIRST_ACCOUNT + 12)) and min(need.values()) > 0

    def falls_short(poorer: int | None) -> bool:
        state = State.genesis(PARAMETERS)
        for address, amount in need.items():
            state.cells[address] = Cell(amount - (address == poorer), 0, 0, 0, ACCOUNT).pack()
        machine = Machine(state, PARAMETERS, 16)
        try:
            steps = [machine.apply(order.trade) for order in orders]
        except Refused:
            return True
        return any("reducing" in (step.rule_a, step.rule_b) for step in steps if step is not None)

    assert not falls_short(None)
    assert all(falls_short(address) for address in need)


def test_the_oracle_ticks_when_a_price_jumps() -> None:
    calm = [Print(i, Decimal(100), Decimal(1), True) for i in range(100)]
    assert [len(piece) for piece in rounds(calm, 256)] == [16] * 6 + [4]
    edge = Decimal(100) + Decimal(100) / JUMP
    tape = [*calm[:3], Print(3, edge, Decimal(1), True), Print(4, edge + Decimal("0.01"), Decimal(1), True)]
    assert [len(piece) for piece in rounds(tape, 256)] == [4, 1]
    assert [len(piece) for piece in rounds(tape, 1)] == [5]


def world(insurance: int, *accounts: tuple[int, int]) -> Machine:
    """A machine at 30,000 with (collateral, position) of accounts from FIRST_ACCOUNT on; the first is rich."""
    state = State.genesis(PARAMETERS)
    state.cells[INSURANCE_CELL] = Cell(collateral=insurance, kind=SYSTEM).pack()
    for address, (collateral, position) in enumerate(((1 << 50, 0), *accounts), FIRST_ACCOUNT):
        state.cells[address] = Cell(collateral, position, 0, 0, ACCOUNT).pack()
    return Machine(state, PARAMETERS, 64)


def acted(machine: Machine) -> list[Transaction]:
    """The actions at this tick, each applied, which raises where the machine refuses it."""
    done = []
    for action in risk_actions(machine, accounts_below(machine), [FIRST_ACCOUNT], whole=True):
        machine.apply(action)
        done.append(action)
    return done


def maintenance(position: int) -> int:
    """In quote units, rounded up."""
    return -(-PARAMETERS.markets[0].requirement(abs(position) * PRICE << 16, "maintenance") >> 32)


@pytest.mark.parametrize("position", [1000, -1000])
def test_maintenance_is_the_edge_of_liquidation(position: int) -> None:
    at = maintenance(position) - position * PRICE
    assert acted(world(10**9, (at, position))) == []
    machine = world(10**9, (at - 1, position))
    (action,) = acted(machine)
    assert isinstance(action, Liquidate) and action.size == 1000 and action.fee > 0
    assert machine.state.cell(FIRST_ACCOUNT + 1).position == 0
    assert machine.state.cell(FIRST_ACCOUNT + 1).collateral == at - 1 + position * PRICE - action.fee >= 0


def test_insurance_pays_a_deficit_that_it_can() -> None:
    accounts = (-1000 * PRICE - 7, 1000), (1 << 40, -1000)
    machine = world(7, *accounts)
    cover, liquidation = acted(machine)
    assert cover == Cover(FIRST_ACCOUNT + 1, 7) and isinstance(liquidation, Liquidate)
    (deleveraging,) = acted(world(6, *accounts))
    assert deleveraging == Deleverage(FIRST_ACCOUNT + 2, FIRST_ACCOUNT + 1, 1000, 1000 * PRICE + 7)


def test_a_flat_deficit_is_covered_as_far_as_insurance_goes() -> None:
    assert acted(world(10, (-25, 0))) == [Cover(FIRST_ACCOUNT + 1, 10)]
    assert acted(world(0, (-25, 0))) == []


def test_deleveraging_takes_the_largest_first_and_as_many_as_it_needs() -> None:
    machine = world(0, (-1000 * PRICE - 999, 1000), (1 << 40, -300), (1 << 40, -600), (1 << 40, -200), (1 << 40, 500))
    actions = acted(machine)
    assert [(a.a, a.size) for a in actions if isinstance(a, Deleverage)] == [
        (FIRST_ACCOUNT + 3, 600),
        (FIRST_ACCOUNT + 2, 300),
        (FIRST_ACCOUNT + 4, 100),
    ]
    assert len(actions) == 3
    assert machine.state.cell(FIRST_ACCOUNT + 1) == Cell(0, 0, 0, 0, ACCOUNT)


def test_without_a_counterparty_a_deficit_stays() -> None:
    assert acted(world(0, (-1000 * PRICE - 5, 1000), (1 << 40, 1000))) == []


@pytest.mark.parametrize("position", [1000, -1000])
@pytest.mark.parametrize("size", [1, 333, 999, 1000])
def test_the_deleveraging_amount_is_the_unique_one(position: int, size: int) -> None:
    """The machine takes it, and neither neighbour; equity after is TV * MM'/MM, up to the next unit."""
    machine = world(0, (-position * PRICE - 12345, position), (1 << 40, -position))
    bankrupt = machine.context.settled(FIRST_ACCOUNT + 1)
    cash = deleverage_cash(bankrupt, size)
    steps = [Deleverage(FIRST_ACCOUNT + 2, FIRST_ACCOUNT + 1, size, cash + near) for near in (-1, 0, 1)]
    assert [possible(machine, step) for step in steps] == [False, True, False]
    after = Settled.of(0, bankrupt.moved(cash, -size if position > 0 else size).after, bankrupt.market, PRICE << 16, 0)
    share = Fraction(bankrupt.equity * after.maintenance(), bankrupt.maintenance())
    assert 0 <= after.equity - share < 1 << 16


TAPES: dict[str, tuple[str | None, str | None, str | None]] = {
    "price model": (None, None, None),
    "btc": ("binance_um_btcusdt_trades.csv.gz", None, None),
    "eth": ("binance_um_ethusdt_trades.csv.gz", None, None),
    "12 March 2020": (None, "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz", "2020-03-12"),
    "13 March 2020": (None, "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz", "2020-03-13"),
    "eth on 12 March 2020": (
        "binance_um_ethusdt_trades.csv.gz",
        "bitmex_xbtusd_1m_2020-03_blackthursday.csv.gz",
        "2020-03-12",
    ),
}


@pytest.mark.parametrize("name", TAPES)
def test_tapes_fill_a_batch_with_liquidations_among_it(name: str) -> None:
    tape, oracle, day = TAPES[name]
    if any(TAPES[name]) and not DATA.is_dir():
        pytest.skip("the market data folder ../shared/data is not here")
    tapes = [DATA / tape] if tape else []
    parameters, shape, made = make_batches(tapes, DATA / oracle if oracle else None, day, 4096, 4096, 16, 1, "test")
    batches = list(made)
    *openings, batch = replay(parameters, shape, batches)
    assert not any(opening.refusals for opening in openings) and set(refused(batch)) == {"band"}
    counted = kinds(batch)
    assert 2 * (counted["trade"] + counted["liquidate"] + counted["deleverage"]) >= 4096
    assert counted["liquidate"] > 0 and len(batch.new) >= 4096
    assert sum(1 for address, value in batch.new.items() if address > 1 and value) >= 4096


def test_trades_are_placed_with_accounts_that_bear_them() -> None:
    """A crash takes the means of many; the tape goes on, in its order, with others."""
    prints, shape = model_trades(2293, "zkmargin"), Shape(4096, 8192, 16, True)
    parameters = population_parameters(prints[0].price, prints[0].time)
    population = Population(prints, parameters, shape, 4096, "zkmargin")
    *_, trading = population.batches()
    assert not population.unplaced
    assert [t.size for t in of_the_tape(trading)] == [int(p.quantity * UNIT) for p in prints]
    planned = [order.trade for piece in population.rounds for order in piece]
    elsewhere = sum((t.a, t.b) != (p.a, p.b) for t, p in zip(of_the_tape(trading), planned, strict=True))
    assert 0 < elsewhere < len(planned) // 3
    assert all(
        Settled.of(a, c, population.market, *population.state.rows[0]).equity >= 0
        for a, c in population.state.accounts()
    )
