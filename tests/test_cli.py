"""The command line as a user meets it: the way from a tape to a verdict, bad input, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zkmargin.cli import main

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
CEREMONY = DATA / "srs" / "ppot0085_plonkonly_14.ptau"
SMALL = ("--accounts", "24", "--transitions", "64", "--limb-bits", "8")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tape's batches, a rollup of which two are applied, and the proof of the second."""
    folder = tmp_path_factory.mktemp("cli")
    done("tape", *SMALL, "--out", folder / "tape")
    parameters = folder / "tape" / "parameters.json"
    done("setup", "--parameters", parameters, "--insecure", "test", "--out", folder / "setup.npz")
    done("init", folder / "rollup", "--parameters", parameters, "--setup", folder / "setup.npz")
    for number in range(2):
        done("apply", folder / "rollup", folder / "tape" / f"batch-00{number}.jsonl")
    done("prove", folder / "rollup", 1, "--out", folder / "proof")
    return folder


def verify(proven: Path, **files: Path) -> Result:
    paths = (
        {name: proven / "proof" / f"{name}.json" for name in ("key", "statement")}
        | {"proof": proven / "proof" / "proof.bin"}
        | files
    )
    return run(
        "verify", "--key", paths["key"], "--statement", paths["statement"], paths["proof"], "--allow-insecure", "--json"
    )


def test_from_a_tape_to_a_verdict(proven: Path) -> None:
    assert json.loads(verify(proven).output)["verdict"] == "accepted"
    assert "every constraint holds" in done("check", proven / "rollup", 1)
    described = json.loads(done("inspect", proven / "rollup", "--json"))
    assert [batch["proven"] for batch in described["batches"]] == [False, True]
    assert "collateral" in done("inspect", proven / "rollup", "--cell", 2)
    again = json.loads(done("apply", proven / "rollup", proven / "tape" / "batch-001.jsonl", "--json"))
    assert again["batch"] == 1 and isinstance(again["refusals"], list)


def test_what_an_account_of_a_rollup_requires(proven: Path) -> None:
    found = json.loads(done("risk", "show", proven / "rollup", "--cell", 2, "--json"))
    assert found["module"] == "isolated" and found["buffer"] == (found["equity"] << 16) - found["maintenance"]
    assert "standing" in done("risk", "show", proven / "rollup", "--cell", 2)
    refused = run("risk", "show", proven / "rollup", "--cell", 0)
    assert refused.exit_code == 2 and "no account" in refused.output


def test_insecure_keys_are_refused_unless_allowed(proven: Path) -> None:
    folder = proven / "proof"
    result = run("verify", "--key", folder / "key.json", "--statement", folder / "statement.json", folder / "proof.bin")
    assert result.exit_code == 1 and "secret is known" in result.output


def test_a_pinned_key(proven: Path) -> None:
    folder = proven / "proof"
    digest = json.loads(verify(proven).output)["key"]
    other = digest[:-1] + ("0" if digest[-1] != "0" else "1")

    def pinned(value: str) -> Result:
        files = "--key", folder / "key.json", "--statement", folder / "statement.json", folder / "proof.bin"
        return run("verify", *files, "--allow-insecure", "--key-digest", value)

    assert pinned(digest.upper()).exit_code == 0
    refused = pinned(other)
    assert refused.exit_code == 1
    assert f"the digest of {folder / 'key.json'} is {digest}, not the pinned one" in refused.output
    malformed = pinned(digest[1:])
    assert malformed.exit_code == 2 and "expected 64 hex digits" in malformed.output


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "point W'"),
        (lambda b: b[:-32], "proof length"),
        (lambda b: b + b"x", "proof length"),
    ],
)
def test_a_changed_proof_is_refused(proven: Path, tmp_path: Path, change: object, named: str) -> None:
    path = tmp_path / "proof.bin"
    path.write_bytes(change((proven / "proof" / "proof.bin").read_bytes()))  # type: ignore[operator]
    result = verify(proven, proof=path)
    assert result.exit_code == 1 and named in result.output


STATEMENT_CHANGES = {
    "batch": lambda s: s | {"batch": s["batch"] + 1},
    "chain": lambda s: s | {"chain": 1},
    "contract": lambda s: s | {"contract": 1},
    "old": lambda s: s | {"old": s["new"]},
    "new": lambda s: s | {"new": s["old"]},
    "version": lambda s: s | {"version": 2},
    "next_queue": lambda s: s | {"next_queue": s["next_queue"] + 1},
    "price": lambda s: s | {"oracle": [s["oracle"][0] | {"price": s["oracle"][0]["price"] + 1}, *s["oracle"][1:]]},
    "last oracle": lambda s: s | {"last_oracle": [s["last_oracle"][0] | {"index": 1}]},
    "amount": lambda s: s | {"l1": [s["l1"][0] | {"amount": s["l1"][0]["amount"] + 1}, *s["l1"][1:]]},
    "dropped row": lambda s: s | {"l1": s["l1"][:-1]},
    "difference": lambda s: s | {"diff": [[s["diff"][0][0], s["diff"][0][1] + 1], *s["diff"][1:]]},
    "dropped difference": lambda s: s | {"diff": s["diff"][1:]},
    "unsorted differences": lambda s: s | {"diff": s["diff"][::-1]},
    "doubled difference": lambda s: s | {"diff": [s["diff"][0], *s["diff"]]},
    "no diff": lambda s: s | {"diff": None},
}


