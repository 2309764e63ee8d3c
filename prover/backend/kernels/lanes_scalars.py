"""Elementwise kernels over r, eight elements at a time; what is left over goes to the portable kernels."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from circuits.field import MODULUS
from prover.backend.kernels import scalars as portable
from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import RADIX, SCALAR
from prover.backend.kernels.lanes import (
    BITS,
    LIMBS,
    MASK,
    V8,
    WIDTH,
    address,
    carry,
    lanes,
    load8,
    load_all,
    pack,
    read,
    splat,
    store8,
    unpack,
    write,
)
from prover.backend.kernels.lanes_field import (
    SCALAR8,
    choose,
    constant8,
    multiply_add,
    reduce_word,
    rotate1,
    rotate2,
    rotate4,
)
from prover.backend.kernels.wide import I64, intrinsic, load, store

Array = np.ndarray[Any, Any]
add, sub, mul, canonical, call_mul = SCALAR8.add, SCALAR8.sub, SCALAR8.mul, SCALAR8.canonical, SCALAR8.call_mul
zero, one, is_zero = SCALAR8.zero, SCALAR8.one, SCALAR8.is_zero
radix_squared, plain_one, two_to_64 = constant8(RADIX * RADIX % MODULUS), constant8(1), constant8(1 << 64)
inverse = SCALAR.inverse

WIDE_WORDS = 2 * LIMBS * WIDTH
GROUPS = 8  # of eight rows, whose sums stay in the L1 cache while `combine` goes over the vectors
TERMS = 64  # products to a sum before it is reduced: below 84 for its bound, below 400 for its 64-bit words


@intrinsic
def _multiply_add(typing: Any, sums: Any, group: Any, x: Any, y: Any) -> Any:
    """Adds the products x y, ten words of 52 bits and carries, to ten vectors of `sums`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, WIDE_WORDS * 8)
        low, high = multiply_add(builder, "l"), multiply_add(builder, "h")
        x, y = unpack(builder, args[2]), unpack(builder, args[3])
        total = [read(builder, where, 64 * k) for k in range(2 * LIMBS)]
        for i in range(LIMBS):
            for j in range(LIMBS):
                total[i + j] = low(total[i + j], x[j], y[i])
                total[i + j + 1] = high(total[i + j + 1], x[j], y[i])
        for k, word in enumerate(total):
            write(builder, where, 64 * k, word)
        return context.get_dummy_value()

    return types.none(sums, group, lanes, lanes), generate


