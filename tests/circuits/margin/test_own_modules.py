"""Modules of a venue's own: every law that they add has someone who needs it, and a formula that does not fit a circuit
is refused before there is a key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from circuits.field import inverse
from circuits.margin.cell import Cell
from circuits.margin.circuit import margin_circuit
from circuits.margin.modules import CROSS, PORTFOLIO, Module, Risk, register
from circuits.margin.parameters import ParameterError, Parameters
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.solvency import solvency_circuit
from circuits.margin.statement import Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.forge import low_limbs
from tests.circuits.margin.groups_story import CROSS_ONLY, SHAPE, Story, first_tick, judged_by, parameters, told
from tests.circuits.margin.paper import Paper
from tests.circuits.margin.venue_modules import Directional, Stressed, Weighted
from zkmargin import columns, solvency_groups, witness_groups
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.context import Context
from zkmargin.state import State
from zkmargin.witness import build_assignment

HALF = inverse(2)
SURCHARGE, WEIGHT = 300, 70_000
DIRECTIONAL, STRESSED = Directional(SURCHARGE, 2), Stressed(WEIGHT)
RULES = replace(parameters(), modules=(DIRECTIONAL, STRESSED))
JUDGES = {8: DIRECTIONAL, 12: STRESSED, 24: DIRECTIONAL, 32: STRESSED, 36: DIRECTIONAL}
"""Heads of the story's cells; the other groups stay under cross and portfolio."""
CELLS = judged_by(JUDGES)
FREE_PASS, FREE_LEG, FREE_CELL = 200, 2 * 40, 63
SWEPT = replace(SHAPE, sweep=True)
B, G, T = "book", "groups", "transitions"


@cache
def story() -> Story:
    return told(RULES, CELLS, True, ("directional", "stressed"))


def test_a_batch_of_four_modules_and_its_sweep_hold() -> None:
    statement = story().statement
    check_statement(statement, RULES, replace(SHAPE, sweep=True))
    assert {row.amount % (1 << 16) for row in statement.l1 if row.cell in (48, 52)} == {15, 4094}
    assert story().paper.copy().failures() == set()
    assert max(story().circuit.degrees.values()) == 5


@pytest.mark.parametrize("modules", [(DIRECTIONAL,), (STRESSED,)])
def test_one_of_them_alone(modules: tuple[Module, ...]) -> None:
    judges = {head: module for head, module in JUDGES.items() if module in modules}
    names = tuple((modules[0] if modules[0].scans == usual.scans else usual).name for usual in (CROSS, PORTFOLIO))
    found = told(replace(RULES, modules=modules), judged_by(judges), False, (names[0], names[1]))
    assert found.paper.failures() == set()


def required_of(cells: dict[int, Cell], head: int, kind: str) -> Fraction:
    """M or I in quote, from what the docstrings of the two modules say."""
    state = State.genesis(RULES)
    members = [cells[head + i] for i in range(1, cells[head].position)]
    prices = [Fraction(price, 1 << 16) for price, _ in state.rows]
    markets = RULES.portfolio_markets if head in (12, 32) else RULES.markets
    sums = Fraction(0)
    for cell in members:
        notional = abs(cell.position) * prices[cell.market]
        tier = markets[cell.market].tier(int(notional) << 16)
        rate, deduction = tier.terms("maintenance" if kind == "maintenance" else "initial")
        own = Fraction(rate, 1 << 16) * notional - Fraction(deduction, 1 << 32)
        surcharge = Fraction(SURCHARGE, 1 << 16) * notional if cell.position < 0 else 0
        sums += 2 * own if head in (12, 32) else own + surcharge
    if head not in (12, 32):
        return sums if kind == "maintenance" else 2 * sums
    assert RULES.portfolio is not None
    factor = Fraction(WEIGHT + (RULES.portfolio.initial_factor if kind == "initial" else 0), 1 << 16)
    return sums + factor * worst_of(members)


def worst_of(members: list[Cell]) -> Fraction:
    rows, vectors = [price for price, _ in State.genesis(RULES).rows], vectors_of()
    assert len(rows) == len(vectors)
    losses = []
    for entry in range(len(vectors[0])):
        loss = Fraction(0)
        for cell in members:
            units = max(-cell.position, 0) if entry == 0 else -cell.position
            loss += units * Fraction(vectors[cell.market][entry], 1 << 16)
        losses.append(loss)
    return max(losses)


def vectors_of() -> list[tuple[int, ...]]:
    tick = first_tick()
    assert RULES.portfolio is not None
    return list(RULES.portfolio.vectors([price for price, _ in tick.rows], tick.time, tick.scenarios))


