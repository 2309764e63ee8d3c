"""Collateral assets: the laws that they add, what the machine and the arbiters refuse, and what nobody can prove."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random
from unittest.mock import patch

import pytest

from circuits.margin.assets import asset_of, supplied_after
from circuits.margin.cell import Cell, unpack
from circuits.margin.circuit import margin_circuit
from circuits.margin.kinds import ASSET_KINDS
from circuits.margin.leg import TIER_PARTS
from circuits.margin.parameters import Market, ParameterError, Parameters
from circuits.margin.statement import InvalidStatement, L1Row, Statement
from circuits.margin.statement_rules import check_statement
from circuits.table import Kind
from tests.circuits.margin.assets_story import (
    BTC,
    DEBTOR,
    ETH,
    ETH_CAP,
    ETHER,
    HEDGED,
    INSURANCE,
    KEEPER,
    MAKER,
    PARAMETERS,
    PERP,
    SHAPE,
    SOL,
    SOLANA,
    STEPS,
    paper_of,
    parameters,
    stated,
    taken,
    tell,
    until,
)
from tests.circuits.margin.forge import low_limbs
from tests.circuits.margin.laws_assets import ASSET_TAMPERS
from zkmargin import columns
from zkmargin.batch import BatchBuilder
from zkmargin.rules import Refused
from zkmargin.state import Leg, Rule, Step
from zkmargin.transactions import Deleverage, Liquidate, Redeem, Supply, Trade, Transaction, Withdraw

T = "transitions"


def laws(rules: Parameters) -> set[str]:
    circuit = margin_circuit(rules, SHAPE)
    return {f"{table}.{law.name}" for table, found in circuit.base_constraints.items() for law in found}


def test_the_story_is_true() -> None:
    story = tell()
    check_statement(story.statement, PARAMETERS, SHAPE)
    assert story.paper.copy().failures() == set()
    kinds = {step.kind for step in story.batch.steps}
    assert set(ASSET_KINDS) <= kinds
    reasons = [(s.overdrawn, s.rule_a) for s in story.batch.steps if s.kind == "refuse_redeem"]
    assert reasons == [(False, None), (True, None), (False, None), (True, None)]
    assert story.batch.steps[story.places["withdraw_refused"]].kind == "refuse"
    debtor = story.batch.steps[story.places["withdraw"]].legs[0].after
    assert debtor.collateral < 0 < debtor.position


def test_no_law_without_a_tamper() -> None:
    assert laws(PARAMETERS) - laws(parameters(caps=False)) == set(ASSET_TAMPERS)


@pytest.mark.parametrize("name", sorted(ASSET_TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = ASSET_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    assert paper.failures() == expected


def forged(before: str, *steps: Step) -> set[str]:
    """The laws that a batch with these steps behind the story's breaks, or that its statement is refused."""
    batch = taken(until(before), steps)
    try:
        check_statement(stated(batch), PARAMETERS, SHAPE)
    except InvalidStatement:
        return {"statement"}
    with patch.object(columns, "_limbs", low_limbs):
        return paper_of(batch, stated(batch)).failures()


def made(before: str, transaction: Transaction) -> Step:
    """The machine's step, in the story before the named one."""
    return until(before).machine.transition(transaction)


def refusal(before: str, transaction: Transaction) -> str:
    with pytest.raises(Refused) as caught:
        made(before, transaction)
    return caught.value.code


SHORT = Trade(KEEPER, ETHER, 301, -1, -3_010, 0, 0)  # of 300 that it holds


def test_nobody_owes_an_asset() -> None:
    """Whatever its collateral: the machine refuses, and one law stands against it."""
    assert refusal("sell_out", SHORT) == "short"
    machine = until("sell_out").machine
    with patch.object(Market, "is_asset", False):
        step = machine.transition(SHORT)
    assert step.rule_a == "initial" and step.legs[0].after.position == -1
    assert forged("sell_out", step) == {f"{T}.long_only"}
    assert forged("sell_out", replace(step, rule_a="reducing")) >= {f"{T}.reduces"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"long": 0}, {"bus.tier"}),
        ({"long": 0, "open_tier": 0}, {f"{T}.open_tier_needed"}),
        ({"open_tier": 0}, {"bus.tier", f"{T}.open_tier_needed", f"{T}.long_rule"}),
    ],
)
def test_an_asset_is_not_traded_as_a_perpetual(changed: dict[str, int], expected: set[str]) -> None:
    paper = tell().paper.copy()
    paper.write(T, 2 * tell().places["trade"], **changed)
    assert paper.failures() == expected


