"""Solvency proofs of states that batches led to: from the command line, and what a verifier refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.margin.parameters import Shape
from circuits.margin.solvency_statement import SolvencyStatement, check_solvency
from circuits.margin.statement import InvalidStatement
from prover.backend import get_backend
from prover.setup import insecure_srs
from tests.margin_scenario import every_kind
from tests.test_cli import done, run
from verifier import InvalidProof, verify
from verifier.solvency import SolvencyClaim, load_solvency_key
from zkmargin.proving import commit_cells
from zkmargin.solvency import (
    prove_solvency,
    solvency_assignment,
    solvency_key,
    solvency_layout,
    solvency_statement,
)

SHAPE = Shape(32, 16, 8, True)


@pytest.mark.parametrize("packing", [1, 8])
def test_the_books_of_every_kind_of_transition(packing: int) -> None:
    """After each batch; the vault holds what the state says, to the rounding of funding."""
    batches, parameters = every_kind(SHAPE)
    shape, backend = replace(SHAPE, packing=packing), get_backend("cpu")
    srs = insecure_srs(backend, solvency_layout(parameters, shape).powers, b"solvency")
    key, vault = solvency_key(parameters, shape, srs, backend), 0
    for batch in batches:
        vault += sum({3: row.amount, 4: -row.amount}.get(row.kind, 0) * row.outcome for row in batch.l1)
        rows = batch.ticks[-len(parameters.markets) :]
        root = commit_cells(srs, backend, shape.cells, batch.new)
        statement = solvency_statement(batch.new, root, parameters, rows, batch.number + 1)
        assignment = solvency_assignment(key.circuit, parameters, statement, batch.new, backend)
        proof = prove_solvency(key, statement, assignment, backend)
        claim = SolvencyClaim.under(key.verifying, statement)
        verify(key.verifying, claim, proof, allow_insecure=True)
        assert 0 <= statement.totals.rounding(vault) < len(batch.steps) * 2 << 32
        for other in (
            replace(statement, root=None),
            replace(statement, batch=9),
            replace(statement, totals=replace(statement.totals, thin=statement.totals.thin + 1)),
            replace(statement, totals=replace(statement.totals, collateral=statement.totals.collateral - 1)),
            replace(statement, oracle=(replace(rows[0], price=rows[0].price + 1), *rows[1:])),
        ):
            with pytest.raises(InvalidProof):
                verify(key.verifying, replace(claim, statement=other), proof, allow_insecure=True)


def test_from_the_command_line(tmp_path: Path) -> None:
    small = ("--accounts", "24", "--transitions", "64", "--limb-bits", "8")
    done("tape", *small, "--out", tmp_path / "tape")
    parameters, setup = tmp_path / "tape" / "parameters.json", tmp_path / "setup.npz"
    done("setup", "--parameters", parameters, "--insecure", "test", "--out", setup)
    done("init", tmp_path / "rollup", "--parameters", parameters, "--setup", setup)
    for number in range(2):
        done("apply", tmp_path / "rollup", tmp_path / "tape" / f"batch-00{number}.jsonl")
    told = json.loads(done("solvency", "prove", tmp_path / "rollup", "--out", tmp_path / "proof", "--json"))
    assert told["accounts"] == 24 and told["batches"] == 2
    files = ("--key", tmp_path / "proof" / "key.json", "--statement", tmp_path / "proof" / "statement.json")
    proof = tmp_path / "proof" / "proof.bin"
    statement = SolvencyStatement.from_json((tmp_path / "proof" / "statement.json").read_text())
    vault = -(-((statement.totals.collateral << 32) + statement.totals.unsettled_funding) >> 32)
    checked = json.loads(done("solvency", "verify", *files, proof, "--allow-insecure", "--vault", vault, "--json"))
    assert checked["verdict"] == "accepted" and checked["vault"] == "holds what the state says"
    less = json.loads(done("solvency", "verify", *files, proof, "--allow-insecure", "--vault", vault - 1, "--json"))
    assert less["vault"] == "holds less than the state says"
    assert run("solvency", "verify", *files, proof).exit_code == 1  # an insecure setup
    proof.write_bytes(proof.read_bytes()[:-1] + b"\0")
    assert run("solvency", "verify", *files, proof, "--allow-insecure").exit_code == 1
    margin = tmp_path / "margin.json"
    margin.write_text(json.dumps(json.loads((tmp_path / "proof" / "key.json").read_text()) | {"parameters": "7b7d"}))
    refused = run("solvency", "verify", "--key", margin, *files[2:], proof, "--allow-insecure")
    assert refused.exit_code == 2 and "parameters" in refused.output


def test_statements_that_say_nothing() -> None:
    batches, parameters = every_kind(SHAPE)
    rows = batches[0].ticks[: len(parameters.markets)]
    statement = solvency_statement(batches[0].new, None, parameters, rows, 1)
    assert SolvencyStatement.from_json(statement.to_json()) == statement

    check_solvency(statement, parameters, SHAPE)
    totals = statement.totals
    for reason, other in (
        ("version", replace(statement, version=2)),
        ("batch", replace(statement, batch=-1)),
        ("chain", replace(statement, chain=1 << 64)),
        ("contract", replace(statement, contract=-1)),
        ("every market", replace(statement, oracle=rows[:1])),
        ("every market", replace(statement, oracle=rows[::-1])),
        ("one tick", replace(statement, oracle=(replace(rows[0], time=rows[0].time + 1), *rows[1:]))),
        ("price", replace(statement, oracle=(replace(rows[0], price=0), *rows[1:]))),
        ("thin", replace(statement, totals=replace(totals, thin=17))),
        ("deficit", replace(statement, totals=replace(totals, deficit=-1))),
    ):
        with pytest.raises(InvalidStatement, match=reason):
            check_solvency(other, parameters, SHAPE)
    data = json.loads(statement.to_json())
    for name, value in (("root", [1]), ("oracle", {}), ("totals", {}), ("batch", "1")):
        with pytest.raises(InvalidStatement, match=name):
            SolvencyStatement.from_json(json.dumps(data | {name: value}))


def test_a_key_is_what_its_file_says() -> None:
    _, parameters = every_kind(SHAPE)
    backend = get_backend("cpu")
    srs = insecure_srs(backend, solvency_layout(parameters, SHAPE).powers, b"solvency")
    key = solvency_key(parameters, SHAPE, srs, backend).verifying
    assert load_solvency_key(json.dumps(key.to_json())).digest == key.digest
