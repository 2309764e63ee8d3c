"""Columns beyond 64 bits."""

import numpy as np
import pytest

from circuits.field import MODULUS
from prover.backend import BackendError, get_backend
from prover.words import Words, join, narrow

VALUES = [0, 1, -1, MODULUS - 1, MODULUS, 1 << 64, -(1 << 70), 5 << 200]


def test_integers_of_any_size_and_sign() -> None:
    words = Words.of(VALUES)
    assert list(words) == [value % MODULUS for value in VALUES]
    assert [words[i] for i in range(len(words))] == list(words)
    assert list(words[2:4]) == [MODULUS - 1, MODULUS - 1]
    assert list(Words.of(np.array([3, 1 << 62]))) == [3, 1 << 62]
    assert list(Words.of(np.array([3, -2]))) == [3, MODULUS - 2]
    assert list(Words.sparse(4, {2: 7, 0: -1})) == [MODULUS - 1, 0, 7, 0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 255], np.uint8), ([256], np.uint16), ([1 << 16], np.uint32), ([-1, 5], np.int64), ([1 << 32], np.int64)],
)
def test_the_smallest_array(values: list[int], kind: type) -> None:
    column = narrow(values)
    assert isinstance(column, np.ndarray) and column.dtype == kind and column.tolist() == values


def test_parts_of_several_kinds() -> None:
    parts = [[1, 2], [70_000], [-5], [1 << 63]]
    assert isinstance(narrow([1 << 63]), Words)
    assert list(join([narrow(part) for part in parts])) == [1, 2, 70_000, MODULUS - 5, 1 << 63]
    small = join([narrow(part) for part in parts[:3]])
    assert isinstance(small, np.ndarray) and small.tolist() == [1, 2, 70_000, -5]


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_vectors_of_words_and_back(name: str) -> None:
    backend = get_backend(name)
    array = Words.of(VALUES).array.copy()
    array[0] = (1 << 64) - 1  # 2^256 - 1, to be reduced
    vector = backend.vector(array)
    expected = [((1 << 256) - 1) % MODULUS, *(value % MODULUS for value in VALUES[1:])]
    assert backend.integers(vector) == expected
    assert list(Words(backend.words(vector))) == expected
    assert backend.words(backend.vector([])).shape == (0, 4)
    for wrong in (np.zeros((3, 5), np.uint64), np.zeros((3, 4), np.int64)):
        with pytest.raises(BackendError, match="four uint64 words"):
            backend.vector(wrong)
