"""The store and the rollup on it: what is applied stays applied, once, whatever happens in between."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from prover.backend import get_backend
from prover.setup import insecure_srs
from zkmargin.files import write_transactions
from zkmargin.proving import layout_of
from zkmargin.rollup import STORE, Rollup, create_rollup
from zkmargin.state import State
from zkmargin.store import Store, StoreError
from zkmargin.transactions import Deposit, InputError, Open, Tick, Touch, Trade, Transaction, Transfer

PRICE = 100 << 16
SHAPE = Shape(16, 8, 8, True)
MARKET = Market("COIN", 1000, build_tiers([(0, 655, 1311)], 1 << 66), PRICE, 0)
PARAMETERS = Parameters((MARKET,), 0, 1, 3000, 6000, 100, 1000, 0)

FIRST: list[Transaction] = [
    Tick(10, ((PRICE, 0),)),
    Open(2, 0, 0), Open(3, 0, 1), Deposit(2, 10**6, 2), Deposit(3, 10**6, 3), Transfer(2, 3, 10**7),
]  # fmt: skip
SECOND: list[Transaction] = [Tick(20, ((PRICE, 3),)), Trade(2, 3, 50, 1, 5000, 3, 2), Touch(5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    backend = get_backend("cpu")
    srs = insecure_srs(backend, layout_of(PARAMETERS, SHAPE).powers, b"store")
    create_rollup(tmp_path / "rollup", PARAMETERS, SHAPE, srs, backend)
    write_transactions(tmp_path / "first.jsonl", FIRST)
    write_transactions(tmp_path / "second.jsonl", SECOND)
    return tmp_path


def test_apply_prove_verify_and_reopen(folder: Path) -> None:
    rollup = Rollup(folder / "rollup", "cpu")
    assert rollup.apply_file(folder / "first.jsonl")["refusals"] == [
        "line 6: margin: cell 2 would be left below its initial margin"
    ]
    assert rollup.apply_file(folder / "second.jsonl")["batch"] == 1
    for number in (1, 0):
        assert rollup.check(number) == []
        assert rollup.prove(number)["new proof"] and not rollup.prove(number)["new proof"]
        rollup.verify(number)
    again = Rollup(folder / "rollup", "cpu").describe()
    assert [batch["verified"] for batch in again["batches"]] == [True, True]
    assert again["last tick"] == 2 and again["next L1 operation"] == 4 and again["cells in use"] == 4
    assert rollup.describe_cell(2)["position"] == 50 and rollup.describe_cell(0)["collateral"] == 5
    first, second = (rollup.store.batch(number).statement for number in (0, 1))
    assert first.old is None and first.new == second.old and second.last_oracle == first.oracle


def test_a_file_is_applied_once(folder: Path) -> None:
    rollup = Rollup(folder / "rollup", "cpu")
    before = rollup.apply_file(folder / "first.jsonl")
    assert rollup.apply_file(folder / "first.jsonl") == before
    assert len(rollup.store.batches()) == 1


@pytest.mark.parametrize("line", [b'{"type": "touch"}', b"{", b'{"type": "touch", "cell": "x"}', b"\xff"])
def test_a_malformed_line_changes_nothing(folder: Path, line: bytes) -> None:
    path = folder / "bad.jsonl"
    path.write_bytes((folder / "first.jsonl").read_bytes() + line + b"\n")
    rollup = Rollup(folder / "rollup", "cpu")
    with pytest.raises(InputError, match=r"bad.jsonl, line 7"):
        rollup.apply_file(path)
    assert rollup.store.batches() == [] and rollup.store.state()[0].cells == {}


def test_a_batch_needs_a_tick(folder: Path) -> None:
    write_transactions(folder / "empty.jsonl", [])
    with pytest.raises(InputError, match="at least one tick"):
        Rollup(folder / "rollup", "cpu").apply_file(folder / "empty.jsonl")


def test_an_empty_batch_proves(folder: Path) -> None:
    write_transactions(folder / "tick.jsonl", [Tick(0, ((PRICE, 0),))])
    rollup = Rollup(folder / "rollup", "cpu")
    rollup.apply_file(folder / "tick.jsonl")
    rollup.prove(0)
    rollup.verify(0)
    assert rollup.store.batch(0).statement.new is None


def test_there_is_one_rollup_in_a_folder(folder: Path) -> None:
    with pytest.raises(StoreError, match="there is a rollup already"):
        Store.create(folder / "rollup" / STORE, "{}", State.genesis(PARAMETERS))


def test_files_that_are_no_rollup(tmp_path: Path) -> None:
    path = tmp_path / STORE
    with pytest.raises(StoreError, match="there is no rollup"):
        Store.open(path)
    path.write_bytes(b"not a database at all, but long enough to look at" * 40)
    with pytest.raises(StoreError, match="damaged, or not a rollup"):
        Store.open(path)


def test_other_versions_and_damage(folder: Path) -> None:
    path = folder / "rollup" / STORE
    rollup = Rollup(folder / "rollup", "cpu")
    rollup.apply_file(folder / "first.jsonl")
    with sqlite3.connect(path) as connection:
        connection.execute('UPDATE batches SET changes = \'[[2, "0x0", "0x1"]]\'')
    with pytest.raises(StoreError, match="damaged"):
        rollup.rebuild(0)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE batches SET statement = '{}'")
    with pytest.raises(StoreError, match="damaged"):
        rollup.rebuild(0)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema version 99"):
        Rollup(folder / "rollup", "cpu")


def test_another_process_in_between(folder: Path) -> None:
    """Two processes read the same state; the second to write is told, and the state is that of the first."""
    one = Rollup(folder / "rollup", "cpu")
    late = Rollup(
        folder / "rollup", "cpu", lambda step: one.apply_file(folder / "first.jsonl") if step == "built" else None
    )
    with pytest.raises(StoreError, match="another process"):
        late.apply_file(folder / "second.jsonl")
    assert len(one.store.batches()) == 1


CHILD = """
import os, sys
from pathlib import Path
from zkmargin.rollup import Rollup
folder, stop = Path(sys.argv[1]), sys.argv[2]
def checkpoint(step):
    if step == stop:
        os.kill(os.getpid(), 9)
rollup = Rollup(folder / "rollup", "cpu", checkpoint)
rollup.apply_file(folder / "first.jsonl")
rollup.prove(0)
rollup.verify(0)
"""
STEPS = (
    "built", "committed", "batch written", "cells written", "head written", "applied",
    "witness built", "proven", "proof written", "proof stored", "verdict written",
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_any_two_steps_loses_nothing_and_repeats_nothing(folder: Path, step: str) -> None:
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), step], cwd=root, env=os.environ, capture_output=True
    )
    assert child.returncode == -9, child.stderr.decode()
    rollup = Rollup(folder / "rollup", "cpu")
    state, commitment = rollup.store.state()
    applied = STEPS.index(step) >= STEPS.index("applied")
    assert (
        state.batch == state.tick == applied and len(state.cells) == 2 * applied and (commitment is not None) == applied
    )
    assert rollup.store.batches() == ([(0, STEPS.index(step) >= STEPS.index("proof stored"), False)] if applied else [])
    assert rollup.apply_file(folder / "first.jsonl")["batch"] == 0
    rollup.prove(0)
    rollup.verify(0)
    assert rollup.store.batches() == [(0, True, True)] and rollup.store.state()[0].queue == 4
