"""How the CPU backend holds vectors and points: flat contiguous arrays of 64-bit limbs."""

from __future__ import annotations

from typing import Any

import numpy as np

from prover.backend.protocol import BackendError, Integers, Points, Vector, check_integers

Array = np.ndarray[Any, np.dtype[np.uint64]]


class Elements:
    """Elements of F_r in Montgomery form, four limbs each."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // 4


class Affine:
    """Points of G1, x and y in Montgomery form, four limbs each; zeros are infinity."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // 8

    def __getitem__(self, index: slice) -> Affine:
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise BackendError("points are sliced in ranges only")
        return Affine(self.data[8 * start : 8 * max(start, stop)])


class Tabled(Affine):
    """Points with tables of their multiples: 2^(bits * w) times all of them for w = 0, 1, ..., one after the other."""

    __slots__ = ("bits", "tables")

    def __init__(self, data: Array, bits: int, tables: Array) -> None:
        super().__init__(data)
        self.bits, self.tables = bits, tables


def elements(v: Vector) -> Array:
    """The limbs of a vector of this backend."""
    if not isinstance(v, Elements):
        raise BackendError(f"expected a vector of the cpu backend, not {type(v).__name__}")
    return v.data


def affine(p: Points) -> Array:
    """The limbs of points of this backend."""
    if not isinstance(p, Affine):
        raise BackendError(f"expected points of the cpu backend, not {type(p).__name__}")
    return p.data


def words(values: Integers) -> tuple[Array, bool]:
    """Integers as uint64 words, and whether those are in two's complement."""
    check_integers(values)
    signed = values.dtype.kind == "i"
    widened = np.ascontiguousarray(values, np.int64 if signed else np.uint64)
    writable = widened if widened.flags.writeable else widened.copy()  # read-only would be one more type to compile
    return writable.view(np.uint64), signed
