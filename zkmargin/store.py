"""State and history of a rollup in one SQLite file; what changes together is one transaction, so a kill leaves either
all of it or nothing."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from circuits.margin.cell import unpack
from circuits.margin.statement import InvalidStatement, Statement
from zkmargin.state import State

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE rollup (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL, head TEXT NOT NULL);
CREATE TABLE cells (address INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE batches (
    number INTEGER PRIMARY KEY, input_digest TEXT NOT NULL UNIQUE, input BLOB NOT NULL, statement TEXT NOT NULL,
    changes TEXT NOT NULL,
    summary TEXT NOT NULL, proof BLOB, verified INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE refusals (batch INTEGER NOT NULL REFERENCES batches, line INTEGER NOT NULL, reason TEXT NOT NULL);
"""
Checkpoint = Callable[[str], None]
"""Told of each step that is done, so that tests can stop there."""


class StoreError(ValueError):
    """The file is not a rollup of this version, is damaged, or does not hold what is asked for."""


@dataclass(frozen=True)
class StoredBatch:
    """A batch as it was applied. input: its JSON Lines; changes: (address, value before, value after) of each changed
    cell."""

    number: int
    input: bytes
    statement: Statement
    changes: tuple[tuple[int, int, int], ...]
    summary: dict[str, int]
    proof: bytes | None
    verified: bool


