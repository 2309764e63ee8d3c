"""The number-theoretic transform in eight lanes, natural order in and out, as two passes over memory: for
n = height * width, input i * width + j, output k + height * l (D. H. Bailey, "FFTs in external or hierarchical
memory", 1990).

Pass one takes eight columns j at a time and transforms each over i; pass two takes eight rows k and transforms over j.
So a factor of a level is the same in all lanes. The factors between, (w^k shift)^j, are split at j = step * a + b into
two small tables: `coarse` for pass one, `fine`, eight different ones at a time, for pass two.
Within a pass the elements lie in scratch memory, in bit-reversed order, open (`lanes_twiddles`), and go through
decimation in time: twiddles[h + j] = c^(length / 2h) w_{2h}^j for j < h, which is the transform on the coset c H.

Bounds, in multiples of m: scratch holds at least 1.9, at most 10.2 after the first levels, and 6.1 more after each
pair: below 47 for the 14 levels of a pass at 2^28, of the 84 that `close` allows.

`sizes` is: log2 of height, which is even, log2 of width, step, elements from row to row between the passes, elements
given (rounded down to eights), whether pass one is on a coset, and whether the last factors are to be used.
"""

from typing import Any

import numpy as np
from numba import extending

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.lanes import load8, load_all, load_planar, store8, store_planar
from prover.backend.kernels.lanes_field import SCALAR8
from prover.backend.kernels.lanes_twiddles import (
    close,
    gather8,
    minus,
    plus,
    prefetch8,
    prefetch8_to_write,
    raise2,
    raise4,
    raise6,
    reduce,
    store_factors,
    times,
    times8,
)
from prover.backend.kernels.wide import load, reverse_bits, store

Array = np.ndarray[Any, Any]
mul, canonical, product = SCALAR8.mul, SCALAR8.canonical, SCALAR.product

IN_CACHE = 64  # vectors of scratch that stay in the nearest cache
AHEAD = 2  # steps of a loop by which memory is asked for before its use, where the processor does not foresee it


@extending.register_jitable(inline="always")
def butterflies(x0, x1, x2, x3, twiddles, h, j):  # type: ignore[no-untyped-def]
    """Levels h and 2h of decimation in time."""
    y1, y3 = times(x1, twiddles, h + j), times(x3, twiddles, h + j)
    x0 = raise4(x0)
    t0, t1 = times(plus(x2, y3), twiddles, 2 * h + j), times(minus(x2, y3), twiddles, 3 * h + j)
    s0, s1 = plus(x0, y1), minus(x0, y1)
    return plus(s0, t0), plus(s1, t1), minus(s0, t0), minus(s1, t1)


@extending.register_jitable(inline="always")
def first_butterflies(x0, x1, x2, x3, twiddles):  # type: ignore[no-untyped-def]
    """Levels 1 and 2 where c = 1, for elements from -1 to 1.03: the only factor is w_4."""
    t0, t1 = plus(x2, x3), times(raise4(minus(x2, x3)), twiddles, 3)
    x0 = raise6(x0)
    s0, s1 = plus(x0, x1), minus(x0, x1)
    return plus(s0, t0), plus(s1, t1), minus(s0, t0), minus(s1, t1)


@extending.register_jitable(inline="always")
def load4(scratch, p, h):  # type: ignore[no-untyped-def]
    """Open elements p, p + h, p + 2h, p + 3h."""
    x0, x1 = load_planar(scratch, p), load_planar(scratch, p + h)
    return x0, x1, load_planar(scratch, p + 2 * h), load_planar(scratch, p + 3 * h)


@extending.register_jitable(inline="always")
def store4(scratch, p, h, y):  # type: ignore[no-untyped-def]
    """Writes where `load4` reads."""
    store_planar(scratch, p, y[0])
    store_planar(scratch, p + h, y[1])
    store_planar(scratch, p + 2 * h, y[2])
    store_planar(scratch, p + 3 * h, y[3])


