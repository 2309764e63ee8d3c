"""Eight affine points of G1 at once: gathered from and scattered to memory, and added in complete projective formulas.

A point is eight words, x and y, as in all arrays of points; a planar point is its two planar coordinates.
"""

from typing import Any

from llvmlite import ir
from numba import types

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE_MODULUS, RADIX
from prover.backend.kernels.lanes import (
    WIDTH,
    address,
    lanes,
    pack,
    read,
    shuffle,
    splat,
    to_limbs,
    to_words,
    transpose,
    unpack,
    write,
)
from prover.backend.kernels.lanes_field import BASE8, choose, constant8
from prover.backend.kernels.wide import I64, intrinsic

add, sub, sub4, sub8, mul = BASE8.add, BASE8.sub, BASE8.sub4, BASE8.sub8, BASE8.call_mul
nine = constant8(9 * RADIX % BASE_MODULUS)
Projective = tuple[Any, Any, Any]

POINT_BYTES = 64
V4 = ir.VectorType(I64, 4)
I32 = ir.IntType(32)
EVEN, ODD = [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]
LOW, HIGH = [0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]
pair = types.UniTuple(lanes, 2)


def _transpose8(builder: Any, rows: list[Any]) -> list[Any]:
    """Word k of eight rows of eight words."""
    result: list[Any] = [None] * WIDTH
    for parity, pick in enumerate((EVEN, ODD)):
        pairs = [shuffle(builder, rows[2 * k], rows[2 * k + 1], pick) for k in range(4)]  # words parity + 0, 2, 4, 6
        for second, half in enumerate((LOW, HIGH)):
            a, b = (shuffle(builder, pairs[2 * k], pairs[2 * k + 1], half) for k in range(2))
            result[parity + 2 * second] = shuffle(builder, a, b, LOW)
            result[parity + 2 * second + 4] = shuffle(builder, a, b, HIGH)
    return result


def _offsets(builder: Any, where: Any) -> list[Any]:
    """Byte offsets of the points whose indices are eight uint32 at an address."""
    return [builder.shl(builder.zext(read(builder, where, 4 * k, I32), I64), ir.Constant(I64, 6)) for k in range(WIDTH)]


def _base(context: Any, builder: Any, signature: Any, args: Any, k: int) -> Any:
    """The address of argument k, an array or an address."""
    zero = ir.Constant(I64, 0)
    part = types.none(signature.args[k], types.int64)
    return address(context, builder, part, (args[k], zero), 1)


def _indices(context: Any, builder: Any, signature: Any, args: Any, k: int) -> Any:
    """The address of item args[k + 1] of the uint32 array args[k]."""
    part = types.none(signature.args[k], signature.args[k + 1])
    return address(context, builder, part, (args[k], args[k + 1]), 4)


@intrinsic
def gather_points(typing: Any, points: Any, indices: Any, position: Any) -> Any:
    """(x, y) of the points at indices[position] to indices[position + 7], uint32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = _base(context, builder, signature, args, 0)
        offsets = _offsets(builder, _indices(context, builder, signature, args, 1))
        words = _transpose8(builder, [read(builder, builder.add(base, offset), 0) for offset in offsets])
        x, y = (pack(builder, to_limbs(builder, words[k : k + 4])) for k in (0, 4))
        return context.make_tuple(builder, pair, (x, y))

    return pair(points, indices, position), generate


@intrinsic
def gather_x(typing: Any, points: Any, indices: Any, position: Any) -> Any:
    """x of the points at indices[position] to indices[position + 7]."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = _base(context, builder, signature, args, 0)
        offsets = _offsets(builder, _indices(context, builder, signature, args, 1))
        halves = [read(builder, builder.add(base, offset), 0, V4) for offset in offsets]
        order = ir.Constant(ir.VectorType(I32, 8), list(range(8)))
        rows = [builder.shuffle_vector(halves[2 * k], halves[2 * k + 1], order) for k in range(4)]
        return pack(builder, to_limbs(builder, transpose(builder, rows)))

    return lanes(points, indices, position), generate


@intrinsic
def scatter_points(typing: Any, points: Any, indices: Any, position: Any, x: Any, y: Any) -> Any:
    """Writes canonical coordinates where `gather_points` reads; lane 7 last, so that equal indices keep the last."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = _base(context, builder, signature, args, 0)
        offsets = _offsets(builder, _indices(context, builder, signature, args, 1))
        words = [*to_words(builder, unpack(builder, args[3])), *to_words(builder, unpack(builder, args[4]))]
        for offset, row in zip(offsets, _transpose8(builder, words), strict=True):
            write(builder, builder.add(base, offset), 0, row)
        return context.get_dummy_value()

    return types.none(points, indices, position, lanes, lanes), generate


@intrinsic
def sign_mask(typing: Any, signs: Any, position: Any) -> Any:
    """Bit k is set where the int32 at position + k is negative."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = read(builder, _indices(context, builder, signature, args, 0), 0, ir.VectorType(I32, 8))
        negative = builder.icmp_signed("<", vector, ir.Constant(ir.VectorType(I32, 8), [0] * 8))
        return builder.zext(builder.bitcast(negative, ir.IntType(8)), I64)

    return types.int64(signs, position), generate


