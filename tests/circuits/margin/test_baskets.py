"""Liquidations of several positions of a portfolio that are judged as one: what the rules of a single one keep them
from, and what nobody can prove of them."""

from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random
from unittest.mock import patch

import pytest

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.modules import CROSS, PORTFOLIO
from tests.circuits.margin.groups_story import BTC, CELLS, ETH, SHAPE, first_tick, group, parameters
from tests.circuits.margin.test_groups_attacks import forged, machine
from tests.circuits.margin.test_groups_random import paper_of
from zkmargin import witness
from zkmargin.batch import BatchBuilder
from zkmargin.machine import Machine
from zkmargin.recorder import Recorder, Values
from zkmargin.risk import next_action
from zkmargin.rules import Refused
from zkmargin.state import Leg, State, Step
from zkmargin.transactions import Liquidate, Taken, encode, parse

HEDGE, THIN = (57, 58), (29, 30)
PARTS = Taken(2, 57, 400, -40_000, 0), Taken(3, 58, 5000, 50_000, 0)


def joined(*parts: Taken) -> Liquidate:
    first, *others = parts
    return Liquidate(first.a, first.b, first.size, first.cash, first.fee, (), tuple(others))


def test_a_perfect_hedge_below_maintenance_is_taken_as_a_whole() -> None:
    """Of 80 hundredths of the first market's shocks against all of the second's: no part of either alone."""
    made = machine()
    account = made.context.judged(57)
    assert 0 <= account.equity << 16 < account.maintenance()
    for part, size, better in product(PARTS, (1, 100, 400), (0, 5, 400)):
        price = abs(part.cash) // part.size
        cash = (price * size) * (1 if part.cash > 0 else -1) + better
        with pytest.raises(Refused):
            made.transition(Liquidate(part.a, part.b, size, cash, 0))
    before = dict(made.state.cells)
    steps = made.steps(joined(*PARTS))
    assert [(step.more, step.continues) for step in steps] == [(True, False), (False, True)]
    assert steps[0].base == steps[1].base and made.state.cells == before
    assert forged(*steps) == set()
    made.apply(joined(*PARTS))
    assert [made.state.cell(cell).position for cell in HEDGE] == [-400, 5000]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((PARTS[0], Taken(2, 29, 10, 1000, 0)), "basket"),  # of another portfolio
        ((Taken(2, 21, 10, 1000, 0), Taken(3, 22, 1, 10, 0)), "basket"),  # under cross margin
        ((Taken(2, 6, 10, -1000, 0), Taken(2, 6, 10, -1000, 0)), "basket"),  # a single cell
        ((Taken(2, 13, 10, 1000, 0), Taken(3, 14, 10, -100, 0)), "healthy"),
        ((PARTS[0], Taken(3, 58, 10, 100, 0)), "margin"),  # less of a hedge after all
        ((PARTS[0], Taken(3, 58, 5000, 49_000, 0)), "margin"),  # a larger share of equity
        ((PARTS[0], Taken(3, 58, 10_001, 100_010, 0)), "size"),
        ((PARTS[0], Taken(3, 58, 5000, 20_000, 0)), "band"),
        ((PARTS[0], Taken(58, 58, 5000, 50_000, 0)), "same-cell"),
        ((PARTS[0], Taken(57, 58, 5000, 50_000, 0)), "same-group"),
    ],
)
def test_refusals_change_nothing(parts: tuple[Taken, ...], code: str) -> None:
    made = machine()
    if code == "healthy":
        made.state.cells |= {address: cell.pack() for address, cell in RICH.items()}
    before, fees = dict(made.state.cells), made.state.liquidation_fees
    with pytest.raises(Refused) as refusal:
        made.apply(joined(*parts))
    assert refusal.value.code == code
    assert made.state.cells == before and type(made.state.cells) is dict and made.state.liquidation_fees == fees


RICH = group(12, PORTFOLIO, 6, (60_000_000, 500, BTC), (-10_000, -400, ETH))


