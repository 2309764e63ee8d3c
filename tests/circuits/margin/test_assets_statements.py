"""Collateral assets in statements and parameters, and random batches."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from circuits.margin.assets import asset_of
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Market, ParameterError, Parameters, Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import InvalidStatement, L1Row, Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.assets_story import (
    BTC,
    DEBTOR,
    ETH,
    ETH_CAP,
    ETHER,
    HEDGED,
    KEEPER,
    PARAMETERS,
    PERP,
    SHAPE,
    SOLANA,
    paper_of,
    parameters,
    stated,
    tell,
    until,
)
from tests.circuits.margin.paper import Paper
from zkmargin.batch import BatchBuilder
from zkmargin.rules import Refused
from zkmargin.state import State
from zkmargin.transactions import (
    Deposit,
    Liquidate,
    Open,
    Order,
    Redeem,
    Supply,
    Tick,
    Trade,
    Transaction,
    Withdraw,
)
from zkmargin.witness import build_assignment

Change = Callable[[Statement], Statement]
ROW = L1Row(23, 5 + 16 * ETH, ETHER, 5, 1)


def with_rows(*rows: L1Row) -> Change:
    return lambda told: replace(told, l1=(*told.l1, *rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: replace(s, supplied=()), "2 amounts are needed"),
        (lambda s: replace(s, supplied=(0, 0, 0)), "2 amounts are needed"),
        (lambda s: replace(s, supplied=(0, 1)), "before batch 0"),
        (lambda s: replace(s, supplied=(-1, 0)), "-1 of market 1 is out of range"),
        (lambda s: replace(s, supplied=(ETH_CAP + 1, 0)), "out of range"),
        (with_rows(replace(ROW, amount=ETH_CAP)), "beyond the cap on supply"),
        (with_rows(replace(ROW, kind=6 + 16 * ETH, amount=ETH_CAP)), "more is redeemed of market 1 than is supplied"),
        (with_rows(replace(ROW, outcome=0)), "outcome 0"),
        (with_rows(replace(ROW, kind=5 + 16 * BTC)), "no such kind 5"),
        (with_rows(replace(ROW, kind=5 + 16 * 3)), "no such kind 53"),
        (with_rows(replace(ROW, kind=3 + 16)), "no such kind 19"),
        (with_rows(replace(ROW, kind=5 - 16 * 2)), "no such kind -27"),
    ],
)
def test_statements_that_are_refused(change: Change, message: str) -> None:
    told = tell().statement
    check_statement(replace(told, l1=(*told.l1, ROW)), PARAMETERS, SHAPE)
    with pytest.raises(InvalidStatement, match=message):
        check_statement(change(told), PARAMETERS, SHAPE)


def test_a_key_without_assets_knows_none() -> None:
    told, rules = tell().statement, parameters(caps=False)
    with pytest.raises(InvalidStatement, match="no such kind"):
        check_statement(told, rules, SHAPE)
    with pytest.raises(InvalidStatement, match="0 amounts are needed"):
        check_statement(replace(told, l1=(), supplied=(0, 0)), rules, SHAPE)
    assert [asset_of(kind) for kind in (1, 2, 3, 4, 5, 6, 21, 38)] == [None] * 4 + [0, 0, 1, 2]


def test_the_index_of_an_asset_never_moves() -> None:
    told = tell().statement
    rows = tuple(replace(row, index=1) if row.market == ETH and row.tick == 2 else row for row in told.oracle)
    with pytest.raises(InvalidStatement, match="funding index moves beyond its cap"):
        check_statement(replace(told, oracle=rows), PARAMETERS, SHAPE)


def test_a_sweep_finds_what_is_supplied() -> None:
    shape, told = replace(SHAPE, sweep=True), tell(sweep=True).statement
    assert told.sweep is not None
    check_statement(told, PARAMETERS, shape)
    for unsettled, message in (
        ((0, 6_001, 40_000), "accounts hold"),
        ((1, 6_000, 40_000), "market 0 has not expired"),
        ((0, ETH_CAP + 1, 40_000), "outside"),
        ((), "a number for each market"),
    ):
        with pytest.raises(InvalidStatement, match=message):
            check_statement(replace(told, sweep=replace(told.sweep, unsettled=unsettled)), PARAMETERS, shape)
    paper = tell(sweep=True).paper.copy()
    assert paper.failures() == set()
    other = replace(told, sweep=replace(told.sweep, unsettled=(0, 6_001, 40_000)))
    assert "bus.positions" in paper_of(tell(sweep=True).batch, other, shape).failures()


def test_a_statement_is_written_and_read() -> None:
    for told in (tell().statement, tell(sweep=True).statement, replace(tell().statement, scenarios=())):
        assert Statement.decode(told.encode()) == told == Statement.from_json(told.to_json())
    assert replace(tell().statement, supplied=(1, 0)).encode() != tell().statement.encode()


def asset(**changes: object) -> Market:
    return replace(PARAMETERS.markets[ETH], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"supply_cap": 0}, "supply_cap"),
        ({"supply_cap": 1 << 64}, "supply_cap"),
        ({"supply_cap": True}, "supply_cap"),
        ({"supply_cap": (1 << 70) // (10 << 16) + 1}, "supply_cap"),
        ({"funding_cap": 1}, "funding_cap"),
        ({"index": 1}, "funding_cap"),
    ],
)
def test_parameters_of_an_asset(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ParameterError) as caught:
        asset(**changes)
    assert caught.value.field == field
    asset(supply_cap=(1 << 70) // (10 << 16))


def test_parameters_are_written_and_read() -> None:
    data = PARAMETERS.to_json()
    assert Parameters.from_json(data) == PARAMETERS
    assert [market.get("supply_cap") for market in data["markets"]] == [None, ETH_CAP, 60_000]
    data["markets"][1]["supply_cap"] = "many"
    with pytest.raises(ParameterError, match=r"^markets\[1\].supply_cap: an integer is needed"):
        Parameters.from_json(data)


def random_transaction(rng: Random, builder: BatchBuilder) -> Transaction:
    """Near the edges of what cells hold and margins allow."""
    queue, cell = builder.state.queue, rng.choice((ETHER, SOLANA, KEEPER, HEDGED, PERP))
    account = builder.machine.context.judged(cell)
    market, held = account.before.market, account.before.position
    room = account.equity - (account.requirement(held, "initial") >> 16)
    near = max(1, rng.choice((held, max(room, 0) // account.price, rng.randrange(1, 5_000))) + rng.randrange(-1, 2))
    match rng.randrange(4):
        case 0:
            return Supply(cell, market, near, queue)
        case 1 | 2:
            return Redeem(cell, market, near, queue)
    other, side = rng.choice((KEEPER, HEDGED)), rng.choice((1, -1))
    return Trade(cell, other, near, side, side * near * account.price >> 16, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_random_batches(seed: int) -> None:
    """What the machine accepts is proven together; of a redemption no other outcome is; no short sale has a proof."""
    rng, builder = Random(seed), until("form_portfolio" if seed % 2 else "liquidate")
    builder.state.queue = builder.next_queue + len(builder.l1)
    short = redeemed = 0
    for _ in range(14):
        try:
            transaction = random_transaction(rng, builder)
        except Refused:
            continue
        refused = builder.add(transaction)
        short += refused is not None and refused.code == "short"
        redeemed += builder.steps[-1].kind in ("redeem", "refuse_redeem")
    batch = builder.finish()
    check_statement(stated(batch), PARAMETERS, SHAPE)
    assert paper_of(batch, stated(batch)).failures() == set()
    assert redeemed or short


def order(cell: int, side: int, slot: int) -> Order:
    return Order(cell, ETH, side < 0, 1_000, (10 << 16) + side * (1 << 15), 0, 2_000, 24 + slot, 1)


@pytest.mark.parametrize("orders", [0, 16])
def test_keys_without_groups_have_assets(orders: int) -> None:
    """Isolated accounts hold, borrow against and sell them; with orders, traders and liquidators sign for it."""
    shape = Shape(32, 32, 8, True, orders=orders, slots=8 if orders else 0)
    rules = replace(PARAMETERS, portfolio=None)
    builder = BatchBuilder(State.genesis(rules), rules, shape)
    signed = (order(KEEPER, 1, 0), order(DEBTOR, -1, 1)) if orders else ()
    for transaction in (
        Tick(1060, ((100 << 16, 0), (10 << 16, 0), (1 << 16, 0))),
        Open(KEEPER, ETH, 0),
        Open(DEBTOR, ETH, 1),
        Deposit(KEEPER, 10_000, 2),
        Supply(DEBTOR, ETH, 200, 3),
        Trade(KEEPER, DEBTOR, 100, 1, 1_000, 0, 0, signed),
        Withdraw(DEBTOR, 1_790, 4),
        Redeem(DEBTOR, ETH, 5, 5),
        Redeem(DEBTOR, ETH, 101, 6),
        Redeem(KEEPER, ETH, 100, 7),
        Tick(1120, ((100 << 16, 0), (7 << 16, 0), (1 << 16, 0))),
        Liquidate(KEEPER, DEBTOR, 100, 700, 0, signed[:1]),
    ):
        assert (refused := builder.add(transaction)) is None, f"{transaction}: {refused}"
    batch = builder.finish()
    assert [step.overdrawn for step in batch.steps if step.kind == "refuse_redeem"] == [False, True]
    assert batch.steps[-1].closeout
    statement = replace(stated(batch), orders=batch.orders)
    check_statement(statement, rules, shape)
    circuit = margin_circuit(rules, shape)
    assignment = build_assignment(circuit, rules, statement, batch.steps, batch.old, batch.new)
    assert Paper(circuit, assignment, public_scalars(statement), public_terms(statement)).failures() == set()