def test_assets_are_not_deleveraged() -> None:
    """There is no other side."""
    assert refusal("second tick", Deleverage(KEEPER, ETHER, 10, 0)) == "solvent"
    legs = made("trade", STEPS["trade"])
    assert f"{T}.counterparty_reduces" in forged("trade", replace(legs, kind="deleverage", fee_a=0, fee_b=0))


def redemption(before: str, request: Redeem, kind: str, **stated: object) -> Step:
    """The step that claims this outcome of a request, whatever the rules say."""
    account = until(before).machine.context.judged(request.cell)
    rule: Rule | None = "initial" if kind == "redeem" else None
    leg = account.moved(0, -request.amount if kind == "redeem" else 0)
    tick = until(before).state.tick
    return Step(kind, tick, leg, amount=request.amount, queue=request.queue, rule_a=rule, **stated)  # type: ignore[arg-type]


OUTCOMES: list[tuple[str, dict[str, object]]] = [
    ("redeem", {}),
    ("refuse_redeem", {}),
    ("refuse_redeem", {"overdrawn": True}),
    ("refuse_redeem", {"oversized": True}),
]
REDEMPTIONS = ["redeem_refused", "redeem_overdrawn", "redeem_portfolio", "refuse_portfolio", "overdrawn_portfolio",
               "redeem", "redeem_alone"]  # fmt: skip


@pytest.mark.parametrize("name", REDEMPTIONS)
def test_a_redemption_has_one_outcome(name: str) -> None:
    request = STEPS[name]
    assert isinstance(request, Redeem)
    done = made(name, request)
    for kind, claims in OUTCOMES:
        step = redemption(name, request, kind, **claims)
        either = done.overdrawn and kind == done.kind and not step.oversized  # who asks for more may lack margin too
        assert (forged(name, step) == set()) == (step == done or either), step


def test_what_is_not_there_is_not_paid() -> None:
    """Though the collateral would bear it."""
    request = Redeem(KEEPER, ETH, 401, 8)
    assert made("withdraw", request).overdrawn
    assert forged("withdraw", redemption("withdraw", request, "redeem")) == {f"{T}.redeem_held"}


def test_the_last_unit_is_paid() -> None:
    request = Redeem(KEEPER, ETH, 400, 8)
    step = made("withdraw", request)
    assert step.kind == "redeem" and step.legs[0].after.position == 0
    assert forged("withdraw", step) == set()


def test_the_haircut_to_the_unit() -> None:
    """What may be borrowed, and what may be taken out beside it, by fractions."""
    builder = until("withdraw")
    most = int(free(builder))
    assert made("withdraw", Withdraw(ETHER, most, 8)).kind == "withdraw"
    assert made("withdraw", Withdraw(ETHER, most + 1, 8)).kind == "refuse"
    assert builder.add(Withdraw(ETHER, most - 10_000, 8)) is None
    loose = next(k for k in range(10_000, 50_000) if free(builder, k) < 0) - 1
    assert builder.machine.transition(Redeem(SOLANA, SOL, loose, 9)).kind == "redeem"
    assert builder.machine.transition(Redeem(SOLANA, SOL, loose + 1, 9)).kind == "refuse_redeem"


def free(builder: BatchBuilder, redeemed: int = 0) -> Fraction:
    """Equity of the cross account beyond its initial margin once so much of SOL is redeemed, in quote."""
    value, rows = Fraction(0), builder.state.rows
    account = [builder.state.cell(address) for address in (PERP, ETHER, SOLANA)]
    for cell in account:
        position = cell.position - (redeemed if cell.market == SOL else 0)
        worth = position * Fraction(rows[cell.market][0], 1 << 16)
        value += cell.collateral + worth
        if cell.market == BTC:
            value -= worth * Fraction(6554, 1 << 16)
        else:
            value -= min(worth, 80_000) * Fraction(13107, 1 << 16) + max(worth - 80_000, 0) / 2
    return value


