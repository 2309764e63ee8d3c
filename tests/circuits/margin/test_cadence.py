"""A cadence: who is due when, who is late, and what a prover may not say of either."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from circuits.margin.cadence import BANDS_MAX, CLOCK_LIMIT, Band, Cadence, Checks, derived_seed, sample
from circuits.margin.cell import ACCOUNT, NEVER, Cell, head_kind, unpack
from circuits.margin.circuit import margin_circuit
from circuits.margin.modules import CROSS, Module, Risk, register
from circuits.margin.parameters import ParameterError, Parameters, Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from circuits.margin.succession import check_succession
from circuits.margin.tiers import build_tiers
from tests.circuits.margin import assets_story
from tests.circuits.margin.cadence_story import BANDS, CELLS_DATED, LATE, OVERDUE, SAMPLES, rules, tell
from tests.circuits.margin.groups_story import SHAPE, judged_by, parameters, told
from tests.circuits.margin.laws_cadence import CADENCE_TAMPERS
from tests.circuits.margin.venue_modules import Directional, Stressed
from zkmargin.dues import checks_for, due_by
from zkmargin.machine import Machine
from zkmargin.rules import Refused
from zkmargin.state import State
from zkmargin.transactions import Check, Form, Join, Leave, Supply, Tick, Trade, encode, parse

SAMPLED = replace(SHAPE, samples=SAMPLES)
SWEPT = replace(SAMPLED, sweep=True)
ADDED_CHANNELS = {"bus.band", "bus.clock", "bus.sums", "sum.late", "sum.sampled", "sum.overdue"}
CHANGED = {"transitions.margin", "transitions.index_after"}  # laws that say more than in a key without


def laws(rules: Parameters, shape: Shape) -> set[str]:
    circuit = margin_circuit(rules, shape)
    return {f"{table}.{law.name}" for table, found in circuit.base_constraints.items() for law in found}


@pytest.mark.parametrize("sweep", [False, True])
def test_the_story_is_true(sweep: bool) -> None:
    story = tell(sweep)
    assert story.paper.copy().failures() == set()
    check_statement(story.statement, rules(), replace(SAMPLED, sweep=sweep))
    told = story.statement
    assert Statement.decode(told.encode()) == told == Statement.from_json(told.to_json())
    drawn = [CELLS_DATED[cell] for cell in sample(0, SAMPLES, SHAPE.cells) if cell in CELLS_DATED]
    accounts = [cell for cell in drawn if cell.is_dated]
    assert told.checks is not None and told.checks.sampled == len(accounts)
    assert told.checks.overdue == sum(cell.due < 1000 for cell in accounts) == 2


def test_no_law_without_a_tamper() -> None:
    added = laws(rules(), SWEPT) - laws(parameters(), replace(SHAPE, sweep=True))
    assert added | ADDED_CHANNELS | CHANGED == set(CADENCE_TAMPERS)


@pytest.mark.parametrize("name", sorted(CADENCE_TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = CADENCE_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    assert paper.failures() == expected


def test_dates_of_the_story() -> None:
    """Who met initial margin is due by the band that it implies, who was checked by his own, everyone else when he
    was."""
    story, furthest = tell(), BANDS[-1].interval
    assert rules().renewal == BANDS[1].interval  # initial margin of portfolios is a quarter above maintenance

    def due(step: str, leg: int = 0) -> tuple[tuple[int, int] | None, bool]:
        found = story.batch.steps[story.places[step]].legs[leg]
        return found.due, found.late

    assert due("withdraw") == ((LATE, 1060 + 600), True)
    assert due("withdraw_portfolio") == ((OVERDUE, 1060 + 600), True)
    assert due("deposit") == (None, False)  # a member by itself does not ask its group's date
    assert due("transfer", 1) == ((LATE, LATE), False)  # a receiver is not settled
    assert due("trade", 1) == ((LATE, 1660), True) and due("trade_portfolio", 1) == ((1 << 20, 1660), False)
    assert due("reduce") == due("liquidate", 1) == ((1 << 20, 1 << 20), False)
    assert due("check") == ((1 << 20, 6000 + furthest), False)
    assert due("check_flat") == ((1 << 20, NEVER), False)
    assert due("check_group") == ((1660, 6000 + furthest), True)
    assert due("check_portfolio", 1) == ((OVERDUE, NEVER), True)
    assert due("check_near") == ((1 << 20, 6000 + 600), False)
    new = {address: unpack(value) for address, value in story.batch.new.items()}
    assert new[48].due == new[52].due == new[60].due == NEVER
    assert new[8].due == 6000 + furthest and new[9].due == 0


def machine(cells: dict[int, Cell] | None = None, parameters: Parameters | None = None) -> Machine:
    parameters = parameters or rules()
    made = Machine(State.genesis(parameters), parameters, SHAPE.cells, SHAPE.groups, SHAPE.scenarios)
    made.state.cells = {address: cell.pack() for address, cell in (cells or CELLS_DATED).items()}
    made.apply(Tick(1060, ((100 << 16, 0), (10 << 16, 0), (5 << 16, 0), (2 << 16, 0)), ((), (), (0,) * 16, (0,) * 16)))
    return made


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ((), "cells"),
        ((2, 3, 4), "cells"),
        ((2, 2), "same-cell"),
        ((9, 10), "same-group"),
        ((8,), "kind"),
        ((0,), "kind"),
        ((59,), "kind"),
        ((64,), "address"),
        ((21,), "margin"),
        ((2, 29), "margin"),
    ],
)
def test_refusals(cells: tuple[int, ...], code: str) -> None:
    made = machine()
    before = dict(made.state.cells)
    with pytest.raises(Refused) as refusal:
        made.apply(Check(cells))
    assert refusal.value.code == code and made.state.cells == before


def test_a_key_without_a_cadence_has_no_checks() -> None:
    with pytest.raises(Refused, match="cadence: this rollup's key has no cadence"):
        machine(parameters=parameters()).apply(Check((2,)))


def test_times_leave_room_for_intervals() -> None:
    made = machine()
    last = Tick(CLOCK_LIMIT - 1, made.state.rows, ((), (), (0,) * 16, ()))
    rows = ((100 << 16, 0), (10 << 16, 0), (5 << 16, 0), (2 << 16, 0))
    with pytest.raises(Refused, match="leaves no room"):
        made.apply(replace_tick(last, CLOCK_LIMIT, rows))
    made.state.time = CLOCK_LIMIT - 1
    made.apply(Check((44,)))
    assert made.state.cell(44).due == CLOCK_LIMIT - 1 + BANDS[-1].interval < NEVER


def replace_tick(tick: Tick, time: int, rows: Any) -> Tick:
    return Tick(time, rows, tick.scenarios)


def test_a_band_to_the_unit() -> None:
    """One unit of collateral below it, an account is in the nearer band."""
    position, price = 10, 100 << 16
    maintenance = 3277 * position * price
    for buffer, interval in ((1 << 14, 600), (1 << 16, 86_400), (0, 60)):
        # the least c with (c*2^16 + q*P)*2^32 >= M*(2^16 + buffer)
        least = -(-(maintenance * ((1 << 16) + buffer) - (position * price << 32)) >> 48)
        for more, expected in ((0, interval), (-1, {600: 60, 86_400: 600, 60: None}[interval])):
            made = machine({5: Cell(least + more, position, 0, 0, ACCOUNT, 7)})
            if expected is None:
                with pytest.raises(Refused, match="below its maintenance"):
                    made.apply(Check((5,)))
            else:
                made.apply(Check((5,)))
                assert made.state.cell(5).due == 1060 + expected


@pytest.mark.parametrize("mutated", [Cell(5, 3, -9, 1, ACCOUNT, NEVER), Cell(4, 2, 0, 0, head_kind(CROSS), NEVER)])
def test_cells_with_dates(mutated: Cell) -> None:
    assert unpack(mutated.pack()) == mutated
    assert unpack(replace(mutated, due=0).pack()) == replace(mutated, due=0)
    with pytest.raises(ValueError, match=r"no cell has the value|no head of a group"):
        unpack(replace(mutated, due=NEVER + 1).pack())


def test_dates_of_seeded_cells() -> None:
    random = Random(7)
    for _ in range(200):
        cell = Cell(
            random.randrange(-(1 << 63), 1 << 63),
            random.randrange(-(1 << 64) + 1, 1 << 64),
            random.randrange(-(1 << 63), 1 << 63),
            random.randrange(1 << 16),
            ACCOUNT,
            random.randrange(NEVER + 1),
        )
        assert unpack(cell.pack()) == cell


def test_what_is_due() -> None:
    made = machine()
    assert due_by(made.state, 1100) == [(OVERDUE, 3), (OVERDUE, 13), (LATE, 2), (LATE, 9)]
    assert [check.cells for check in checks_for([3, 13, 2])] == [(3, 13), (2,)]
    assert encode(Check((3, 13))) == b'{"type":"check","cells":[3,13]}' and parse(encode(Check((3,)))) == Check((3,))


def test_a_group_that_all_have_left_is_due_as_others_are() -> None:
    """A sample counts its head; who joins is checked, and leaves again."""
    made = machine({8: Cell(4, 1, 0, 0, head_kind(CROSS), OVERDUE)})
    assert due_by(made.state, 1100) == [(OVERDUE, 8)]
    with pytest.raises(Refused, match="kind: cell 8 is no account"):
        made.apply(Check((8,)))
    for transaction in (Join(8, 0), Check((9,)), Leave(8)):
        made.apply(transaction)
    assert made.state.cell(8) == Cell(4, 1, 0, 0, head_kind(CROSS), NEVER)
    assert due_by(made.state, NEVER - 1) == []


def test_modules_of_a_venues_own_are_checked() -> None:
    """By their own requirement; who meets initial margin is only known to be in the nearest band."""
    own = Directional(300, 2), Stressed(70_000)
    venue = replace(rules(), modules=own)
    assert venue.renewal == BANDS[0].interval
    cells = {a: replace(c, due=1 << 20) if c.is_dated else c for a, c in judged_by({8: own[0], 12: own[1]}).items()}
    checks = [("check", Check((9,))), ("check_stressed", Check((13, 2)))]
    story = told(venue, cells, True, ("directional", "stressed"), SAMPLES, checks)
    assert story.paper.failures() == set()
    dated = story.batch.steps[story.places["check_stressed"]].legs[0]
    assert dated.band is not None


# An operator who wants to be left alone


def forged_band(address: int, band: Band) -> set[str]:
    """A check of an account that says it is in a band, whatever the machine says."""
    story = tell()
    paper = story.paper.copy()
    row = 2 * story.places["check_near"]
    assert paper.read("transitions", row, "address") == address
    due = 6000 + band.interval
    more = due - paper.read("transitions", row, "due_after")
    paper.write("transitions", row, buffer=band.buffer, interval=band.interval, due_after=due)
    paper.add("transitions", row, kind_after=16 * more)
    paper.columns["cells"]["new"][address] += 16 * more << 210
    return paper.failures()


def test_an_account_in_a_further_band_than_its_own() -> None:
    assert forged_band(7, BANDS[1]) == set()
    assert forged_band(7, BANDS[2]) == {"transitions.margin"}
    assert forged_band(7, Band(0, 601)) == {"bus.band"}


def test_a_sample_of_other_cells() -> None:
    """The address column is the statement's, whatever the prover read."""
    paper = tell().paper.copy()
    cell = paper.read("samples", 5, "address")
    paper.write("samples", 5, address=(cell + 1) % SHAPE.cells)
    assert "bus.memory" in paper.failures()