def test_three_parts_and_one_cell_twice() -> None:
    made = machine()
    parts = (*PARTS, Taken(2, 57, 400, -40_000, 0), Taken(3, 58, 5000, 50_000, 0))
    steps = made.steps(joined(*parts))
    assert forged(*steps) == set()
    assert [step.more for step in steps] == [True, True, True, False]
    with pytest.raises(ValueError, match="several steps"):
        made.transition(joined(*parts))


def test_lines() -> None:
    line = encode(joined(*PARTS))
    assert parse(line) == joined(*PARTS) and b'"then":[{"a":3,"b":58' in line
    assert b"then" not in encode(Liquidate(2, 57, 1, 1, 0))


# What nobody can prove


def steps() -> list[Step]:
    return machine().steps(joined(*PARTS))


def test_a_basket_that_stops_halfway() -> None:
    """The hedge is half gone, and nobody asks."""
    first, _ = steps()
    assert forged(first) == {"transitions.more_goes_on"}
    assert {"transitions.margin", "transitions.relief"} <= forged(replace(first, more=False))


def test_a_basket_that_goes_on_with_another_account() -> None:
    first, _ = steps()
    other = machine().transition(Liquidate(2, 29, 500, 50_000, 0))
    found = forged(first, replace(other, continues=True, base=first.base))
    assert "transitions.one_portfolio" in found


BYSTANDER = 61  # an account of one cell, far from any liquidation


def exchanged(made: Machine, part: Taken, first: Step) -> Step:
    """A part of a basket that nobody asked a rule about."""
    a, b = made.context.pair(part.a, part.b)
    delta = part.size if b.before.position > 0 else -part.size
    legs = a.moved(-part.cash, delta), b.moved(part.cash, -delta)
    rules = {"rule_a": "initial", "rule_b": "reducing", "base": first.base}
    return Step("liquidate", 1, *legs, part.size, delta, part.cash, **rules)  # type: ignore[arg-type]


@pytest.mark.parametrize("last", [Taken(2, BYSTANDER, 1, 100, 0), Taken(2, BYSTANDER, 500, 37_500, 0)])
def test_a_basket_that_ends_with_a_cell_that_is_no_member(last: Taken) -> None:
    """The offset of such a cell is free: it may say that it is as far behind the portfolio's head as it is. So a
    portfolio would pay the whole band and be judged by nobody, and a healthy account lose what it has."""
    honest = witness.grouped

    def grouped(leg: Leg | None, place: int, step: Step, recorder: Recorder) -> Values:
        values = honest(leg, place, step, recorder)
        claims = leg is not None and leg is step.b and leg.address == BYSTANDER and step.base is not None
        return values | ({"offset": BYSTANDER - step.base.group} if claims and step.base else {})

    with patch.dict(CELLS, {BYSTANDER: Cell(1_000_000, 500, 0, BTC, ACCOUNT)}):
        made = machine()
        first = replace(exchanged(made, Taken(2, 57, 800, -100_000, 0), steps()[0]), more=True)
        made.state.write(first)
        with patch.object(witness, "grouped", grouped):
            found = forged(first, replace(exchanged(made, last, first), continues=True))
    assert found == {"transitions.more_portfolio"}


def test_a_basket_judged_by_what_is_left() -> None:
    """Its last part, as if it were the first one."""
    first, last = steps()
    assert {"transitions.more_goes_on"} <= forged(first, replace(last, continues=False))


@pytest.mark.parametrize("field", ["equity", "maintenance", "worst"])
def test_a_basket_judged_by_something_else(field: str) -> None:
    first, last = steps()
    assert first.base is not None
    base = replace(first.base, **{field: getattr(first.base, field) + (-1 if field == "equity" else 1)})
    assert f"transitions.base_{field}" in forged(replace(first, base=base), replace(last, base=base))


