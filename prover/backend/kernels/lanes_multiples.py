"""Many points by a scalar each, eight at a time: windows over a table of 1 to 8 times each point, without branches."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.lanes import PLANAR_BYTES, V8, WIDTH, load_planar, read, splat, spread, store_planar
from prover.backend.kernels.lanes_additions import inverse8
from prover.backend.kernels.lanes_field import BASE8, choose
from prover.backend.kernels.lanes_points import (
    Projective,
    add_complete,
    double_complete,
    gather_points,
    scatter_points,
    select_points,
)
from prover.backend.kernels.multiples import BITS, WINDOWS
from prover.backend.kernels.wide import I64, intrinsic
from prover.backend.kernels.windows import window_bits

Array = np.ndarray[Any, Any]
mul, canonical, sub4, zero, one, is_zero = (
    BASE8.call_mul,
    BASE8.canonical,
    BASE8.sub4,
    BASE8.zero,
    BASE8.one,
    BASE8.is_zero,
)
HALF = 1 << (BITS - 1)
POINT_WORDS = 3 * PLANAR_BYTES // 8


@intrinsic
def _equals(typing: Any, numbers: Any, value: Any) -> Any:
    """Bit k is set where int64 k of the array is the value."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, args[0]).data
        vector = read(builder, builder.ptrtoint(base, I64), 0, V8)
        equal = builder.icmp_signed("==", vector, spread(builder, args[1]))
        return builder.zext(builder.bitcast(equal, ir.IntType(8)), I64)

    return types.int64(numbers, types.int64), generate


@intrinsic
def _negatives(typing: Any, numbers: Any) -> Any:
    """Bit k is set where int64 k of the array is negative."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, args[0]).data
        negative = builder.icmp_signed("<", read(builder, builder.ptrtoint(base, I64), 0, V8), splat(0))
        return builder.zext(builder.bitcast(negative, ir.IntType(8)), I64)

    return types.int64(numbers), generate


@kernel
def _load(memory: Array, i: int) -> Projective:
    return load_planar(memory, 3 * i), load_planar(memory, 3 * i + 1), load_planar(memory, 3 * i + 2)


@kernel
def _store(memory: Array, i: int, p: Projective) -> None:
    store_planar(memory, 3 * i, p[0])
    store_planar(memory, 3 * i + 1, p[1])
    store_planar(memory, 3 * i + 2, p[2])


@kernel
def _multiples(bases: Array, indices: Array, shifted: Array, table: Array) -> Projective:
    """The scalars times the eight points at `indices`; table: scratch for HALF projective points."""
    x, y = gather_points(bases, indices, 0)
    infinite = is_zero(x) & is_zero(y)
    infinity = zero(), one(), zero()
    base = select_points(infinite, infinity, (x, y, one()))
    point = base
    for k in range(HALF):
        _store(table, k, point)
        point = add_complete(point, base)
    digits, magnitudes = np.empty(WIDTH, np.int64), np.empty(WIDTH, np.int64)
    total = infinity
    for window in range(WINDOWS - 1, -1, -1):
        for _ in range(BITS):
            total = double_complete(total)
        for lane in range(WIDTH):
            digits[lane] = window_bits(shifted, indices[lane], BITS, window) - HALF
            magnitudes[lane] = abs(digits[lane])
        chosen = infinity
        for k in range(HALF):
            chosen = select_points(_equals(magnitudes, k + 1), _load(table, k), chosen)
        cx, cy, cz = chosen
        total = add_complete(total, (cx, choose(_negatives(digits), sub4(zero(), cy), cy), cz))
    return total


@kernel
def _indices(g: int, start: int, stop: int, indices: Array) -> None:
    """Those of group g of [start, stop); the last group ends at `stop`, and may meet the one before it."""
    for lane in range(WIDTH):
        indices[lane] = min(start + WIDTH * g, stop - WIDTH) + lane


@kernel
def _normalize(points: Array, groups: int, out: Array, start: int, stop: int) -> None:
    """Affine points from projective ones, by groups, with one inversion."""
    products, indices = np.empty(PLANAR_BYTES // 8 * groups, np.uint64), np.empty(WIDTH, np.uint32)
    running = one()
    for g in range(groups):
        z = canonical(mul(load_planar(points, 3 * g + 2), one()))
        store_planar(points, 3 * g + 2, z)
        store_planar(products, g, running)
        running = mul(running, choose(is_zero(z), one(), z))
    running = inverse8(running, np.empty(32, np.uint64))
    for g in range(groups - 1, -1, -1):
        x, y, z = _load(points, g)
        infinite = is_zero(z)
        inverted = mul(running, load_planar(products, g))
        running = mul(running, choose(infinite, one(), z))
        x, y = canonical(mul(x, inverted)), canonical(mul(y, inverted))
        _indices(g, start, stop, indices)
        scatter_points(out, indices, 0, choose(infinite, zero(), x), choose(infinite, zero(), y))


@kernel
def multiply_points(bases: Array, shifted: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one, for at least eight points. out is not bases."""
    groups = (stop - start + WIDTH - 1) // WIDTH
    table, points = np.empty(POINT_WORDS * HALF, np.uint64), np.empty(POINT_WORDS * groups, np.uint64)
    indices = np.empty(WIDTH, np.uint32)
    for g in range(groups):
        _indices(g, start, stop, indices)
        _store(points, g, _multiples(bases, indices, shifted, table))
    _normalize(points, groups, out, start, stop)


@kernel
def double_points(bases: Array, times: int, out: Array, start: int, stop: int) -> None:
    """out_i = 2^times * base_i, for at least eight points. out is not bases."""
    groups = (stop - start + WIDTH - 1) // WIDTH
    points, indices = np.empty(POINT_WORDS * groups, np.uint64), np.empty(WIDTH, np.uint32)
    for g in range(groups):
        _indices(g, start, stop, indices)
        x, y = gather_points(bases, indices, 0)
        point = select_points(is_zero(x) & is_zero(y), (zero(), one(), zero()), (x, y, one()))
        for _ in range(times):
            point = double_complete(point)
        _store(points, g, point)
    _normalize(points, groups, out, start, stop)
