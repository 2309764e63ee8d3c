"""Solvency of groups and portfolios: each law that they add fails on a book that breaks it, and nobody hides one."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from circuits.field import inverse
from circuits.margin.cell import Cell
from circuits.margin.modules import CROSS
from circuits.margin.modules import PORTFOLIO as PORTFOLIO_MODULE
from circuits.margin.solvency import solvency_circuit
from circuits.margin.solvency_statement import SolvencyStatement, check_solvency, solvency_scalars, solvency_terms
from circuits.margin.statement import InvalidStatement, OracleRow
from tests.circuits.margin.groups_story import BTC, CELLS, ETH, SHAPE, first_tick, group, parameters, second_tick
from tests.circuits.margin.paper import Paper
from zkmargin.solvency import solvency_assignment, solvency_statement

RULES = parameters()
CIRCUIT = solvency_circuit(RULES, SHAPE)
HALF = inverse(2)
EMPTY = 63
CROSS_THIN, CROSS_BANKRUPT, PORTFOLIO, PORTFOLIO_THIN = 20, 24, 12, 28
B = "book"


def stated(cells: dict[int, Cell], expired: bool = False) -> SolvencyStatement:
    tick = second_tick() if expired else first_tick()
    rows = [OracleRow(1, tick.time, market, *row) for market, row in enumerate(tick.rows)]
    contents = {address: cell.pack() for address, cell in cells.items()}
    return solvency_statement(contents, None, RULES, rows, 1, scenarios=tick.scenarios)


def paper_of(statement: SolvencyStatement, cells: dict[int, Cell]) -> Paper:
    contents = {address: cell.pack() for address, cell in cells.items()}
    assignment = solvency_assignment(CIRCUIT, RULES, statement, contents)
    return Paper(CIRCUIT, assignment, solvency_scalars(statement), solvency_terms(statement))


@cache
def told() -> Paper:
    return paper_of(stated(CELLS), CELLS)


def test_every_class_of_group_is_there_and_the_book_holds() -> None:
    totals = stated(CELLS).totals
    assert (totals.thin, totals.under) == (3, 2) and totals.shortfall > 0 and totals.deficit > 0
    assert totals.accounts == 18
    assert told().copy().failures() == set()


def test_an_expired_option_is_left_to_settle() -> None:
    """Half of what is left of it has been settled; before its expiry nothing may be left."""
    cells = dict(CELLS)
    cells[16] = replace(cells[16], collateral=cells[16].collateral + 80, position=0)
    statement = stated(cells, expired=True)
    assert statement.unsettled == (0, 0, 0, -40)
    assert paper_of(statement, cells).failures() == set()
    check_solvency(statement, RULES, SHAPE)
    with pytest.raises(InvalidStatement, match="has not expired"):
        check_solvency(stated(cells), RULES, SHAPE)
    less = replace(statement, unsettled=(0, 0, 0, -39))
    assert paper_of(less, cells).failures() == {"bus.positions"}


Tamper = Callable[[Paper], object]
TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}


ALSO = {
    "book.closes": ("bus.worst",),
    "book.grouped_account": (
        "book.content",
        "book.equity_sum",
        "book.maintenance_sum",
        "book.whole_group",
    ),
    "book.grouped_boolean": (
        "book.content",
        "book.grouped_account",
        "book.grouped_follows",
        "book.offset_follows",
        "book.whole_group",
    ),
    "book.grouped_follows": (
        "book.content",
        "bus.positions",
        "sum.collateral",
    ),
    "book.head_boolean": (
        "book.content",
        "book.head_goes_on",
        "book.one_class",
    ),
    "book.head_goes_on": (
        "book.content",
        "book.grouped_follows",
        "book.inner_grouped",
        "book.whole_group",
    ),
    "book.head_length": ("book.whole_group",),
    "book.head_offset": (
        "book.content",
        "book.whole_group",
    ),
    "book.inner_boolean": (
        "book.content",
        "book.inner_goes_on",
        "book.inner_grouped",
        "book.one_class",
        "book.tier_below",
        "book.whole_group",
        "bus.oracle",
        "bus.tier",
    ),
    "book.inner_goes_on": (
        "book.content",
        "book.equity_sum",
        "book.maintenance_sum",
    ),
    "book.inner_grouped": (
        "book.inner_goes_on",
        "book.whole_group",
        "sum.accounts",
        "sum.equity",
    ),
    "book.offset_follows": ("book.content",),
    "book.beyond_class": (
        "book.maintenance_sum",
        "book.tier_above",
    ),
    "book.untiered_boolean": (
        "book.beyond",
        "book.maintenance_sum",
        "book.tier_above",
        "book.tier_below",
    ),
    "book.untiered_inner": (
        "book.tier_above",
        "bus.tier",
    ),
    "book.portfolio_boolean": ("book.portfolio_group",),
    "book.portfolio_follows": (
        "book.scanned",
        "bus.tier",
    ),
    "book.portfolio_group": ("bus.tier",),
    "book.scanned": ("bus.position",),
    "book.whole_group": (
        "book.maintenance_sum",
        "sum.accounts",
        "sum.deficit",
        "sum.under",
    ),
    "bus.position": ("book.scanned",),
}
"""What a tamper cannot help breaking beside its law, where there is such."""


def breaks(name: str) -> Callable[[Tamper], Tamper]:
    def register(tamper: Tamper) -> Tamper:
        TAMPERS[name] = tamper, frozenset((name, *ALSO.get(name, ())))
        return tamper

    return register


for _name in ("head", "grouped", "inner", "portfolio"):
    breaks(f"book.{_name}_boolean")(lambda p, n=_name: p.write(B, EMPTY, **{n: HALF}))
for _name in ("scanned", "closes", "short", "equity_sum", "maintenance_sum"):
    breaks(f"book.{_name}")(lambda p, n=_name: p.add(B, EMPTY, **{n: 1}))
breaks("book.unscanned")(lambda p: p.add(B, EMPTY, worst=1))


@breaks("book.inner_grouped")
def an_account_that_is_judged_with_the_next(p: Paper) -> None:
    """Cell 3 alone would be inner, and have no class."""
    p.write(B, 3, inner=1, healthy=0)


@breaks("book.grouped_account")
def a_member_that_counts_nothing(p: Paper) -> None:
    p.write(B, CROSS_THIN + 1, inner=0)


breaks("book.beyond")(lambda p: p.add(B, EMPTY, beyond=1))


@breaks("book.untiered_boolean")
def half_of_a_cell_without_a_tier(p: Paper) -> None:
    p.write(B, CROSS_BANKRUPT + 1, untiered=HALF, beyond=HALF)


@breaks("book.untiered_inner")
def the_last_cell_without_a_tier(p: Paper) -> None:
    p.write(B, CROSS_BANKRUPT + 2, untiered=1, beyond=1)


@breaks("book.beyond_class")
def a_group_beyond_the_tiers_that_is_only_thin(p: Paper) -> None:
    for place in (1, 2):
        p.write(B, CROSS_THIN + place, untiered=int(place == 1), beyond=1)


@breaks("book.grouped_follows")
def a_member_without_a_head(p: Paper) -> None:
    p.write(B, CROSS_THIN, head=0)


@breaks("book.offset_follows")
def a_member_farther_on(p: Paper) -> None:
    p.add(B, CROSS_THIN + 1, offset=1)


@breaks("book.length_follows")
def a_group_that_gets_longer(p: Paper) -> None:
    p.add(B, CROSS_THIN + 1, length=1)


@breaks("book.head_offset")
def a_head_behind_itself(p: Paper) -> None:
    for cell in range(CROSS_THIN, CROSS_THIN + 3):
        p.add(B, cell, offset=1)


@breaks("book.head_length")
def a_longer_group(p: Paper) -> None:
    for cell in range(CROSS_THIN, CROSS_THIN + 3):
        p.add(B, cell, length=1)


@breaks("book.whole_group")
def a_group_that_ends_with_its_second_cell(p: Paper) -> None:
    """Judged twice: by the first member, and by both."""
    p.write(B, CROSS_BANKRUPT + 1, inner=0, under=1)


@breaks("book.inner_goes_on")
def a_group_without_its_last_cell(p: Paper) -> None:
    p.write(B, CROSS_BANKRUPT + 2, grouped=0)


@breaks("book.head_goes_on")
def a_head_without_members(p: Paper) -> None:
    p.write(B, CROSS_BANKRUPT + 1, grouped=0)


@breaks("book.portfolio_group")
def an_account_with_the_tiers_of_a_portfolio(p: Paper) -> None:
    """Its add-ons alone, and no scenario."""
    p.write(B, 2, portfolio=1)


@breaks("book.portfolio_follows")
def a_portfolio_of_which_one_cell_is_none(p: Paper) -> None:
    p.write(B, PORTFOLIO + 2, portfolio=0)


@breaks("bus.position")
def a_position_kept_from_the_scenarios(p: Paper) -> None:
    p.write(B, PORTFOLIO_THIN + 1, scanned=0)


@breaks("bus.worst")
def a_smaller_worst(p: Paper) -> None:
    p.add(B, PORTFOLIO + 4, worst=-1)


def test_a_group_beyond_the_tiers() -> None:
    """It is counted as an account for which no tier says what it requires, or as one without equity."""
    huge = 1 << 57  # of BTC: a notional of some 2^79.6
    cells = {address: cell for address, cell in CELLS.items() if address < 8 or address >= 44}
    cells |= group(8, CROSS, 4, (10, huge, BTC), (-5, 0, ETH), (0, 0, BTC))
    cells |= group(20, PORTFOLIO_MODULE, 4, (0, 0, ETH), (-(1 << 62), -huge, BTC))
    sums = {
        market: sum(c.position for c in cells.values() if c.holds_money and c.market == market) for market in range(4)
    }
    for address in range(44, 48):
        cells[address] = replace(cells[address], position=cells[address].position - sums[cells[address].market])
    statement = stated(cells)
    assert (statement.totals.oversized, statement.totals.under) == (1, 1)
    paper = paper_of(statement, cells)
    assert paper.copy().failures() == set()
    for kind in ("healthy", "thin"):
        cheat = paper.copy()
        cheat.write(B, 11, oversized=0, **{kind: 1})
        assert "book.beyond_class" in cheat.failures()
    cheat = paper.copy()  # a cell that has a tier, said to have none
    cheat.write(B, 10, untiered=1)
    assert "book.tier_above" in cheat.failures()
    cheat = paper.copy()  # and the other way about
    cheat.write(B, 9, untiered=0)
    assert {"book.beyond", "book.tier_below", "bus.tier"} & cheat.failures()


def test_no_law_without_a_tamper() -> None:
    alone = solvency_circuit(replace(RULES, portfolio=None), replace(SHAPE, groups=0, scenarios=0))
    added, before = ({law.name for law in circuit.base_constraints[B]} for circuit in (CIRCUIT, alone))
    assert {f"book.{name}" for name in added - before} | {"bus.position", "bus.worst"} == set(TAMPERS)


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = TAMPERS[name]
    paper = told().copy()
    tamper(paper)
    assert paper.failures() == expected