def closeout(size: int, cash: int, fee: int = 0, victim: int = DEBTOR) -> Liquidate:
    return Liquidate(KEEPER, victim, size, cash, fee)


def test_who_has_no_equity_sells_assets_for_what_they_are_worth() -> None:
    """Its share would be more than that; no less is taken, and of nobody who has equity."""
    machine = until("closeout").machine
    debtor = machine.context.judged(DEBTOR)
    assert debtor.equity == -40 << 16
    step = machine.transition(closeout(100, 750))
    assert step.closeout and forged("closeout", step) == set()
    assert forged("closeout", replace(step, closeout=False)) == {f"{T}.margin"}
    share = machine.transition(closeout(100, 790))
    assert not share.closeout and forged("closeout", share) == set()
    assert refusal("closeout", closeout(100, 749)) == "margin"
    assert refusal("closeout", closeout(100, 750, 1)) == "margin"
    assert machine.transition(closeout(99, 743)).closeout  # 742.5 rounded for the debtor
    assert refusal("closeout", closeout(99, 742)) == "margin"
    less = replace(step, cash=749, a=moved(step.legs[0], 1), b=moved(step.legs[1], -1))
    assert forged("closeout", less) == {f"{T}.margin"}


def moved(leg: Leg, collateral: int) -> Leg:
    return replace(leg, after=replace(leg.after, collateral=leg.after.collateral + collateral))


def test_no_perpetual_is_closed_out() -> None:
    """Its deficit is deleveraged. A tier of an asset is looked up, and the perpetual has none."""
    first = until("second tick")
    first.finish()
    debtor = first.state.cell(PERP)
    first.state.cells[PERP] = replace(debtor, collateral=debtor.collateral - 200_000).pack()
    builder = BatchBuilder(first.state, PARAMETERS, SHAPE)
    assert builder.add(STEPS["second tick"]) is None
    machine = builder.machine
    assert machine.context.judged(PERP).equity < 0
    request = Liquidate(MAKER, PERP, 100, 10_000, 0)
    with pytest.raises(Refused, match="margin"):
        machine.transition(request)
    with patch.object(Market, "is_asset", True):
        step = machine.transition(request)
    assert step.closeout
    batch = taken(builder, [step])
    with patch.object(columns, "_limbs", low_limbs):
        found = paper_of(batch, stated(batch)).failures()
    assert found == {"bus.tier"}


def changed_leg(step: Step, **digits: int) -> Step:
    leg = step.legs[0]
    return replace(step, a=replace(leg, after=replace(leg.after, **digits)))


def test_nothing_but_the_amount_is_supplied() -> None:
    step = made("supply", STEPS["supply"])
    position = step.legs[0].after.position
    assert forged("supply", changed_leg(step, position=position + 1)) == {f"{T}.position_moves"}
    assert forged("supply", changed_leg(step, collateral=1)) == {f"{T}.collateral_moves"}


def test_a_refused_redemption_changes_nothing() -> None:
    step = made("redeem_refused", STEPS["redeem_refused"])
    position = step.legs[0].after.position
    found = forged("redeem_refused", changed_leg(step, position=position - 10))
    assert f"{T}.position_written" in found
    paper = tell().paper.copy()
    paper.add(T, 2 * tell().places["redeem_refused"], position_written=-10)
    assert paper.failures() == {"bus.memory", f"{T}.position_written"}


def test_an_asset_is_supplied_to_its_own_market() -> None:
    assert refusal("supply", Supply(ETHER, SOL, 10, 5)) == "market"
    assert refusal("supply", Supply(PERP, BTC, 10, 5)) == "asset"
    leg = until("supply").machine.context.settled(PERP).moved(0, 10)
    assert forged("supply", Step("supply", 1, leg, amount=10, queue=5)) == {"statement"}
    story, told = tell(), tell().statement
    rows = tuple(replace(row, kind=5 + 16 * SOL) if row.kind == 5 + 16 * ETH else row for row in told.l1)
    other = paper_of(story.batch, replace(told, l1=rows))
    assert other.failures() == {"bus.l1"}