@pytest.mark.parametrize("name", STATEMENT_CHANGES)
def test_each_field_of_the_statement_counts(proven: Path, tmp_path: Path, name: str) -> None:
    statement = json.loads((proven / "proof" / "statement.json").read_text())
    path = tmp_path / "statement.json"
    path.write_text(json.dumps(STATEMENT_CHANGES[name](statement)))  # type: ignore[no-untyped-call]
    result = verify(proven, statement=path)
    assert result.exit_code == 1 and "refused: " in result.output


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "zkmargin verifying key 0", "parameters": ""}'])
def test_files_that_are_no_key(proven: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    result = verify(proven, key=path)
    assert result.exit_code == 2 and "key.json" in result.output and len(result.output.splitlines()) == 1


def test_a_statement_of_another_form(proven: Path, tmp_path: Path) -> None:
    path = tmp_path / "statement.json"
    path.write_text("{")
    result = verify(proven, statement=path)
    assert result.exit_code == 2 and "statement.json: not JSON" in result.output


def test_bad_input_is_one_line_and_changes_nothing(proven: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"type": "tick", "time": 1, "rows": [[1, 0]]}\n{"type": "touch", "cell": 2, "color": 3}\n')
    before = done("inspect", proven / "rollup", "--json")
    result = run("apply", proven / "rollup", path)
    assert (
        result.exit_code == 2
        and result.output.startswith("zkmargin: ")
        and "bad.jsonl, line 2, field color" in result.output
    )
    assert len(result.output.splitlines()) == 1 and done("inspect", proven / "rollup", "--json") == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("prove", "{rollup}", "0", "--backend", "abacus"), "unknown backend 'abacus'"),
        (("inspect", "{rollup}", "--cell", "999"), "no cell 999"),
        (("prove", "{rollup}", "7"), "no batch 7"),
        (("inspect", "{tape}"), "there is no rollup"),
        (
            ("init", "{rollup}", "--parameters", "{tape}/parameters.json", "--setup", "{setup}"),
            "there is a rollup already",
        ),
        (("setup", "--parameters", "{tape}/parameters.json", "--ptau", "{setup}", "--out", "{out}"), "not a ptau file"),
        (
            ("init", "{out}", "--parameters", "{tape}/parameters.json", "--setup", "{tape}/parameters.json"),
            "not a setup file",
        ),
        (("setup", "--parameters", "{setup}", "--insecure", "x", "--out", "{out}"), "not JSON"),
    ],
)
def test_what_a_user_can_mend_is_said_in_one_line(
    proven: Path, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    paths = {
        "rollup": proven / "rollup",
        "tape": proven / "tape",
        "setup": proven / "setup.npz",
        "out": tmp_path / "out",
    }
    result = run(*[argument.format(**paths) for argument in arguments])
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1), result.output
    assert named in result.output


def test_what_auto_stands_for_is_said_on_a_terminal(
    proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = proven / "tape" / "parameters.json"
    arguments = ("init", "--parameters", parameters, "--setup", proven / "setup.npz")
    for terminal in (False, True):
        monkeypatch.setattr("zkmargin.cli.on_terminal", lambda answer=terminal: answer)
        monkeypatch.setattr("prover.backend.choose_backend", lambda: ("cpu", "no GPU"))
        assert ("backend: cpu (no GPU)" in done(*arguments, tmp_path / f"{terminal}")) == terminal
        assert "backend:" not in done(*arguments, tmp_path / f"{terminal} named", "--backend", "cpu")


def test_a_setup_that_is_too_small(proven: Path, tmp_path: Path) -> None:
    small = json.loads((proven / "tape" / "parameters.json").read_text())
    large = small | {"shape": small["shape"] | {"cells": 4096}}
    (tmp_path / "large.json").write_text(json.dumps(large))
    result = run("init", tmp_path / "r", "--parameters", tmp_path / "large.json", "--setup", proven / "setup.npz")
    assert result.exit_code == 2 and "powers of tau" in result.output and not (tmp_path / "r").exists()


def test_verify_loads_no_numpy(proven: Path) -> None:
    folder = proven / "proof"
    arguments = [
        "verify",
        "--key",
        folder / "key.json",
        "--statement",
        folder / "statement.json",
        folder / "proof.bin",
        "--allow-insecure",
    ]
    code = (
        "import sys\nfrom zkmargin.cli import main\n"
        f"main({[str(argument) for argument in arguments]!r}, standalone_mode=False)\n"
        "assert not {'numpy', 'numba', 'galois', 'rich', 'msgspec'} & set(sys.modules), sorted(sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert "accepted" in completed.stdout


@pytest.mark.skipif(not CEREMONY.is_file(), reason="the ceremony file in ../shared/data is not here")
def test_under_a_real_ceremony(proven: Path, tmp_path: Path) -> None:
    """The same batch under a setup whose secret nobody knows: verified without --allow-insecure."""
    parameters = proven / "tape" / "parameters.json"
    done("setup", "--parameters", parameters, "--ptau", CEREMONY, "--out", tmp_path / "setup.npz")
    done("init", tmp_path / "rollup", "--parameters", parameters, "--setup", tmp_path / "setup.npz")
    done("apply", tmp_path / "rollup", proven / "tape" / "batch-000.jsonl")
    done("prove", tmp_path / "rollup", 0, "--out", tmp_path / "proof")
    folder = tmp_path / "proof"
    accepted = done(
        "verify", "--key", folder / "key.json", "--statement", folder / "statement.json", folder / "proof.bin", "--json"
    )
    assert json.loads(accepted)["setup"] == "ceremony"
    crossed = verify(proven, key=folder / "key.json")
    assert crossed.exit_code == 1 and "refused" in crossed.output


def test_demo_small() -> None:
    report = json.loads(done("demo", "--accounts", 64, "--transitions", 128, "--limb-bits", 8, "--seed", "a", "--json"))
    assert report["batches"][-1]["liquidate"] > 0 and all(batch["proof bytes"] for batch in report["batches"])
