"""The interpreter of straight-line programs, eight rows at a time; registers are planar and reduced late."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.lanes import load8, load_all, load_planar, store8, store_planar
from prover.backend.kernels.lanes_field import SCALAR8
from prover.backend.kernels.wide import load, store

Array = np.ndarray[Any, Any]
add, sub, sub4, sub8, sub16 = SCALAR8.add, SCALAR8.sub, SCALAR8.sub4, SCALAR8.sub8, SCALAR8.sub16
mul, square, canonical, one = SCALAR8.mul, SCALAR8.square, SCALAR8.canonical, SCALAR8.one

GROUPS = 16  # of eight rows in a chunk: its registers stay in the L2 cache
REGISTER_WORDS = 40 * GROUPS
ADD, SUB, SUB4, SUB8, SUB16, MUL, SQUARE = range(7)
PLANAR, COLUMN = range(2)


@kernel
def _rows(column: np.uint64, first: int, n: int, scratch: Array) -> Any:
    """Rows first to first + 7 of a column of n rows, around its end."""
    if first + 8 <= n:
        return load8(column, first)
    for k in range(8):
        store(scratch, k, load(column, (first + k) % n))
    return load8(scratch, 0)


@kernel
def _operand(operand: int, bases: Array, offsets: Array, n: int, row: int) -> tuple[int, np.uint64, int, int]:
    """(kind, address, first index, step a group) of an operand: kind << 40 | step << 32 | index into bases."""
    index, step = operand & 0xFFFFFFFF, operand >> 32 & 0xFF
    if operand >> 40 == COLUMN:
        return COLUMN, bases[index], (row + offsets[index]) % n, 8
    return PLANAR, bases[index], 0, step


@kernel
def interpret_lanes(
    code: Array,
    bases: Array,
    offsets: Array,
    constants: Array,
    outputs: Array,
    targets: Array,
    n: int,
    start: int,
    stop: int,
) -> None:
    """Runs `code` on rows [start, stop), multiples of 8, of columns of n rows, n >= 8.

    code: (operation, index of a register, operand, operand), as `_operand` has them; the bounds of lazy values are its
    maker's affair. bases: addresses of registers and columns, and of planar constants, which are written first from
    the elements `constants`: the last len(constants) / 4 of them. outputs: operands below 2m or, negative, -1 less an
    operand below 84m, copied in canonical form to the columns at `targets`.
    """
    scratch = np.empty(32, np.uint64)
    first_constant = len(bases) - len(constants) // 4
    for k in range(len(constants) // 4):
        store_planar(bases[first_constant + k], 0, load_all(constants, k))
    for row in range(start, stop, 8 * GROUPS):
        groups = min(GROUPS, (stop - row) // 8)
        for k in range(0, len(code), 4):
            operation, target = code[k], bases[code[k + 1]]
            kind_a, a, i, step_a = _operand(code[k + 2], bases, offsets, n, row)
            kind_b, b, j, step_b = _operand(code[k + 3], bases, offsets, n, row)
            for g in range(groups):
                x = load_planar(a, i) if kind_a == PLANAR else _rows(a, i, n, scratch)
                if operation == SQUARE:
                    z = square(x)
                else:
                    y = load_planar(b, j) if kind_b == PLANAR else _rows(b, j, n, scratch)
                    if operation == MUL:
                        z = mul(x, y)
                    elif operation == ADD:
                        z = add(x, y)
                    elif operation == SUB:
                        z = sub(x, y)
                    elif operation == SUB4:
                        z = sub4(x, y)
                    elif operation == SUB8:
                        z = sub8(x, y)
                    else:
                        z = sub16(x, y)
                store_planar(target, g, z)
                i, j = i + step_a, j + step_b
                i, j = i - n if i >= n and kind_a == COLUMN else i, j - n if j >= n and kind_b == COLUMN else j
        for k in range(len(outputs)):
            large = outputs[k] < 0
            kind, a, i, step = _operand(-1 - outputs[k] if large else outputs[k], bases, offsets, n, row)
            for g in range(groups):
                x = load_planar(a, i) if kind == PLANAR else _rows(a, i, n, scratch)
                store8(targets[k], row + 8 * g, canonical(mul(x, one()) if large else x))
                i += step
                i = i - n if i >= n and kind == COLUMN else i
