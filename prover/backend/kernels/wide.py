"""256-bit values in Numba: the type `element`, its memory accesses, and LLVM code for arithmetic mod a prime."""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

LIMBS = 4
MASK = (1 << 64) - 1
I64, I128, I256 = (ir.IntType(bits) for bits in (64, 128, 256))

intrinsic: Any = extending.intrinsic  # called from compiled code, without the context argument of its definition


class ElementType(types.Type):
    """Four limbs as one LLVM i256."""

    def __init__(self) -> None:
        super().__init__(name="Element256")


element = ElementType()


@extending.register_model(ElementType)
class ElementModel(extending.models.PrimitiveModel):
    """In registers and on the stack: the integer itself."""

    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, I256)


def _aligned(builder: Any, instruction: Any) -> Any:
    instruction.align = 8
    return instruction


def _slot(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """The address of element args[1] of the uint64 array (or at the integer address) args[0]."""
    index = context.cast(builder, args[1], signature.args[1], types.int64)
    if isinstance(signature.args[0], types.Array):
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=args[0]).data
        base = builder.bitcast(data, I256.as_pointer())
    else:
        base = builder.inttoptr(args[0], I256.as_pointer())
    offset = builder.shl(index, ir.Constant(I64, 5))
    address = builder.add(builder.ptrtoint(base, I64), offset)
    return builder.inttoptr(address, I256.as_pointer())


@intrinsic
def load(typing: Any, memory: Any, index: Any) -> Any:
    """Element `index` of a contiguous uint64 array, or at an address given as uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _aligned(builder, builder.load(_slot(context, builder, signature, args)))

    return element(memory, index), generate


@intrinsic
def store(typing: Any, memory: Any, index: Any, value: Any) -> Any:
    """Writes where `load` reads."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _aligned(builder, builder.store(args[2], _slot(context, builder, signature, args)))
        return context.get_dummy_value()

    return types.none(memory, index, element), generate


@intrinsic
def is_zero(typing: Any, x: Any) -> Any:
    """Whether all limbs are zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("==", args[0], ir.Constant(I256, 0))

    return types.boolean(element), generate


@intrinsic
def less(typing: Any, x: Any, y: Any) -> Any:
    """Whether x < y as 256-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("<", args[0], args[1])

    return types.boolean(element, element), generate


@intrinsic
def wrapping_add(typing: Any, x: Any, y: Any) -> Any:
    """x + y mod 2^256."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.add(args[0], args[1])

    return element(element, element), generate


@intrinsic
def from_word(typing: Any, word: Any) -> Any:
    """The integer of a uint64, or of an int64 modulo 2^256."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return (builder.sext if signature.args[0].signed else builder.zext)(args[0], I256)

    return element(word), generate


@intrinsic
def reverse_bits(typing: Any, x: Any, bits: Any) -> Any:
    """The low `bits` bits of x in reverse; the others of x are zero, and bits >= 1."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.lshr(builder.bitreverse(args[0]), builder.sub(ir.Constant(I64, 64), args[1]))

    return types.int64(types.int64, types.int64), generate


def subtract_once(builder: Any, value: Any, modulus: int) -> Any:
    """value mod modulus for value < 2 * modulus."""
    m = ir.Constant(I256, modulus)
    return builder.select(builder.icmp_unsigned("<", value, m), value, builder.sub(value, m))


def emit_add(builder: Any, x: Any, y: Any, modulus: int) -> Any:
    """x + y; no carry leaves 256 bits since 2 * modulus < 2^256."""
    return subtract_once(builder, builder.add(x, y), modulus)


def emit_sub(builder: Any, x: Any, y: Any, modulus: int) -> Any:
    """x - y, plus the modulus after a borrow."""
    borrow = builder.icmp_unsigned("<", x, y)
    correction = builder.select(borrow, ir.Constant(I256, modulus), ir.Constant(I256, 0))
    return builder.add(builder.sub(x, y), correction)


def emit_mul(builder: Any, x: Any, y: Any, modulus: int, extra_bits: int) -> Any:
    """x * y / 2^(256 + extra_bits); canonical for y < modulus and any x, as 4 modulus < 2^256."""
    return emit_dot(builder, [(x, y)], modulus, extra_bits)


def emit_dot(builder: Any, pairs: list[tuple[Any, Any]], modulus: int, extra_bits: int) -> Any:
    """The sum of x * y over at most four pairs, / 2^(256 + extra_bits): Montgomery's product by words (CIOS), reduced
    once for all.

    With the modulus m < 0.19 * 2^256 and k <= 4 pairs, the sum is below (k + 1) m < 2^256 between words, below
    (k + 1) m (2^64 + 1) < 2^320 within one, and below (1 + 0.19 k) m < 2 m at the end.
    """

    def wide(value: Any) -> Any:
        return builder.zext(value, I128)

    def halves(value: Any) -> tuple[Any, Any]:
        return builder.trunc(value, I64), builder.trunc(builder.lshr(value, ir.Constant(I128, 64)), I64)

    def limb(value: Any, k: int) -> Any:
        return builder.trunc(builder.lshr(value, ir.Constant(I256, 64 * k)), I64)

    # Each 128-bit sum below is at most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1.
    def add_product(words: list[Any], factor: Any, sums: list[Any]) -> Any:
        """sums += words * factor; the carry out of the last word."""
        carry: Any = ir.Constant(I64, 0)
        for j in range(LIMBS):
            product = builder.add(builder.mul(wide(words[j]), wide(factor)), wide(sums[j]))
            sums[j], carry = halves(builder.add(product, wide(carry)))
        return carry

    negated_inverse = ir.Constant(I64, -pow(modulus, -1, 1 << 64) & MASK)
    modulus_words = [ir.Constant(I64, modulus >> 64 * k & MASK) for k in range(LIMBS)]
    limbs = [([limb(x, k) for k in range(LIMBS)], [limb(y, k) for k in range(LIMBS)]) for x, y in pairs]
    total: list[Any] = [ir.Constant(I64, 0)] * LIMBS
    for i in range(LIMBS):
        top: Any = ir.Constant(I64, 0)
        for x_words, y_words in limbs:
            top = builder.add(top, add_product(x_words, y_words[i], total))
        quotient = builder.mul(total[0], negated_inverse)
        carry = add_product(modulus_words, quotient, total)  # total[0] is now zero
        total = [*total[1:], builder.add(top, carry)]
    value = builder.zext(total[0], I256)
    for k in range(1, LIMBS):
        value = builder.or_(value, builder.shl(builder.zext(total[k], I256), ir.Constant(I256, 64 * k)))
    return subtract_once(builder, _divide(builder, value, extra_bits, modulus) if extra_bits else value, modulus)


def _divide(builder: Any, value: Any, bits: int, modulus: int) -> Any:
    """(value + q * modulus) / 2^bits, exact by the choice of q < 2^bits <= 2^60: below 2 modulus as value is."""
    wide = ir.IntType(320)
    factor = ir.Constant(I64, -pow(modulus, -1, 1 << bits) % (1 << bits))
    q = builder.and_(builder.mul(builder.trunc(value, I64), factor), ir.Constant(I64, (1 << bits) - 1))
    lifted = builder.add(builder.zext(value, wide), builder.mul(builder.zext(q, wide), ir.Constant(wide, modulus)))
    return builder.trunc(builder.lshr(lifted, ir.Constant(wide, bits)), I256)