def test_a_sample_after_the_batch_has_set_things_right() -> None:
    """Rows of the sample come before any transition: the date that a check gives is not the one that was found."""
    story = tell()
    row = next(r for r, late in enumerate(story.paper.columns["samples"]["late"]) if late)
    paper = story.paper.copy()
    paper.write("samples", row, upper=1 << 20, late=0)
    paper.scalars["overdue"] -= 1
    assert "samples.value" in paper.failures()
    value = paper.read("samples", row, "value")
    paper.write("samples", row, value=value + (((1 << 20) - OVERDUE) * 16 << 210))
    assert "bus.memory" in paper.failures()


# What arbiters check, and what keys may say


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"seed": 1 << 256},
        {"seed": -1},
        {"late": -1},
        {"late": 2 * SHAPE.transitions + 1},
        {"sampled": 1, "overdue": 2},
        {"sampled": SAMPLES + 1},
        {"overdue": -1},
    ],
)
def test_statements_that_are_refused(wrong: dict[str, int] | None) -> None:
    story = tell()
    assert story.statement.checks is not None
    checks = None if wrong is None else replace(story.statement.checks, **wrong)
    with pytest.raises(InvalidStatement, match="checks"):
        check_statement(replace(story.statement, checks=checks), rules(), SAMPLED)