@intrinsic
def _reduce(typing: Any, sums: Any, group: Any) -> Any:
    """The sum of at most TERMS products of canonical elements, / R, below 2m; the vectors of `sums` are cleared."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = address(context, builder, signature, args, WIDE_WORDS * 8)
        total = [read(builder, where, 64 * k) for k in range(2 * LIMBS)]
        for k in range(2 * LIMBS):
            write(builder, where, 64 * k, splat(0))
        for _ in range(LIMBS):
            total = reduce_word(builder, total[: LIMBS + 1], MODULUS) + total[LIMBS + 1 :]
        return pack(builder, carry(builder, total))

    return lanes(sums, group), generate


@kernel
def combine(addresses: Array, lengths: Array, scalars: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one."""
    whole = start + (stop - start) // 8 * 8
    sums, rest = np.zeros(WIDE_WORDS * GROUPS, np.uint64), np.empty(32, np.uint64)
    for first in range(start, whole, 8 * GROUPS):
        groups = min(GROUPS, (whole - first) // 8)
        for g in range(groups):
            store8(out, first + 8 * g, zero())
        for terms in range(0, len(addresses), TERMS):
            for k in range(terms, min(terms + TERMS, len(addresses))):
                scalar, length = load_all(scalars, k), lengths[k]
                for g in range(groups):
                    row = first + 8 * g
                    if row + 8 <= length:
                        _multiply_add(sums, g, load8(addresses[k], row), scalar)
                    elif row < length:
                        rest[:] = 0
                        for j in range(length - row):
                            store(rest, j, load(addresses[k], row + j))
                        _multiply_add(sums, g, load8(rest, 0), scalar)
            for g in range(groups):
                total = canonical(_reduce(sums, g))
                store8(out, first + 8 * g, canonical(add(total, load8(out, first + 8 * g))))
    portable.combine(addresses, lengths, scalars, out, whole, stop)


@kernel
def multiply(a: Array, b: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one."""
    whole = start + (stop - start) // 8 * 8
    for i in range(start, whole, 8):
        store8(out, i, canonical(mul(load8(a, i), load8(b, i))))
    portable.multiply(a, b, out, whole, stop)


@kernel
def encode(plain: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one: 2^256 < 6m."""
    whole = start + (stop - start) // 8 * 8
    for i in range(start, whole, 8):
        store8(out, i, canonical(mul(load8(plain, i), radix_squared())))
    portable.encode(plain, out, whole, stop)


@kernel
def decode(values: Array, out: Array, start: int, stop: int) -> None:
    """As the portable one: x + q m < R m + m, so the result is canonical."""
    whole = start + (stop - start) // 8 * 8
    for i in range(start, whole, 8):
        store8(out, i, mul(load8(values, i), plain_one()))
    portable.decode(values, out, whole, stop)


@intrinsic
def _load_words(typing: Any, words: Any, index: Any) -> Any:
    """Eight uint64 words as elements."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = read(builder, address(context, builder, signature, args, 8), 0)
        limbs = [builder.and_(vector, splat(MASK)), builder.lshr(vector, splat(BITS)), *[splat(0)] * 3]
        return pack(builder, limbs)

    return lanes(words, index), generate


@intrinsic
def _negative_words(typing: Any, words: Any, index: Any) -> Any:
    """Bit k is set where the top bit of word index + k is."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = read(builder, address(context, builder, signature, args, 8), 0)
        negative = builder.icmp_signed("<", vector, ir.Constant(V8, [0] * WIDTH))
        return builder.zext(builder.bitcast(negative, ir.IntType(8)), I64)

    return types.int64(words, index), generate


@kernel
def encode_words(words: Array, signed: bool, out: Array, start: int, stop: int) -> None:
    """As the portable one: a negative word is 2^64 more than its value."""
    whole = start + (stop - start) // 8 * 8
    for i in range(start, whole, 8):
        value = _load_words(words, i)
        if signed:
            negative = _negative_words(words, i)
            if negative:
                value = choose(negative, sub(value, two_to_64()), value)
        store8(out, i, canonical(mul(value, radix_squared())))
    portable.encode_words(words, signed, out, whole, stop)


@kernel
def invert(values: Array, out: Array, start: int, stop: int) -> bool:
    """As the portable one, by eight chains and one inversion for all."""
    whole = start + (stop - start) // 8 * 8
    if not portable.invert(values, out, whole, stop):
        return False
    running = one()
    for i in range(start, whole, 8):
        value = load8(values, i)
        if is_zero(value):
            return False
        store8(out, i, canonical(running))
        running = mul(running, value)
    running = inverse_of_lanes(running)
    for i in range(whole - 8, start - 1, -8):
        store8(out, i, canonical(mul(load8(out, i), running)))
        running = mul(running, load8(values, i))
    return True


@kernel
def inverse_of_lanes(x: Any) -> Any:
    """1/x in each lane, x not 0 and below 2m, with one scalar inversion."""
    scratch = np.empty(32, np.uint64)
    two = call_mul(x, rotate1(x))
    four = call_mul(two, rotate2(two))
    store8(scratch, 0, canonical(call_mul(four, rotate4(four))))
    store(scratch, 0, inverse(load(scratch, 0)))
    return call_mul(call_mul(call_mul(rotate1(x), rotate2(two)), rotate4(four)), load_all(scratch, 0))