@intrinsic
def equal_mask(typing: Any, x: Any, y: Any) -> Any:
    """Bit k is set where lane k of x and y are the same limbs."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(unpack(builder, args[0]), unpack(builder, args[1]), strict=True)
        different = [builder.xor(a, b) for a, b in pairs]
        joined = different[0]
        for limb in different[1:]:
            joined = builder.or_(joined, limb)
        equal = builder.icmp_unsigned("==", joined, splat(0))
        return builder.zext(builder.bitcast(equal, ir.IntType(8)), I64)

    return types.int64(lanes, lanes), generate


@intrinsic
def same_low_limb(typing: Any, x: Any, y: Any) -> Any:
    """Bit k is set where the lowest limbs of lane k are equal."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        equal = builder.icmp_unsigned("==", *(builder.extract_value(arg, 0) for arg in args))
        return builder.zext(builder.bitcast(equal, ir.IntType(8)), I64)

    return types.int64(lanes, lanes), generate


@intrinsic
def prefetch_point(typing: Any, points: Any, index: Any) -> Any:
    """Asks for the cache line of a point."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(address(context, builder, signature, args, POINT_BYTES), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), I32, I32, I32])
        function = builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
        builder.call(function, [pointer, *(ir.Constant(I32, k) for k in (0, 3, 1))])
        return context.get_dummy_value()

    return types.none(points, index), generate


@intrinsic
def copy_point(typing: Any, target: Any, k: Any, source: Any, i: Any) -> Any:
    """target_k = source_i, eight words."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = (types.none(*signature.args[j : j + 2]) for j in (0, 2))
        row = read(builder, address(context, builder, second, args[2:], POINT_BYTES), 0)
        write(builder, address(context, builder, first, args[:2], POINT_BYTES), 0, row)
        return context.get_dummy_value()

    return types.none(target, k, source, i), generate


@kernel
def add_complete(p: Projective, q: Projective) -> Projective:
    """P + Q on y^2 = x^3 + 3 in projective coordinates, infinity (0, 1, 0): Renes, Costello, Batina 2016, algorithm 7.

    Coordinates in and out are below 4m.
    """
    (x1, y1, z1), (x2, y2, z2) = p, q
    t0, t1, t2 = mul(x1, x2), mul(y1, y2), mul(z1, z2)  # below 2m
    t3 = sub4(mul(add(x1, y1), add(x2, y2)), add(t0, t1))  # x1 y2 + x2 y1, below 6m
    t4 = sub4(mul(add(y1, z1), add(y2, z2)), add(t1, t2))
    ty = sub4(mul(add(x1, z1), add(x2, z2)), add(t0, t2))
    t0 = add(add(t0, t0), t0)  # 3 x1 x2, below 6m
    t2 = _times_nine(t2)  # below 2m
    z3, t1 = add(t1, t2), sub(t1, t2)  # below 4m
    y3 = _times_nine(ty)
    x3 = sub(mul(t3, t1), mul(t4, y3))
    y3 = add(mul(y3, t0), mul(t1, z3))
    z3 = add(mul(z3, t4), mul(t0, t3))
    return x3, y3, z3


@kernel
def double_complete(p: Projective) -> Projective:
    """2P (algorithm 9); coordinates in and out are below 4m."""
    x, y, z = p
    yy, yz, zz = mul(y, y), mul(y, z), _times_nine(mul(z, z))  # below 2m
    two = add(yy, yy)
    eight = add(add(two, two), add(two, two))  # below 16m
    rest = sub8(yy, add(add(zz, zz), zz))  # below 10m
    x3 = mul(rest, mul(x, y))
    return add(x3, x3), add(mul(rest, add(yy, zz)), mul(zz, eight)), mul(yz, eight)


@kernel
def select_points(mask: int, p: Projective, q: Projective) -> Projective:
    """In each lane P where the bit of the mask is set, else Q."""
    return choose(mask, p[0], q[0]), choose(mask, p[1], q[1]), choose(mask, p[2], q[2])


@kernel
def _times_nine(x: Any) -> Any:
    """9x for x < 8m, below 2m."""
    return mul(x, nine())


@kernel
def add_affine_complete(p: Projective, x2: Any, y2: Any) -> Projective:
    """P + (x2, y2), which is not infinity (algorithm 8); x2, y2 below 2m."""
    x1, y1, z1 = p
    t0, t1 = mul(x1, x2), mul(y1, y2)
    t3 = sub4(mul(add(x2, y2), add(x1, y1)), add(t0, t1))
    t4 = add(mul(y2, z1), y1)  # below 6m
    ty = add(mul(x2, z1), x1)
    t0 = add(add(t0, t0), t0)
    t2 = _times_nine(z1)
    z3, t1 = add(t1, t2), sub(t1, t2)
    y3 = _times_nine(ty)
    x3 = sub(mul(t3, t1), mul(t4, y3))
    y3 = add(mul(y3, t0), mul(t1, z3))
    z3 = add(mul(z3, t4), mul(t0, t3))
    return x3, y3, z3
