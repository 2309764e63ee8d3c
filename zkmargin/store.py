"""State and history of a rollup in one SQLite file; what changes together is one transaction, so a kill leaves either
all of it or nothing. What is read is what was written: state, batches and proofs stand under checksums."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuits.margin.cell import unpack
from circuits.margin.statement import Statement
from circuits.margin.succession import Amendment
from zkmargin import stored_amendments
from zkmargin.sqlite_file import BESIDE, StoreError, checksum, connect, errors, flush_folder
from zkmargin.state import State
from zkmargin.stored_amendments import StoredAmendment

SCHEMA_VERSION = 6
SCHEMA = """
CREATE TABLE rollup (
    id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL, head TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE cells (address INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE batches (
    number INTEGER PRIMARY KEY, input_digest TEXT NOT NULL UNIQUE, input BLOB NOT NULL, statement TEXT NOT NULL,
    changes TEXT NOT NULL, summary TEXT NOT NULL, checksum TEXT NOT NULL,
    proof BLOB, proof_checksum TEXT, verified INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE refusals (
    batch INTEGER NOT NULL REFERENCES batches, line INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (batch, line)
);
"""
LARGEST_NUMBER = (1 << 63) - 1
COUNTERS = ("tick", "time", "queue", "batch", "chain", "contract")
Checkpoint = Callable[[str], None]
"""Told of each step that is done, so that tests can stop there."""


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
        for left in (Path(f"{path}{suffix}") for suffix in BESIDE):
            if left.exists():  # SQLite would replay it into the new file
                raise StoreError(f"{left}: left of a rollup that is gone, move it away")
        unfinished = path.with_name(f"{path.name}.new")
        for suffix in ("", *BESIDE):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
        # In the default journal mode all is in the file that is renamed, even where closing it fails.
        with errors(path), closing(connect(unfinished)) as connection, connection:
            checkpoint("file made")
            connection.execute("BEGIN IMMEDIATE")
            for statement in (*SCHEMA.split(";\n"), stored_amendments.TABLE):
                connection.execute(statement)
            head = _head(state, None)
            connection.execute("INSERT INTO rollup VALUES (1, ?, ?, ?)", (key, head, _seal(key, head, state.cells)))
            cls._write_cells(connection, state.cells)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            checkpoint("schema written")
        checkpoint("rollup written")
        unfinished.replace(path)
        flush_folder(path.parent)
        checkpoint("created")

    @classmethod
    def open(cls, path: Path, checkpoint: Checkpoint = lambda _: None) -> "Store":
        """An existing rollup; StoreError for a file of another kind or version, which is left as it is."""
        if not path.is_file():
            raise StoreError(f"{path}: there is no rollup")
        with errors(path), ExitStack() as stack:
            connection = stack.enter_context(closing(connect(path)))
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == SCHEMA_VERSION - 1:
                stored_amendments.migrate(connection, version + 1)
            elif version != SCHEMA_VERSION:
                raise StoreError(f"{path}: of schema version {version}, this program knows {SCHEMA_VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
            stack.pop_all()
        return cls(path, connection, checkpoint)

    def close(self) -> None:
        self._connection.close()

    @property
    def key(self) -> str:
        """The verifying key's JSON."""
        return str(self._one("SELECT key FROM rollup")[0])

    def state(self) -> tuple[State, tuple[int, int] | None]:
        """The state after the last applied batch, and its commitment."""
        with errors(self.path), self._connection as connection:
            connection.execute("BEGIN")  # so that all is read of one moment
            key, text, seal = self._one("SELECT key, head, checksum FROM rollup")
            cells = {address: int(value, 16) for address, value in connection.execute("SELECT * FROM cells")}
            kept = connection.execute("SELECT count(*), coalesce(max(number) + 1, 0) FROM batches").fetchone()
            head = json.loads(text)
            if seal != _seal(key, text, cells) or kept != (head["batch"], head["batch"]):
                raise StoreError(f"{self.path}: damaged, the state is not the one that was written")
            rows = tuple((price, index) for price, index in head["rows"])
            commitment = head["commitment"] and (int(head["commitment"][0], 16), int(head["commitment"][1], 16))
            for value in cells.values():
                unpack(value)
            counters = {name: head[name] for name in COUNTERS}
            return State(cells, rows, **counters), commitment

    def amendments(self) -> list[StoredAmendment]:
        """In the order in which they were announced; only the last may have no batch yet."""
        with errors(self.path):
            return stored_amendments.read(self._connection)

    def announce(self, amendment: Amendment, key: str) -> None:
        """Keeps an amendment; StoreError while another one is to come, or when the state has moved on."""
        with self._write() as connection:
            self._require_pending(False)
            if json.loads(self._one("SELECT head FROM rollup")[0])["time"] != amendment.announced:
                raise StoreError(f"{self.path}: a batch was applied by another process")
            stored_amendments.insert(connection, amendment, key)
            self._checkpoint("amendment written")
        self._checkpoint("announced")

    def withdraw(self) -> None:
        """Takes back the amendment that is to come; StoreError when there is none."""
        with self._write() as connection:
            self._require_pending(True)
            connection.execute("DELETE FROM amendments WHERE first_batch IS NULL")
            self._checkpoint("amendment deleted")
        self._checkpoint("withdrawn")

    def _require_pending(self, pending: bool) -> None:
        if any(each.first_batch is None for each in self.amendments()) != pending:
            raise StoreError(f"{self.path}: {'no' if pending else 'another'} amendment is to come")

    def find_input(self, digest: str) -> int | None:
        """The number of the batch that was made of this input."""
        with errors(self.path):
            found = self._connection.execute("SELECT number FROM batches WHERE input_digest = ?", (digest,)).fetchone()
        return None if found is None else int(found[0])

    def batch(self, number: int) -> StoredBatch:
        """A batch by its number; StoreError when there is none."""
        with errors(self.path):
            data, statement, changes, summary = self._content(number)
            query = "SELECT proof, proof_checksum, verified FROM batches WHERE number = ?"
            proof, proof_seal, verified = self._connection.execute(query, (number,)).fetchone()
            if proof is not None and proof_seal != checksum(proof):
                raise StoreError(f"{self.path}: damaged, the proof of batch {number} is not the one that was written")
            told = Statement.from_json(statement)
            return StoredBatch(number, data, told, _changes(changes), json.loads(summary), proof, bool(verified))

    def cells_before(self, number: int) -> dict[int, int]:
        """The non-empty cells before a batch: the present ones with all batches from there on undone."""
        state, _ = self.state()
        cells = state.cells
        with errors(self.path):
            for later in range(state.batch - 1, number - 1, -1):
                cells |= {address: old for address, old, _ in _changes(self._content(later)[2])}
        return {address: value for address, value in cells.items() if value}

    def batches(self) -> list[tuple[int, bool, bool]]:
        """(number, proven, verified) of every batch."""
        with errors(self.path):
            rows = self._connection.execute(
                "SELECT number, proof IS NOT NULL, verified FROM batches ORDER BY number"
            ).fetchall()
        return [(number, bool(proven), bool(verified)) for number, proven, verified in rows]

    def refusals(self, number: int) -> list[tuple[int, str]]:
        """(line, reason) of what was refused in a batch."""
        with errors(self.path):
            query = "SELECT line, reason FROM refusals WHERE batch = ? ORDER BY line"
            return [(int(line), str(reason)) for line, reason in self._connection.execute(query, (number,))]

    def add_batch(
        self,
        batch: StoredBatch,
        digest: str,
        refusals: Sequence[tuple[int, str]],
        head: State,
        commitment: tuple[int, int] | None,
        amendments: Sequence[StoredAmendment] = (),
        amended: bool = False,
    ) -> None:
        """Stores a batch and the state after it, at once; StoreError when another process has moved the state on.

        amendments: that were known when it was made; amended: it is the first one under the last of them.
        """
        with self._write() as connection:
            if self.amendments() != list(amendments):
                raise StoreError(f"{self.path}: another process has changed what is announced")
            if amended:
                stored_amendments.begin(connection, batch.number)
            if json.loads(self._one("SELECT head FROM rollup")[0])["batch"] != batch.number:
                raise StoreError(f"{self.path}: batch {batch.number} was applied by another process")
            changes = json.dumps([(address, hex(old), hex(new)) for address, old, new in batch.changes])
            values = batch.number, digest, batch.input, batch.statement.to_json(), changes, json.dumps(batch.summary)
            columns = "number, input_digest, input, statement, changes, summary, checksum"
            sealed = (*values, checksum(*values, sorted(refusals)))
            connection.execute(f"INSERT INTO batches ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", sealed)
            self._checkpoint("batch written")
            connection.executemany(
                "INSERT INTO refusals VALUES (?, ?, ?)", [(batch.number, *refusal) for refusal in refusals]
            )
            self._checkpoint("refusals written")
            self._write_cells(connection, {address: new for address, _, new in batch.changes})
            self._checkpoint("cells written")
            text = _head(head, commitment)
            connection.execute("UPDATE rollup SET head = ?, checksum = ?", (text, _seal(self.key, text, head.cells)))
            self._checkpoint("head written")
        self._checkpoint("applied")

    def add_proof(self, number: int, proof: bytes) -> None:
        """Keeps the first proof of a batch."""
        with self._write() as connection:
            query = "UPDATE batches SET proof = ?, proof_checksum = ? WHERE number = ? AND proof IS NULL"
            connection.execute(query, (proof, checksum(proof), number))
            self._checkpoint("proof written")
        self._checkpoint("proof stored")

    def mark_verified(self, number: int) -> None:
        with self._write() as connection:
            connection.execute("UPDATE batches SET verified = 1 WHERE number = ?", (number,))
            self._checkpoint("verdict written")
        self._checkpoint("verified")

    def _content(self, number: int) -> tuple[Any, ...]:
        """Input, statement, changes and summary of a batch, as they were written."""
        columns = "number, input_digest, input, statement, changes, summary"
        query = f"SELECT {columns}, checksum FROM batches WHERE number = ?"
        found = abs(number) <= LARGEST_NUMBER and self._connection.execute(query, (number,)).fetchone()
        if not found:
            raise StoreError(f"{self.path}: there is no batch {number}")
        *values, seal = found
        if seal != checksum(*values, self.refusals(number)):
            raise StoreError(f"{self.path}: damaged, batch {number} is not what was written")
        return tuple(values[2:])

    @staticmethod
    def _write_cells(connection: sqlite3.Connection, values: Mapping[int, int]) -> None:
        kept = [(address, hex(value)) for address, value in values.items() if value]
        connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?)", kept)
        connection.executemany(
            "DELETE FROM cells WHERE address = ?", [(address,) for address, value in values.items() if not value]
        )

    def _one(self, query: str) -> tuple[str, ...]:
        with errors(self.path):
            row = self._connection.execute(query).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: damaged, it holds no rollup")
        return tuple(row)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with errors(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection


def _seal(key: str, head: str, cells: Mapping[int, int]) -> str:
    return checksum(key, head, [(address, hex(cells[address])) for address in sorted(cells)])


def _changes(text: str) -> tuple[tuple[int, int, int], ...]:
    return tuple((address, int(old, 16), int(new, 16)) for address, old, new in json.loads(text))


def _head(state: State, commitment: tuple[int, int] | None) -> str:
    told = {name: getattr(state, name) for name in ("rows", *COUNTERS)}
    return json.dumps(told | {"commitment": commitment and [hex(c) for c in commitment]})