@pytest.mark.parametrize("head", sorted(JUDGES))
@pytest.mark.parametrize("kind", ["maintenance", "initial"])
def test_the_machine_requires_what_fractions_do(head: int, kind: Any) -> None:
    state = State.genesis(RULES)
    state.cells = {address: cell.pack() for address, cell in CELLS.items()}
    state.vectors = tuple(vectors_of())
    account = Context(state, RULES, SHAPE.cells, SHAPE.groups, SHAPE.scenarios).judged(head + 1)
    found = account.requirement(account.before.position, kind)
    assert account.module is JUDGES[head] and Fraction(found, 1 << 32) == required_of(CELLS, head, kind)


Tamper = Callable[[Paper], object]
TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


def add(name: str, tamper: Tamper, *also: str) -> None:
    assert name not in TAMPERS
    TAMPERS[name] = tamper, frozenset((name, *also))


def leg(step: str, second: int = 0) -> int:
    """The row of a leg of a named step."""
    return 2 * story().places[step] + second


def a_pass(step: str, place: int) -> int:
    """A row of a step's pass."""
    paper, time = story().paper, story().places[step] + 1
    rows = range(story().circuit.table(G).size)
    used = [row for row in rows if paper.read(G, row, "time") == time]
    return used[place]


for _name in ("is_directional", "is_stressed"):
    _scans = (f"groups.{_name}_scans",) if _name == "is_stressed" else ()
    _of_book = (f"book.{_name}_group", *(() if _name == "is_directional" else (f"book.{_name}_scans",)))
    add(f"groups.{_name}_boolean", lambda p, n=_name: p.write(G, FREE_PASS, **{n: HALF}), "groups.one_module", *_scans)
    add(f"book.{_name}_boolean", lambda p, n=_name: p.write(B, FREE_CELL, **{n: HALF}), "book.one_module", *_of_book)
    add(f"transitions.{_name}", lambda p, n=_name: p.write(T, FREE_LEG, **{n: 1}))
add("groups.is_directional_scans", lambda p: p.write(G, FREE_PASS, is_directional=1, portfolio=1))
add("groups.is_stressed_scans", lambda p: p.write(G, FREE_PASS, is_stressed=1))
add(
    "groups.one_module",
    lambda p: p.write(G, FREE_PASS, is_directional=1, is_stressed=1),
    "groups.is_stressed_scans",
)
add("groups.is_directional_follows", lambda p: p.write(G, a_pass("withdraw", 1), is_directional=0))
add("groups.is_stressed_follows", lambda p: p.write(G, a_pass("withdraw_portfolio", 1), is_stressed=0))
add("transitions.required_before", lambda p: p.add(T, FREE_LEG, required_before=1))
add("transitions.required_after", lambda p: p.add(T, FREE_LEG, required_after=1))
add("transitions.module", lambda p: p.write(T, FREE_LEG, module=3))
add("bus.sums", lambda p: p.write(T, leg("withdraw"), is_directional=0))
add("book.is_directional_group", lambda p: p.write(B, FREE_CELL, is_directional=1))
add("book.is_stressed_group", lambda p: p.write(B, FREE_CELL, is_stressed=1, portfolio=1), "book.portfolio_group")
add("book.is_directional_follows", lambda p: p.write(B, 25, is_directional=0))
add("book.is_stressed_follows", lambda p: p.write(B, 34, is_stressed=0))
add("book.is_directional_scans", lambda p: p.write(B, 29, is_directional=1), "book.is_directional_follows")
add("book.is_stressed_scans", lambda p: p.write(B, FREE_CELL, is_stressed=1), "book.is_stressed_group")
add(
    "book.one_module",
    lambda p: p.write(B, FREE_CELL, is_directional=1, is_stressed=1),
    "book.is_directional_group",
    "book.is_stressed_group",
    "book.is_stressed_scans",
)


def without_the_surcharge(p: Paper) -> None:
    """Of the short position in the group of cell 8, while its other member withdraws."""
    short = a_pass("withdraw", 2)
    less = -SURCHARGE * p.read(G, short, "notional")
    assert p.read(G, short, "negative") and p.read(G, short, "last")
    p.add(G, short, maintenance_sum=less, initial_sum=less)
    p.add(T, leg("withdraw"), rest_maintenance=less, rest_initial=less)


add("groups.maintenance_sum", without_the_surcharge, "groups.initial_sum")


def test_the_laws_that_modules_add_are_these() -> None:
    usual = margin_circuit(parameters(), replace(SHAPE, sweep=True))
    added = {
        f"{table}.{law.name}"
        for table, laws in story().circuit.base_constraints.items()
        for law in laws
        if law.name not in {old.name for old in usual.base_constraints[table]}
    }
    assert added == set(TAMPERS) - {"transitions.module", "bus.sums", "groups.maintenance_sum"}


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = TAMPERS[name]
    paper = story().paper.copy()
    tamper(paper)
    assert paper.failures() == expected


