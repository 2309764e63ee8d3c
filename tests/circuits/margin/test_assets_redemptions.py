"""What is supplied, redeemed and refused of an asset, to the unit."""

from dataclasses import replace
from fractions import Fraction

import pytest

from circuits.margin.assets import supplied_after
from circuits.margin.cell import Cell, unpack
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.assets_cheats import forged, made, refusal
from tests.circuits.margin.assets_story import (
    BTC,
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
    stated,
    tell,
    until,
)
from zkmargin.batch import BatchBuilder
from zkmargin.state import Rule, Step
from zkmargin.transactions import Redeem, Supply, Transaction, Withdraw

T = "transitions"


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
