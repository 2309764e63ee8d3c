"""Groups, portfolios and options from the command line: key, rollup, batches, proofs, solvency."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.circuits.margin.groups_story import CALLS, P_BTC, P_CALL, P_ETH, P_PUT, PUTS, SHAPE, parameters
from zkmargin.cli import main
from zkmargin.files import write_transactions
from zkmargin.transactions import Deposit, Form, Join, Leave, Open, Settle, Tick, Trade, Transaction, Withdraw

ROWS = ((P_BTC, 0), (P_ETH, 0), (P_CALL, 0), (P_PUT, 0))
FIRST: list[Transaction] = [
    Tick(1060, ROWS, ((), (), CALLS, PUTS)),
    Form(8, 6, 0, "portfolio"), Join(8, 0), Join(8, 2), Join(8, 3), Join(8, 1), Leave(8),
    Form(16, 4, 1), Join(16, 0), Join(16, 1),
    Open(2, 0, 2), Open(3, 3, 3), Open(4, 2, 4),
    *(Deposit(cell, 10**6, 5 + i) for i, cell in enumerate((2, 3, 4, 9, 17))),
    Trade(9, 2, 100, 1, 10_000, 1, 1), Trade(10, 4, 20, -1, -100, 0, 0), Trade(11, 3, 40, 1, 80, 0, 0),
    Trade(17, 2, 50, -1, -5_000, 0, 0), Withdraw(9, 10**7, 10), Withdraw(17, 1000, 11),
]  # fmt: skip
SECOND: list[Transaction] = [Tick(6000, ROWS, ((), (), CALLS, ())), Settle(11), Settle(3)]


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception}"
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollup whose key has portfolios, with its parameters and two files of transactions beside it."""
    place = tmp_path_factory.mktemp("groups")
    told = {"parameters": parameters().to_json(), "shape": replace(SHAPE, scenarios=1024).to_json()}
    (place / "parameters.json").write_text(json.dumps(told))
    write_transactions(place / "first.jsonl", FIRST)
    write_transactions(place / "second.jsonl", SECOND)
    shared = ("--parameters", place / "parameters.json")
    run("setup", *shared, "--insecure", "seed", "--out", place / "setup")
    run("init", place / "rollup", *shared, "--setup", place / "setup")
    return place


def test_batches_are_applied_proven_and_verified(folder: Path) -> None:
    for number, name in enumerate(("first.jsonl", "second.jsonl")):
        told = json.loads(run("apply", folder / "rollup", folder / name, "--json").output)
        assert told["batch"] == number and told["refusals"] == []
        run("check", folder / "rollup", number)
        out = folder / f"proof{number}"
        run("prove", folder / "rollup", number, "--out", out)
        files = ("--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin")
        run("verify", *files, "--allow-insecure")
    told = json.loads(run("inspect", folder / "rollup", "--cell", 11, "--json").output)
    assert told["position"] == 0


def test_its_book_is_proven_solvent(folder: Path) -> None:
    out = folder / "solvency"
    told = json.loads(run("solvency", "prove", folder / "rollup", "--out", out, "--json").output)
    assert told["solvent"] and told["accounts"] == 5
    files = ("--key", out / "key.json", "--statement", out / "statement.json", out / "proof.bin")
    vault = 5 * 10**6 - 1000
    told = json.loads(run("solvency", "verify", *files, "--allow-insecure", "--vault", vault, "--json").output)
    assert told["vault"] == "holds what the state says"


def test_a_tick_without_scenarios_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"
    write_transactions(path, [Tick(6060, ROWS, ((), (), CALLS[:3], ()))])
    result = CliRunner().invoke(main, ["apply", str(folder / "rollup"), str(path)])
    assert result.exit_code == 2 and f"{path}, line 1" in result.output


def test_its_groups_are_watched_beside_its_accounts(folder: Path) -> None:
    """Over tapes of both linear markets; the options' rows stay. Who is short is found as prices rise."""
    run("apply", folder / "rollup", folder / "first.jsonl")
    tapes = folder / "btc.csv", folder / "eth.csv"
    for tape, price in zip(tapes, (100, 10), strict=True):
        closes = [f"2020-01-01T00:{minute:02}:00,{price * (1 + minute * minute)}" for minute in range(20)]
        tape.write_text("\n".join(["time,close", *closes]) + "\n")
    shared = "--rollup", folder / "rollup", "--full-every", 1, "--json"
    told = json.loads(run("watch", *tapes, *shared).output)
    assert (told["accounts"], told["ticks"], told["full scans compared"], told["missed"]) == (5, 20, 20, 0)
    assert told["found"] >= 1
    assert json.loads(run("watch", tapes[1], *shared, "--market", 1).output)["missed"] == 0
    refused = CliRunner().invoke(main, ["watch", str(tapes[0]), *map(str, shared), "--market", "2"])
    assert refused.exit_code == 2 and "is an option: no tape has its scenarios" in refused.output
