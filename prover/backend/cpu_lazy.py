"""Code for the interpreter of eight rows at a time: when to reduce is settled here, once for a program.

The bound of a value is the multiple of the modulus that it stays below: 1 for columns and constants. A sum has the sum
of the bounds, a difference x - y + k m that of x plus the k that y needs, a product 2.
"""

from functools import lru_cache

import numpy as np

from circuits.program import CONSTANT, INPUT, OPERATIONS, REGISTER, SPACE_SHIFT, Program
from prover.backend.kernels.lanes_interpreter import ADD, COLUMN, MUL, PLANAR, SQUARE, SUB, SUB4, SUB8, SUB16

SUBTRACTIONS = ((2, SUB), (4, SUB4), (8, SUB8), (16, SUB16))
LARGEST = 64  # of a sum: it is an operand of `mul` with one of bound 1
PRODUCT = 80  # of two bounds: below R / m = 84.2


@lru_cache(maxsize=64)
def lazy_code(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """(code, outputs) of `interpret_lanes`. Its last constant is one more than the program's: 1."""
    maker = _Maker(program)
    for operation, target, a, b in program.code:
        maker.add(operation, target, a, b)
    return np.array(maker.code, np.int64).reshape(-1), np.array(maker.outputs(), np.int64)


class _Maker:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.bounds = [1] * program.registers
        self.code: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, target: int, a: int, b: int) -> None:
        if operation == OPERATIONS["mul"]:
            bound = self._multiply(target, a, b)
        elif operation == OPERATIONS["add"]:
            for operand in sorted({a, b}, key=self._bound, reverse=True):
                if self._bound(a) + self._bound(b) > LARGEST:
                    self._reduce(operand)
            bound = self._bound(a) + self._bound(b)
            self._emit(ADD, target, a, b)
        else:
            if self._bound(b) > 16:
                self._reduce(b)
            added, code = next(pair for pair in SUBTRACTIONS if pair[0] >= self._bound(b))
            if self._bound(a) + added > LARGEST:
                self._reduce(a)
            bound = self._bound(a) + added
            self._emit(code, target, a, b)
        self.bounds[target] = bound

    def outputs(self) -> list[int]:
        operands = [(self._operand(o), self._bound(o)) for o in self.program.outputs]
        return [operand if bound <= 2 else -1 - operand for operand, bound in operands]

    def _multiply(self, target: int, a: int, b: int) -> int:
        for operand in sorted({a, b}, key=self._bound, reverse=True):
            if self._bound(a) * self._bound(b) > PRODUCT:
                self._reduce(operand)
        if a == b:
            self._emit(SQUARE, target, a, b)
        else:
            self._emit(MUL, target, a, b)
        return 2

    def _reduce(self, operand: int) -> None:
        """The register times 1, in place."""
        register = operand & ((1 << SPACE_SHIFT) - 1)
        self.code.append((MUL, register, self._operand(operand), self._one()))
        self.bounds[register] = 2

    def _emit(self, operation: int, target: int, a: int, b: int) -> None:
        self.code.append((operation, target, self._operand(a), self._operand(b)))

    def _bound(self, operand: int) -> int:
        space, index = operand >> SPACE_SHIFT, operand & ((1 << SPACE_SHIFT) - 1)
        return self.bounds[index] if space == REGISTER else 1

    def _operand(self, operand: int) -> int:
        space, index = operand >> SPACE_SHIFT, operand & ((1 << SPACE_SHIFT) - 1)
        if space == INPUT:
            return COLUMN << 40 | self.program.registers + index
        if space == CONSTANT:
            return PLANAR << 40 | self.program.registers + len(self.program.inputs) + index
        return PLANAR << 40 | 1 << 32 | index

    def _one(self) -> int:
        return PLANAR << 40 | self.program.registers + len(self.program.inputs) + self.program.constants