@kernel
def level_pair(scratch: Array, twiddles: Array, first: int, last: int, h: int) -> None:
    """Levels h and 2h of scratch elements [first, last)."""
    for base in range(first, last, 4 * h):
        for j in range(h):
            x0, x1, x2, x3 = load4(scratch, base + j, h)
            store4(scratch, base + j, h, butterflies(x0, x1, x2, x3, twiddles, h, j))


@kernel
def levels(scratch: Array, twiddles: Array, length: int, h: int) -> int:
    """All levels from h on but the last two: those of a block that stays in cache, then the next. The h of the last."""
    block = min(IN_CACHE, length // 4)
    inner = h
    for first in range(0, length, block):
        inner = h
        while 4 * inner <= block:
            level_pair(scratch, twiddles, first, first + block, inner)
            inner *= 4
    while 4 * inner < length:
        level_pair(scratch, twiddles, 0, length, inner)
        inner *= 4
    return inner


@extending.register_jitable
def source(values: int, edge: int, whole: int, i: int) -> int:
    """The address of elements i to i + 7; from `whole` on, in the edge: it has eight zeros, then the last elements."""
    if i < whole:
        return values + 32 * i
    return edge + 256 if i == whole else edge


@kernel
def load_columns(values: Array, edge: Array, sizes: Array, twiddles: Array, scratch: Array, j: int) -> None:
    """Columns j to j + 7 into scratch, with the first two levels done."""
    bits, whole, coset, memory, rest = sizes[0], sizes[4], sizes[5], values.ctypes.data, edge.ctypes.data
    n = 1 << bits + sizes[1]
    half, quarter = n >> 1, n >> 2
    for p in range(0, 1 << bits, 4):
        later = (reverse_bits(p + 4 * AHEAD & (1 << bits) - 1, bits) << sizes[1]) + j
        for r in range(4):
            prefetch8(memory, later + r * quarter)
        i = (reverse_bits(p, bits) << sizes[1]) + j
        x0, x1 = load8(source(memory, rest, whole, i), 0), load8(source(memory, rest, whole, i + half), 0)
        x2 = load8(source(memory, rest, whole, i + quarter), 0)
        x3 = load8(source(memory, rest, whole, i + half + quarter), 0)
        if coset:
            store4(scratch, p, 1, butterflies(raise2(x0), x1, raise2(x2), x3, twiddles, 1, 0))
        else:
            store4(scratch, p, 1, first_butterflies(x0, x1, x2, x3, twiddles))


@kernel
def transform_columns(
    values: Array,
    edge: Array,
    sizes: Array,
    twiddles: Array,
    coarse: Array,
    scratch: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Pass one for columns 8 start to 8 stop: out[k stride + j] = coarse_{jk} sum over i of w^(ik) values[i width + j].

    The results lie between 0 and 3.1 m, as four words each.
    """
    length, step, stride = 1 << sizes[0], sizes[2], sizes[3]
    for j in range(8 * start, 8 * stop, 8):
        load_columns(values, edge, sizes, twiddles, scratch, j)
        h = levels(scratch, twiddles, length, 4)
        row = j // step * length
        for k in range(h):
            for r in range(4):
                prefetch8_to_write(out, (k + r * h + AHEAD) * stride + j)
            x0, x1, x2, x3 = load4(scratch, k, h)
            y0, y1, y2, y3 = butterflies(x0, x1, x2, x3, twiddles, h, k)
            store8(out, k * stride + j, close(raise2(times(y0, coarse, row + k))))
            store8(out, (k + h) * stride + j, close(raise2(times(y1, coarse, row + k + h))))
            store8(out, (k + 2 * h) * stride + j, close(raise2(times(y2, coarse, row + k + 2 * h))))
            store8(out, (k + 3 * h) * stride + j, close(raise2(times(y3, coarse, row + k + 3 * h))))


@kernel
def load_rows(values: Array, sizes: Array, twiddles: Array, fine: Array, scratch: Array, group: int) -> int:
    """Rows 8 group to 8 group + 7 into scratch, with the first one or two levels done; the next h."""
    bits, step, stride = sizes[1], sizes[2], sizes[3]
    half, quarter = 1 << bits >> 1, 1 << bits >> 2
    first, factor = 8 * group * stride, group * step
    if bits % 2:
        for p in range(0, 1 << bits, 2):
            j = reverse_bits(p, bits)
            x0 = raise4(times8(gather8(values, first + j, stride), fine, factor + j % step))
            x1 = times8(gather8(values, first + j + half, stride), fine, factor + j % step)
            store_planar(scratch, p, plus(x0, x1))
            store_planar(scratch, p + 1, minus(x0, x1))
        return 2
    for p in range(0, 1 << bits, 4):
        j = reverse_bits(p, bits)
        near, far = factor + j % step, factor + (j + quarter) % step
        x0 = times8(gather8(values, first + j, stride), fine, near)
        x1 = times8(gather8(values, first + j + half, stride), fine, near)
        x2 = times8(gather8(values, first + j + quarter, stride), fine, far)
        x3 = times8(gather8(values, first + j + half + quarter, stride), fine, far)
        store4(scratch, p, 1, first_butterflies(x0, x1, x2, x3, twiddles))
    return 4


@kernel
def transform_rows(
    values: Array,
    sizes: Array,
    twiddles: Array,
    fine: Array,
    last: Array,
    scratch: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """Pass two for rows 8 start to 8 stop: out[k + height l] = last_l sum over j of w^(jl) fine_{jk} values_{kj}."""
    length, height, scaled = 1 << sizes[1], 1 << sizes[0], sizes[6]
    for group in range(start, stop):
        h = levels(scratch, twiddles, length, load_rows(values, sizes, twiddles, fine, scratch, group))
        for i in range(h):
            x0, x1, x2, x3 = load4(scratch, i, h)
            y0, y1, y2, y3 = butterflies(x0, x1, x2, x3, twiddles, h, i)
            if scaled:
                y0, y1 = raise2(times(y0, last, i)), raise2(times(y1, last, i + h))
                y2, y3 = raise2(times(y2, last, i + 2 * h)), raise2(times(y3, last, i + 3 * h))
            place = i * height + 8 * group
            for r in range(4):
                prefetch8_to_write(out, place + (r * h + AHEAD) * height)
                prefetch8(values, (8 * group + 8 + i % 2 * 4 + r) * sizes[3] + i // 2 * 8)  # the next eight rows
            store8(out, place, canonical(reduce(y0)))
            store8(out, place + h * height, canonical(reduce(y1)))
            store8(out, place + 2 * h * height, canonical(reduce(y2)))
            store8(out, place + 3 * h * height, canonical(reduce(y3)))


@kernel
def factor_powers(ratios: Array, firsts: Array, out: Array, count: int, across: int, along: int) -> None:
    """Factors first * ratio^t for t < count: for eight ratios of group g at group across * g + along * t."""
    for g in range(len(ratios) // 32):
        ratio, value = load8(ratios, 8 * g), load8(firsts, 8 * g)
        for t in range(count):
            store_factors(out, across * g + along * t, canonical(value))
            value = mul(value, ratio)


@kernel
def powers(base: Array, first: Array, out: Array, start: int, stop: int) -> None:
    """out_start = first, and each next is the one before times base; four chains of eight hide the latency."""
    factor, value, whole = load(base, 0), load(first, 0), start + (stop - start) // 32 * 32
    for i in range(start, min(stop, start + 32)):
        store(out, i, value)
        value = product(value, factor)
    for _ in range(5):
        factor = product(factor, factor)
    jump = np.empty(4, np.uint64)
    store(jump, 0, factor)
    step = load_all(jump, 0)
    if whole > start:
        x0, x1, x2, x3 = load8(out, start), load8(out, start + 8), load8(out, start + 16), load8(out, start + 24)
        for i in range(start + 32, whole, 32):
            x0, x1, x2, x3 = mul(x0, step), mul(x1, step), mul(x2, step), mul(x3, step)
            store8(out, i, canonical(x0))
            store8(out, i + 8, canonical(x1))
            store8(out, i + 16, canonical(x2))
            store8(out, i + 24, canonical(x3))
        for i in range(whole, stop):
            store(out, i, product(load(out, i - 32), factor))
