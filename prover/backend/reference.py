"""The reference backend: galois field arrays and py_ecc points. Slow and readable; what the other backends must equal, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import galois
import numpy as np

from circuits.field import MODULUS, root_of_unity
from circuits.program import Program
from prover.backend.protocol import Integers, Vector, check_domain, check_integers, check_lengths
from prover.backend.reference_group import ReferenceGroup

FIELD = galois.GF(MODULUS, primitive_element=5, verify=False)
SPACE_SHIFT, INDEX_MASK = 24, (1 << 24) - 1


class ReferenceBackend(ReferenceGroup):
    """A vector is a galois array over F_r."""

    name = "reference"

    def vector(self, values: Sequence[int] | Integers) -> Vector:
        if isinstance(values, np.ndarray):
            check_integers(values)
            values = values.tolist()
        return _elements([int(value) % MODULUS for value in values])

    def integers(self, v: Vector) -> list[int]:
        return [int(value) for value in v]

    def concatenate(self, parts: list[Vector]) -> Vector:
        return _elements([value for part in parts for value in self.integers(part)])

    def slice(self, v: Vector, start: int, stop: int) -> Vector:
        return v[start:stop]

    def ntt(self, coefficients: Vector, n: int, shift: int = 1) -> Vector:
        check_domain(n)
        shift %= MODULUS
        scaled = coefficients * self.powers(shift, len(coefficients))
        folded = FIELD.Zeros(n)
        for start in range(0, len(scaled), n):  # (shift * w^i)^n = shift^n
            part = scaled[start : start + n]
            folded[: len(part)] += part
        return _transform(folded, root_of_unity(n))

    def intt(self, evaluations: Vector, shift: int = 1) -> Vector:
        n = len(evaluations)
        check_domain(n)
        sums = _transform(evaluations, pow(root_of_unity(n), -1, MODULUS))
        return sums * self.powers(pow(shift, -1, MODULUS), n, pow(n, -1, MODULUS))

    def evaluate(self, coefficients: Vector, point: int) -> int:
        value = 0
        for coefficient in reversed(self.integers(coefficients)):
            value = (value * point + coefficient) % MODULUS
        return value

    def divide_linear(self, coefficients: Vector, root: int) -> Vector:
        quotient, value = [], 0
        for coefficient in self.integers(coefficients)[:0:-1]:  # from the top, all but the constant term
            value = (value * root + coefficient) % MODULUS
            quotient.append(value)
        return _elements(quotient[::-1])

    def combine(self, vectors: list[Vector], scalars: list[int]) -> Vector:
        check_lengths("combine", len(vectors), len(scalars))
        total = FIELD.Zeros(max(map(len, vectors), default=0))
        for v, scalar in zip(vectors, scalars, strict=True):
            total[: len(v)] += v * FIELD(scalar % MODULUS)
        return total

    def multiply(self, a: Vector, b: Vector) -> Vector:
        check_lengths("multiply", len(a), len(b))
        return a * b

    def powers(self, base: int, n: int, first: int = 1) -> Vector:
        result, value = [], first % MODULUS
        for _ in range(n):
            result.append(value)
            value = value * base % MODULUS
        return _elements(result)

    def inverse(self, v: Vector) -> Vector:
        if any(value == 0 for value in self.integers(v)):
            raise ZeroDivisionError("inverse of a vector with a zero")
        return v**-1 if len(v) else v

    def prefix_sums(self, v: Vector) -> Vector:
        sums = [0]
        for value in self.integers(v)[:-1]:
            sums.append((sums[-1] + value) % MODULUS)
        return _elements(sums[: len(v)])

    def run(self, program: Program, inputs: list[Vector], constants: list[int]) -> list[Vector]:
        columns = [np.roll(inputs[index], -rotation) for index, rotation in program.inputs]
        n = len(inputs[0])
        for column in inputs:
            check_lengths("run", n, len(column))
        fixed = [_elements([constant % MODULUS] * n) for constant in constants]
        registers: list[Vector] = [FIELD.Zeros(n)] * program.registers
        spaces = (registers, columns, fixed)

        def read(operand: int) -> Vector:
            return spaces[operand >> SPACE_SHIFT][operand & INDEX_MASK]

        for operation, target, left, right in program.code:
            a, b = read(left), read(right)
            registers[target] = a + b if operation == 0 else a - b if operation == 1 else a * b
        return [read(operand) for operand in program.outputs]


def _elements(values: list[int]) -> Vector:
    return FIELD(np.array(values, dtype=object)) if values else FIELD.Zeros(0)


def _transform(values: Vector, root: int) -> Vector:
    """sum_j values_j root^(ij) for each i, by even and odd halves."""
    n = len(values)
    if n == 1:
        return values
    even, odd = (_transform(values[k::2], root * root % MODULUS) for k in (0, 1))
    turned = odd * _elements([pow(root, i, MODULUS) for i in range(n // 2)])
    return FIELD(np.concatenate([even + turned, even - turned]))
