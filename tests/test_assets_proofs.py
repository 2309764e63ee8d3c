"""Collateral assets in real proofs: a story, cheats that the verifier refuses, and a rollup from the command line."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from circuits.circuit import Assignment
from circuits.margin.assets import supplied_after
from circuits.margin.statement import L1Row, Statement
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.setup import insecure_srs
from tests.circuits.margin.assets_story import DEBTOR, ETH, ETHER, KEEPER, PARAMETERS, SHAPE, STEPS, tell
from tests.circuits.margin.cheats import Cheat
from tests.circuits.margin.laws_assets import ASSET_TAMPERS
from tests.test_cheats_refused import judge
from verifier import InvalidProof, verify
from verifier.evm.contracts import rollup_sources
from verifier.margin import MarginStatement, load_key
from zkmargin.cli import main
from zkmargin.files import write_transactions
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, margin_key, prove_batch
from zkmargin.transactions import Cover, Redeem, Supply, Tick, Transaction

SWEPT = replace(SHAPE, sweep=True)


@cache
def proven(packing: int, published: bool) -> tuple[ProvingKey, Backend, Statement, bytes]:
    backend = get_backend("cpu")
    shape = replace(SWEPT, packing=packing, published_diff=published)
    key = margin_key(PARAMETERS, shape, insecure_srs(backend, 1 << 13, b"assets"), backend)
    batch = tell(sweep=True).batch
    old = commit_cells(key.srs, backend, shape.cells, batch.old)
    statement = batch_statement(batch, old, key.srs, backend, shape)
    assignment = batch_assignment(key.circuit, PARAMETERS, statement, batch, backend)
    return key, backend, statement, prove_batch(key, statement, assignment, backend)


@pytest.mark.parametrize(("packing", "published"), [(1, True), (4, False)])
def test_the_story_is_proven(packing: int, published: bool) -> None:
    key, _, statement, proof = proven(packing, published)
    again = load_key(json.dumps(key.verifying.to_json()))
    verify(again, MarginStatement.under(again, statement), proof, allow_insecure=True)


def refused(told: Statement) -> None:
    key, _, _, proof = proven(1, True)
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


def changed(statement: Statement, kind: int, **values: int) -> Statement:
    """With the first L1 row of a kind, what it leaves supplied and what the book holds of it changed together."""
    at = next(i for i, row in enumerate(statement.l1) if row.kind == kind)
    row: L1Row = replace(statement.l1[at], **values)
    rows = (*statement.l1[:at], row, *statement.l1[at + 1 :])
    assert statement.sweep is not None
    held = (0, *supplied_after(statement.supplied, rows, PARAMETERS))
    return replace(statement, l1=rows, sweep=replace(statement.sweep, unsettled=held))


def test_other_amounts_are_refused() -> None:
    statement = proven(1, True)[2]
    refused(changed(statement, 5 + 16 * ETH, amount=10_001))
    refused(changed(statement, 6 + 16 * ETH, outcome=0))
    refused(changed(statement, 5 + 16 * ETH, cell=KEEPER))


def test_a_book_that_holds_more_is_refused() -> None:
    statement = proven(1, True)[2]
    assert statement.sweep is not None
    supply = L1Row(len(statement.l1), 5 + 16 * ETH, ETHER, 1, 1)
    held = (0, 6_001, 40_000)
    refused(replace(statement, sweep=replace(statement.sweep, unsettled=held)))
    refused(replace(statement, l1=(*statement.l1, supply), sweep=replace(statement.sweep, unsettled=held)))


CHEATS = ("long_only", "redeem_held", "position_written", "asset", "overdrawn_kind")


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tamper, expected = ASSET_TAMPERS[f"transitions.{name}"]
    paper = tell().paper.copy()
    tamper(paper)
    paper.failures()
    columns: Assignment = dict(paper.columns)
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, Cheat(PARAMETERS, SHAPE, tell().statement, columns, expected))


def test_the_contracts_refuse_the_key() -> None:
    backend = get_backend("cpu")
    shape = replace(SWEPT, groups=0, scenarios=0)
    rules = replace(PARAMETERS, portfolio=None)
    key = margin_key(rules, shape, insecure_srs(backend, 1 << 11, b"assets"), backend)
    with pytest.raises(ValueError, match="the contracts know no collateral assets beside a sweep"):
        rollup_sources(key.verifying)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception}"
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollup whose key has assets, and two files of transactions beside it."""
    place = tmp_path_factory.mktemp("assets")
    told = {"parameters": PARAMETERS.to_json(), "shape": SWEPT.to_json()}
    (place / "parameters.json").write_text(json.dumps(told))
    rows = ((100 << 16, 1 << 28), (9 << 16, 0), (1 << 16, 0))
    second: list[Transaction] = [
        Tick(1180, rows, ((), (), ())),
        Supply(KEEPER, 1, 14_001, 23),  # a unit beyond the cap
        Supply(KEEPER, 1, 14_000, 23),
        Redeem(ETHER, 1, 20_000, 24),
        Redeem(KEEPER, 1, 14_000, 25),
        Cover(DEBTOR, 40),
    ]
    write_transactions(place / "first.jsonl", list(STEPS.values()))
    write_transactions(place / "second.jsonl", second)
    shared = ("--parameters", place / "parameters.json")
    run("setup", *shared, "--insecure", "seed", "--out", place / "setup")
    run("init", place / "rollup", *shared, "--setup", place / "setup")
    return place


