"""The interpreter of straight-line programs: every instruction over a chunk of rows at a time, registers in cache."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.wide import load, store

Array = np.ndarray[Any, Any]
add, sub, mul = SCALAR.add, SCALAR.sub, SCALAR.mul
ROWS = 128


@kernel
def _operand(operand: int, bases: Array, offsets: Array, n: int, row: int) -> tuple[np.uint64, int, int]:
    """(address, first index, step) of an operand: bases and offsets list registers, then inputs, then constants."""
    space, index = operand >> 32, operand & 0xFFFFFFFF
    if space == 1:
        return bases[index], (row + offsets[index]) % n, 1
    return bases[index], 0, 1 - space // 2


@kernel
def interpret(
    code: Array, bases: Array, offsets: Array, outputs: Array, targets: Array, n: int, start: int, stop: int
) -> None:
    """Runs `code` on rows [start, stop) in chunks of at most ROWS.

    code: rows (operation, register, a, b); operand = space << 32 | index into bases, space 0 register, 1 column,
    2 constant. bases: addresses of register chunks, columns and constants; offsets: rotation of each in [0, n).
    outputs: operands copied at the end, to the columns at the addresses `targets`.
    """
    for row in range(start, stop, ROWS):
        rows = min(ROWS, stop - row)
        for k in range(len(code) // 4):
            a, i, step_a = _operand(code[4 * k + 2], bases, offsets, n, row)
            b, j, step_b = _operand(code[4 * k + 3], bases, offsets, n, row)
            target, operation = bases[code[4 * k + 1]], code[4 * k]
            for t in range(rows):
                x, y = load(a, i), load(b, j)
                if operation == 2:
                    store(target, t, mul(x, y))
                elif operation == 1:
                    store(target, t, sub(x, y))
                else:
                    store(target, t, add(x, y))
                i, j = i + step_a, j + step_b
                i, j = 0 if i == n else i, 0 if j == n else j
        for k in range(len(outputs)):
            a, i, step_a = _operand(outputs[k], bases, offsets, n, row)
            for t in range(rows):
                store(targets[k], row + t, load(a, i))
                i += step_a
                i = 0 if i == n else i