def test_a_key_without_a_cadence_tells_nothing_of_one() -> None:
    plain = replace(tell().statement, checks=None)
    check_statement(plain, parameters(), SHAPE)
    assert "checks" not in plain.to_json()
    with pytest.raises(InvalidStatement, match="checks: the key has no cadence"):
        check_statement(replace(plain, checks=Checks(0, 0, 0, 0)), parameters(), SHAPE)


@pytest.mark.parametrize(
    ("bands", "field"),
    [
        ([], "cadence.bands"),
        ([{"buffer": 1, "interval": 5}], "cadence.bands[0].buffer"),
        ([{"buffer": 0, "interval": 0}], "cadence.bands[0].interval"),
        ([{"buffer": 0, "interval": 1 << 28}], "cadence.bands[0].interval"),
        ([{"buffer": 0, "interval": 5}, {"buffer": 0, "interval": 6}], "cadence.bands[1].buffer"),
        ([{"buffer": 0, "interval": 5}, {"buffer": 2, "interval": 5}], "cadence.bands[1].interval"),
        ([{"buffer": 0, "interval": "5"}], "cadence.bands[0].interval"),
        ([{"buffer": 0}], "cadence.bands[0].interval"),
        ([{"buffer": i, "interval": 1 + i} for i in range(BANDS_MAX + 1)], "cadence.bands"),
    ],
)
def test_bands_that_are_refused(bands: list[dict[str, object]], field: str) -> None:
    told = rules().to_json() | {"cadence": {"bands": bands}}
    with pytest.raises(ParameterError) as error:
        Parameters.from_json(told)
    assert error.value.field == field


