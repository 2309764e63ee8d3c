"""Many points by a scalar each: by windows of a table of its own for each point, or by one table for a fixed base."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE
from prover.backend.kernels.points import add_affine, add_extended, double, load_extended, normalize, store_extended
from prover.backend.kernels.wide import load
from prover.backend.kernels.windows import window_bits

Array = np.ndarray[Any, Any]
sub, zero = BASE.sub, BASE.zero
BITS, WINDOWS = 4, 64  # signed digits of scalars below 2^254 plus the shift, which is below 2^256
FIXED_BITS, FIXED_WINDOWS = 8, 32


@kernel
def _multiple(bases: Array, i: int, shifted: Array, table: Array, out: Array) -> None:
    """out_i, extended, = scalar_i times base i; table: scratch for 1 to 8 times the base."""
    x, y = load(bases, 2 * i), load(bases, 2 * i + 1)
    point = add_affine((zero(), zero(), zero(), zero()), x, y)
    for k in range(1 << (BITS - 1)):
        store_extended(table, k, point)
        point = add_affine(point, x, y)
    total = zero(), zero(), zero(), zero()
    for window in range(WINDOWS - 1, -1, -1):
        for _ in range(BITS):
            total = double(total)
        d = window_bits(shifted, i, BITS, window) - (1 << (BITS - 1))
        if d != 0:
            px, py, zz, zzz = load_extended(table, abs(d) - 1)
            total = add_extended(total, (px, sub(zero(), py) if d < 0 else py, zz, zzz))
    store_extended(out, i, total)


@kernel
def multiply_points(bases: Array, shifted: Array, out: Array, start: int, stop: int) -> None:
    """out_i = scalar_i * base_i, affine, for scalars shifted for BITS-bit windows."""
    count = stop - start
    extended, scratch = np.empty(16 * count, np.uint64), np.empty(4 * count, np.uint64)
    table = np.empty(16 << (BITS - 1), np.uint64)
    for i in range(count):
        _multiple(bases[8 * start :], i, shifted[4 * start :], table, extended)
    normalize(extended, scratch, out[8 * start :], 0, count)


@kernel
def fixed_entries(shifted: Array, edges: Array, entries: Array, start: int, stop: int) -> None:
    """Which points of the table, 2^(8w) * d at index 128 w + d - 1, add up to scalar i: group i - start."""
    position = edges[0] = 0
    for i in range(start, stop):
        for window in range(FIXED_WINDOWS):
            d = window_bits(shifted, i, FIXED_BITS, window) - (1 << (FIXED_BITS - 1))
            if d != 0:
                entries[position] = 2 * ((window << (FIXED_BITS - 1)) + abs(d) - 1) + (1 if d < 0 else 0)
                position += 1
        edges[i - start + 1] = position
