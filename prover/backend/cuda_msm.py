"""Multi-scalar multiplication on the device: keys of (bucket, point), sorted; runs summed in equal chunks; buckets
weighed in shares; the last few points joined on the host."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from prover.backend.cuda_arrays import Affine, Elements, Tabled
from prover.backend.cuda_device import Array, Device
from prover.backend.cuda_points import INFINITY, Extended, Point, add, affine_of, extended_points, join_windows
from prover.backend.cuda_source import limbs
from prover.backend.digits import MOST, rough, signed_windows, whole_bits
from prover.backend.protocol import Integers, check_integers

BUCKET_COST, WINDOW_COST = 6.0, 1000.0  # in additions to a bucket; estimates, by counting multiplications
MAX_BITS = 18
CHUNKS = (8, 64)  # entries a thread adds, least and most
CHUNK_POINTS = 8  # sums a thread adds
LOG_SHARES = 14  # log2 of the threads that weigh buckets
ENTRY_BYTES = 48  # of an entry at the peak: its key, the sort's copy, its part of the chunks' sums
POINT_WORDS = 16  # of an extended point
SPARSE = 8  # where fewer than one scalar in so many is not zero, the others are left out beforehand
TABLE_BITS = range(12, MAX_BITS + 1)
WriteKeys = Callable[[int, int, Array], None]
"""Writes the keys of (first, count) scalars into an array, a window after the other."""


class Plan(NamedTuple):
    """windows of `bits` bits; shift: makes their digits signed; stride: of the points' tables, or 0 without."""

    bits: int
    windows: int
    shift: int
    stride: int = 0

    @property
    def sets(self) -> int:
        """Sets of buckets: with tables one serves all windows."""
        return 1 if self.stride else self.windows


@cache
def make_plan(count: int, low: int, high: int) -> Plan:
    """The plan of least cost for `count` scalars in [low, high]."""
    plans = []
    for bits in range(2 if low < 0 else 1, MAX_BITS + 1):  # a signed digit of one bit is -1 or 0
        windows, shift = signed_windows(bits, low, high)
        plans.append((windows * (count + (BUCKET_COST * 2 ** (bits - 1)) + WINDOW_COST), Plan(bits, windows, shift)))
    return min(plans)[1]


def table_bits(count: int) -> int:
    """The bits of a window for which tables of so many points are made."""
    costs = {
        bits: signed_windows(bits, 0, MOST)[0] * count + BUCKET_COST * 2.0 ** (bits - 1) + WINDOW_COST
        for bits in TABLE_BITS
    }
    return min(costs, key=lambda bits: costs[bits])


def sum_values(device: Device, bases: Affine, scalars: Elements) -> Point:
    """The sum of scalars[i] * bases[i]; scalars of any width, no more of them than bases."""
    n = len(scalars)
    if n == 0:
        return None
    mask = device.empty(n, np.uint8)
    device.launch("buckets", "mark_nonzero", n, scalars.data, mask, n)
    rows = device.flatnonzero(mask)
    if not len(rows):
        return None
    if isinstance(bases, Tabled) and len(rows) * SPARSE >= len(bases):
        windows, shift = signed_windows(bases.bits, 0, MOST)
        plan, points = Plan(bases.bits, windows, shift, len(bases)), bases.tables
    else:
        plan, points = make_plan(rough(len(rows)), 0, MOST), bases.data

    def write_keys(first: int, count: int, keys: Array) -> None:
        arguments = (scalars.data, rows, first, count, *limbs(plan.shift), plan.bits, plan.windows, plan.stride, keys)
        device.launch("buckets", "keys_of_values", count, *arguments)

    return _sum(device, points, len(rows), plan, write_keys)


