"""Pippenger's windows, eight lanes wide: signed digits, and the weighted sum of buckets."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE, SCALAR
from prover.backend.kernels.lanes import (
    V8,
    WIDTH,
    address,
    load8,
    load_all,
    read,
    splat,
    spread,
    store8,
    transpose,
    write,
)
from prover.backend.kernels.lanes_field import BASE8, SCALAR8, constant8
from prover.backend.kernels.lanes_points import (
    Projective,
    add_affine_complete,
    add_complete,
    gather_points,
    select_points,
)
from prover.backend.kernels.points import add_extended, double, load_extended, store_extended
from prover.backend.kernels.wide import I64, intrinsic, load, store, wrapping_add
from prover.backend.kernels.windows import window_bits

Array = np.ndarray[Any, Any]
mul, canonical, zero, one, is_zero = BASE8.call_mul, BASE8.canonical, BASE8.zero, BASE8.one, BASE8.is_zero
scalar_zero = BASE.zero
plain_one8, mul_scalar, add_scalar = constant8(1), SCALAR8.mul, SCALAR8.add
plain_one, product = SCALAR.plain_one, SCALAR.product
V8I32 = ir.VectorType(ir.IntType(32), WIDTH)
DIGIT_GROUPS = 32  # integers at a time, by eight: their words stay in the L1 cache


@kernel
def shift_scalars(scalars: Array, rows: Array, shift: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one."""
    whole = start
    first = np.int64(rows[start]) if stop > start else 0
    if stop - start >= 8 and np.int64(rows[stop - 1]) - first == stop - 1 - start:  # rows ascend, so have no gaps
        whole = start + (stop - start) // 8 * 8
        added = load_all(shift, 0)
        for i in range(start, whole, 8):
            store8(out, i, add_scalar(mul_scalar(load8(scalars, first + i - start), plain_one8()), added))
    for i in range(whole, stop):
        store(out, i, wrapping_add(product(load(scalars, rows[i]), plain_one()), load(shift, 0)))


@intrinsic
def _split_words(typing: Any, values: Any, index: Any, scratch: Any) -> Any:
    """Five vectors at `scratch`: words 0 to 3 of integers index to index + 7, and zeros."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, 32)
        to = address(context, builder, types.none(signature.args[2], types.int64), (args[2], ir.Constant(I64, 0)), 1)
        for k, word in enumerate(transpose(builder, [read(builder, where, 64 * k) for k in range(4)])):
            write(builder, to, 64 * k, word)
        write(builder, to, 256, splat(0))
        return context.get_dummy_value()

    return types.none(values, index, scratch), generate


@intrinsic
def _digits8(typing: Any, scratch: Any, bits: Any, window: Any, bias: Any, out: Any, index: Any) -> Any:
    """out[index] to out[index + 7], int32: bits [bits * window, bits * (window + 1)) less the bias."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits, window, bias = args[1:4]
        position = builder.mul(bits, window)
        word = builder.lshr(position, ir.Constant(I64, 6))
        where = address(context, builder, types.none(signature.args[0], types.int64), (args[0], word), 64)
        shift = builder.module.declare_intrinsic("llvm.fshr.v8i64", (), ir.FunctionType(V8, [V8, V8, V8]))
        both = builder.call(shift, [read(builder, where, 64), read(builder, where, 0), spread(builder, position)])
        mask = builder.sub(builder.shl(ir.Constant(I64, 1), bits), ir.Constant(I64, 1))
        digit = builder.sub(builder.and_(both, spread(builder, mask)), spread(builder, bias))
        to = address(context, builder, types.none(*signature.args[4:]), args[4:], 4)
        write(builder, to, 0, builder.trunc(digit, V8I32))
        return context.get_dummy_value()

    return types.none(scratch, types.int64, types.int64, types.int64, out, index), generate


@kernel
def extract_digits(shifted: Array, shift: Array, bits: int, windows: int, out: Array, start: int, stop: int) -> None:
    """As the portable one."""
    count = len(shifted) // 4
    scratch = np.empty(40 * DIGIT_GROUPS, np.uint64)
    whole = start + (stop - start) // 8 * 8
    for first in range(start, whole, 8 * DIGIT_GROUPS):
        groups = min(DIGIT_GROUPS, (whole - first) // 8)
        for g in range(groups):
            _split_words(shifted, first + 8 * g, scratch[40 * g :])
        for window in range(windows):
            bias = window_bits(shift, 0, bits, window)
            for g in range(groups):
                _digits8(scratch[40 * g :], bits, window, bias, out, window * count + first + 8 * g)
    for window in range(windows):
        bias = window_bits(shift, 0, bits, window)
        for i in range(whole, stop):
            out[window * count + i] = window_bits(shifted, i, bits, window) - bias


@kernel
def _store_lanes(p: Projective, scratch: Array, out: Array, first: int) -> None:
    """Extended points first to first + 7 of `out`: x = X/Z becomes X Z / Z^2, y = Y/Z becomes Y Z^2 / Z^3."""
    x, y, z = p
    zz = mul(z, z)
    store8(scratch, 0, canonical(mul(x, z)))
    store8(scratch, 8, canonical(mul(y, zz)))
    store8(scratch, 16, canonical(zz))
    store8(scratch, 24, canonical(mul(zz, z)))
    for lane in range(8):
        parts = (load(scratch, lane), load(scratch, 8 + lane), load(scratch, 16 + lane), load(scratch, 24 + lane))
        store_extended(out, first + lane, parts)


@kernel
def _weigh_window(buckets: Array, first: int, half: int, lane_points: Array, scratch: Array) -> None:
    """lane_points: the sum of each lane's half / 8 buckets, and behind them their sums weighed from 1 up."""
    length = half // 8
    indices = np.empty(8, np.uint32)
    running = zero(), one(), zero()
    total = zero(), one(), zero()
    for t in range(length - 1, -1, -1):
        for lane in range(8):
            indices[lane] = first + lane * length + t
        x, y = gather_points(buckets, indices, 0)
        running = select_points(is_zero(x) & is_zero(y), running, add_affine_complete(running, x, y))
        total = add_complete(total, running)
    _store_lanes(running, scratch, lane_points, 0)
    _store_lanes(total, scratch, lane_points, 8)


@kernel
def weigh_buckets(buckets: Array, bits: int, windows: int, out: Array) -> None:
    """As the portable one, for at least eight buckets: a lane weighs an eighth of them, and is then moved to its
    place."""
    half = 1 << (bits - 1)
    lane_points, scratch = np.empty(16 * 16, np.uint64), np.empty(4 * 32, np.uint64)
    for w in range(windows):
        _weigh_window(buckets, w * half, half, lane_points, scratch)
        total = scalar_zero(), scalar_zero(), scalar_zero(), scalar_zero()
        above = total  # the sum of lane * S_lane, by running sums from the top
        for lane in range(7, 0, -1):
            total = add_extended(total, load_extended(lane_points, lane))
            above = add_extended(above, total)
        for _ in range(bits - 4):  # half / 8 buckets a lane
            above = double(above)
        for lane in range(8):
            above = add_extended(above, load_extended(lane_points, 8 + lane))
        store_extended(out, w, above)
