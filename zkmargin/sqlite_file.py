"""What any SQLite file of ours needs: connections that survive a power cut, checksums, errors of one line."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite keeps in files beside the database while it is in use."""


class StoreError(ValueError):
    """The file is not a rollup of this version, is damaged, or does not hold what is asked for."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection without transactions of its own; what it commits is on the disk."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def flush_folder(folder: Path) -> None:
    """A rename is on the disk when the folder is; only POSIX lets a folder be flushed."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checksum(*values: object) -> str:
    """SHA-256 of what the values look like in ASCII, types included: against damage, not against an attacker."""
    return hashlib.sha256(ascii(values).encode()).hexdigest()


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turns what SQLite and damaged values raise into a StoreError that names the file."""
    try:
        yield
    except StoreError:
        raise
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: {_first_line(error)}") from error
    except (sqlite3.DatabaseError, LookupError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: damaged, or not a rollup: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """SQLite quotes what it cannot decode."""
    return next(iter(str(error).splitlines()), type(error).__name__)
