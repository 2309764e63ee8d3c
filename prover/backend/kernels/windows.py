"""Pippenger's windows: signed digits of shifted scalars, entries sorted into buckets, and the weighted sum of buckets.

A scalar s is held as s + K, K = sum of 2^(c-1) * 2^(cw) over windows w: a digit is c bits of s + K minus those of K.
Bucket d of window w, 1 <= d <= 2^(c-1), is group w * 2^(c-1) + d - 1.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE, SCALAR
from prover.backend.kernels.points import add_affine, add_extended, double, load_extended, normalize, store_extended
from prover.backend.kernels.wide import from_word, load, store, wrapping_add

Array = np.ndarray[Any, Any]
zero, product, plain_one = BASE.zero, SCALAR.product, SCALAR.plain_one


@kernel
def shift_scalars(scalars: Array, rows: Array, shift: Array, out: Array, start: int, stop: int) -> None:
    """out_i = canonical integer of scalars[rows_i], plus shift."""
    for i in range(start, stop):
        store(out, i, wrapping_add(product(load(scalars, rows[i]), plain_one()), load(shift, 0)))


@kernel
def shift_words(words: Array, rows: Array, signed: bool, shift: Array, out: Array, start: int, stop: int) -> None:
    """out_i = words[rows_i] + shift, words being uint64, in two's complement where `signed`."""
    for i in range(start, stop):
        word = words[rows[i]]
        value = from_word(np.int64(word)) if signed else from_word(word)
        store(out, i, wrapping_add(value, load(shift, 0)))


@kernel
def window_bits(values: Array, i: int, bits: int, window: int) -> Any:
    """Bits [bits * window, bits * (window + 1)) of integer i; those from 256 on are zero."""
    position = bits * window
    limb, offset = 4 * i + (position >> 6), np.uint64(position & 63)
    value = values[limb] >> offset
    if (position & 63) + bits > 64 and position >> 6 < 3:
        value |= values[limb + 1] << (np.uint64(64) - offset)
    return np.int64(value & np.uint64((1 << bits) - 1))


@kernel
def extract_digits(shifted: Array, shift: Array, bits: int, windows: int, out: Array, start: int, stop: int) -> None:
    """out[w * n + i], int32, = digit w of shifted integer i, for i in [start, stop) of all n."""
    count = len(shifted) // 4
    for window in range(windows):
        bias = window_bits(shift, 0, bits, window)
        for i in range(start, stop):
            out[window * count + i] = window_bits(shifted, i, bits, window) - bias


@kernel
def sort_digits(rows: Array, digits: Array, half: int, edges: Array, entries: Array) -> None:
    """Entries 2 * row + sign of the non-zero digits by group; digits: those of all rows for one window after another.

    Digit d of window w is in group w * half + |d| - 1; group g is entries [edges_g, edges_{g+1}).
    """
    edges[:] = 0
    count = len(rows)
    for first in range(0, len(digits), count):
        group = first // count * half
        for i in range(first, first + count):
            if digits[i] != 0:
                edges[group + abs(digits[i])] += 1
    heads = np.zeros(len(edges), np.int64)
    for g in range(1, len(edges)):
        heads[g] = edges[g - 1]  # of group g - 1; the others follow
        edges[g] += edges[g - 1]
    for first in range(0, len(digits), count):
        group = first // count * half
        for i in range(count):
            d = digits[first + i]
            if d != 0:
                g = group + abs(d)
                entries[heads[g]] = 2 * np.int64(rows[i]) + (1 if d < 0 else 0)
                heads[g] += 1


@kernel
def weigh_buckets(buckets: Array, bits: int, windows: int, out: Array) -> None:
    """out_w, extended, = sum of d * bucket_d of each window, by running sums from the top."""
    half = 1 << (bits - 1)
    for w in range(windows):
        running = zero(), zero(), zero(), zero()
        total = zero(), zero(), zero(), zero()
        for g in range(w * half + half - 1, w * half - 1, -1):
            running = add_affine(running, load(buckets, 2 * g), load(buckets, 2 * g + 1))
            total = add_extended(total, running)
        store_extended(out, w, total)


@kernel
def join_windows(sums: Array, bits: int, windows: int, parts: int, out: Array) -> None:
    """out_0, affine, = the sum of 2^(bits * w) * sums[part * windows + w] over windows and parts."""
    total = zero(), zero(), zero(), zero()
    for w in range(windows - 1, -1, -1):
        for _ in range(bits):
            total = double(total)
        for part in range(parts):
            total = add_extended(total, load_extended(sums, part * windows + w))
    extended, scratch = np.empty(16, np.uint64), np.empty(4, np.uint64)
    store_extended(extended, 0, total)
    normalize(extended, scratch, out, 0, 1)