def test_a_key_needs_what_its_modules_need() -> None:
    for circuit_of in (margin_circuit, solvency_circuit):
        with pytest.raises(ParameterError, match="stressed asks for scenarios"):
            circuit_of(RULES, CROSS_ONLY)
        with pytest.raises(ParameterError, match="no table for groups"):
            circuit_of(replace(RULES, modules=(DIRECTIONAL,)), replace(CROSS_ONLY, groups=0))
    with pytest.raises(ParameterError, match=r"modules\[0\]: stressed asks for scenarios"):
        replace(RULES, modules=(STRESSED,), portfolio=None)


@pytest.mark.parametrize(("step", "usual"), [("withdraw", CROSS), ("withdraw_portfolio", PORTFOLIO)])
def test_a_group_judged_by_a_module_that_asks_for_less(step: str, usual: Module) -> None:
    """Its pass, its sums and its leg all say so; the head does not."""
    batch, place = story().batch, story().places[step]
    leg = batch.steps[place].a
    assert leg is not None and leg.group is not None
    head = leg.group.cells[0]

    def told_of(cell: Cell | None, recorder: Any) -> dict[str, int]:
        return honest(None if cell == head else cell, recorder)

    def module(rules: Parameters, number: int) -> Module:
        return usual if number == head.module.id else known(rules, number)

    honest, known = witness_groups.flags_of, Parameters.module
    with patch.object(witness_groups, "flags_of", told_of), patch.object(Parameters, "module", module):
        lists = story().statement, batch.steps, batch.old, batch.new
        assignment = build_assignment(story().circuit, RULES, *lists)
    statement = story().statement
    paper = Paper(story().circuit, assignment, public_scalars(statement), public_terms(statement))
    assert "groups.kind" in paper.failures()


def test_a_sweep_takes_of_the_worst_scenario_what_the_rules_take() -> None:
    """The group of cell 40 would be above a maintenance without the portfolio's factor."""
    rules, cells = replace(RULES, modules=(Weighted(),)), judged_by({40: Weighted()})
    book = {address: cell.pack() for address, cell in cells.items()}
    builder, batch = swept(rules, book)
    account = builder.machine.context.judged(41)
    assert 0 <= account.equity << 16 < account.maintenance()
    assert batch.sweep is not None and batch.sweep.totals.thin == 4  # those of cells 20, 28 and 56 too
    assert laws_broken(rules, batch) == set()
    with patch.object(solvency_groups, "_factor", return_value=0):
        less = swept(rules, book)[1]
        assert less.sweep is not None and less.sweep.totals.thin == 3
        assert laws_broken(rules, less) == {"book.distance"}


def swept(rules: Parameters, book: dict[int, int]) -> tuple[BatchBuilder, Batch]:
    """A batch that does nothing but sweep the book."""
    state = State.genesis(rules)
    state.batch, state.cells = 1, dict(book)
    builder = BatchBuilder(state, rules, SWEPT)
    assert builder.add(first_tick()) is None
    return builder, builder.finish()


def laws_broken(rules: Parameters, batch: Batch) -> set[str]:
    lists = batch.last_oracle, batch.ticks, 0, batch.l1, tuple(batch.diff.items())
    statement = Statement(1, None, None, *lists, scenarios=batch.scenarios, sweep=batch.sweep)
    circuit = margin_circuit(rules, SWEPT)
    with patch.object(columns, "_limbs", low_limbs):
        assignment = build_assignment(circuit, rules, statement, batch.steps, batch.old, batch.new)
    return Paper(circuit, assignment, public_scalars(statement), public_terms(statement)).failures()


@dataclass(frozen=True)
class Bent(Module):
    """A formula that does not fit, by its field."""

    id, name = 17, "bent"
    how: int

    def requirement(self, rate: Any, deduction: Any, notional: Any, short: Any) -> Any:
        usual = rate * notional - deduction
        formulas: dict[int, Callable[[], Any]] = {
            1: lambda: usual + 5,
            2: lambda: usual + notional * notional,
            3: lambda: rate * notional - 2 * deduction,
            4: lambda: usual * 200,
            6: lambda: usual if short else 2 * usual,
            7: lambda: max(usual, 5),
            5: lambda: usual - rate * notional * short,
            8: lambda: usual * (1 - short),
            9: lambda: usual if deduction else 2 * usual,
        }
        return formulas.get(self.how, lambda: usual)()

    def conclude(self, equity: Any, maintenance: Any, initial: Any, worst: Any = 0, factor: Any = 0) -> Risk:
        usual = Risk(equity, maintenance, initial)
        return {
            10: replace(usual, equity=equity - 1),
            11: replace(usual, maintenance=0),
            12: replace(usual, initial=initial + maintenance),
            13: replace(usual, initial=17 * initial),
            14: replace(usual, maintenance=2 * maintenance),
            15: replace(usual, maintenance=maintenance + worst),
            16: Risk(equity, maintenance + worst * (1 << 21), initial + worst * (1 << 21)),
            17: replace(usual, maintenance=maintenance + initial * worst),
            18: replace(usual, initial=initial * initial),
            19: replace(usual, initial=initial + worst * (1 << 170)),
            20: replace(usual, maintenance=1.5 * maintenance, initial=1.5 * initial),
            21: replace(usual, maintenance=maintenance - (equity - 7) * (equity + 5)),
            22: replace(usual, initial=initial * (factor - 81919)),
        }.get(self.how, usual)


