"""A batch that ends with the solvency of the book it leaves, in one proof."""

from dataclasses import replace

import pytest

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.circuits.margin.groups_story import SHAPE, parameters, tell
from tests.margin_worlds import SMALL, small_parameters
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement
from zkmargin.batch import BatchBuilder
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key, prove_batch
from zkmargin.state import State
from zkmargin.transactions import Tick, Trade

SWEPT = replace(SHAPE, sweep=True)


def test_the_story_with_a_sweep_is_true() -> None:
    story = tell(sweep=True)
    assert story.paper.copy().failures() == set()
    assert story.statement.sweep is not None and story.statement.sweep.totals.under == 2
    told = story.statement
    assert Statement.decode(told.encode()) == told == Statement.from_json(told.to_json())


@pytest.mark.parametrize("name", ["thin", "under", "deficit", "equity", "shortfall", "collateral", "accounts"])
def test_other_sums_are_refused(name: str) -> None:
    paper = tell(sweep=True).paper.copy()
    paper.scalars[name] += 1
    assert paper.failures() == {f"sum.{name}"}


def test_what_options_have_left_is_told() -> None:
    paper = tell(sweep=True).paper.copy()
    paper.terms = [term for term in paper.terms if term.channel != "positions"]
    assert paper.failures() == {"bus.positions"}


def test_another_book_than_the_batch_leaves() -> None:
    """The content is the batch's new state: the statement has one commitment for both."""
    story = tell(sweep=True)
    public = MarginStatement(replace(story.statement, new=(1, 2)), parameters(), SWEPT).state_commitments()
    assert public["book", "content"] == public["cells", "new"] == (1, 2)
    paper = story.paper.copy()
    paper.add("book", 2, collateral=1)
    assert "book.content" in paper.failures()


def test_the_statement_has_a_sweep_exactly_where_the_key_asks() -> None:
    story = tell(sweep=True)
    check_statement(story.statement, parameters(), SWEPT)
    for statement, shape in ((story.statement, SHAPE), (tell().statement, SWEPT)):
        with pytest.raises(InvalidStatement, match="sweep"):
            check_statement(statement, parameters(), shape)
    assert story.statement.sweep is not None
    totals = replace(story.statement.sweep.totals, thin=-1)
    with pytest.raises(InvalidStatement, match="thin"):
        check_statement(
            replace(story.statement, sweep=replace(story.statement.sweep, totals=totals)), parameters(), SWEPT
        )


def test_it_is_proven_with_groups() -> None:
    backend, batch = get_backend("cpu"), tell(sweep=True).batch
    key = margin_key(parameters(), SWEPT, insecure_srs(backend, 1 << 13, b"sweep"), backend)
    old = commit_cells(key.srs, backend, SWEPT.cells, batch.old)
    statement = batch_statement(batch, old, key.srs, backend, SWEPT)
    proof = prove_batch(key, statement, batch_assignment(key.circuit, parameters(), statement, batch, backend), backend)
    verify(key.verifying, MarginStatement.under(key.verifying, statement), proof, allow_insecure=True)
    assert statement.sweep is not None
    healthy = replace(statement.sweep.totals, under=0, thin=2)
    told = replace(statement, sweep=replace(statement.sweep, totals=healthy))
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


def test_it_is_proven_for_isolated_accounts() -> None:
    rules, shape, backend = small_parameters(), replace(SMALL, sweep=True), get_backend("cpu")
    state = State.genesis(rules)
    cells = {
        2: Cell(10**6, 700, 0, 0, ACCOUNT),
        3: Cell(-68_000, -700 + 1400, 0, 0, ACCOUNT),
        4: Cell(10**6, -1400, 0, 0, ACCOUNT),
    }
    state.batch, state.cells = 1, {address: cell.pack() for address, cell in cells.items()}
    builder = BatchBuilder(state, rules, shape)
    for transaction in (Tick(1060, state.rows), Trade(2, 4, 10, 1, 1000, 1, 1)):
        assert builder.add(transaction) is None
    batch = builder.finish()
    key = margin_key(rules, shape, insecure_srs(backend, layout_of(rules, shape).powers, b"sweep"), backend)
    statement = batch_statement(batch, commit_cells(key.srs, backend, shape.cells, batch.old), key.srs, backend, shape)
    proof = prove_batch(key, statement, batch_assignment(key.circuit, rules, statement, batch, backend), backend)
    verify(key.verifying, MarginStatement.under(key.verifying, statement), proof, allow_insecure=True)
    assert statement.sweep is not None and statement.sweep.unsettled == ()
    assert (statement.sweep.totals.accounts, statement.sweep.totals.thin) == (3, 1)
