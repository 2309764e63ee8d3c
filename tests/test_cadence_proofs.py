"""A cadence in real proofs: a story, cheats that the verifier refuses, and a rollup from the command line."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from circuits.circuit import Assignment
from circuits.margin.cadence import Band, Cadence, derived_seed
from circuits.margin.cell import NEVER
from circuits.margin.statement import Statement
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.setup import insecure_srs
from tests.circuits.margin.cadence_story import SAMPLES, rules, tell
from tests.circuits.margin.cheats import Cheat
from tests.circuits.margin.groups_story import SHAPE
from tests.circuits.margin.laws_cadence import CADENCE_TAMPERS
from tests.margin_worlds import SMALL, small_parameters
from tests.test_cheats_refused import judge
from verifier import InvalidProof, verify
from verifier.evm.contracts import rollup_sources
from verifier.margin import MarginStatement, load_key
from zkmargin.cli import main
from zkmargin.files import write_transactions
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, margin_key, prove_batch
from zkmargin.transactions import Deposit, Open, Tick, Trade, Transaction

SAMPLED = replace(SHAPE, samples=SAMPLES)
PRICE = small_parameters().markets[0].price


@cache
def proven(packing: int, published: bool) -> tuple[ProvingKey, Backend, Statement, bytes]:
    backend = get_backend("cpu")
    shape = replace(SAMPLED, packing=packing, published_diff=published, sweep=packing > 1)
    key = margin_key(rules(), shape, insecure_srs(backend, 1 << 14, b"cadence"), backend)
    batch = tell(sweep=packing > 1).batch
    old = commit_cells(key.srs, backend, shape.cells, batch.old)
    statement = batch_statement(batch, old, key.srs, backend, shape)
    assignment = batch_assignment(key.circuit, rules(), statement, batch, backend)
    return key, backend, statement, prove_batch(key, statement, assignment, backend)


@pytest.mark.parametrize(("packing", "published"), [(1, True), (4, False)])
def test_the_story_is_proven(packing: int, published: bool) -> None:
    key, _, statement, proof = proven(packing, published)
    again = load_key(json.dumps(key.verifying.to_json()))
    verify(again, MarginStatement.under(again, statement), proof, allow_insecure=True)


@pytest.mark.parametrize("field", ["seed", "late", "sampled", "overdue"])
def test_other_counts_and_seeds_are_refused(field: str) -> None:
    key, _, statement, proof = proven(1, True)
    checks = statement.checks
    assert checks is not None
    told = replace(
        statement, checks=replace(checks, **{field: getattr(checks, field) + (1 if field == "seed" else -1)})
    )
    with pytest.raises(InvalidProof):
        verify(key.verifying, MarginStatement.under(key.verifying, told), proof, allow_insecure=True)


CHEATS = ("transitions.time_left", "transitions.due_after", "groups.index_written", "samples.time_left", "bus.band")


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tamper, expected = CADENCE_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    paper.failures()
    columns: Assignment = dict(paper.columns)
    checks = tell().statement.checks
    assert checks is not None
    told = replace(checks, **{name: paper.scalars[name] for name in ("late", "sampled", "overdue")})
    statement = replace(tell().statement, checks=told)
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, Cheat(rules(), SAMPLED, statement, columns, expected))


def test_a_proof_over_another_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover reads the cells that he likes, and says the seed of others."""
    columns: Assignment = dict(tell().paper.copy().columns)
    checks = tell().statement.checks
    assert checks is not None
    statement = replace(tell().statement, checks=replace(checks, seed=1))
    with pytest.raises(InvalidProof):
        judge(monkeypatch, Cheat(rules(), SAMPLED, statement, columns, frozenset({"bus.memory"})))


def test_the_contracts_refuse_the_key() -> None:
    with pytest.raises(ValueError, match="the contracts know no cadence"):
        rollup_sources(proven(1, True)[0].verifying)


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code, f"{arguments}: {result.output} {result.exception}"
    return result


