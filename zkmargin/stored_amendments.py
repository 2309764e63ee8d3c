"""What a rollup's file keeps of its amendments."""

import sqlite3
from dataclasses import dataclass

from circuits.margin.succession import Amendment
from zkmargin.sqlite_file import StoreError, checksum

TABLE = """
CREATE TABLE amendments (
    number INTEGER PRIMARY KEY, announced INTEGER NOT NULL, start INTEGER NOT NULL, key TEXT NOT NULL,
    checksum TEXT NOT NULL, first_batch INTEGER
)"""


@dataclass(frozen=True)
class StoredAmendment:
    """key: the JSON of the key that follows. first_batch: the first one under it, None while there is none."""

    amendment: Amendment
    key: str
    first_batch: int | None


def read(connection: sqlite3.Connection) -> list[StoredAmendment]:
    """In the order in which they were announced; only the last may have no batch yet. StoreError where one is not what
    was written."""
    found = []
    columns = "announced, start, key, checksum, first_batch"
    for announced, start, key, seal, first in connection.execute(f"SELECT {columns} FROM amendments ORDER BY number"):
        if seal != checksum(announced, start, key):
            raise StoreError("damaged, an amendment is not the one that was written")
        found.append(StoredAmendment(Amendment(announced, start), key, first))
    return found


def insert(connection: sqlite3.Connection, amendment: Amendment, key: str) -> None:
    values = amendment.announced, amendment.start, key
    columns = "announced, start, key, checksum"
    connection.execute(f"INSERT INTO amendments ({columns}) VALUES (?, ?, ?, ?)", (*values, checksum(*values)))


def begin(connection: sqlite3.Connection, batch: int) -> None:
    """The amendment that is to come has its first batch."""
    connection.execute("UPDATE amendments SET first_batch = ? WHERE first_batch IS NULL", (batch,))


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Adds the table to a file of the schema before `version`."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found == version - 1:  # else another process was first
            connection.execute(TABLE)
            connection.execute(f"PRAGMA user_version = {version}")
