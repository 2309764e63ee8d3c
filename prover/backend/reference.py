"""The reference backend: galois field arrays and py_ecc points. Slow and readable: the definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import zip_longest
from typing import Any

import galois
import numpy as np

from circuits.field import MODULUS, root_of_unity
from circuits.program import Program
from prover.backend.protocol import (
    BackendError,
    Integers,
    Item,
    Result,
    check_domain,
    check_integers,
    check_lengths,
    check_words,
)
from prover.backend.reference_group import ReferenceGroup

FIELD = galois.GF(MODULUS, primitive_element=5, verify=False)
Elements = Any
SPACE_SHIFT, INDEX_MASK = 24, (1 << 24) - 1


class ReferenceBackend(ReferenceGroup):
    """A vector is a galois array over F_r, `Elements`."""

    name = "reference"

    def proving(self) -> AbstractContextManager[None]:
        return nullcontext()

    def wait(self) -> None:
        return None

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        return [function(item) for item in items]

    def vector(self, values: Sequence[int] | Integers) -> Elements:
        if isinstance(values, np.ndarray) and values.ndim == 2:
            check_words(values)
            values = [sum(word << 64 * k for k, word in enumerate(row)) for row in values.tolist()]
        if isinstance(values, np.ndarray):
            check_integers(values)
            values = values.tolist()
        return _elements([int(value) % MODULUS for value in values])

    def integers(self, v: Elements) -> list[int]:
        return [int(value) for value in v]

    def words(self, v: Elements) -> Integers:
        mask = (1 << 64) - 1
        rows = [[value >> 64 * k & mask for k in range(4)] for value in self.integers(v)]
        return np.array(rows, np.uint64).reshape(-1, 4)

    def concatenate(self, parts: list[Elements]) -> Elements:
        return _elements([value for part in parts for value in self.integers(part)])

    def interleave(self, parts: list[Elements]) -> Elements:
        rows = zip_longest(*map(self.integers, parts), fillvalue=0)
        return _elements([value for row in rows for value in row])

    def slice(self, v: Elements, start: int, stop: int) -> Elements:
        return v[start:stop]

    def ntt(self, coefficients: Elements, n: int, shift: int = 1) -> Elements:
        check_domain(n)
        shift %= MODULUS
        scaled = coefficients * self.powers(shift, len(coefficients))
        folded = FIELD.Zeros(n)
        for start in range(0, len(scaled), n):  # (shift * w^i)^n = shift^n
            part = scaled[start : start + n]
            folded[: len(part)] += part
        return _transform(folded, root_of_unity(n))

    def intt(self, evaluations: Elements, shift: int = 1) -> Elements:
        n = len(evaluations)
        check_domain(n)
        sums = _transform(evaluations, pow(root_of_unity(n), -1, MODULUS))
        return sums * self.powers(pow(shift, -1, MODULUS), n, pow(n, -1, MODULUS))

    def evaluate(self, coefficients: Elements, point: int) -> int:
        value = 0
        for coefficient in reversed(self.integers(coefficients)):
            value = (value * point + coefficient) % MODULUS
        return value

    def divide_linear(self, coefficients: Elements, root: int) -> Elements:
        if len(coefficients) == 0:
            raise BackendError("divide_linear: no coefficients")
        quotient, value = [], 0
        for coefficient in self.integers(coefficients)[:0:-1]:  # from the top, all but the constant term
            value = (value * root + coefficient) % MODULUS
            quotient.append(value)
        return _elements(quotient[::-1])

    def combine(self, vectors: list[Elements], scalars: list[int]) -> Elements:
        check_lengths("combine", len(vectors), len(scalars))
        total = FIELD.Zeros(max(map(len, vectors), default=0))
        for v, scalar in zip(vectors, scalars, strict=True):
            total[: len(v)] += v * FIELD(scalar % MODULUS)
        return total

    def multiply(self, a: Elements, b: Elements) -> Elements:
        check_lengths("multiply", len(a), len(b))
        return a * b

    def powers(self, base: int, n: int, first: int = 1) -> Elements:
        result, value = [], first % MODULUS
        for _ in range(n):
            result.append(value)
            value = value * base % MODULUS
        return _elements(result)

    def inverse(self, v: Elements) -> Elements:
        if any(value == 0 for value in self.integers(v)):
            raise ZeroDivisionError("inverse of a vector with a zero")
        return v**-1 if len(v) else v

    def prefix_sums(self, v: Elements) -> Elements:
        sums = [0]
        for value in self.integers(v)[:-1]:
            sums.append((sums[-1] + value) % MODULUS)
        return _elements(sums[: len(v)])

    def run(self, program: Program, inputs: list[Elements], constants: list[int]) -> list[Elements]:
        columns = [np.roll(inputs[index], -rotation) for index, rotation in program.inputs]
        n = len(inputs[0])
        for column in inputs:
            check_lengths("run", n, len(column))
        fixed = [_elements([constant % MODULUS] * n) for constant in constants]
        registers: list[Elements] = [FIELD.Zeros(n)] * program.registers
        spaces = (registers, columns, fixed)

        def read(operand: int) -> Elements:
            return spaces[operand >> SPACE_SHIFT][operand & INDEX_MASK]

        for operation, target, left, right in program.code:
            a, b = read(left), read(right)
            registers[target] = a + b if operation == 0 else a - b if operation == 1 else a * b
        return [read(operand) for operand in program.outputs]


def _elements(values: list[int]) -> Elements:
    return FIELD(np.array(values, dtype=object)) if values else FIELD.Zeros(0)


def _transform(values: Elements, root: int) -> Elements:
    """sum_j values_j root^(ij) for each i, by even and odd halves."""
    n = len(values)
    if n == 1:
        return values
    even, odd = (_transform(values[k::2], root * root % MODULUS) for k in (0, 1))
    turned = odd * _elements([pow(root, i, MODULUS) for i in range(n // 2)])
    return FIELD(np.concatenate([even + turned, even - turned]))
