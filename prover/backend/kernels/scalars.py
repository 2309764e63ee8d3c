"""Elementwise kernels over r: arrays of n elements (4n uint64), rows [start, stop)."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.wide import from_word, is_zero, load, store

Array = np.ndarray[Any, Any]
add, sub, mul, product, dot = SCALAR.add, SCALAR.sub, SCALAR.mul, SCALAR.product, SCALAR.dot
inverse, zero, one = SCALAR.inverse, SCALAR.zero, SCALAR.one
plain_one, radix_squared = SCALAR.plain_one, SCALAR.radix_squared


@kernel
def encode(plain: Array, out: Array, start: int, stop: int) -> None:
    """Into Montgomery form: integers below 2^256, reduced on the way."""
    factor = radix_squared()
    for i in range(start, stop):
        store(out, i, product(load(plain, i), factor))


@kernel
def decode(values: Array, out: Array, start: int, stop: int) -> None:
    """Out of Montgomery form: canonical integers."""
    factor = plain_one()
    for i in range(start, stop):
        store(out, i, product(load(values, i), factor))


@kernel
def encode_words(words: Array, signed: bool, out: Array, start: int, stop: int) -> None:
    """Into Montgomery form: uint64 words, two's complement where `signed`."""
    factor = radix_squared()
    for i in range(start, stop):
        word = words[i]
        negative = signed and word >> np.uint64(63) != np.uint64(0)
        value = product(from_word(np.uint64(0) - word if negative else word), factor)
        store(out, i, sub(zero(), value) if negative else value)


@kernel
def multiply(a: Array, b: Array, out: Array, start: int, stop: int) -> None:
    """out_i = a_i b_i; out may be a or b."""
    for i in range(start, stop):
        store(out, i, mul(load(a, i), load(b, i)))


@kernel
def combine(addresses: Array, lengths: Array, scalars: Array, out: Array, start: int, stop: int) -> None:
    """out_i = sum over k of scalars_k * vector_k[i]; vector k has lengths_k elements at addresses_k."""
    for first in range(start, stop, 256):  # a block stays in cache over all vectors
        last = min(first + 256, stop)
        for i in range(first, last):
            store(out, i, zero())
        k = 0
        while k < len(addresses):
            if k + 4 <= len(addresses) and np.min(lengths[k : k + 4]) >= last:
                a0, a1, a2, a3 = addresses[k], addresses[k + 1], addresses[k + 2], addresses[k + 3]
                four = load(scalars, k), load(scalars, k + 1), load(scalars, k + 2), load(scalars, k + 3)
                for i in range(first, last):
                    store(out, i, add(load(out, i), dot((load(a0, i), load(a1, i), load(a2, i), load(a3, i)), four)))
                k += 4
            else:
                scalar = load(scalars, k)
                for i in range(first, min(last, lengths[k])):
                    store(out, i, add(load(out, i), mul(load(addresses[k], i), scalar)))
                k += 1


@kernel
def invert(values: Array, out: Array, start: int, stop: int) -> bool:
    """out_i = 1 / values_i by Montgomery's trick; False, and nothing meant by out, for a zero. out is not values."""
    running = one()
    for i in range(start, stop):
        value = load(values, i)
        if is_zero(value):
            return False
        store(out, i, running)  # the product of all before i
        running = product(running, value)
    running = inverse(running)
    for i in range(stop - 1, start - 1, -1):
        store(out, i, product(load(out, i), running))
        running = product(running, load(values, i))
    return True


@kernel
def powers(base: Array, first: Array, out: Array, start: int, stop: int) -> None:
    """out_start = first, and each next is the one before times base."""
    factor, value = load(base, 0), load(first, 0)
    for i in range(start, stop):
        store(out, i, value)
        value = product(value, factor)


@kernel
def prefix_sums(values: Array, out: Array, n: int) -> None:
    """out_i = values_0 + ... + values_{i-1}."""
    total = zero()
    for i in range(n):
        value = load(values, i)
        store(out, i, total)
        total = add(total, value)
