"""Whole margin proofs in both modes of data availability, batch after batch."""

import json
from dataclasses import replace

import pytest

from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.margin_scenario import every_kind
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement, encode_parameters, load_key
from zkmargin.batch import BatchBuilder
from zkmargin.proving import (
    batch_assignment,
    batch_statement,
    check_batch,
    commit_cells,
    layout_of,
    margin_key,
    prove_batch,
)
from zkmargin.state import State
from zkmargin.transactions import Deposit, Open, Tick, Trade, Withdraw


@pytest.mark.parametrize(("published", "packing"), [(True, 1), (False, 1), (False, 8)])
def test_every_kind_of_transition_in_real_proofs(published: bool, packing: int) -> None:
    """Three batches chained by their commitments; the last root is that of the last cells, computed from nothing."""
    shape, backend = Shape(32, 16, 8, published, packing), get_backend("cpu")
    batches, parameters = every_kind(shape)
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"modes")
    key = margin_key(parameters, shape, srs, backend)
    root = None
    for batch in batches:
        statement = batch_statement(batch, root, srs, backend, shape)
        assert (statement.diff is not None) == published
        assignment = batch_assignment(key.circuit, parameters, statement, batch)
        assert check_batch(key.circuit, statement, assignment) == []
        proof = prove_batch(key, statement, assignment, backend)
        public = MarginStatement.under(key.verifying, statement)
        verify(key.verifying, public, proof, allow_insecure=True)
        other = replace(public, statement=replace(statement, diff=() if statement.diff is None else None))
        with pytest.raises(InvalidProof, match="diff"):
            verify(key.verifying, other, proof, allow_insecure=True)
        root = statement.new
    assert root == commit_cells(srs, backend, shape.cells, batches[-1].new)


def test_a_key_is_what_its_file_says() -> None:
    shape, backend = Shape(32, 16, 8, False), get_backend("cpu")
    _, parameters = every_kind(shape)
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"modes")
    key = margin_key(parameters, shape, srs, backend).verifying
    text = json.dumps(key.to_json())
    assert load_key(text).digest == key.digest and load_key(text).parameters == encode_parameters(parameters, shape)


def test_a_key_with_other_tiers_than_its_parameters_is_told_by_its_digest() -> None:
    """Nobody can recompute commitments of fixed columns without the setup: what its file says, a key is taken to be.

    Accounts that the true tiers would not let withdraw do so under forged ones; an arbiter that pins the digest of the
    key that it derived refuses.
    """
    shape, backend = Shape(32, 16, 8, True), get_backend("cpu")
    strict, lax = (
        Parameters((Market("A", 0, build_tiers([(0, rate, rate)], 1 << 66), 1 << 16, 0),), 0, 1, 0, 0, 0, 0, 0)
        for rate in (1 << 16, 1)
    )
    srs = insecure_srs(backend, layout_of(strict, shape).powers, b"modes")
    honest, other = (margin_key(parameters, shape, srs, backend) for parameters in (strict, lax))
    text = json.dumps(honest.verifying.to_json() | {"fixed": other.verifying.to_json()["fixed"]})
    forged = load_key(text)
    assert forged.parameters == honest.verifying.parameters and forged.digest != honest.verifying.digest

    cells = [Open(cell, 0, cell - 2) for cell in (2, 3)] + [Deposit(cell, 1000, cell) for cell in (2, 3)]
    spent = [Trade(2, 3, 1000, 1, 1000, 0, 0), Withdraw(2, 999, 4)]
    builders = [BatchBuilder(State.genesis(parameters), parameters, shape) for parameters in (strict, lax)]
    for builder in builders:
        for line, transaction in enumerate([Tick(1, ((1 << 16, 0),)), *cells, *spent]):
            builder.add(transaction, line)
    refused, batch = (builder.finish() for builder in builders)
    assert [row.outcome for row in (refused.l1[-1], batch.l1[-1])] == [0, 1]

    statement = batch_statement(batch, None, srs, backend, shape)
    assignment = batch_assignment(other.circuit, lax, statement, batch)
    proof = prove_batch(replace(other, verifying=forged), statement, assignment, backend)
    verify(forged, MarginStatement.under(forged, statement), proof, allow_insecure=True)
    with pytest.raises(InvalidProof, match="bus"):
        verify(honest.verifying, MarginStatement.under(forged, statement), proof, allow_insecure=True)
