"""Sums of points by bucket, streamed: at most one point to a bucket in a batch of additions.

Nothing is sorted, and only the buckets are touched at random: for many buckets and digits that differ.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.lanes_additions import BATCH, add_batch, copy_signed, repeat_last
from prover.backend.kernels.lanes_points import prefetch_point

Array = np.ndarray[Any, Any]
FEW = 64  # entries: sooner added in a pass each than sorted


@kernel
def _accumulate_once(
    bases: Array,
    rows: Array,
    digits: Array,
    count: int,
    buckets: Array,
    used: Array,
    batch: int,
    rest_rows: Array,
    rest_digits: Array,
) -> tuple[int, int]:
    """One pass: (how many entries are left for another pass, number of the last batch)."""
    products = np.empty(5 * BATCH, np.uint64)
    sources, targets, signs = np.empty(BATCH, np.uint32), np.empty(BATCH, np.uint32), np.empty(BATCH, np.int32)
    size = left = 0
    batch += 1
    for k in range(count):
        digit = digits[k]
        if digit == 0:
            continue
        row, bucket = rows[k], abs(digit) - 1
        state = used[bucket]
        if state == batch:
            rest_rows[left], rest_digits[left] = row, digit
            left += 1
        elif state == 0:
            used[bucket] = 1
            copy_signed(buckets, bucket, bases, row, digit < 0)
        else:
            used[bucket] = batch
            sources[size], targets[size], signs[size] = row, bucket, digit
            prefetch_point(buckets, bucket)
            prefetch_point(bases, row)
            size += 1
            if size == BATCH:
                add_batch(buckets, targets, bases, sources, signs, buckets, targets, size, products)
                size = 0
                batch += 1
    if size:
        repeat_last(sources, size)
        repeat_last(targets, size)
        repeat_last(signs, size)
        add_batch(buckets, targets, bases, sources, signs, buckets, targets, size, products)
    return left, batch


@kernel
def accumulate(
    bases: Array, rows: Array, digits: Array, buckets: Array, used: Array, rest_rows: Array, rest_digits: Array
) -> int:
    """Adds sign(digit_k) * bases[rows_k] to bucket |digit_k| - 1 for all k; the number of entries that remain.

    Passes go on while each leaves at most half, or few: what remains in rest_rows and rest_digits meets few buckets.
    used: uint32, 0 for a bucket without a value, else 1; overwritten.
    """
    left, batch = _accumulate_once(bases, rows, digits, len(digits), buckets, used, 1, rest_rows, rest_digits)
    before = len(digits)
    while left and (2 * left <= before or left <= FEW):
        before = left
        left, batch = _accumulate_once(
            bases, rest_rows, rest_digits, before, buckets, used, batch, rest_rows, rest_digits
        )
    return left
