"""The store and the rollup on it: what is applied stays applied, once, whatever happens in between."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.zkmargin.stores import PARAMETERS, PRICE, SHAPE, add_batch, filled, make_rollup, state_after
from verifier import verify
from verifier.margin import MarginStatement
from zkmargin.files import write_transactions
from zkmargin.rollup import STORE, Rollup
from zkmargin.state import State
from zkmargin.store import Store, StoreError
from zkmargin.transactions import InputError, Tick


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_rollup(tmp_path)


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
    with pytest.raises(StoreError, match="damaged, batch 0 is not what was written"):
        rollup.rebuild(0)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rollup SET key = '{}'")
    with pytest.raises(StoreError, match="damaged: key"):
        Rollup(folder / "rollup", "cpu")
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


def test_two_processes_apply_one_file_once(folder: Path) -> None:
    one = Rollup(folder / "rollup", "cpu")
    path = folder / "first.jsonl"
    late = Rollup(folder / "rollup", "cpu", lambda step: one.apply_file(path) if step == "built" else None)
    assert late.apply_file(path) == one.apply_file(path)
    assert len(one.store.batches()) == 1 and one.store.state()[0].queue == 4


@pytest.mark.parametrize("number", [-1, 1, (1 << 63) - 1, 1 << 63, 1 << 70, -(1 << 70)])
def test_batches_that_there_are_not(tmp_path: Path, number: int) -> None:
    with (
        closing(Store.open(filled(tmp_path / STORE))) as store,
        pytest.raises(StoreError, match=f"there is no batch {number}$"),
    ):
        store.batch(number)


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with closing(Store.open(filled(tmp_path / STORE))) as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            add_batch(store, 1)
        assert store.state() == (state_after(0), (1, 2)) and store.batches() == [(0, True, True)]
        store._connection.execute(f"PRAGMA max_page_count = {2 * pages + 100}")
        add_batch(store, 1)
        assert store.state() == (state_after(1), (1, 2)) and store.cells_before(1) == state_after(0).cells


def test_the_first_proof_is_kept(tmp_path: Path) -> None:
    with closing(Store.open(filled(tmp_path / STORE))) as store:
        store.add_proof(0, b"another")
        assert store.batch(0).proof == bytes(range(256)) * 8


def test_a_stored_proof_convinces_whoever_has_key_and_statement(folder: Path) -> None:
    rollup = Rollup(folder / "rollup", "cpu")
    rollup.apply_file(folder / "first.jsonl")
    rollup.prove(0)
    stored = rollup.store.batch(0)
    assert stored.proof is not None
    verify(rollup.key, MarginStatement(stored.statement, PARAMETERS, SHAPE), stored.proof, True)
