"""The tutorial on risk modules is a program: what it asserts holds, and its batch is proven by the command line."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from circuits.margin import modules
from circuits.margin.parameters import Parameters, Shape
from verifier.evm.contracts import contracts_of
from verifier.margin import load_key
from zkmargin.account_risk import Account
from zkmargin.batch import BatchBuilder
from zkmargin.cli import main
from zkmargin.files import write_parameters, write_transactions
from zkmargin.rules import Refused
from zkmargin.transactions import Tick, Transaction

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "risk_tutorial.md").read_text()


@dataclass(frozen=True)
class Tutorial:
    """The names that its blocks leave, and the transactions of its two batches."""

    names: dict[str, Any]
    first: list[Transaction]
    second: list[Transaction]


def blocks() -> list[str]:
    found: list[str] = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    assert len(found) == TEXT.count("```python") >= 10
    return found


def run_tutorial() -> dict[str, Any]:
    """Its blocks, run one after the other."""
    names: dict[str, Any] = {"__name__": "tutorial"}
    for number, block in enumerate(blocks()):
        exec(compile(block, f"risk_tutorial.md, block {number}", "exec"), names)
    return names


def done(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def tutorial() -> Tutorial:
    told: list[list[Transaction]] = []
    add, made = BatchBuilder.add, BatchBuilder.__init__

    def noted(builder: BatchBuilder, transaction: Transaction) -> Refused | None:
        told[-1].append(transaction)
        return add(builder, transaction)

    def begun(*arguments: Any) -> None:
        told.append([])
        made(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchBuilder, "add", noted)
        patch.setattr(BatchBuilder, "__init__", begun)
        return Tutorial(run_tutorial(), *told)


def prove(place: Path, parameters: Parameters, shape: Shape, transactions: list[Transaction]) -> Path:
    """A rollup of one batch; its proof is beside it."""
    told, rollup, proof = place / "parameters.json", place / "rollup", place / "proof"
    write_parameters(told, parameters, shape)
    write_transactions(place / "batch.jsonl", transactions)
    done("setup", "--parameters", told, "--insecure", "tutorial", "--out", place / "setup.npz")
    done("init", rollup, "--parameters", told, "--setup", place / "setup.npz")
    done("apply", rollup, place / "batch.jsonl")
    done("prove", rollup, 0, "--out", proof)
    return proof


def verdict(proof: Path) -> str:
    files = "--key", proof / "key.json", "--statement", proof / "statement.json", proof / "proof.bin"
    return str(json.loads(done("verify", *files, "--allow-insecure", "--json"))["verdict"])


def test_the_tutorial_runs_and_its_batch_is_proven(tmp_path: Path, tutorial: Tutorial) -> None:
    names, told = tutorial.names, tutorial.first
    assert names["kinds"].count("trade") == 3
    proof = prove(tmp_path, names["parameters"], names["shape"], told)
    tick = told[-1]
    assert isinstance(tick, Tick)
    last = Account(names["state"], names["parameters"], 64, 8, tuple(tick.scenarios)).risk()
    for cell in (8, 10):
        shown = json.loads(done("risk", "show", tmp_path / "rollup", "--cell", cell, "--json"))
        assert (shown["module"], shown["equity"]) == ("portfolio", last.equity)
        assert (shown["maintenance"], shown["initial"]) == (last.maintenance, last.initial)
        assert shown["standing"] == "below initial" and shown["losses"] == list(last.losses)
    assert verdict(proof) == "accepted"


def test_the_module_is_installed_from_its_file_and_proven(
    tmp_path: Path, tutorial: Tutorial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the file and its entry point; without them the parameters and the key are refused by name."""
    names = tutorial.names
    monkeypatch.setattr(modules, "_registered", {n: m for n, m in modules._registered.items() if n != "squeeze"})
    site = tmp_path / "site"
    (site / "squeeze-1.0.dist-info").mkdir(parents=True)
    (site / "squeeze-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: squeeze\nVersion: 1.0\n")
    [table] = re.findall(r"^```toml\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    [(group, points)] = tomllib.loads(table)["project"]["entry-points"].items()
    lines = "".join(f"{name} = {place}\n" for name, place in points.items())
    (site / "squeeze-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    [source] = [block for block in blocks() if "class Squeeze" in block]
    (site / "squeeze.py").write_text(source)

    with monkeypatch.context() as installed:
        installed.syspath_prepend(site)
        proof = prove(tmp_path, names["ruled"], names["shape"], tutorial.second)
        assert verdict(proof) == "accepted"
        assert contracts_of(load_key((proof / "key.json").read_text())).evaluators
        shown = json.loads(done("risk", "show", tmp_path / "rollup", "--cell", 9, "--json"))
        assert shown["module"] == "squeeze" and shown["standing"] == "above initial"
        told = json.loads(done("solvency", "prove", tmp_path / "rollup", "--out", tmp_path / "book", "--json"))
        assert told["solvent"]
        book = tmp_path / "book"
        files = "--key", book / "key.json", "--statement", book / "statement.json", book / "proof.bin"
        done("solvency", "verify", *files, "--allow-insecure")
    del modules._registered["squeeze"]
    files = "--key", proof / "key.json", "--statement", proof / "statement.json", proof / "proof.bin"
    result = CliRunner().invoke(main, ["verify", *map(str, files), "--allow-insecure"])
    assert result.exit_code != 0
    assert "modules[0].name: no module 'squeeze' is registered or installed" in result.output
