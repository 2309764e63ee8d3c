"""Blocks are used again, and never while an array still refers to them."""

import gc

import numpy as np

from prover.backend import memory
from prover.backend.memory import LEAST, blank, reusing

ITEMS = LEAST // 8 + 1


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_a_freed_block_is_the_next_of_its_size() -> None:
    with reusing():
        first = blank(ITEMS)
        place = address(first)
        del first
        assert address(blank(ITEMS + 1, np.uint64)) == place
        assert address(blank(2 * ITEMS, np.uint32)) == place
        assert address(blank(2 * ITEMS)) != place


def test_views_of_views_hold_their_block() -> None:
    with reusing():
        first = blank(ITEMS)
        first[:] = np.arange(ITEMS)
        view = first[10:][5:20].reshape(3, 5)
        del first
        gc.collect()
        other = blank(ITEMS)
        other[:] = 0
        assert view.tolist() == np.arange(15, 30).reshape(3, 5).tolist()


def test_nothing_is_kept_outside() -> None:
    with reusing():
        kept = blank(ITEMS)
        with reusing():
            blank(ITEMS)
        assert memory._kept
    assert not memory._kept
    del kept
    assert not memory._kept
    assert len(blank(5)) == 5 and len(blank(0)) == 0
