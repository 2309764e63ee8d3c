"""The number-theoretic transform: decimation in frequency, two levels at a time, then the permutation to natural order.

Twiddles are one table for all sizes: twiddles[h + j] = w_{2h}^j for j < h, h a power of two.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.wide import load, reverse_bits, store

Array = np.ndarray[Any, Any]
add, sub, mul = SCALAR.add, SCALAR.sub, SCALAR.mul

IN_CACHE = 1 << 14  # elements of a block that is finished before the next is touched


@kernel
def butterflies(values: Array, twiddles: Array, base: int, size: int, start: int, stop: int) -> None:
    """Levels `size` and `size / 2` of the block [base, base + size), for j in [start, stop) of its quarter."""
    q = size // 4
    for j in range(start, stop):
        i = base + j
        x0, x1, x2, x3 = load(values, i), load(values, i + q), load(values, i + 2 * q), load(values, i + 3 * q)
        w = load(twiddles, q + j)
        y0, y1 = add(x0, x2), add(x1, x3)
        store(values, i, add(y0, y1))
        store(values, i + q, mul(sub(y0, y1), w))
        y2 = mul(sub(x0, x2), load(twiddles, 2 * q + j))
        y3 = mul(sub(x1, x3), load(twiddles, 3 * q + j))
        store(values, i + 2 * q, add(y2, y3))
        store(values, i + 3 * q, mul(sub(y2, y3), w))


@kernel
def last_levels(values: Array, twiddles: Array, base: int, size: int, width: int) -> None:
    """Finishes blocks of `width` 4 or 2, whose twiddles are 1 but for one square root of -1."""
    root = load(twiddles, 3)
    if width == 4:
        for i in range(base, base + size, 4):
            x0, x1, x2, x3 = load(values, i), load(values, i + 1), load(values, i + 2), load(values, i + 3)
            y0, y1, y2, y3 = add(x0, x2), add(x1, x3), sub(x0, x2), mul(sub(x1, x3), root)
            store(values, i, add(y0, y1))
            store(values, i + 1, sub(y0, y1))
            store(values, i + 2, add(y2, y3))
            store(values, i + 3, sub(y2, y3))
    else:
        for i in range(base, base + size, 2):
            x0, x1 = load(values, i), load(values, i + 1)
            store(values, i, add(x0, x1))
            store(values, i + 1, sub(x0, x1))


@kernel
def transform_block(values: Array, twiddles: Array, base: int, size: int) -> None:
    """The transform of [base, base + size) in place, bit-reversed out; sizes are powers of two."""
    width = size
    while width > IN_CACHE:
        for first in range(base, base + size, width):
            butterflies(values, twiddles, first, width, 0, width // 4)
        width //= 4
    for first in range(base, base + size, width):
        inner = width
        while inner > 4:
            for block in range(first, first + width, inner):
                butterflies(values, twiddles, block, inner, 0, inner // 4)
            inner //= 4
        if inner > 1:
            last_levels(values, twiddles, first, width, inner)


@kernel
def natural_order(values: Array, out: Array, bits: int, backward: bool, start: int, stop: int) -> None:
    """out_i = values at the bit reversal of i, or of -i mod n: the inverse transform but for 1/n."""
    n = 1 << bits
    for i in range(start, stop):
        source = (n - i) & (n - 1) if backward else i
        store(out, i, load(values, reverse_bits(source, bits)))