def test_a_unit_less_than_its_share() -> None:
    """Half of the portfolio keeps half of the equity, and not a unit less."""
    made = machine()
    base = made.context.judged(57)
    low, high = 0, 100
    while low < high:
        fee = (low + high + 1) // 2
        try:
            made.steps(joined(PARTS[0], replace_fee(fee)))
            low = fee
        except Refused:
            high = fee - 1
    # but for the fees, which nobody collects here
    assert 0 < low < 100 and forged(*made.steps(joined(PARTS[0], replace_fee(low)))) == {"sum.liquidation_fees"}
    with made.state.tentative():
        for step in made.steps(joined(PARTS[0], replace_fee(low))):
            made.state.write(step)
        after = made.context.judged(57)
    kept = Fraction(after.equity, base.equity) - Fraction(after.maintenance(), base.maintenance())
    assert 0 <= kept < Fraction(1 << 16, base.equity)
    *_, last = made.steps(joined(PARTS[0], replace_fee(low)))
    assert last.b is not None
    poorer = replace(last.b, after=replace(last.b.after, collateral=last.b.after.collateral - 1))
    first = made.steps(joined(*PARTS))[0]
    assert "transitions.margin" in forged(first, replace(last, b=poorer, fee_b=low + 1))


def replace_fee(fee: int) -> Taken:
    return Taken(3, 58, 5000, 50_000, fee)


@pytest.mark.parametrize("seed", range(6))
def test_random_hedges(seed: int) -> None:
    """What is accepted is proven; the portfolio keeps its share, and its scenarios are no worse."""
    rng = Random(seed)
    state, rules = State.genesis(parameters()), parameters()
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in CELLS.items()}
    btc, eth = rng.randrange(100, 2000), rng.randrange(1000, 20_000)
    hedge = group(56, PORTFOLIO, 4, (rng.randrange(200) + btc * 100, -btc, BTC), (-eth * 10, eth, ETH))
    state.cells |= {address: cell.pack() for address, cell in hedge.items()}
    state.cells |= {44 + m: Cell(5_000_000, 0, 0, m, 1).pack() for m in range(4)}
    builder = BatchBuilder(state, rules, SHAPE)
    assert builder.add(first_tick()) is None
    accepted = 0
    for _ in range(12):
        held = [abs(state.cell(cell).position) for cell in HEDGE]
        if not all(held):
            break
        before = builder.machine.context.judged(57)
        worst = before.rest.scan.worst(before.before.position)  # type: ignore[union-attr]
        sizes = [rng.randrange(1, most + 1) for most in held] if rng.randrange(2) else [-(-most // 2) for most in held]
        parts = Taken(2, 57, sizes[0], -100 * sizes[0], 0), Taken(3, 58, sizes[1], 10 * sizes[1], rng.choice((0, 0, 3)))
        if builder.add(joined(*parts)) is not None:
            continue
        accepted += 1
        after = builder.machine.context.judged(57)
        assert after.equity * before.maintenance() >= before.equity * after.maintenance()
        assert after.rest.scan.worst(after.before.position) <= worst  # type: ignore[union-attr]
    assert paper_of(rules, builder.finish()).failures() == set() and accepted


def test_a_venue_takes_a_hedge_as_a_whole() -> None:
    made = machine()
    action = next_action(made, list(HEDGE), [2, 3, 4, 5], dict)
    assert isinstance(action, Liquidate) and len(action.then) == 1
    made.apply(action)
    account = made.context.judged(57)
    positions = [made.state.cell(cell).position for cell in HEDGE]
    whole = positions == [0, 0]
    assert whole or account.equity << 32 >= account.maintenance() * ((1 << 16) + (1 << 14))
    assert next_action(made, list(HEDGE), [2, 3, 4, 5], dict) is None


def test_other_modules_have_no_baskets() -> None:
    made = machine()
    made.state.cells |= {
        a: c.pack() for a, c in group(56, CROSS, 4, (79_000, -800, BTC), (-100_000, 10_000, ETH)).items()
    }
    with pytest.raises(Refused, match="basket: cell 57 is of no portfolio"):
        made.apply(joined(*PARTS))


def test_a_machine_in_a_trial_is_the_one_before_it() -> None:
    made: Machine = machine()
    cells = made.state.cells
    with made.state.tentative():
        made.apply(joined(*PARTS))
        assert made.state.cell(57).position == -400
    assert made.state.cells is cells and made.state.cell(57).position == -800
