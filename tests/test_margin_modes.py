"""Whole margin proofs in both modes of data availability, batch after batch."""

import json
from dataclasses import replace

import pytest

from circuits.margin.parameters import Shape
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.margin_scenario import every_kind
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement, encode_parameters, load_key
from zkmargin.proving import (
    batch_assignment,
    batch_statement,
    check_batch,
    commit_cells,
    layout_of,
    margin_key,
    prove_batch,
)


@pytest.mark.parametrize("published", [True, False])
def test_every_kind_of_transition_in_real_proofs(published: bool) -> None:
    """Three batches chained by their commitments; the last root is that of the last cells, computed from nothing."""
    shape, backend = Shape(32, 16, 8, published), get_backend("cpu")
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