REFUSALS = {
    1: r"modules\[0\]: market 0: the maintenance requirement jumps",
    2: r"modules\[0\]: market 0: the maintenance requirement is not linear",
    3: "jumps or rises less steeply",
    4: "exceeds a notional",
    5: "requirement is nothing for a position",
    6: "says of expressions what it does not say of integers",
    7: "more than sums, differences and products",
    8: "requirement is nothing for a position",
    9: "says of expressions what it does not say of integers",
    10: r"modules\[0\]: equity is the sum",
    11: "requirements count 1..16 times",
    12: "a requirement is of the sums of its own kind",
    13: "requirements count 1..16 times",
    14: "no less than maintenance",
    15: "the worst scenario counts 0..1048576, initially no less",
    16: "the worst scenario counts",
    17: "not linear in the sums",
    18: "not linear in the sums",
    19: "the worst scenario counts 0..1048576",
    20: "makes of integers what is none",
    21: "not linear in the sums",
    22: "the portfolio's factor is of the worst scenario",
}


@pytest.mark.parametrize("how", sorted(REFUSALS))
def test_a_formula_that_does_not_fit_is_refused(how: int) -> None:
    assert replace(RULES, modules=(Bent(0),)).modules == (Bent(0),)
    with pytest.raises(ParameterError, match=REFUSALS[how]):
        replace(RULES, modules=(Bent(how),))


class Steep(Directional):
    """Of more factors than a law has room for."""

    id, name = 18, "steep"

    def requirement(self, rate: Any, deduction: Any, notional: Any, short: Any) -> Any:
        return rate * notional - deduction + self.surcharge * short * short * short * short * notional


def test_a_formula_of_too_high_a_degree_makes_no_key() -> None:
    with pytest.raises(ParameterError, match="modules: a formula makes a law of degree 7"):
        margin_circuit(replace(RULES, modules=(Steep(1, 1),)), SHAPE)


def test_a_module_has_a_form() -> None:
    for modules, message in (
        ((DIRECTIONAL, STRESSED, Bent(0)), "at most 2"),
        ((DIRECTIONAL, DIRECTIONAL), "two of them have one id"),
        ((CROSS,), r"modules\[0\]: a module is a dataclass"),
        ((Directional("1", 2),), r"modules\[0\]: a module is a dataclass whose fields are integers"),  # type: ignore[arg-type]
        ((named_so("Bad Name", 20),), "is no name"),
        ((named_so("cheap", 2),), "id of 3..4095"),
        ((named_so("cheap", 4096),), "id of 3..4095"),
    ):
        with pytest.raises(ParameterError, match=message):
            replace(RULES, modules=modules)


def named_so(text: str, number: int) -> Module:
    @dataclass(frozen=True)
    class Other(Module):
        id, name = number, text

    return Other()


def test_names_and_ids_are_of_one_module() -> None:
    with pytest.raises(ValueError, match="module directional, id 21: directional has id 16"):
        register(type(named_so("directional", 21)))
    with pytest.raises(ValueError, match="module other, id 1: cross has id 1"):
        register(type(named_so("other", 1)))


def test_parameters_are_written_and_read_again() -> None:
    data = RULES.to_json()
    assert data["modules"] == [
        {"name": "directional", "surcharge": SURCHARGE, "multiple": 2},
        {"name": "stressed", "weight": WEIGHT},
    ]
    assert Parameters.from_json(data) == RULES
    assert "modules" not in parameters().to_json()
    for broken, message in (
        ({"name": "nobody"}, r"modules\[0\].name: no module 'nobody' is registered or installed"),
        ({"surcharge": 1}, r"modules\[0\].name: the name of a module is needed"),
        ({"name": "stressed"}, r"modules\[0\].*weight"),
        ({"name": "stressed", "weight": 1, "colour": 2}, r"modules\[0\].*colour"),
        ({"name": "stressed", "weight": "1"}, r"modules\[0\]: a module is a dataclass whose fields are integers"),
    ):
        with pytest.raises(ParameterError, match=message):
            Parameters.from_json(data | {"modules": [broken]})
