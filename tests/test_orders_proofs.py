"""A batch whose voluntary legs fill orders, in real proofs; and cheats that the verifier refuses."""

import json
from dataclasses import replace
from functools import cache

import pytest

from circuits.circuit import Assignment
from circuits.margin.statement import Statement
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.setup import insecure_srs
from tests.circuits.margin.cheats import Cheat
from tests.circuits.margin.laws_orders import ORDER_TAMPERS
from tests.circuits.margin.orders_story import SHAPE, tell
from tests.circuits.margin.story import PARAMETERS
from tests.test_cheats_refused import judge
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement, load_key
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, margin_key, prove_batch


@cache
def proven(packing: int, published: bool, sweep: bool) -> tuple[ProvingKey, Backend, Statement, bytes]:
    backend = get_backend("cpu")
    shape = replace(SHAPE, packing=packing, published_diff=published, sweep=sweep)
    key = margin_key(PARAMETERS, shape, insecure_srs(backend, 1 << 12, b"orders"), backend)
    batch = tell(sweep).batch
    statement = batch_statement(batch, commit_cells(key.srs, backend, shape.cells, batch.old), key.srs, backend, shape)
    assignment = batch_assignment(key.circuit, PARAMETERS, statement, batch, backend)
    return key, backend, statement, prove_batch(key, statement, assignment, backend)


@pytest.mark.parametrize(("packing", "published", "sweep"), [(1, True, False), (4, False, True)])
def test_the_story_is_proven(packing: int, published: bool, sweep: bool) -> None:
    key, _, statement, proof = proven(packing, published, sweep)
    again = load_key(json.dumps(key.verifying.to_json()))
    verify(again, MarginStatement.under(again, statement), proof, allow_insecure=True)


@pytest.mark.parametrize("name", ["fills", "cell", "market", "sells", "size", "limit", "fee", "slot", "id", "expiry"])
def test_other_orders_are_refused(name: str) -> None:
    key, _, statement, proof = proven(1, True, False)
    first, *others = statement.orders
    changed = replace(first, **{name: getattr(first, name) + 1})
    told = replace(statement, orders=(changed, *others))
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


def test_an_order_left_out_is_refused() -> None:
    key, _, statement, proof = proven(1, True, False)
    told = replace(statement, orders=statement.orders[1:])
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


@pytest.mark.parametrize("name", ["fills.limit_room", "fills.newer", "bus.fill", "bus.order"])
def test_cheats_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tamper, expected = ORDER_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    paper.failures()
    columns: Assignment = dict(paper.columns)
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, Cheat(PARAMETERS, SHAPE, tell().statement, columns, expected))