def test_parameters_are_read_again() -> None:
    assert Parameters.from_json(rules().to_json()) == rules()
    assert "cadence" not in parameters().to_json()
    assert Shape.from_json(SAMPLED.to_json()) == SAMPLED and "samples" not in SHAPE.to_json()


def test_a_cadence_and_its_table_come_together() -> None:
    for each, shape in ((rules(), SHAPE), (parameters(), SAMPLED)):
        with pytest.raises(ParameterError, match="samples"):
            margin_circuit(each, shape)


def test_a_cadence_stays() -> None:
    old, new = rules(), replace(rules(), cadence=Cadence((Band(0, 5),)))
    check_succession((old, SAMPLED), (new, SAMPLED), 2000)
    check_succession((parameters(), SHAPE), (old, SAMPLED), 2000)  # then everyone is due at once
    with pytest.raises(ParameterError, match=r"cadence|shape\.samples"):
        check_succession((old, SAMPLED), (parameters(), SHAPE), 2000)
    with pytest.raises(ParameterError, match=r"shape\.samples"):
        check_succession((old, SAMPLED), (new, replace(SAMPLED, samples=SAMPLES // 2)), 2000)
    with pytest.raises(ParameterError, match="genesis_time"):
        replace(old, genesis_time=CLOCK_LIMIT, portfolio=None)


@pytest.mark.parametrize(("initial", "band"), [(3277, 0), (4096, 0), (4097, 1), (6553, 1), (6554, 2)])
def test_what_initial_margin_implies(initial: int, band: int) -> None:
    """A quarter more than maintenance is 4096.25 over 2^16."""
    tiers = build_tiers([(0, 3277, initial), (1 << 50, 6554, 13108)], 1 << 60)
    markets = tuple(replace(market, tiers=tiers) for market in rules().markets)
    assert replace(rules(), markets=markets, portfolio=None).renewal == BANDS[band].interval


def test_samples_are_of_all_cells_alike() -> None:
    drawn = sample(derived_seed((1, 2), 3), 4096, 8)
    counts = [drawn.count(cell) for cell in range(8)]
    assert sum(counts) == 4096 and all(400 < count < 630 for count in counts)
    assert sample(5, 4, 64) != sample(6, 4, 64) and derived_seed(None, 0) != derived_seed(None, 1)


def test_a_trade_takes_the_far_date_away() -> None:
    """Who was checked rich and then trades down to initial margin is due by what that implies."""
    made = machine()
    made.apply(Trade(2, 44, 100, 1, 10_000, 0, 0))
    assert made.state.cell(2).due == made.state.cell(44).due == 1060 + 600


@register
@dataclass(frozen=True)
class Tenfold(Module):
    """Cross margin ten times."""

    id, name = 21, "tenfold"

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        return Risk(equity, 10 * maintenance, 10 * initial)


def with_assets() -> Parameters:
    return replace(assets_story.parameters(), cadence=rules().cadence)


def test_assets_that_are_supplied_to_an_account_that_is_never_due() -> None:
    """A supply asks nobody and dates nobody anew, and the account is above maintenance at any price."""
    venue = with_assets()
    made = Machine(State.genesis(venue), venue, 32, 128, 256)
    made.apply(assets_story.FIRST)
    for head, module in ((8, "cross"), (12, "portfolio")):
        queue = made.state.queue
        made.apply(Form(head, 2, queue, module))
        made.apply(Join(head, assets_story.ETH))
        made.apply(Supply(head + 1, assets_story.ETH, 9_000, queue + 1))
        assert made.state.cell(head).due == NEVER
        for price in (1 << 8, assets_story.P_ETH, 1 << 30):
            made.apply(Tick(made.state.time, ((1 << 16, 0), (price, 0), (1 << 16, 0)), ((), (), ())))
            account = made.context.judged(head + 1)
            assert account.equity << 16 >= account.maintenance()


def test_assets_that_require_more_than_they_are_worth_go_with_no_cadence() -> None:
    """Supplied to an account that is never due, they would put it below maintenance."""
    venue, portfolio = with_assets(), with_assets().portfolio
    assert portfolio is not None
    perpetual, ether, other = portfolio.instruments
    falls = replace(ether, shocks=(-65_536, 0))
    worse = replace(portfolio, instruments=(perpetual, falls, other))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"modules": (Tenfold(),)}, r"markets\[1\]: .* as it may by tenfold"),
        ({"portfolio": worse}, r"markets\[1\]: .* as it may by portfolio"),
        ({"trade_fee_cap": (65_536 - 3277) // 2 + 1}, "trade_fee_cap: .* has to pay its fee"),
    ]
    for values, message in wrong:
        replace(venue, cadence=None, **values)
        with pytest.raises(ParameterError, match=message):
            replace(venue, **values)
    replace(venue, trade_fee_cap=(65_536 - 3277) // 2)
