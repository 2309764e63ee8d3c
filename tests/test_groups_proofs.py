"""A batch with groups, portfolios and options in real proofs, and the solvency of the book that it leaves."""

import json
from dataclasses import replace
from functools import cache

import pytest

from circuits.circuit import Assignment
from circuits.margin.solvency_statement import SolvencyStatement
from circuits.margin.statement import Statement
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.setup import insecure_srs
from tests.circuits.margin.cheats import Cheat
from tests.circuits.margin.groups_story import CELLS, PUT, SHAPE, parameters, tell
from tests.circuits.margin.laws_groups import GROUP_TAMPERS
from tests.test_cheats_refused import judge
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement, load_key
from verifier.solvency import SolvencyClaim
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, margin_key, prove_batch
from zkmargin.solvency import (
    check_book,
    prove_solvency,
    solvency_assignment,
    solvency_key,
    solvency_statement,
)

SRS_POWERS = 1 << 14


@cache
def proven(packing: int, published: bool) -> tuple[ProvingKey, Backend, Statement, bytes]:
    backend = get_backend("cpu")
    shape = replace(SHAPE, packing=packing, published_diff=published)
    key = margin_key(parameters(), shape, insecure_srs(backend, SRS_POWERS, b"groups"), backend)
    batch = tell().batch
    statement = batch_statement(batch, commit_cells(key.srs, backend, shape.cells, batch.old), key.srs, backend, shape)
    assignment = batch_assignment(key.circuit, parameters(), statement, batch, backend)
    return key, backend, statement, prove_batch(key, statement, assignment, backend)


@pytest.mark.parametrize(("packing", "published"), [(1, True), (4, False)])
def test_the_story_is_proven(packing: int, published: bool) -> None:
    key, _, statement, proof = proven(packing, published)
    again = load_key(json.dumps(key.verifying.to_json()))
    verify(again, MarginStatement.under(again, statement), proof, allow_insecure=True)


def test_other_scenarios_are_refused() -> None:
    key, _, statement, proof = proven(1, True)
    first = statement.scenarios[2]
    changed = ((*first[:-1], first[-1] + 1), *statement.scenarios[3:])
    told = replace(statement, scenarios=(*statement.scenarios[:2], *changed))
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


CHEATS = ("groups.whole_group", "groups.funding", "scenarios.slack", "scenarios.hit", "bus.position", "bus.sums",
          "bus.vector", "transitions.linked", "transitions.settlement", "scenarios.whole_turn")  # fmt: skip


def tampered(name: str) -> Cheat:
    tamper, expected = GROUP_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    paper.failures()
    columns: Assignment = dict(paper.columns)
    return Cheat(parameters(), SHAPE, tell().statement, columns, expected)


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, tampered(name))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(GROUP_TAMPERS) - set(CHEATS)))
def test_every_tamper_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, tampered(name))


def test_the_book_is_proven_solvent_or_by_how_much_it_is_not() -> None:
    """Some groups are below their margin or bankrupt, and one of two has settled an option that has expired."""
    key, backend, statement, _ = proven(1, True)
    cells, rows = tell().batch.new, statement.oracle[-4:]
    book = solvency_key(parameters(), SHAPE, key.srs, backend)
    told = solvency_statement(cells, statement.new, parameters(), rows, 2, scenarios=statement.scenarios[-4:])
    assert SolvencyStatement.from_json(told.to_json()) == told
    assert told.totals.under == 2 and told.totals.deficit > 0 and not told.totals.solvent
    assert told.unsettled == (0, 0, 0, -CELLS[16].position) and CELLS[16].market == PUT
    assignment = solvency_assignment(book.circuit, parameters(), told, cells, backend)
    assert check_book(book.circuit, told, assignment) == []
    claim = SolvencyClaim.under(book.verifying, told)
    proof = prove_solvency(book, told, assignment, backend)
    verify(book.verifying, claim, proof, allow_insecure=True)
    better = replace(told, totals=replace(told.totals, under=told.totals.under - 1, thin=told.totals.thin + 1))
    with pytest.raises(InvalidProof):
        verify(book.verifying, SolvencyClaim.under(book.verifying, better), proof, allow_insecure=True)
