"""The laws that collateral assets add, who stands against an asset that is owed, and close-outs."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from circuits.margin.circuit import margin_circuit
from circuits.margin.kinds import ASSET_KINDS
from circuits.margin.leg import TIER_PARTS
from circuits.margin.parameters import Market, Parameters
from circuits.margin.statement_rules import check_statement
from circuits.table import Kind
from tests.circuits.margin.assets_cheats import forged, made, refusal
from tests.circuits.margin.assets_story import (
    DEBTOR,
    ETHER,
    KEEPER,
    MAKER,
    PARAMETERS,
    PERP,
    SHAPE,
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
from zkmargin.state import Leg
from zkmargin.transactions import Deleverage, Liquidate, Trade

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
