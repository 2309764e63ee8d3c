"""Columns of integers beyond 64 bits, as arrays of words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, overload

import numpy as np

from circuits.field import MODULUS

Array = np.ndarray[Any, np.dtype[np.uint64]]
BYTES = 32


class Words(Sequence[int]):
    """Elements of F_r by row, canonical: `array` has shape (rows, 4), lowest word first."""

    def __init__(self, array: Array) -> None:
        self.array = array

    @classmethod
    def of(cls, values: Sequence[int] | np.ndarray) -> "Words":
        """Integers of any size and sign, mod r."""
        if isinstance(values, Words):
            return values
        if isinstance(values, np.ndarray) and values.size and values.min() >= 0:
            array = np.zeros((len(values), 4), np.uint64)
            array[:, 0] = values
            return cls(array)
        data = b"".join([(int(value) % MODULUS).to_bytes(BYTES, "little") for value in values])
        return cls(np.frombuffer(bytearray(data), "<u8").astype(np.uint64, copy=False).reshape(-1, 4))

    @classmethod
    def sparse(cls, size: int, values: Mapping[int, int]) -> "Words":
        """`size` rows, zero but for those given."""
        array = np.zeros((size, 4), np.uint64)
        if values:
            array[np.fromiter(values, np.int64, len(values))] = cls.of(list(values.values())).array
        return cls(array)

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "Words": ...
    def __getitem__(self, index: int | slice) -> "int | Words":
        if isinstance(index, slice):
            return Words(self.array[index])
        return int.from_bytes(self.array[index].astype("<u8", copy=False).tobytes(), "little")

    def __iter__(self) -> Iterator[int]:
        data = self.array.astype("<u8", copy=False).tobytes()
        return (int.from_bytes(data[i : i + BYTES], "little") for i in range(0, len(data), BYTES))


def narrow(values: Sequence[int]) -> "np.ndarray | Words":
    """The smallest array of integers that holds the values; beyond 64 bits with a sign, elements of F_r."""
    low, high = min(values), max(values)
    for kind in (np.uint8, np.uint16, np.uint32, np.int64):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.array(values, kind)
    return Words.of(values)


def join(parts: "Sequence[np.ndarray | Words]") -> "np.ndarray | Words":
    """One column of the parts, one after the other."""
    if any(isinstance(part, Words) for part in parts):
        return Words(np.concatenate([Words.of(part).array for part in parts]))
    return np.concatenate(cast(Sequence[np.ndarray], parts))
