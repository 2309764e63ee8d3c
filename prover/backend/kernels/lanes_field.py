"""Arithmetic modulo a prime on eight elements at once, with R = 2^260 and reduction put off: `SCALAR8` and `BASE8`.

Bounds are in multiples of the modulus m < 2^254: R / m > 84, so `mul` takes x and y with x y < 84 m^2 and gives less
than 2 m; `add` and `sub` only carry. What is stored as elements must first be made canonical.
The multiplier is AVX-512 IFMA (Intel SDM, VPMADD52LUQ and VPMADD52HUQ): the low or high 52 bits of a 104-bit product
are added to a 64-bit sum, so that twenty products fit before a carry.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types

from circuits.field import MODULUS
from prover.backend.kernels.field import BASE_MODULUS
from prover.backend.kernels.lanes import BITS, LIMBS, MASK, V8, WIDTH, carry, lanes, pack, shuffle, splat, unpack
from prover.backend.kernels.wide import I64, intrinsic


class LaneField(NamedTuple):
    """Intrinsics over eight Montgomery forms."""

    add: Any  # x + y
    sub: Any  # x - y + 2m, for y <= 2m
    sub4: Any  # x - y + 4m, for y <= 4m
    sub8: Any
    sub16: Any
    difference: Any  # (mask, x, y): x - y + 2m, and -x - y + 2m where the mask is set, for x + y <= 2m
    mul: Any  # x y / R < 2m, for x y < 84 m^2
    square: Any
    call_mul: Any  # the same as a call: short code for long formulas
    halve_bound: Any  # x < 4m to below 2m
    halve8: Any  # x < 8m to below 4m
    canonical: Any  # x < 2m to below m
    zero: Any
    one: Any
    is_zero: Any  # 8 bits of a mask, one a lane: canonical x = 0


def make_lane_field(modulus: int, name: str) -> LaneField:
    """The intrinsics of one modulus below 2^254, odd."""
    radix = 1 << BITS * LIMBS
    sub, sub4, sub8, sub16 = (_binary(_emit_sub(modulus * k)) for k in (2, 4, 8, 16))
    canonical, halve_bound, halve8 = (_unary(emit_subtract_once(modulus * k)) for k in (1, 2, 4))
    return LaneField(
        add=_binary(lambda b, x, y: carry(b, [b.add(x[k], y[k]) for k in range(LIMBS)])),
        sub=sub,
        sub4=sub4,
        sub8=sub8,
        sub16=sub16,
        difference=_difference(modulus),
        mul=_binary(lambda b, x, y: emit_mul(b, x, y, modulus)),
        square=_unary(lambda b, x: emit_square(b, x, modulus)),
        call_mul=_called(f"zkmargin_mul8_{name}", modulus),
        halve_bound=halve_bound,
        halve8=halve8,
        canonical=canonical,
        zero=constant8(0),
        one=constant8(radix % modulus),
        is_zero=_is_zero,
    )


def limbs_of(value: int) -> list[int]:
    """The five limbs of an integer, the top one unbounded."""
    return [value >> BITS * k & MASK for k in range(LIMBS - 1)] + [value >> BITS * (LIMBS - 1)]


def _binary(emit: Callable[[Any, list[Any], list[Any]], list[Any]]) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, emit(builder, unpack(builder, args[0]), unpack(builder, args[1])))

        return lanes(lanes, lanes), generate

    return operation


def _unary(emit: Callable[[Any, list[Any]], list[Any]]) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, emit(builder, unpack(builder, args[0])))

        return lanes(lanes), generate

    return operation


def constant8(value: int) -> Any:
    """An intrinsic of no arguments: the integer in all lanes."""

    @intrinsic
    def constant(typing: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return pack(builder, [splat(limb) for limb in limbs_of(value)])

        return lanes(), generate

    return constant


def _emit_sub(multiple: int) -> Callable[..., list[Any]]:
    added = limbs_of(multiple)

    def emit(builder: Any, x: list[Any], y: list[Any]) -> list[Any]:
        return carry(builder, [builder.add(builder.sub(x[k], y[k]), splat(added[k])) for k in range(LIMBS)])

    return emit


def _difference(modulus: int) -> Any:
    added = limbs_of(2 * modulus)

    @intrinsic
    def difference(typing: Any, mask: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, y = unpack(builder, args[1]), unpack(builder, args[2])
            negative = mask_vector(builder, args[0])
            limbs = []
            for k in range(LIMBS):
                rest = builder.sub(splat(added[k]), y[k])
                limbs.append(builder.select(negative, builder.sub(rest, x[k]), builder.add(rest, x[k])))
            return pack(builder, carry(builder, limbs))

        return lanes(types.int64, lanes, lanes), generate

    return difference


def mask_vector(builder: Any, mask: Any) -> Any:
    """Eight bits of an int64 as a vector of booleans."""
    return builder.bitcast(builder.trunc(mask, ir.IntType(8)), ir.VectorType(ir.IntType(1), WIDTH))


def emit_subtract_once(multiple: int) -> Callable[..., list[Any]]:
    taken = limbs_of(multiple)

    def emit(builder: Any, x: list[Any]) -> list[Any]:
        lower = carry(builder, [builder.sub(x[k], splat(taken[k])) for k in range(LIMBS)])
        negative = builder.icmp_signed("<", lower[-1], splat(0))
        return [builder.select(negative, x[k], lower[k]) for k in range(LIMBS)]

    return emit


def multiply_add(builder: Any, half: str) -> Callable[[Any, Any, Any], Any]:
    """sum + the low or high 52 bits of x * y."""
    function = builder.module.declare_intrinsic(
        f"llvm.x86.avx512.vpmadd52{half}.uq.512", (), ir.FunctionType(V8, [V8, V8, V8])
    )
    return lambda total, x, y: builder.call(function, [total, x, y])


def reduce_word(builder: Any, total: list[Any], modulus: int) -> list[Any]:
    """(total + q * modulus) / 2^52, exact by the choice of q; total has one limb more than the result."""
    low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
    words = [splat(limb) for limb in limbs_of(modulus)]
    q = low(splat(0), total[0], splat(-pow(modulus, -1, 1 << BITS) & MASK))
    first = low(total[0], q, words[0])
    result = [*total[1:]]
    for k in range(1, LIMBS):
        result[k - 1] = low(result[k - 1], q, words[k])
    for k in range(LIMBS):
        result[k] = high(result[k], q, words[k])
    result[0] = builder.add(result[0], builder.lshr(first, splat(BITS)))
    return result


def emit_mul(builder: Any, x: list[Any], y: list[Any], modulus: int) -> list[Any]:
    """Montgomery's product by words of 52 bits; limbs of x and y below 2^52."""
    low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
    total: list[Any] = [splat(0)] * LIMBS
    for i in range(LIMBS):
        total = [*total, splat(0)]
        for j in range(LIMBS):
            total[j] = low(total[j], x[j], y[i])
        for j in range(LIMBS):
            total[j + 1] = high(total[j + 1], x[j], y[i])
        total = reduce_word(builder, total, modulus)
    return carry(builder, total)