def told(*arguments: object, code: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(*arguments, "--json", code=code).output)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollup that checks its accounts every minute, or hour."""
    place = tmp_path_factory.mktemp("cadence")
    cadence = Cadence((Band(0, 60), Band(1 << 15, 3600)))
    parameters = replace(small_parameters(), cadence=cadence)
    shape = replace(SMALL, samples=16)
    data = {"parameters": parameters.to_json(), "shape": shape.to_json()}
    (place / "parameters.json").write_text(json.dumps(data))
    shared = ("--parameters", place / "parameters.json")
    run("setup", *shared, "--insecure", "seed", "--out", place / "setup")
    run("init", place / "rollup", *shared, "--setup", place / "setup")
    return place


def tick(time: int, price: int = PRICE) -> Tick:
    return Tick(time, ((price, 0), *((market.price, market.index) for market in small_parameters().markets[1:])))


def applied(folder: Path, name: str, *transactions: Transaction, extra: tuple[object, ...] = ()) -> dict[str, object]:
    path = write_transactions(folder / name, transactions)
    return told("apply", folder / "rollup", path, *extra)


def test_a_venue_that_keeps_its_cadence(folder: Path) -> None:
    start = small_parameters().genesis_time
    worth = 10 * PRICE >> 16
    opened: list[Transaction] = [tick(start + 10), Open(2, 0, 0), Open(3, 0, 1), Deposit(2, worth // 2, 2)]
    summary = applied(folder, "0.jsonl", *opened, Deposit(3, 10 * worth, 3), Trade(2, 3, 10, 1, worth, 0, 0))
    assert (summary["refusals"], summary["late"], summary["sampled"], summary["overdue"]) == ([], 0, 0, 0)
    assert told("inspect", folder / "rollup", "--cell", 2)["due"] != NEVER
    shown = told("risk", "show", folder / "rollup", "--cell", 3)
    assert (shown["due"], shown["checked every"]) == (start + 10 + 3600, 3600)
    assert f"{start + 10 + 3600} s" in run("risk", "show", folder / "rollup", "--cell", 3).output

    found = told("due", folder / "rollup", "--by", start + 4000, "--out", folder / "checks.jsonl")
    assert (found["due"], found["overdue"], found["refused"]) == (2, 0, {})
    checks = (folder / "checks.jsonl").read_bytes()
    assert checks == b'{"type":"check","cells":[2,3]}\n'

    # Nobody looks for two hours: the next batch finds both late
    late = applied(folder, "1.jsonl", tick(start + 7200), extra=("--seed", "ab" * 32))
    assert late["late"] == 0
    path = write_transactions(folder / "2.jsonl", [tick(start + 7201)])
    path.write_bytes(path.read_bytes() + checks)
    late = told("apply", folder / "rollup", path)
    assert (late["check"], late["late"]) == (1, 2)
    path = write_transactions(folder / "3.jsonl", [tick(start + 7202)])
    path.write_bytes(path.read_bytes() + checks)
    assert told("apply", folder / "rollup", path)["late"] == 0

    for number in range(4):
        run("check", folder / "rollup", number)
        run("prove", folder / "rollup", number, "--out", folder / f"proof{number}")


def files(folder: Path, number: int) -> tuple[object, ...]:
    out = folder / f"proof{number}"
    return "--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin", "--allow-insecure"


def test_what_the_verifier_tells(folder: Path) -> None:
    assert told("verify", *files(folder, 3), "--on-time")["overdue"] == 0
    late = told("verify", *files(folder, 2), "--on-time", code=1)
    assert (late["verdict"], late["late"]) == ("accepted", 2)
    assert told("verify", *files(folder, 1))["seed"] == "ab" * 32


def test_a_sample_that_the_prover_chose_shows_nobody_on_time(folder: Path) -> None:
    refused = run("verify", *files(folder, 1), "--on-time", code=2)
    assert "batch 1: its sample is of another seed" in refused.output
    assert told("verify", *files(folder, 1), "--on-time", "--seed", "ab" * 32)["overdue"] == 0
    run("verify", *files(folder, 3), "--on-time", "--seed", "ab" * 32, code=2)


def test_seeds_are_derived_or_a_beacons(folder: Path) -> None:
    links = [folder / f"proof{number}" for number in range(4)]
    beacon = ("--allow-insecure", "--seed", f"1={'ab' * 32}")
    found = told("verify-chain", *links, *beacon)
    assert found["late"] == 2
    assert told("verify-chain", *links, *beacon, "--on-time", code=1) == found
    run("verify-chain", *links[:2], *beacon, "--on-time")
    refused = run("verify-chain", *links, "--allow-insecure", code=2)
    assert "batch 1: its sample is of another seed" in refused.output
    statement = Statement.from_json((links[2] / "statement.json").read_text())
    assert statement.checks is not None and statement.checks.seed == derived_seed(statement.old, 2)


@pytest.mark.parametrize("seed", ["1", "x=00", "1=00", f"1={'zz' * 32}"])
def test_seeds_that_are_none(folder: Path, seed: str) -> None:
    run("verify-chain", folder / "proof0", "--seed", seed, code=2)


def test_a_book_with_dates_is_proven_solvent(folder: Path) -> None:
    run("solvency", "prove", folder / "rollup", "--out", folder / "solvency")
    out = folder / "solvency"
    proof = ("--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin", "--allow-insecure")
    assert told("solvency", "verify", *proof)["accounts"] == 2


def test_who_is_below_maintenance_is_told(folder: Path) -> None:
    start = small_parameters().genesis_time
    applied(folder, "4.jsonl", tick(start + 7300, PRICE // 2))
    found = told("due", folder / "rollup", "--by", start + 20_000)
    refused = found["refused"]
    assert isinstance(refused, dict) and len(refused) == 1
    assert "below its maintenance margin" in next(iter(refused.values()))