def test_batches_go_on_from_what_is_supplied(folder: Path) -> None:
    statements = []
    for number, name in enumerate(("first.jsonl", "second.jsonl")):
        told = json.loads(run("apply", folder / "rollup", folder / name, "--json").output)
        refusals = [] if number == 0 else ["line 2: supply-cap: 6000 of 20000 are supplied of market 1"]
        assert (told["batch"], told["refusals"]) == (number, refusals)
        run("check", folder / "rollup", number)
        out = folder / f"proof{number}"
        run("prove", folder / "rollup", number, "--out", out)
        files = ("--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin")
        run("verify", *files, "--allow-insecure")
        statements.append(Statement.from_json((out / "statement.json").read_text()))
    first, second = statements
    assert second.supplied == supplied_after(first.supplied, first.l1, PARAMETERS) == (6_000, 40_000)
    assert [(row.kind, row.outcome) for row in second.l1] == [(21, 1), (22, 0), (22, 1)]


def test_what_is_supplied_is_told(folder: Path) -> None:
    told = json.loads(run("inspect", folder / "rollup", "--json").output)
    assert told["supplied"] == {"ETH": 6_000, "SOL": 40_000}


def test_an_account_of_assets_is_shown(folder: Path) -> None:
    told = json.loads(run("risk", "show", folder / "rollup", "--cell", ETHER, "--json").output)
    assert told["module"] == "cross" and [each["market"] for each in told["holdings"]] == [0, 1, 2]
    assert told["equity"] == sum(each["equity"] for each in told["holdings"])
    assert [each["market"] for each in told["liquidation"] if each["below"] is not None] == []  # it owes little by now


def test_its_book_is_proven_solvent(folder: Path) -> None:
    out = folder / "solvency"
    told = json.loads(run("solvency", "prove", folder / "rollup", "--out", out, "--json").output)
    assert told["solvent"] and told["accounts"] == 5
    files = ("--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin")
    assert json.loads((out / "statement.json").read_text())["unsettled"] == [0, 6_000, 40_000]
    vault = 2_000_000 - 112_497 - 5_000 - 790
    told = json.loads(run("solvency", "verify", *files, "--allow-insecure", "--vault", vault, "--json").output)
    assert told["vault"] == "holds what the state says"
    told = json.loads(run("solvency", "verify", *files, "--allow-insecure", "--vault", vault - 1, "--json").output)
    assert told["vault"] == "holds less than the state says"


@pytest.mark.parametrize(
    ("position", "index", "field"), [(-1, 0, "positions[0].position"), (1, 1, "positions[0].index"), (5, 0, "")]
)
def test_a_file_of_an_account(folder: Path, tmp_path: Path, position: int, index: int, field: str) -> None:
    held = {"market": 1, "collateral": -20, "position": position, "index": index}
    rows = [[100 << 16, 0], [10 << 16, 0], [1 << 16, 0]]
    told = {"module": "isolated", "time": 1000, "rows": rows, "scenarios": [[], [], []], "positions": [held]}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(told))
    files = ["--portfolio", str(path), "--parameters", str(folder / "parameters.json")]
    result = CliRunner().invoke(main, ["risk", "show", *files, "--json"])
    if field:
        assert result.exit_code == 2 and f"{path}: {field}" in result.output
    else:
        report = json.loads(result.output)
        # 5P - 20 < 5P * 6554 / 2^16
        least = 20 * (1 << 32) / (5 * ((1 << 16) - 6554))
        assert report["equity"] == 30 << 16 and report["liquidation"][0]["below"] == int(least)
