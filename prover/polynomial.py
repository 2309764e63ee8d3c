"""Columns in their two bases: values in the rows of a table, and coefficients of a blinded polynomial."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from circuits.field import MODULUS
from prover.backend import Backend, Vector
from prover.errors import ProverError
from prover.words import Words
from verifier.kzg import powers

FOLD = 16

Integers = np.ndarray[Any, np.dtype[np.integer[Any]]]


@dataclass(frozen=True)
class Values:
    """A column's values in its rows: numpy integers where they are small, which commit and travel cheaply."""

    scalars: Vector | Integers
    small: bool

    def vector(self, backend: Backend) -> Vector:
        return backend.vector(cast(Integers, self.scalars)) if self.small else self.scalars


def elements(vector: Vector) -> Values:
    return Values(vector, False)


def column_values(backend: Backend, name: str, column: Sequence[int] | Integers, size: int) -> Values:
    """The values of an assigned column; ProverError when it has not one integer for each of `size` rows."""
    if len(column) != size:
        raise ProverError(f"column {name}: {len(column)} values for {size} rows")
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return Values(column, True)
    if isinstance(column, Words):
        return elements(backend.vector(column.array))
    if all(-(1 << 63) <= value < 1 << 63 for value in column):
        return Values(np.array([int(value) for value in column], np.int64), True)
    return elements(backend.vector([int(value) for value in column]))


def interpolate(backend: Backend, values: Vector, blinding: Sequence[int]) -> Vector:
    """The coefficients of f + (X^n - 1) * sum_j b_j X^j, where f takes the n values; n + len(blinding) of them."""
    coefficients = backend.intt(values)
    if not blinding:
        return coefficients
    count, size = len(blinding), len(coefficients)
    blinds = backend.vector(list(blinding))
    low = backend.combine([backend.slice(coefficients, 0, count), blinds], [1, -1])
    return backend.concatenate([low, backend.slice(coefficients, count, size), blinds])


def fold(backend: Backend, coefficients: Vector, size: int, shift: int) -> Vector:
    """f mod X^size - shift^size, which takes the values of f on shift*H_size; by factors of 16 at a time."""
    while len(coefficients) > size:
        length = size
        while FOLD * length < len(coefficients):
            length *= FOLD
        starts = range(0, len(coefficients), length)
        blocks = [backend.slice(coefficients, i, min(i + length, len(coefficients))) for i in starts]
        coefficients = backend.combine(blocks, powers(pow(shift, length, MODULUS), len(blocks)))
    return coefficients
