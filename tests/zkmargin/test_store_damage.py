"""Store files that are damaged, left over or of another making: an error that names the file, and never a wrong
proof."""

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from circuits.margin.cell import ACCOUNT, Cell
from tests.zkmargin.stores import PARAMETERS, PRICE, cells_after, filled, make_rollup, state_after
from zkmargin.files import write_transactions
from zkmargin.rollup import STORE, Rollup
from zkmargin.state import State
from zkmargin.store import Store, StoredBatch, StoreError
from zkmargin.transactions import Tick


def everything(path: Path) -> list[object]:
    """All that a store can be asked for."""
    with closing(Store.open(path)) as store:
        asked = [store.key, store.state(), store.batch(0), store.cells_before(0), store.batches()]
        return [*asked, store.refusals(0)]


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    key, head, batch, before, batches, refusals = everything(filled(tmp_path / STORE))
    assert (key, before, batches, refusals) == ('{"key": 1}', {}, [(0, True, True)], [(3, "margin: too little")])
    assert head == (state_after(0), (1, 2))
    with closing(Store.open(tmp_path / STORE)) as store:
        assert store.find_input("digest 0") == 0 and store.find_input("digest") is None
    assert isinstance(batch, StoredBatch) and batch.proof == bytes(range(256)) * 8 and batch.verified


def test_truncated_files_are_named(tmp_path: Path) -> None:
    data, path = filled(tmp_path / STORE).read_bytes(), tmp_path / "cut.sqlite"
    assert not (tmp_path / f"{STORE}-wal").exists()
    last_page = len(data) - 4096  # SQLite reads the missing end of a page as zeros
    for length in [0, 1, 50, 99, 100, *range(1024, last_page + 1, 1024)]:
        path.write_bytes(data[:length])
        with pytest.raises(StoreError, match=r"cut\.sqlite"):
            everything(path)


def test_damaged_bytes_are_named_or_without_effect(tmp_path: Path) -> None:
    data, path, source = filled(tmp_path / STORE).read_bytes(), tmp_path / "bad.sqlite", random.Random(3)
    written, named = everything(tmp_path / STORE), 0
    for _ in range(400):
        at = source.randrange(len(data) - 64)
        path.write_bytes(data[:at] + source.randbytes(64) + data[at + 64 :])
        try:
            assert everything(path) == written
        except StoreError as error:
            named += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert named > 100


Damage = Callable[[sqlite3.Connection], object]
DAMAGE: dict[str, Damage] = {
    "a cell that is no cell": lambda c: c.execute("UPDATE cells SET value = '0x7' WHERE address = 2"),
    "a cell that is no number": lambda c: c.execute("UPDATE cells SET value = 'x' WHERE address = 2"),
    "a cell of another type": lambda c: c.execute("UPDATE cells SET value = x'00' WHERE address = 2"),
    "another collateral": lambda c: c.execute(f"UPDATE cells SET value = '{hex(cells_after(9)[2])}' WHERE address = 2"),
    "another address": lambda c: c.execute("UPDATE cells SET address = 900 WHERE address = 2"),
    "a lost cell": lambda c: c.execute("DELETE FROM cells WHERE address = 2"),
    "another queue": lambda c: c.execute("UPDATE rollup SET head = json_set(head, '$.queue', 8)"),
    "a lost batch": lambda c: c.execute("DELETE FROM batches"),
    "another input": lambda c: c.execute("UPDATE batches SET input = x'7b7d'"),
    "another statement": lambda c: c.execute("UPDATE batches SET statement = json_set(statement, '$.batch', 1)"),
    "another summary": lambda c: c.execute("UPDATE batches SET summary = '{}'"),
    "a lost refusal": lambda c: c.execute("DELETE FROM refusals"),
    "another proof": lambda c: c.execute("UPDATE batches SET proof = x'00'"),
    "a proof that is a number": lambda c: c.execute("UPDATE batches SET proof = 5"),
    "no head": lambda c: c.execute("DELETE FROM rollup"),
    "an empty head": lambda c: c.execute("UPDATE rollup SET head = '{}'"),
    "a head that is a list": lambda c: c.execute("UPDATE rollup SET head = '[]'"),
    "a commitment of one coordinate": lambda c: c.execute(
        "UPDATE rollup SET head = json_set(head, '$.commitment', json('[\"0x1\"]'))"
    ),
    "changes of two": lambda c: c.execute("UPDATE batches SET changes = '[[1, \"0x0\"]]'"),
    "changes that are no list": lambda c: c.execute("UPDATE batches SET changes = '7'"),
    "a statement that is none": lambda c: c.execute("UPDATE batches SET statement = '{}'"),
    "a summary that is none": lambda c: c.execute("UPDATE batches SET summary = '{'"),
    "no table": lambda c: c.execute("DROP TABLE refusals"),
    "another version": lambda c: c.execute("PRAGMA user_version = 99"),
    "no version": lambda c: c.execute("PRAGMA user_version = 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_values_are_named(tmp_path: Path, name: str) -> None:
    path = filled(tmp_path / STORE)
    with closing(sqlite3.connect(path)) as connection, connection:
        DAMAGE[name](connection)
    with pytest.raises(StoreError, match=STORE) as caught:
        everything(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("suffix", ["-journal", "-wal", "-shm"])
def test_nothing_is_replayed_into_a_new_rollup(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / STORE
    left = tmp_path / f"{STORE}{suffix}"
    left.write_bytes(b"of an old rollup")
    with pytest.raises(StoreError, match=f"{STORE}{suffix}: left of a rollup that is gone"):
        Store.create(path, "{}", State.genesis(PARAMETERS))
    assert not path.exists() and left.read_bytes() == b"of an old rollup"


def test_a_file_of_another_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / STORE
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE mine (value)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="of schema version 0"):
        Store.open(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("address", [5, 8])
def test_no_proof_of_other_cells_than_the_committed(tmp_path: Path, address: int) -> None:
    """A store that is whole, but holds a cell where the commitment has none, inside and outside the state."""
    folder = make_rollup(tmp_path)
    path = folder / "rollup" / STORE
    with closing(Store.open(path)) as store:
        key = store.key
    path.unlink()
    state = State.genesis(PARAMETERS)
    state.cells[address] = Cell(10**6, 0, 0, 0, ACCOUNT).pack()
    Store.create(path, key, state)
    rollup = Rollup(folder / "rollup", "cpu")
    rollup.apply_file(write_transactions(folder / "tick.jsonl", [Tick(10, ((PRICE, 0),))]))
    with pytest.raises(StoreError, match="damaged, other cells than batch 0 starts from"):
        rollup.prove(0)
    assert rollup.store.batch(0).proof is None


def test_another_key_is_not_the_setups(tmp_path: Path) -> None:
    """A key that reads well but was made under another setup proves nothing here."""
    folder = make_rollup(tmp_path)
    with closing(sqlite3.connect(folder / "rollup" / STORE)) as connection, connection:
        (text,) = connection.execute("SELECT key FROM rollup").fetchone()
        key = json.loads(text)
        key["srs_digest"] = "00" * 32
        connection.execute("UPDATE rollup SET key = ?", (json.dumps(key),))
    with pytest.raises(StoreError, match="not the setup that the rollup's key was made under"):
        Rollup(folder / "rollup", "cpu").proving_key()