class Store:
    """An open file; use `create` or `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
        self.path, self._connection, self._checkpoint = path, connection, checkpoint

    @classmethod
    def create(cls, path: Path, key: str, state: State, checkpoint: Checkpoint = lambda _: None) -> None:
        """A new rollup with this key and state; StoreError when the file exists. It appears under its name when it is
        whole."""
        if path.exists():
            raise StoreError(f"{path}: there is a rollup already")
        unfinished = path.with_name(f"{path.name}.new")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
        with _errors(path), closing(_connect(unfinished)) as connection:
            checkpoint("file made")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO rollup VALUES (1, ?, ?)", (key, _head(state, None)))
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                checkpoint("schema written")
        checkpoint("rollup written")
        unfinished.replace(path)
        checkpoint("created")

    @classmethod
    def open(cls, path: Path, checkpoint: Checkpoint = lambda _: None) -> "Store":
        """An existing rollup; StoreError for a file of another kind or version."""
        if not path.is_file():
            raise StoreError(f"{path}: there is no rollup")
        with _errors(path):
            connection = _connect(path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            connection.close()
            raise StoreError(f"{path}: of schema version {version}, this program knows {SCHEMA_VERSION}")
        return cls(path, connection, checkpoint)

    def close(self) -> None:
        self._connection.close()

    @property
    def key(self) -> str:
        """The verifying key's JSON."""
        return str(self._one("SELECT key FROM rollup")[0])

    def state(self) -> tuple[State, tuple[int, int] | None]:
        """The state after the last applied batch, and its commitment."""
        with _errors(self.path):
            head = json.loads(self._one("SELECT head FROM rollup")[0])
            cells = {address: int(value, 16) for address, value in self._connection.execute("SELECT * FROM cells")}
            rows = tuple((price, index) for price, index in head["rows"])
            commitment = head["commitment"] and (int(head["commitment"][0], 16), int(head["commitment"][1], 16))
            for value in cells.values():
                unpack(value)
            return State(cells, rows, head["tick"], head["time"], head["queue"], head["batch"]), commitment

    def find_input(self, digest: str) -> int | None:
        """The number of the batch that was made of this input."""
        with _errors(self.path):
            found = self._connection.execute("SELECT number FROM batches WHERE input_digest = ?", (digest,)).fetchone()
        return None if found is None else int(found[0])

    def batch(self, number: int) -> StoredBatch:
        """A batch by its number; StoreError when there is none."""
        columns = "input, statement, changes, summary, proof, verified"
        with _errors(self.path):
            row = self._connection.execute(f"SELECT {columns} FROM batches WHERE number = ?", (number,)).fetchone()
            if row is None:
                raise StoreError(f"{self.path}: there is no batch {number}")
            changes = tuple((address, int(old, 16), int(new, 16)) for address, old, new in json.loads(row[2]))
            return StoredBatch(
                number, row[0], Statement.from_json(row[1]), changes, json.loads(row[3]), row[4], bool(row[5])
            )

    def cells_before(self, number: int) -> dict[int, int]:
        """The non-empty cells before a batch: the present ones with all batches from there on undone."""
        cells = self.state()[0].cells
        with _errors(self.path):
            rows = self._connection.execute(
                "SELECT changes FROM batches WHERE number >= ? ORDER BY number DESC", (number,)
            )
            for (changes,) in rows:
                for address, old, _ in json.loads(changes):
                    cells[address] = int(old, 16)
        return {address: value for address, value in cells.items() if value}

    def batches(self) -> list[tuple[int, bool, bool]]:
        """(number, proven, verified) of every batch."""
        with _errors(self.path):
            rows = self._connection.execute(
                "SELECT number, proof IS NOT NULL, verified FROM batches ORDER BY number"
            ).fetchall()
        return [(number, bool(proven), bool(verified)) for number, proven, verified in rows]

    def refusals(self, number: int) -> list[tuple[int, str]]:
        """(line, reason) of what was refused in a batch."""
        with _errors(self.path):
            query = "SELECT line, reason FROM refusals WHERE batch = ? ORDER BY line"
            return [(int(line), str(reason)) for line, reason in self._connection.execute(query, (number,))]

    def add_batch(
        self,
        batch: StoredBatch,
        digest: str,
        refusals: Sequence[tuple[int, str]],
        head: State,
        commitment: tuple[int, int] | None,
    ) -> None:
        """Stores a batch and the state after it, at once; StoreError when another process has moved the state on."""
        with self._write() as connection:
            if json.loads(self._one("SELECT head FROM rollup")[0])["batch"] != batch.number:
                raise StoreError(f"{self.path}: batch {batch.number} was applied by another process")
            changes = json.dumps([(address, hex(old), hex(new)) for address, old, new in batch.changes])
            values = batch.number, digest, batch.input, batch.statement.to_json(), changes, json.dumps(batch.summary)
            columns = "number, input_digest, input, statement, changes, summary"
            connection.execute(f"INSERT INTO batches ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values)
            self._checkpoint("batch written")
            connection.executemany(
                "INSERT INTO refusals VALUES (?, ?, ?)", [(batch.number, *refusal) for refusal in refusals]
            )
            self._write_cells(connection, {address: new for address, _, new in batch.changes})
            self._checkpoint("cells written")
            connection.execute("UPDATE rollup SET head = ?", (_head(head, commitment),))
            self._checkpoint("head written")
        self._checkpoint("applied")

    def add_proof(self, number: int, proof: bytes) -> None:
        """Keeps the first proof of a batch."""
        with self._write() as connection:
            connection.execute("UPDATE batches SET proof = ? WHERE number = ? AND proof IS NULL", (proof, number))
            self._checkpoint("proof written")
        self._checkpoint("proof stored")

    def mark_verified(self, number: int) -> None:
        with self._write() as connection:
            connection.execute("UPDATE batches SET verified = 1 WHERE number = ?", (number,))
            self._checkpoint("verdict written")

    def _write_cells(self, connection: sqlite3.Connection, values: Mapping[int, int]) -> None:
        kept = [(address, hex(value)) for address, value in values.items() if value]
        connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?)", kept)
        connection.executemany(
            "DELETE FROM cells WHERE address = ?", [(address,) for address, value in values.items() if not value]
        )

    def _one(self, query: str) -> tuple[str, ...]:
        with _errors(self.path):
            row = self._connection.execute(query).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: damaged, it holds no rollup")
        return tuple(row)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with _errors(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _head(state: State, commitment: tuple[int, int] | None) -> str:
    names = ("rows", "tick", "time", "queue", "batch")
    return json.dumps(
        {name: getattr(state, name) for name in names} | {"commitment": commitment and [hex(c) for c in commitment]}
    )


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {_first_line(error)}") from error
    except (sqlite3.DatabaseError, InvalidStatement, LookupError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: damaged, or not a rollup: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """SQLite quotes what it cannot decode."""
    return next(iter(str(error).splitlines()), type(error).__name__)
