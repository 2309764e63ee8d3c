"""The solvency circuit: true books pass, and each law fails alone on a book that breaks it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import pytest

from circuits.check import rows as evaluate_rows
from circuits.circuit import Assignment
from circuits.field import MODULUS
from circuits.margin.book import TOTALS
from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from circuits.margin.circuit import tier_rows
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.solvency import solvency_circuit
from circuits.margin.solvency_statement import SolvencyStatement, solvency_columns, solvency_scalars
from circuits.margin.statement import OracleRow
from circuits.margin.tiers import build_tiers
from circuits.table import Kind
from zkmargin.solvency import check_book, solvency_assignment, solvency_statement
from zkmargin.solvency_rows import book_totals, judge

SHAPE = Shape(2, 16, 4, True)
FEE, INSURANCE = 0, 1
PRICE = 100 << 16
HEALTHY, THIN, UNDER, OVERSIZED, FLAT, OTHER, EMPTY = 2, 3, 4, 5, 6, 7, 8
LOT = 1 << 57  # at 100 quote units its notional is beyond 2^79


def rules() -> Parameters:
    tiers = build_tiers([(0, 655, 1311), (1 << 40, 1311, 2622)], cap=1 << 68)
    markets = tuple(Market(name, 1 << 20, tiers, PRICE, 0) for name in ("A", "B"))
    return Parameters(markets, FEE, INSURANCE, 3277, 1 << 14, 655, 3277, 1000)


def account(collateral: int, position: int, index: int = 0, market: int = 0) -> int:
    return Cell(collateral, position, index, market, ACCOUNT).pack()


@cache
def book() -> dict[int, int]:
    """Every class of account, funding to settle, both system cells; positions sum to zero."""
    return {
        FEE: Cell(77, kind=SYSTEM).pack(),
        INSURANCE: Cell(-5, kind=SYSTEM).pack(),
        HEALTHY: account(10_000, 1000, 7),
        THIN: account(-97_000, 1000, 3 << 31),
        UNDER: account(199_000, -2000, 5 << 32),
        OVERSIZED: account(0, LOT),
        FLAT: account(12, 0, 9),
        OTHER: account(1 << 62, -LOT, -11),
        9: account(5000, 30, 0, 1),
        10: account(9000, -30, 0, 1),
    }


ROWS = (OracleRow(7, 2000, 0, PRICE, 4 << 32), OracleRow(7, 2000, 1, PRICE // 2, 0))


def stated(cells: Mapping[int, int] | None = None) -> SolvencyStatement:
    return solvency_statement(book() if cells is None else cells, None, rules(), ROWS, 3)


def test_every_class_is_there_and_the_book_holds() -> None:
    circuit, statement = solvency_circuit(rules(), SHAPE), stated()
    kinds = {address: judge(content, rules(), ROWS).kind for address, content in book().items()}
    assert kinds[HEALTHY] == kinds[FLAT] == "healthy" and kinds[THIN] == "thin" and kinds[UNDER] == "under"
    assert kinds[OVERSIZED] == "oversized"
    assert check_book(circuit, statement, solvency_assignment(circuit, rules(), statement, book())) == []


def test_totals_are_the_sums() -> None:
    totals = stated().totals
    assert (totals.accounts, totals.thin, totals.under, totals.oversized) == (8, 1, 2, 1)
    assert totals.collateral == sum(judge(c, rules(), ROWS).values["collateral"] - (1 << 63) for c in book().values())
    assert (totals.fees, totals.insurance) == (77, -5) and not totals.solvent


def of(address: int, name: str) -> int:
    return judge(book()[address], rules(), ROWS).values[name]


Changes = Mapping[int, Mapping[str, int]]


def forged(changes: Changes, statement: SolvencyStatement, cells: Mapping[int, int] | None = None) -> Assignment:
    """The assignment with other values in some rows: registers that an expression defines follow, mod 2^bits, and so
    do all counts of lookups."""
    circuit, parameters, cells = solvency_circuit(rules(), SHAPE), rules(), book() if cells is None else cells
    table = circuit.table("book")
    values = [judge(cells.get(i, 0), parameters, ROWS).values | dict(changes.get(i, {})) for i in range(SHAPE.cells)]
    columns: dict[str, Any] = {"content": [cells.get(i, 0) for i in range(SHAPE.cells)]}
    for name in values[0]:
        column = [row[name] for row in values]
        columns |= _limbs(table.registers[name].bits, name, column) if name in table.registers else {name: column}
    derived = {name: register.value for name, register in table.registers.items() if register.value is not None}
    known = evaluate_rows(table, list(derived.values()), columns, solvency_scalars(statement))
    for name, column in zip(derived, zip(*known, strict=True), strict=True):
        columns |= _limbs(table.registers[name].bits, name, column)
    told = {name: list(column) for name, column in columns.items()}
    return {"book": told, "lookups": _lookups(told, values, statement)}


def _limbs(bits: int, name: str, column: Sequence[int]) -> dict[str, list[int]]:
    return {f"{name}_{i}": [value % (1 << bits) >> 4 * i & 15 for value in column] for i in range(bits // 4)}


def _lookups(book: Mapping[str, list[int]], values: Sequence[Mapping[str, int]], statement: SolvencyStatement) -> Any:
    circuit = solvency_circuit(rules(), SHAPE)
    limbs = [t.fields[0].arguments[0] for t in circuit.base_terms["book"] if t.channel == "range"]
    counts = Counter(value for name in limbs for value in book[name])
    parts = ("market", "tier_lower", "tier_upper", "tier_rate", "tier_deduction")
    tiers = Counter(tuple(row[p] for p in parts) for row in values if row["healthy"] or row["thin"])
    accounts = Counter(
        row["market"] for row in values if row["healthy"] + row["thin"] + row["under"] + row["oversized"]
    )
    used = [tiers[row[1], *row[3:]] if row[2] == 0 else 0 for row in tier_rows(rules())]
    size = 16

    def padded(column: Sequence[int]) -> list[int]:
        return [*column, *[0] * (size - len(column))]

    columns = {name: padded(column) for (_, name), column in solvency_columns(statement).items()}
    return {
        "range_count": [counts[i] for i in range(size)],
        "tier_count": padded(used),
        "oracle_count": padded([accounts[row.market] for row in statement.oracle]),
        **columns,
    }


def failing(changes: Changes, statement: SolvencyStatement | None = None, cells: Any = None) -> set[str]:
    statement = stated(cells) if statement is None else statement
    found = check_book(solvency_circuit(rules(), SHAPE), statement, forged(changes, statement, cells))
    return {failure.constraint for failure in found}


def totalled(**changes: int) -> SolvencyStatement:
    statement = stated()
    return replace(statement, totals=replace(statement.totals, **changes))


def test_the_forger_changes_nothing_by_itself() -> None:
    assert failing({}) == set()


def class_changes(address: int, new: str) -> tuple[Changes, SolvencyStatement]:
    """An account put into another class, with the tier and the totals that go with it."""
    judged, totals = judge(book()[address], rules(), ROWS), asdict(stated().totals)
    change = {judged.kind: 0, new: 1}
    notional, equity = judged.values["notional"], judged.equity
    tier = rules().markets[0].tier(notional) if notional < 1 << 79 else rules().markets[0].tiers[-1]
    maintenance = tier.requirement(notional, "maintenance") if notional < 1 << 79 else 0
    lack = maintenance - (equity << 16)
    if new in ("healthy", "thin"):
        told = (tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction)
        change |= dict(zip(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), told, strict=True))
    for kind, sign in ((judged.kind, -1), (new, 1)):
        if kind in totals:
            totals[kind] += sign
        totals["deficit" if kind == "under" else "equity"] += sign * (-equity if kind == "under" else equity)
        totals["shortfall"] += sign * lack * (kind == "thin")
    return {address: change}, totalled(**totals)


def tier_of(address: int, place: int) -> Changes:
    tier = rules().markets[0].tiers[place]
    told = (tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction)
    return {address: dict(zip(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), told, strict=True))}


def paying_less() -> tuple[Changes, SolvencyStatement]:
    """Funding of one unit less than what is owed."""
    equity = stated().totals.equity + (1 << 16)
    return {HEALTHY: {"pay": of(HEALTHY, "pay") - 1}}, totalled(equity=equity)


CLASS_CHEATS = [
    (THIN, "healthy", "distance"),
    (UNDER, "healthy", "distance"),
    (UNDER, "thin", "solvent_equity"),
    (HEALTHY, "thin", "distance"),
    (HEALTHY, "under", "distance"),
    (HEALTHY, "oversized", "distance"),
    (UNDER, "oversized", "distance"),
]


@pytest.mark.parametrize(("address", "new", "law"), CLASS_CHEATS)
def test_an_account_is_in_its_class(address: int, new: str, law: str) -> None:
    changes, statement = class_changes(address, new)
    found = failing(changes, statement)
    assert f"book.{law}" in found and found <= {"book.distance", "book.solvent_equity"}


@pytest.mark.parametrize("name", TOTALS)
def test_totals_are_what_the_book_gives(name: str) -> None:
    assert failing({}, totalled(**{name: getattr(stated().totals, name) + 1})) == {f"sum.{name}"}


@pytest.mark.parametrize("name", ["fees", "insurance"])
def test_system_cells_are_told(name: str) -> None:
    assert failing({}, totalled(**{name: getattr(stated().totals, name) + 1})) == {f"book.{name}"}


def test_one_account_counts_once() -> None:
    changes: Changes = {FLAT: {"oversized": 1, "healthy": 1}}
    assert "book.one_class" in failing(changes)


@pytest.mark.parametrize("name", ["healthy", "thin", "under", "oversized", "system"])
def test_classes_are_zero_or_one(name: str) -> None:
    assert f"book.{name}_boolean" in failing({EMPTY: {name: 2}})


def test_digits_are_those_of_the_cell() -> None:
    more = {"collateral": of(HEALTHY, "collateral") + 1}
    totals = stated().totals
    statement = totalled(collateral=totals.collateral + 1, equity=totals.equity + (1 << 16))
    assert failing({HEALTHY: more}, statement) == {"book.content"}
    assert failing({HEALTHY: {"settled_index": of(HEALTHY, "settled_index") + 1}}) >= {"book.content"}
    assert failing({HEALTHY: {"position": 1001}}) >= {"book.position"}
    assert "book.negative_boolean" in failing({FLAT: {"negative": 2}})


def test_an_account_left_out_is_missed() -> None:
    judged, totals = judge(book()[UNDER], rules(), ROWS), stated().totals
    statement = totalled(
        accounts=totals.accounts - 1,
        under=totals.under - 1,
        deficit=totals.deficit + judged.equity,
        unsettled_funding=totals.unsettled_funding + 2000 * (5 << 32),
    )
    assert judged.equity < 0 and failing({UNDER: {"under": 0}}, statement) == {"book.content"}


def test_funding_is_what_is_owed() -> None:
    changes, statement = paying_less()
    assert failing(changes, statement) == {"book.funding"}
    assert failing({HEALTHY: {"notional": of(HEALTHY, "notional") + 1}}) >= {"book.notional"}


def test_prices_are_the_oracles() -> None:
    changes = {FLAT: {"price": PRICE + 1}}
    assert failing(changes) == {"bus.oracle"}
    assert failing({FLAT: {"index": (4 << 32) + 1}}) == {"bus.oracle"}


@pytest.mark.parametrize(("address", "place", "law"), [(HEALTHY, 1, "tier_above"), (OTHER, 0, "tier_below")])
def test_tiers_are_those_of_the_notional(address: int, place: int, law: str) -> None:
    cells = {**book(), OTHER: account(101 << 30, -(1 << 25)), OVERSIZED: account(0, 1 << 25)}
    changes, statement = tier_of(address, place), stated(cells)
    found = failing(changes, statement, cells)
    assert f"book.{law}" in found and found <= {f"book.{law}", "book.distance", "sum.shortfall"}


def test_a_tier_of_nobody() -> None:
    changes = {FLAT: {"tier_rate": of(FLAT, "tier_rate") - 1}}
    assert failing(changes) == {"bus.tier"}


def test_positions_of_a_market_sum_to_zero() -> None:
    cells = {**book(), 9: account(5000, 31, 0, 1)}
    assert failing({}, stated(cells), cells) == {"bus.positions"}
    crossed = {**book(), 9: account(5000, 30, 0, 0)}
    assert failing({}, stated(crossed), crossed) == {"bus.positions"}


def test_every_law_was_broken_alone_or_with_what_follows() -> None:
    """The names of the laws, so that a new one asks for a cheat of its own."""
    table = solvency_circuit(rules(), SHAPE).table("book")
    laws = {constraint.name for constraint in table.constraints if table.columns.get(constraint.name) != Kind.BUS}
    booleans = {f"{name}_boolean" for name in ("healthy", "thin", "under", "oversized", "system", "negative")}
    others = {
        "one_class", "position", "content", "funding", "notional", "tier_above", "tier_below", "distance",
        "solvent_equity", "fees", "insurance",
    }  # fmt: skip
    assert laws == booleans | others
    assert {term.channel for term in table.terms} == {"range", "oracle", "tier", "positions", "mask"}


def test_limbs_are_looked_up() -> None:
    """A limb that is no limb, in the distance of an account below its margin."""
    changes, statement = class_changes(THIN, "healthy")
    assignment = forged(changes, statement)
    circuit = solvency_circuit(rules(), SHAPE)
    judged = judge(book()[THIN], rules(), ROWS)
    book_columns = {name: list(column) for name, column in assignment["book"].items()}
    room = (judged.equity << 16) - judged.maintenance
    for i in range(36):
        book_columns[f"distance_{i}"][THIN] = 0
    book_columns["distance_0"][THIN] = room % MODULUS
    found = {failure.constraint for failure in check_book(circuit, statement, {**assignment, "book": book_columns})}
    assert found == {"bus.range"}


def test_integers_are_the_books() -> None:
    assert book_totals(book(), rules(), ROWS) == stated().totals
