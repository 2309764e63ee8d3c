"""What a batch costs on L1, in a committed file: `python -m tests.evm.test_gas` writes it anew."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.book import trade_batch
from circuits.margin.statement import Statement
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.evm.margin_arbiter import Arbiter
from tests.verifier.cases import stream
from verifier.key import VerifyingKey
from verifier.margin import MarginStatement
from zkmargin.evm.chain import FORKS
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key

PATH = Path(__file__).with_name("gas.json")
PACKINGS = (1, 2, 4, 8, 16)
ROWS = {"small": 32, "large": 256}


@cache
def trades(rows: int, published: bool, packing: int) -> tuple[VerifyingKey, Statement, bytes]:
    """A batch of trades under 16-bit limbs, the first after genesis' oracle rows."""
    backend = get_backend("cpu")
    parameters, shape, batch = trade_batch(rows, 2 * rows - 2, 16)
    shape = replace(shape, published_diff=published, packing=packing)
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"gas")
    key, old = margin_key(parameters, shape, srs, backend), commit_cells(srs, backend, shape.cells, batch.old)
    statement = replace(batch_statement(batch, old, srs, backend, shape), batch=1)
    assignment = batch_assignment(key.circuit, parameters, statement, batch, backend)
    public = MarginStatement.under(key.verifying, statement)
    return key.verifying, statement, prove(key, public, assignment, backend, stream(1))


def measure(rows: int, published: bool, packing: int) -> dict[str, Any]:
    """Gas of the whole transaction that calls the verifier alone, and of putting it on the chain."""
    key, statement, proof = trades(rows, published, packing)
    judges = {fork: Arbiter(key, fork) for fork in FORKS}
    return {
        "oracle rows": len(statement.oracle),
        "changed cells": len(statement.diff or ()),
        "proof bytes": len(proof),
        "contracts": len(judges["prague"].deployment.gas),
        "deployment": sum(judges["prague"].deployment.gas.values()),
        "verification": {fork: judge.gas(statement, proof) for fork, judge in judges.items()},
    }


def cases() -> dict[str, tuple[int, bool, int]]:
    validium = {f"validium, packing {k}": (ROWS["small"], False, k) for k in PACKINGS}
    return validium | {f"published diff, packing 8, {name} batch": (ROWS[name], True, 8) for name in ROWS}


@pytest.mark.parametrize("name", cases())
def test_gas_is_what_the_committed_file_says(name: str) -> None:
    assert measure(*cases()[name]) == json.loads(PATH.read_text())[name]


def test_the_goal() -> None:
    gas = json.loads(PATH.read_text())
    for packing in (8, 16):
        assert all(spent <= 1_000_000 for spent in gas[f"validium, packing {packing}"]["verification"].values())


if __name__ == "__main__":
    PATH.write_text(json.dumps({name: measure(*case) for name, case in cases().items()}, indent=1) + "\n")
