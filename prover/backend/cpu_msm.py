"""Multi-scalar multiplication on the CPU: Pippenger's buckets, in windows chosen by counting additions."""

from __future__ import annotations

from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from prover.backend.cpu_arrays import Affine, Array, Elements, Tabled, elements, words
from prover.backend.digits import MOST, rough, signed_windows, whole_bits
from prover.backend.kernels import select
from prover.backend.kernels import windows as portable
from prover.backend.kernels.field import limbs
from prover.backend.memory import blank
from prover.backend.protocol import Integers, Vector
from prover.backend.threads import ranges, run_all, split, workers

KERNELS = select()
DIRECT = hasattr(KERNELS, "accumulate")  # streams points into buckets
# in additions to a sorted bucket, as measured with the kernels of each set: to stream a point, to weigh a bucket, and
# what each window costs besides
STREAM_COST, BUCKET_COST, WINDOW_COST = (0.8, 2.0, 500.0) if DIRECT else (1.0, 4.0, 20.0)
DIRECT_BUCKETS, DIRECT_LOAD = 1 << 11, 4  # buckets, and points for each, from which streaming pays
TASK_ENTRIES = 1 << 17
FEW_BITS, MAX_BITS = 6, 17  # up to the former there are too few buckets for eight lanes
SAMPLE, DENSE = 256, 0.75
LEAST_TABLED, MOST_TABLED, TABLE_BITS = 1 << 8, 1 << 17, range(12, 17)
SPARSE = 8  # where fewer than one scalar in so many is not zero, buckets would outnumber the points


class Plan(NamedTuple):
    """windows of `bits` bits; shift: makes their digits signed; direct: points are streamed into buckets."""

    bits: int
    windows: int
    shift: int
    direct: bool


@cache
def _plan(count: int, low: int, high: int) -> Plan:
    """The plan of least cost for `count` scalars in [low, high]."""
    plans = []
    for bits in range(2 if low < 0 else 1, MAX_BITS + 1):  # a signed digit of one bit is -1 or 0
        windows, shift = signed_windows(bits, low, high)
        half = 1 << (bits - 1)
        direct = DIRECT and half >= DIRECT_BUCKETS and count >= DIRECT_LOAD * half
        cost = windows * (count * (STREAM_COST if direct else 1) + BUCKET_COST * half + WINDOW_COST)
        plans.append((cost, Plan(bits, windows, shift, direct)))
    return min(plans)[1]


def multi_scalar(bases: Array, scalars: Vector | Integers) -> Array:
    """The sum of scalars[i] * bases[i], affine limbs; the scalars are a vector or a numpy array of integers."""
    rows = _nonzero(scalars)
    if len(rows) == 0:
        return np.zeros(8, np.uint64)
    low, high = 0, MOST
    if isinstance(scalars, np.ndarray):
        used = scalars[rows]
        low, high = whole_bits(int(used.min()), int(used.max()))
    plan = _plan(rough(len(rows)), low, high)
    return _sum(bases, rows, _digits(scalars, rows, plan), plan)


def with_tables(bases: Array) -> Affine:
    """The points with tables of 2^(bits * w) times each, by which all windows of full-width scalars share one set of
    buckets; without them where they would not pay."""
    count = len(bases) // 8
    if not (DIRECT and LEAST_TABLED <= count <= MOST_TABLED):
        return Affine(bases)
    costs = {
        bits: signed_windows(bits, 0, MOST)[0] * count * STREAM_COST + BUCKET_COST * 2 ** (bits - 1)
        for bits in TABLE_BITS
    }
    bits = min(costs, key=lambda bits: costs[bits])
    tables = np.empty((signed_windows(bits, 0, MOST)[0], 8 * count), np.uint64)
    tables[0] = bases
    pieces = ranges(count, 8, max(workers(), count >> 10))
    for lower, upper in pairwise(tables):
        run_all(partial(KERNELS.double_points, lower, bits, upper, a, b) for a, b in pieces)
    return Tabled(bases, bits, tables.reshape(-1))


def sum_by_tables(bases: Tabled, scalars: Array) -> Array:
    """As `multi_scalar`, of full-width scalars."""
    rows = _nonzero(Elements(scalars))
    if len(rows) * SPARSE < len(bases):
        return multi_scalar(bases.data, Elements(scalars))
    windows, shift = signed_windows(bases.bits, 0, MOST)
    plan = Plan(bases.bits, windows, shift, True)
    digits = _digits(Elements(scalars), rows, plan)
    offsets = np.arange(windows, dtype=np.uint32) * np.uint32(len(bases))
    return _sum(bases.tables, np.add.outer(offsets, rows).reshape(-1), digits, plan._replace(windows=1))


