"""Memory of large arrays, kept while proofs are made: fresh memory costs its page faults at each first touch."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LEAST = 1 << 18  # bytes; smaller arrays come from the allocator's own free lists
STEP = 1 << 16  # bytes: arrays of nearly one size share blocks

_kept: dict[int, list[np.ndarray]] = defaultdict(list)
_lock = threading.Lock()
_users = 0


class _Owner:
    """What the views of a block refer to: with the last of them the block can be used again."""

    __slots__ = ("block",)

    def __init__(self, block: np.ndarray) -> None:
        self.block = block

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.block.__array_interface__

    def __del__(self) -> None:
        if _users:
            _kept[len(self.block)].append(self.block)


@contextmanager
def reusing() -> Iterator[None]:
    """Within, blocks are kept for arrays to come; they are given back when the last user leaves."""
    global _users
    with _lock:
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _kept.clear()


def blank(items: int, dtype: Any = np.uint64) -> np.ndarray:
    """A one-dimensional array of undefined contents."""
    size = items * np.dtype(dtype).itemsize
    if size < LEAST or not _users:
        return np.empty(items, dtype)
    rounded = -(-size // STEP) * STEP
    try:
        block = _kept[rounded].pop()
    except IndexError:
        block = np.empty(rounded, np.uint8)
    return np.asarray(_Owner(block))[:size].view(dtype)
