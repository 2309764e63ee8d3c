"""Columns in their two bases: values in the rows of a table, and coefficients of a blinded polynomial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prover.backend import Backend, Vector
from prover.errors import ProverError


@dataclass(frozen=True)
class Values:
    """A column's values in its rows; small ones stay numpy integers, which commit and travel cheaply."""

    integers: np.ndarray | None
    elements: Vector | None

    @property
    def scalars(self) -> Vector | np.ndarray:
        """What a multi-scalar multiplication takes."""
        return self.integers if self.integers is not None else self.elements

    def vector(self, backend: Backend) -> Vector:
        return self.elements if self.integers is None else backend.vector(self.integers)


def elements(vector: Vector) -> Values:
    return Values(None, vector)


def column_values(backend: Backend, name: str, column: Sequence[int] | np.ndarray, size: int) -> Values:
    """The values of an assigned column; ProverError when it has not one integer for each of `size` rows."""
    if len(column) != size:
        raise ProverError(f"column {name}: {len(column)} values for {size} rows")
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return Values(column, None)
    if all(-(1 << 63) <= value < 1 << 63 for value in column):
        return Values(np.array([int(value) for value in column], np.int64), None)
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
