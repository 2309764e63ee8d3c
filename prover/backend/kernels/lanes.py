"""Eight field elements side by side: limb k of all eight is one 512-bit vector, five limbs of 52 bits.

In memory an element stays four words of 64 bits, one element after the other; loads and stores transpose. A `planar`
element is what scratch memory holds: its five vectors as they are, 40 words for eight elements.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from prover.backend.kernels.wide import I64, intrinsic

WIDTH, LIMBS, BITS = 8, 5, 52
MASK = (1 << BITS) - 1
PLANAR_BYTES = LIMBS * WIDTH * 8
V8 = ir.VectorType(I64, WIDTH)
V5 = ir.ArrayType(V8, LIMBS)
I32 = ir.IntType(32)


class LanesType(types.Type):
    """Eight elements, by limb."""

    def __init__(self) -> None:
        super().__init__(name="Lanes8x5x52")


class WordsType(types.Type):
    """Eight 64-bit words."""

    def __init__(self) -> None:
        super().__init__(name="Words8")


lanes, words = LanesType(), WordsType()


@extending.register_model(LanesType)
class LanesModel(extending.models.PrimitiveModel):
    """In registers: five vectors."""

    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, V5)


@extending.register_model(WordsType)
class WordsModel(extending.models.PrimitiveModel):
    """In registers: one vector."""

    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, V8)


def splat(value: int) -> Any:
    """A vector of eight equal words."""
    return ir.Constant(V8, [value & (1 << 64) - 1] * WIDTH)


def unpack(builder: Any, value: Any) -> list[Any]:
    """The limbs of an element."""
    return [builder.extract_value(value, k) for k in range(LIMBS)]


def pack(builder: Any, limbs: list[Any]) -> Any:
    """The reverse of `unpack`."""
    value: Any = ir.Constant(V5, ir.Undefined)
    for k, limb in enumerate(limbs):
        value = builder.insert_value(value, limb, k)
    return value


def shuffle(builder: Any, a: Any, b: Any, indices: list[int]) -> Any:
    """Words of a (0 to 7) and b (8 to 15)."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(indices)), indices))


def carry(builder: Any, limbs: list[Any]) -> list[Any]:
    """Limbs of 52 bits but for the top one, from signed ones."""
    result = []
    pending: Any = None
    for k, limb in enumerate(limbs):
        total = limb if pending is None else builder.add(limb, pending)
        if k == LIMBS - 1:
            result.append(total)
        else:
            result.append(builder.and_(total, splat(MASK)))
            pending = builder.ashr(total, splat(BITS))
    return result


def to_limbs(builder: Any, w: list[Any]) -> list[Any]:
    """Five limbs of 52 bits from four words; for vectors and, given as i64, for one element."""

    def constant(value: int) -> Any:
        return splat(value) if w[0].type == V8 else ir.Constant(I64, value)

    def joined(low: Any, high: Any, shift: int) -> Any:
        both = builder.or_(builder.lshr(low, constant(shift)), builder.shl(high, constant(64 - shift)))
        return builder.and_(both, constant(MASK))

    return [
        builder.and_(w[0], constant(MASK)),
        joined(w[0], w[1], 52),
        joined(w[1], w[2], 40),
        joined(w[2], w[3], 28),
        builder.lshr(w[3], constant(16)),
    ]


def to_words(builder: Any, limbs: list[Any]) -> list[Any]:
    """Four words from five limbs of an integer below 2^256."""

    def joined(k: int, right: int, left: int) -> Any:
        low = limbs[k] if right == 0 else builder.lshr(limbs[k], splat(right))
        return builder.or_(low, builder.shl(limbs[k + 1], splat(left)))

    return [joined(0, 0, 52), joined(1, 12, 40), joined(2, 24, 28), joined(3, 36, 16)]


def transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Word k of all elements, from four vectors of two elements each."""
    result = []
    for first in (0, 2):
        pick = [first + 4 * j for j in range(4)] + [first + 1 + 4 * j for j in range(4)]
        low, high = shuffle(builder, rows[0], rows[1], pick), shuffle(builder, rows[2], rows[3], pick)
        result.append(shuffle(builder, low, high, [0, 1, 2, 3, 8, 9, 10, 11]))
        result.append(shuffle(builder, low, high, [4, 5, 6, 7, 12, 13, 14, 15]))
    return result


def untranspose(builder: Any, w: list[Any]) -> list[Any]:
    """The reverse of `transpose`."""
    low, high = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    rows = []
    for half in (low, high):
        p, q = shuffle(builder, w[0], w[1], half), shuffle(builder, w[2], w[3], half)
        rows.append(shuffle(builder, p, q, [0, 1, 8, 9, 2, 3, 10, 11]))
        rows.append(shuffle(builder, p, q, [4, 5, 12, 13, 6, 7, 14, 15]))
    return rows


def address(context: Any, builder: Any, signature: Any, args: Any, scale: int, first: int = 0) -> Any:
    """Byte address a + scale * b for arguments a, b from number `first` on; a is a uint64 array or an address."""
    (memory, kind), (start, number) = signature.args[first : first + 2], args[first : first + 2]
    index = context.cast(builder, number, kind, types.int64)
    if isinstance(memory, types.Array):
        base = builder.ptrtoint(cgutils.create_struct_proxy(memory)(context, builder, value=start).data, I64)
    else:
        base = context.cast(builder, start, memory, types.int64)
    return builder.add(base, builder.mul(index, ir.Constant(I64, scale)))


def read(builder: Any, where: Any, offset: int, kind: Any = V8) -> Any:
    """A value at a byte address, of unknown alignment but to words."""
    pointer = builder.inttoptr(builder.add(where, ir.Constant(I64, offset)), kind.as_pointer())
    loaded = builder.load(pointer)
    loaded.align = 8
    return loaded


def write(builder: Any, where: Any, offset: int, value: Any) -> None:
    """Writes where `read` reads."""
    pointer = builder.inttoptr(builder.add(where, ir.Constant(I64, offset)), value.type.as_pointer())
    builder.store(value, pointer).align = 8


@intrinsic
def load8(typing: Any, memory: Any, index: Any) -> Any:
    """Elements index to index + 7 of a contiguous uint64 array (or at an address)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, 32)
        rows = [read(builder, where, 64 * k) for k in range(4)]
        return pack(builder, to_limbs(builder, transpose(builder, rows)))

    return lanes(memory, index), generate


@intrinsic
def store8(typing: Any, memory: Any, index: Any, value: Any) -> Any:
    """Writes where `load8` reads; the value is canonical."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, 32)
        rows = untranspose(builder, to_words(builder, unpack(builder, args[2])))
        for k, row in enumerate(rows):
            write(builder, where, 64 * k, row)
        return context.get_dummy_value()

    return types.none(memory, index, lanes), generate


@intrinsic
def load_all(typing: Any, memory: Any, index: Any) -> Any:
    """Element `index` in all eight lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, 32)
        limbs = to_limbs(builder, [read(builder, where, 8 * k, I64) for k in range(4)])
        return pack(builder, [spread(builder, limb) for limb in limbs])

    return lanes(memory, index), generate


def spread(builder: Any, word: Any) -> Any:
    """A vector of eight equal words, from a value of the program."""
    vector = builder.insert_element(ir.Constant(V8, ir.Undefined), word, ir.Constant(I32, 0))
    return shuffle(builder, vector, vector, [0] * WIDTH)


@intrinsic
def load_planar(typing: Any, memory: Any, index: Any) -> Any:
    """Planar element `index` (of eight) of an array or at an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, PLANAR_BYTES)
        return pack(builder, [read(builder, where, 64 * k) for k in range(LIMBS)])

    return lanes(memory, index), generate


@intrinsic
def store_planar(typing: Any, memory: Any, index: Any, value: Any) -> Any:
    """Writes where `load_planar` reads; limbs of 52 bits, any bound."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, PLANAR_BYTES)
        for k, limb in enumerate(unpack(builder, args[2])):
            write(builder, where, 64 * k, limb)
        return context.get_dummy_value()

    return types.none(memory, index, lanes), generate
