"""Multiplication of eight elements by fixed factors: Shoup's method, with the quotient known beforehand to 260 bits.

For a factor w < m let w' = floor(w B / m), B = 2^260. For x < B and an integer q below x w' / B by less than 1.01, the
residue x w - q m lies between 0 and 2.03 m: so it is known from its value mod B, and two low halves of products and one
high half do the work of two whole products. Results are not carried: `open` elements are residues mod B spread over
limbs of up to 57 bits with a sign, and `close` carries them before the next multiplication. They are moved down by m,
so that x + y w and x - y w grow alike. Bounds are in multiples of m; B is more than 84 m.

A table of factors has 80 words for each eight: w' and then w, by limb.
Source: D. Harvey, "Faster arithmetic for number-theoretic transforms" (2014), sections 1 and 3.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from circuits.field import MODULUS
from prover.backend.kernels.lanes import (
    BITS,
    I32,
    LIMBS,
    MASK,
    WIDTH,
    address,
    lanes,
    pack,
    read,
    shuffle,
    splat,
    spread,
    to_limbs,
    transpose,
    unpack,
    write,
)
from prover.backend.kernels.lanes_field import emit_mul, emit_subtract_once, limbs_of, multiply_add
from prover.backend.kernels.wide import I64, intrinsic

BASE = 1 << BITS * LIMBS
GROUP_BYTES = 2 * LIMBS * WIDTH * 8
NEGATED = limbs_of(BASE - MODULUS)
TOP = BITS * (LIMBS - 1)
RECIPROCAL_BITS = 97
RECIPROCAL = (1 << RECIPROCAL_BITS) // ((MODULUS >> TOP) + 1)  # below 2^52


def emit_carried(builder: Any, limbs: list[Any]) -> list[Any]:
    """The residue mod B in the low 52 bits of each limb, as the multiplier takes it; above them it is undefined."""
    result, pending = [], None
    for limb in limbs:
        total = limb if pending is None else builder.add(limb, pending)
        result.append(total)
        pending = builder.ashr(total, splat(BITS))
    return result


def emit_close(builder: Any, limbs: list[Any]) -> list[Any]:
    """Limbs of 52 bits of the residue mod B."""
    return [builder.and_(limb, splat(MASK)) for limb in emit_carried(builder, limbs)]


def emit_times(builder: Any, x: list[Any], factor: list[Any]) -> list[Any]:
    """x w less m, open, between -1 and 1.03; x is carried, factor is w' and w.

    q is floor(x w' / B) or one less, from the columns of the product from 4 on: those below sum to less than 2^212.
    Words go to sums that do not wait for each other, as far as there are registers.
    """
    low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
    total: list[Any] = [splat(limb) for limb in NEGATED]
    upper: list[Any] = [splat(0)] * LIMBS
    columns: list[Any] = [splat(0)] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(LIMBS - 1 - i, LIMBS):
            columns[i + j] = low(columns[i + j], x[j], factor[i])
        for j in range(LIMBS - i):
            total[i + j] = low(total[i + j], x[j], factor[LIMBS + i])
        for j in range(max(0, LIMBS - 2 - i), LIMBS):
            columns[i + j + 1] = high(columns[i + j + 1], x[j], factor[i])
        for j in range(LIMBS - 1 - i):
            total[i + j + 1] = high(total[i + j + 1], x[j], factor[LIMBS + i])
    q = emit_carried(builder, columns[LIMBS - 1 :])[1:]
    for i in range(LIMBS):
        for j in range(LIMBS - i):
            total[i + j] = low(total[i + j], q[i], splat(NEGATED[j]))
        for j in range(LIMBS - 1 - i):
            upper[i + j + 1] = high(upper[i + j + 1], q[i], splat(NEGATED[j]))
    return [total[0], *(builder.add(total[k], upper[k]) for k in range(1, LIMBS))]


@intrinsic
def times(typing: Any, x: Any, table: Any, index: Any) -> Any:
    """An open x, from 0 to 84 m, times factor `index` of a table in all lanes; bounds as for `emit_times`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        k = context.cast(builder, args[2], signature.args[2], types.int64)
        group = builder.mul(builder.ashr(k, ir.Constant(I64, 3)), ir.Constant(I64, GROUP_BYTES))
        lane = builder.shl(builder.and_(k, ir.Constant(I64, WIDTH - 1)), ir.Constant(I64, 3))
        where = builder.add(address(context, builder, signature, args, 0, 1), builder.add(group, lane))
        factor = [spread(builder, read(builder, where, 64 * i, I64)) for i in range(2 * LIMBS)]
        return pack(builder, emit_times(builder, emit_carried(builder, unpack(builder, args[0])), factor))

    return lanes(lanes, table, index), generate


@intrinsic
def times8(typing: Any, x: Any, table: Any, index: Any) -> Any:
    """A closed x times the eight factors of group `index` of a table; bounds as for `emit_times`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, GROUP_BYTES, 1)
        factor = [read(builder, where, 64 * i) for i in range(2 * LIMBS)]
        return pack(builder, emit_times(builder, unpack(builder, args[0]), factor))

    return lanes(lanes, table, index), generate


@intrinsic
def close(typing: Any, x: Any) -> Any:
    """Carries an open element; x is at least zero and below B."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return pack(builder, emit_close(builder, unpack(builder, args[0])))

    return lanes(lanes), generate


def _limbwise(emit: Callable[[Any, Any, Any], Any]) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(*(unpack(builder, value) for value in args), strict=True)
            return pack(builder, [emit(builder, p, q) for p, q in pairs])

        return lanes(lanes, lanes), generate

    return operation


def _raised(multiple: int) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            limbs = zip(unpack(builder, args[0]), limbs_of(multiple * MODULUS), strict=True)
            return pack(builder, [builder.add(limb, splat(k)) for limb, k in limbs])

        return lanes(lanes), generate

    return operation


plus, minus = _limbwise(lambda b, p, q: b.add(p, q)), _limbwise(lambda b, p, q: b.sub(p, q))
raise2, raise4, raise6 = _raised(2), _raised(4), _raised(6)


@intrinsic
def gather8(typing: Any, memory: Any, index: Any, stride: Any) -> Any:
    """Elements index, index + stride, ..., index + 7 stride of an array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, 32)
        step = builder.mul(context.cast(builder, args[2], signature.args[2], types.int64), ir.Constant(I64, 32))
        half = ir.VectorType(I64, 4)
        halves = []
        for _ in range(8):
            halves.append(read(builder, where, 0, half))
            where = builder.add(where, step)
        pairs = [shuffle(builder, halves[2 * k], halves[2 * k + 1], list(range(8))) for k in range(4)]
        return pack(builder, to_limbs(builder, transpose(builder, pairs)))

    return lanes(memory, index, stride), generate


def emit_low_half(builder: Any, x: list[Any], y: list[int]) -> list[Any]:
    """x y mod B, open, for a constant y."""
    low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
    total: list[Any] = [splat(0)] * LIMBS
    for i in range(LIMBS):
        for j in range(LIMBS - i):
            total[i + j] = low(total[i + j], x[j], splat(y[i]))
        for j in range(LIMBS - 1 - i):
            total[i + j + 1] = high(total[i + j + 1], x[j], splat(y[i]))
    return total


def _prefetch(write: bool) -> Any:
    """Asks for the four lines of elements index to index + 7, into the second cache; it reads nothing."""

    @intrinsic
    def prefetch(typing: Any, memory: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(address(context, builder, signature, args, 32), ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
            function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
            for line in range(4):
                where = builder.gep(pointer, [ir.Constant(I64, 64 * line)])
                builder.call(function, [where, *(ir.Constant(I32, k) for k in (int(write), 2, 1))])
            return context.get_dummy_value()

        return types.none(memory, index), generate

    return prefetch


prefetch8, prefetch8_to_write = _prefetch(False), _prefetch(True)


@intrinsic
def store_factors(typing: Any, table: Any, index: Any, value: Any) -> Any:
    """Group `index` of a table, from canonical Montgomery forms W: w = W / B mod m, and w' = (w B - W) / m."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, GROUP_BYTES)
        form = unpack(builder, args[2])
        quotient = emit_close(builder, emit_low_half(builder, form, limbs_of(-pow(MODULUS, -1, BASE) % BASE)))
        plain = emit_mul(builder, form, [splat(limb) for limb in limbs_of(1)], MODULUS)
        plain = emit_subtract_once(MODULUS)(builder, plain)
        for k, limb in enumerate([*quotient, *plain]):
            write(builder, where, 64 * k, limb)
        return context.get_dummy_value()

    return types.none(table, index, lanes), generate


@intrinsic
def reduce(typing: Any, x: Any) -> Any:
    """Open x from 0 to 84 m, to closed and below 2 m: q = floor(x / m) or one less, from the top limb."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
        limbs = unpack(builder, args[0])
        top = emit_carried(builder, limbs)[-1]
        q = builder.lshr(high(splat(0), top, splat(RECIPROCAL)), splat(RECIPROCAL_BITS - BITS))
        total = [low(limbs[k], q, splat(NEGATED[k])) for k in range(LIMBS)]
        for k in range(LIMBS - 1):
            total[k + 1] = high(total[k + 1], q, splat(NEGATED[k]))
        return pack(builder, emit_close(builder, total))

    return lanes(lanes), generate
