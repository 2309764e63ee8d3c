"""The tutorial on risk modules is a program: what it asserts holds, and its batch is proven by the command line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from zkmargin.account_risk import Account
from zkmargin.batch import BatchBuilder
from zkmargin.cli import main
from zkmargin.files import write_parameters, write_transactions
from zkmargin.rules import Refused
from zkmargin.transactions import Tick, Transaction

DOCS = Path(__file__).resolve().parent.parent / "docs"


def run_tutorial() -> dict[str, Any]:
    """The names of its blocks, run one after the other."""
    text = (DOCS / "risk_tutorial.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == text.count("```") // 2 >= 10
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"risk_tutorial.md, block {number}", "exec"), names)
    return names


def done(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tutorial_runs_and_its_batch_is_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Transaction] = []
    add = BatchBuilder.add

    def noted(builder: BatchBuilder, transaction: Transaction) -> Refused | None:
        told.append(transaction)
        return add(builder, transaction)

    monkeypatch.setattr(BatchBuilder, "add", noted)
    names = run_tutorial()
    monkeypatch.undo()
    assert names["exact"].equity > 0 and names["kinds"].count("trade") == 3

    parameters, rollup, proof = tmp_path / "parameters.json", tmp_path / "rollup", tmp_path / "proof"
    write_parameters(parameters, names["parameters"], names["shape"])
    write_transactions(tmp_path / "batch.jsonl", told)
    done("setup", "--parameters", parameters, "--insecure", "tutorial", "--out", tmp_path / "setup.npz")
    done("init", rollup, "--parameters", parameters, "--setup", tmp_path / "setup.npz")
    done("apply", rollup, tmp_path / "batch.jsonl")
    tick = told[-1]
    assert isinstance(tick, Tick)
    last = Account(names["state"], names["parameters"], 64, 8, tuple(tick.scenarios)).risk()
    for cell in (8, 10):
        shown = json.loads(done("risk", "show", rollup, "--cell", cell, "--json"))
        assert (shown["module"], shown["equity"]) == ("portfolio", last.equity)
        assert (shown["maintenance"], shown["initial"]) == (last.maintenance, last.initial)
        assert shown["standing"] == "below initial" and shown["losses"] == list(last.losses)
    done("prove", rollup, 0, "--out", proof)
    files = "--key", proof / "key.json", "--statement", proof / "statement.json", proof / "proof.bin"
    assert json.loads(done("verify", *files, "--allow-insecure", "--json"))["verdict"] == "accepted"