def _digits(scalars: Vector | Integers, rows: np.ndarray, plan: Plan) -> np.ndarray:
    """The digits of the scalars in the given rows, window after window, int32."""
    if isinstance(scalars, np.ndarray):
        raw, signed = words(scalars)
        add_shift = partial(KERNELS.shift_words, raw, rows, signed)
    else:
        add_shift = partial(KERNELS.shift_scalars, elements(scalars), rows)
    shifted, shift = blank(4 * len(rows)), limbs(plan.shift)
    split(add_shift, shift, shifted, n=len(rows))
    digits = blank(plan.windows * len(rows), np.int32)
    split(KERNELS.extract_digits, shifted, shift, plan.bits, plan.windows, digits, n=len(rows))
    return digits


def _sum(bases: Array, rows: np.ndarray, digits: np.ndarray, plan: Plan) -> Array:
    """The sum over windows w of 2^(bits * w) * digits[w * len(rows) + k] * bases[rows[k]], affine."""
    out = np.zeros(8, np.uint64)
    sums, parts = _window_sums(bases, rows, digits.reshape(plan.windows, -1), plan)
    KERNELS.join_windows(sums, plan.bits, plan.windows, parts, out)
    return out


def _nonzero(scalars: Vector | Integers) -> np.ndarray:
    """The indices of scalars that may not be zero, uint32: all of them where a sample says that few are."""
    if isinstance(scalars, np.ndarray):
        return np.flatnonzero(scalars).astype(np.uint32)
    table = elements(scalars).reshape(-1, 4)
    if len(table) and table[:: max(1, len(table) // SAMPLE)].any(axis=1).mean() > DENSE:
        return np.arange(len(table), dtype=np.uint32)
    return np.flatnonzero(table[:, 0] | table[:, 1] | table[:, 2] | table[:, 3]).astype(np.uint32)


def _window_sums(bases: Array, rows: np.ndarray, digits: np.ndarray, plan: Plan) -> tuple[Array, int]:
    """(one extended point for each window of each part of the rows, parts). There is more than one part where there are
    too few windows for all threads. A task takes several windows when they are small, so that they share inversions."""
    windows, count = digits.shape
    parts = ranges(count, 1 << 12, -(-workers() // windows))
    sums = np.empty(16 * windows * len(parts), np.uint64)
    tasks = windows if plan.direct else min(windows, max(workers(), -(-windows * count // TASK_ENTRIES)))

    def task(part: int, first: int, last: int) -> None:
        start, stop = parts[part]
        some = np.ascontiguousarray(digits[first:last, start:stop]).reshape(-1)
        fill = _filled_buckets if plan.direct else _sorted_sums
        buckets = fill(bases, rows[start:stop], some, 1 << (plan.bits - 1))
        weigh = KERNELS.weigh_buckets if plan.bits > FEW_BITS else portable.weigh_buckets
        weigh(buckets, plan.bits, last - first, sums[16 * (part * windows + first) :])

    cuts = [windows * k // tasks for k in range(tasks + 1)]
    run_all(partial(task, part, a, b) for part in range(len(parts)) for a, b in pairwise(cuts))
    return sums, len(parts)


def _sorted_sums(bases: Array, rows: np.ndarray, digits: np.ndarray, half: int) -> Array:
    """The buckets of some windows, by sorting all entries."""
    groups = len(digits) // len(rows) * half
    edges, entries = np.empty(groups + 1, np.int64), blank(len(digits), np.uint32)
    KERNELS.sort_digits(rows, digits, half, edges, entries)
    buckets = blank(8 * groups)
    KERNELS.sum_groups(bases, entries, edges, buckets, 0, groups)
    return buckets


def _filled_buckets(bases: Array, rows: np.ndarray, digits: np.ndarray, half: int) -> Array:
    """The buckets of one window, by streaming points into them; what meets few buckets is sorted."""
    buckets, used = blank(8 * half), np.zeros(half, np.uint32)
    buckets[:] = 0
    rest_rows, rest_digits = blank(len(rows), np.uint32), blank(len(rows), np.int32)
    left = KERNELS.accumulate(bases, rows, digits, buckets, used, rest_rows, rest_digits)
    if left:
        sums = _sorted_sums(bases, rest_rows[:left], rest_digits[:left], half)
        met = np.flatnonzero(np.bincount(np.abs(rest_digits[:left]))).astype(np.int32)
        used = np.minimum(used, 1)  # without the marks of batches
        KERNELS.accumulate(sums, (met - 1).astype(np.uint32), met, buckets, used, rest_rows, rest_digits)
    return buckets