def emit_square(builder: Any, x: list[Any], modulus: int) -> list[Any]:
    """As `emit_mul` of x by itself: products off the diagonal once, doubled."""
    low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
    total: list[Any] = [splat(0)] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(i + 1, LIMBS):
            total[i + j] = low(total[i + j], x[i], x[j])
            total[i + j + 1] = high(total[i + j + 1], x[i], x[j])
    total = [builder.add(word, word) for word in total]
    for i in range(LIMBS):
        total[2 * i] = low(total[2 * i], x[i], x[i])
        total[2 * i + 1] = high(total[2 * i + 1], x[i], x[i])
    low_part, high_part = total[:LIMBS], total[LIMBS:]
    for word in high_part:
        low_part = reduce_word(builder, [*low_part, word], modulus)
    return carry(builder, low_part)


def _called(name: str, modulus: int) -> Any:
    def function(module: Any) -> Any:
        found = module.globals.get(name)
        if found is not None:
            return found
        new = ir.Function(module, ir.FunctionType(ir.LiteralStructType([V8] * LIMBS), [V8] * (2 * LIMBS)), name)
        new.linkage = "linkonce_odr"
        new.attributes.add("noinline")
        new.attributes.add("nounwind")
        builder = ir.IRBuilder(new.append_basic_block())
        product = emit_mul(builder, list(new.args[:LIMBS]), list(new.args[LIMBS:]), modulus)
        result: Any = ir.Constant(new.function_type.return_type, ir.Undefined)
        for k, limb in enumerate(product):
            result = builder.insert_value(result, limb, k)
        builder.ret(result)
        return new

    @intrinsic
    def product(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            result = builder.call(function(builder.module), [*unpack(builder, args[0]), *unpack(builder, args[1])])
            return pack(builder, [builder.extract_value(result, k) for k in range(LIMBS)])

        return lanes(lanes, lanes), generate

    return product


@intrinsic
def _is_zero(typing: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        limbs = unpack(builder, args[0])
        joined = limbs[0]
        for limb in limbs[1:]:
            joined = builder.or_(joined, limb)
        mask = builder.bitcast(builder.icmp_unsigned("==", joined, splat(0)), ir.IntType(8))
        return builder.zext(mask, I64)

    return types.int64(lanes), generate


def _rotation(by: int) -> Any:
    @intrinsic
    def rotate(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            order = [(k + by) % WIDTH for k in range(WIDTH)]
            return pack(builder, [shuffle(builder, limb, limb, order) for limb in unpack(builder, args[0])])

        return lanes(lanes), generate

    return rotate


rotate1, rotate2, rotate4 = _rotation(1), _rotation(2), _rotation(4)


@intrinsic
def choose(typing: Any, mask: Any, x: Any, y: Any) -> Any:
    """In each lane x where the bit of the int64 mask is set, else y."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = mask_vector(builder, args[0])
        pairs = zip(unpack(builder, args[1]), unpack(builder, args[2]), strict=True)
        return pack(builder, [builder.select(bits, a, b) for a, b in pairs])

    return lanes(types.int64, lanes, lanes), generate


SCALAR8 = make_lane_field(MODULUS, "r")
BASE8 = make_lane_field(BASE_MODULUS, "p")