def test_no_asset_to_the_system() -> None:
    assert refusal("supply", Supply(INSURANCE, ETH, 10, 5)) == "kind"
    cell = Cell(0, 10, 0, ETH, 1)
    step = made("supply", STEPS["supply"])
    leg = replace(step.legs[0], address=INSURANCE, before=Cell(0, 0, 0, ETH, 1), after=cell, group=None)
    assert "bus.memory" in forged("supply", replace(step, a=leg, amount=10))


@pytest.mark.parametrize(
    ("before", "transaction", "code"),
    [
        ("supply", Supply(ETHER, ETH, 0, 5), "amount"),
        ("supply", Supply(ETHER, ETH, 1 << 56, 5), "amount"),
        ("supply", Supply(ETHER, ETH, 10, 6), "queue"),
        ("supply", Supply(ETHER, ETH, ETH_CAP + 1, 5), "supply-cap"),
        ("supply", Supply(30, ETH, 10, 5), "kind"),
        ("supply", Redeem(ETHER, ETH, 10, 4), "queue"),
        ("supply", Redeem(ETHER, ETH, 0, 5), "amount"),
        ("supply", Redeem(ETHER, SOL, 10, 5), "market"),
        ("supply", Redeem(MAKER, BTC, 10, 5), "asset"),
        ("withdraw", Supply(HEDGED, ETH, 10, 8), "kind"),
    ],
)
def test_refusals(before: str, transaction: Transaction, code: str) -> None:
    assert refusal(before, transaction) == code


def test_up_to_the_cap() -> None:
    builder = until("supply")
    assert builder.add(Supply(ETHER, ETH, ETH_CAP, 5)) is None
    assert builder.add(Supply(ETHER, ETH, 1, 6)) is not None
    assert builder.add(Redeem(ETHER, ETH, 1, 6)) is None
    assert builder.add(Supply(ETHER, ETH, 1, 7)) is None
    assert builder.state.supplied(ETH) == ETH_CAP
    batch = builder.finish()
    check_statement(stated(batch), PARAMETERS, SHAPE)
    assert paper_of(batch, stated(batch)).failures() == set()


def test_supplied_is_what_accounts_hold() -> None:
    story = tell()
    after = supplied_after(story.statement.supplied, story.statement.l1, PARAMETERS)
    found = [story.batch.new[a] for a in story.batch.new]
    held = {m: sum(c.position for c in map(unpack, found) if c.holds_money and c.market == m) for m in (ETH, SOL)}
    assert after == (held[ETH], held[SOL]) == (10_000 + 500 + 1_000 - 100 + 100 - 5_500, 40_000)


def test_the_next_batch_goes_on_from_there() -> None:
    builder = until("touch")
    first = builder.finish()
    again = BatchBuilder(builder.state, PARAMETERS, SHAPE)
    assert again.supplied == supplied_after(first.supplied, first.l1, PARAMETERS)


COMMON = {"module", "sells", *(f"tier_before_{part}" for part in TIER_PARTS)}
TIER_AFTER = {f"tier_after_{part}" for part in TIER_PARTS}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "second", "unused"),
    [
        ("supply", 0, COMMON | TIER_AFTER | {"negative"}),  # it held nothing
        ("redeem", 0, COMMON),
        ("redeem_refused", 0, COMMON),
        ("redeem_overdrawn", 0, COMMON | TIER_AFTER),
        ("refuse_portfolio", 0, COMMON),
        ("closeout", 1, {"module", "amount", "offset", "negative_after"}),  # flat, and no group's
    ],
)
def test_what_is_left_to_the_prover(name: str, second: int, unused: set[str]) -> None:
    """A column of the row moves, and all else follows: exactly those that the kind has no use for are free."""
    story = tell()
    table, row = story.circuit.table(T), 2 * story.places[name] + second
    stated = {register for register, told in table.registers.items() if told.value is None}
    limbs = {limb.arguments[0] for register in table.registers for limb in table.limbs(register)}
    plain = set(table.of_kind(Kind.WITNESS)) - limbs - {"bus_mask", "tick", "queue"}
    booleans = {law.name.removesuffix("_boolean") for law in table.constraints if law.name.endswith("_boolean")}
    free = set()
    for column in plain | stated:
        paper = story.paper.copy()
        value = paper.read(T, row, column)
        paper.write(T, row, **{column: 1 - value if column in booleans else value + 1})
        if not paper.failures():
            free.add(column)
    assert free == unused


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