def sum_integers(device: Device, bases: Affine, scalars: Integers) -> Point:
    """As `sum_values`, of a host's integers: windows for as many bits as they have."""
    check_integers(scalars)
    used = int(np.count_nonzero(scalars))
    if not used:
        return None
    plan = make_plan(rough(used), *whole_bits(int(scalars.min()), int(scalars.max())))
    rows = device.upload(np.flatnonzero(scalars).astype(np.int64)) if used * SPARSE < len(scalars) else None
    raw = device.upload(np.ascontiguousarray(scalars).view(np.uint8))
    width, signed = scalars.dtype.itemsize, int(scalars.dtype.kind == "i")

    def write_keys(first: int, count: int, keys: Array) -> None:
        arguments = (raw, width, signed, rows, first, count, *limbs(plan.shift), plan.bits, plan.windows, keys)
        device.launch("buckets", "keys_of_integers", count, *arguments)

    return _sum(device, bases.data, len(scalars) if rows is None else used, plan, write_keys)


def _sum(device: Device, points: Array, count: int, plan: Plan, write_keys: WriteKeys) -> Point:
    """The sum over all windows, in as many pieces of the scalars as memory asks for."""
    piece = max(1, device.free_bytes() // 2 // (ENTRY_BYTES * plan.windows))
    sums: list[Extended] = [INFINITY] * plan.sets
    for first in range(0, count, piece):
        some = min(piece, count - first)
        keys = device.empty(plan.windows * some)
        write_keys(first, some, keys)
        device.sort(keys)
        sums = [add(total, more) for total, more in zip(sums, _window_sums(device, points, keys, plan), strict=True)]
    return affine_of(join_windows(sums, plan.bits))


def _window_sums(device: Device, points: Array, keys: Array, plan: Plan) -> list[Extended]:
    """The weighed sum of each set of buckets."""
    log_half = plan.bits - 1
    buckets = plan.sets << log_half
    edges = device.empty(buckets + 1, np.int64)
    device.launch("buckets", "bucket_edges", buckets + 1, keys, len(keys), edges, buckets)
    sums, edges = _bucket_sums(device, points, keys, edges)
    log_share = min(log_half, max(0, buckets.bit_length() - 1 - LOG_SHARES))
    shares = buckets >> log_share
    weighed = device.empty(POINT_WORDS * shares)
    device.launch("buckets", "weigh_buckets", shares, sums, edges, log_half, log_share, weighed, shares)
    return extended_points(device.download(_sums_of_parts(device, weighed, plan.sets)).tobytes())


def _bucket_sums(device: Device, points: Array, keys: Array, edges: Array) -> tuple[Array, Array]:
    """(sums, edges): the sum of run b is at edges[b], or nowhere where edges[b] = edges[b + 1]."""
    least, most = CHUNKS
    runs, entries = len(edges) - 1, len(keys)
    length = min(most, max(least, rough(max(1, entries // runs))))
    kernel, arrays, longest = "sum_entries", [points, keys], 0
    while longest != 1:
        counts = device.empty(runs, np.int64)
        device.launch("buckets", "count_chunks", runs, edges, length, counts, runs)
        offsets = device.running_totals(counts)
        # the one answer that is waited for; without entries, as in a piece of zeros, there is nothing more to sum
        longest = -(-longest // length) if longest else max(1, device.largest(counts))
        entries = min(entries, entries // length + runs)  # of chunks there are no more
        sums = device.empty(POINT_WORDS * entries)
        device.launch("buckets", kernel, entries, *arrays, edges, offsets, runs, length, sums)
        kernel, arrays, edges, length = "sum_points", [sums], offsets, CHUNK_POINTS
    return sums, edges


def _sums_of_parts(device: Device, points: Array, parts: int) -> Array:
    """The sum of each of equal parts, extended."""
    each = len(points) // POINT_WORDS // parts
    while each > 1:
        chunks = -(-each // CHUNK_POINTS)
        sums = device.empty(POINT_WORDS * parts * chunks)
        device.launch("buckets", "sum_equal_runs", parts * chunks, points, parts, each, CHUNK_POINTS, chunks, sums)
        points, each = sums, chunks
    return points
