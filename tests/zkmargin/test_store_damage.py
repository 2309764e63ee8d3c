"""Store files that are damaged, unfinished or of another making: an error that names the file, and never a wrong
proof."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.statement import OracleRow, Statement
from circuits.margin.tiers import build_tiers
from prover.backend import get_backend
from prover.setup import insecure_srs
from zkmargin.files import write_transactions
from zkmargin.proving import layout_of
from zkmargin.rollup import STORE, Rollup, create_rollup
from zkmargin.state import State
from zkmargin.store import Store, StoredBatch, StoreError
from zkmargin.transactions import Deposit, Open, Tick, Touch, Transaction

ROOT = Path(__file__).resolve().parents[2]
PRICE = 100 << 16
SHAPE = Shape(16, 8, 8, True)
PARAMETERS = Parameters(
    (Market("COIN", 1000, build_tiers([(0, 655, 1311)], 1 << 66), PRICE, 0),), 0, 1, 3000, 6000, 100, 1000, 0
)
CELLS = {address: Cell(10**6 + address, 0, 0, 0, ACCOUNT).pack() for address in range(2, 40)}
ROW = OracleRow(0, 0, 0, PRICE, 0)


def filled(path: Path) -> Path:
    """A store with one batch of many cells, written back from its log."""
    Store.create(path, '{"key": 1}', State.genesis(PARAMETERS))
    store = Store.open(path)
    state = State(dict(CELLS), ((PRICE, 0),), 1, 5, 7, 1)
    statement = Statement(0, None, (1, 2), (ROW,), (OracleRow(1, 5, 0, PRICE, 0),), 0, (), tuple(CELLS.items()))
    changes = tuple((address, 0, value) for address, value in CELLS.items())
    batch = StoredBatch(0, b"{}\n" * 300, statement, changes, {"rows": 1}, None, False)
    store.add_batch(batch, "digest", [(3, "margin: too little")], state, (1, 2))
    store.add_proof(0, bytes(range(256)) * 8)
    store.mark_verified(0)
    store.close()
    return path


def everything(path: Path) -> list[object]:
    """All that a store can be asked for."""
    with closing(Store.open(path)) as store:
        state, commitment = store.state()
        head = (state.cells, state.rows, state.tick, state.time, state.queue, state.batch, commitment)
        asked = [store.key, head, store.find_input("digest"), store.batch(0), store.cells_before(0), store.batches()]
        return [*asked, store.refusals(0)]


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    key, head, found, batch, before, batches, refusals = everything(filled(tmp_path / STORE))
    assert (key, found, before, batches, refusals) == (
        '{"key": 1}', 0, {}, [(0, True, True)], [(3, "margin: too little")],
    )  # fmt: skip
    assert head == (CELLS, ((PRICE, 0),), 1, 5, 7, 1, (1, 2))
    assert isinstance(batch, StoredBatch) and batch.proof == bytes(range(256)) * 8 and batch.verified


def test_truncated_files_are_named(tmp_path: Path) -> None:
    data, path = filled(tmp_path / STORE).read_bytes(), tmp_path / "cut.sqlite"
    assert not (tmp_path / f"{STORE}-wal").exists()
    last_page = len(data) - 4096  # SQLite reads the missing end of a page as zeros
    for length in [0, 1, 50, 99, 100, *range(1024, last_page + 1, 1024)]:
        path.write_bytes(data[:length])
        with pytest.raises(StoreError, match=r"cut\.sqlite"):
            everything(path)


def test_damaged_bytes_are_named_or_read(tmp_path: Path) -> None:
    """SQLite notices damage to its structure, and the store what is no value; what then reads as another value is
    found by `rebuild`, by the commitment and by the proof."""
    data, path, source = filled(tmp_path / STORE).read_bytes(), tmp_path / "bad.sqlite", random.Random(3)
    named = 0
    for _ in range(150):
        at = source.randrange(len(data) - 64)
        path.write_bytes(data[:at] + source.randbytes(64) + data[at + 64 :])
        try:
            everything(path)
        except StoreError as error:
            named += 1
            assert str(error).startswith(str(path)) and "\n" not in str(error)
    assert named > 20


Damage = Callable[[sqlite3.Connection], object]
DAMAGE: dict[str, Damage] = {
    "a cell that is no cell": lambda c: c.execute("UPDATE cells SET value = '0x7' WHERE address = 2"),
    "a cell that is no number": lambda c: c.execute("UPDATE cells SET value = 'x' WHERE address = 2"),
    "a cell of another type": lambda c: c.execute("UPDATE cells SET value = x'00' WHERE address = 2"),
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
    "another version": lambda c: c.execute("PRAGMA user_version = 2"),
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


CREATE = """
import os, sys
from pathlib import Path
from tests.zkmargin.test_store_damage import PARAMETERS
from zkmargin.state import State
from zkmargin.store import Store
path, stop = Path(sys.argv[1]), sys.argv[2]
def checkpoint(step):
    if step == stop:
        os.kill(os.getpid(), 9)
Store.create(path, '{"key": 1}', State.genesis(PARAMETERS), checkpoint)
"""


@pytest.mark.parametrize("step", ["file made", "schema written", "rollup written", "created"])
def test_a_kill_while_it_is_created_leaves_all_or_nothing(tmp_path: Path, step: str) -> None:
    path = tmp_path / STORE
    child = subprocess.run(
        [sys.executable, "-c", CREATE, str(path), step], cwd=ROOT, env=os.environ, capture_output=True
    )
    assert child.returncode == -9, child.stderr.decode()
    assert path.exists() == (step == "created")
    if step != "created":
        Store.create(path, '{"key": 1}', State.genesis(PARAMETERS))
        assert [p.name for p in tmp_path.iterdir()] == [STORE]
    with closing(Store.open(path)) as store:
        assert store.key == '{"key": 1}' and store.state()[0].batch == 0 and store.batches() == []


@pytest.mark.parametrize("change", ["collateral", "a new cell", "outside the state", "lost"])
def test_no_proof_of_other_cells_than_the_committed(tmp_path: Path, change: str) -> None:
    """A cell that the batch does not touch is damaged, in a way that no digit tells."""
    backend = get_backend("cpu")
    srs = insecure_srs(backend, layout_of(PARAMETERS, SHAPE).powers, b"store")
    create_rollup(tmp_path / "rollup", PARAMETERS, SHAPE, srs, backend)
    made: list[list[Transaction]] = [
        [Tick(10, ((PRICE, 0),)), Open(2, 0, 0), Open(3, 0, 1), Deposit(2, 10**6, 2)],
        [Tick(20, ((PRICE, 3),)), Touch(3)],
    ]  # fmt: skip
    rollup = Rollup(tmp_path / "rollup", "cpu")
    for number, batch in enumerate(made):
        rollup.apply_file(write_transactions(tmp_path / f"{number}.jsonl", batch))
    wrong = hex(Cell(10**6 + 1, 0, 0, 0, ACCOUNT).pack())
    query = {
        "collateral": f"UPDATE cells SET value = '{wrong}' WHERE address = 2",
        "a new cell": f"INSERT INTO cells VALUES (5, '{wrong}')",
        "outside the state": f"INSERT INTO cells VALUES (8, '{wrong}')",
        "lost": "DELETE FROM cells WHERE address = 2",
    }[change]
    with closing(sqlite3.connect(tmp_path / "rollup" / STORE)) as connection, connection:
        connection.execute(query)
    with pytest.raises(StoreError, match="damaged, other cells than batch 1 starts from"):
        rollup.prove(1)
    assert rollup.store.batch(1).proof is None
