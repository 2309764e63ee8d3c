"""Sums of groups of sorted entries, as a tree: neighbours are added, level by level.

For few buckets, or many equal digits: no two additions of a level share a point.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE
from prover.backend.kernels.lanes_additions import BATCH, add_batch, copy_signed, repeat_last
from prover.backend.kernels.lanes_points import copy_point, prefetch_point
from prover.backend.kernels.wide import store

Array = np.ndarray[Any, Any]
scalar_zero = BASE.zero

BLOCK = 8192  # entries in flight
Level = tuple[Array, Array, Array, Array, Array]
Buffers = tuple[Array, Array, Array, Level]


@kernel
def _add_level(
    points: Array, items: Array, counts: Array, pieces: Array, out: Array, new_items: Array, sums: Array, scratch: Level
) -> int:
    """Adds neighbours in each piece; how many pieces have more than one item left.

    items: 2 * index + sign for an index into points, piece after piece; counts, pieces: items of each piece, and the
    point of `sums` where a piece goes that is down to one item. Others go to `out`, as new_items. All of items,
    counts and pieces are overwritten by those of the next level. s P + t Q = s (P + s t Q): no point is negated here.
    """
    left, right, signs, targets, products = scratch
    i = o = pairs = kept = 0
    for piece in range(len(counts)):
        count = counts[piece]
        if count == 0:
            break
        if count == 1:
            copy_signed(sums, pieces[piece], points, items[i] >> 1, items[i] & 1 == 1)
            i += 1
            continue
        for _ in range(count >> 1):
            first, second = items[i], items[i + 1]
            left[pairs], right[pairs], targets[pairs] = first >> 1, second >> 1, o
            signs[pairs] = -np.int32((first ^ second) & 1)
            new_items[o] = 2 * o + (first & 1)
            pairs, i, o = pairs + 1, i + 2, o + 1
        if count & 1:
            copy_point(out, o, points, items[i] >> 1)
            new_items[o] = 2 * o + (items[i] & 1)
            i, o = i + 1, o + 1
        counts[kept], pieces[kept] = (count + 1) >> 1, pieces[piece]
        kept += 1
    if kept < len(counts):
        counts[kept] = 0
    repeat_last(left, pairs)
    repeat_last(right, pairs)
    repeat_last(signs, pairs)
    repeat_last(targets, pairs)
    for k in range(0, pairs, BATCH):
        add_batch(points, left[k:], points, right[k:], signs[k:], out, targets[k:], min(BATCH, pairs - k), products)
    return kept


@kernel
def _sum_block(bases: Array, items: Array, counts: Array, pieces: Array, sums: Array, buffers: Buffers) -> None:
    """sums[pieces_k] = the sum of the next counts_k of at most BLOCK items; all three are overwritten."""
    points, others, spare, scratch = buffers
    left = _add_level(bases, items, counts, pieces, points, spare, sums, scratch)
    while left:
        items, spare = spare, items
        left = _add_level(points, items, counts, pieces, others, spare, sums, scratch)
        points, others = others, points


@kernel
def _sum_pieces(bases: Array, entries: Array, edges: Array, sums: Array) -> None:
    """sums_k = the sum of entries [edges_k, edges_{k+1}), none of more than BLOCK; infinity for none."""
    scratch = (
        np.empty(BLOCK, np.uint32),
        np.empty(BLOCK, np.uint32),
        np.empty(BLOCK, np.int32),
        np.empty(BLOCK, np.uint32),
        np.empty(5 * BATCH, np.uint64),
    )
    most = 8 * (2 * BLOCK // 3 + 1)  # three items of a piece become two
    buffers = np.empty(most, np.uint64), np.empty(most, np.uint64), np.empty(BLOCK, np.uint32), scratch
    items, counts, pieces = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    k = 0
    while k < len(edges) - 1:
        used = size = 0
        while k < len(edges) - 1 and size + edges[k + 1] - edges[k] <= BLOCK:
            if edges[k + 1] == edges[k]:
                store(sums, 2 * k, scalar_zero())
                store(sums, 2 * k + 1, scalar_zero())
            else:
                counts[used], pieces[used] = edges[k + 1] - edges[k], k
                used += 1
            size += edges[k + 1] - edges[k]
            k += 1
        if used:
            if used < BLOCK:
                counts[used] = 0
            first = edges[k] - size
            for j in range(size):
                entry = entries[first + j]
                prefetch_point(bases, entry >> 1)
                items[j] = entry
            _sum_block(bases, items, counts, pieces, sums, buffers)


@kernel
def sum_groups(bases: Array, entries: Array, edges: Array, out: Array, start: int, stop: int) -> None:
    """out_g = the sum of entries [edges_g, edges_{g+1}) for groups g in [start, stop); an entry is 2 * index + sign.

    Groups of more than BLOCK entries are cut into pieces, whose sums are then the entries.
    """
    edges = edges[start : stop + 1]
    largest = np.int64(0)
    for g in range(stop - start):
        largest = max(largest, edges[g + 1] - edges[g])
    while largest > BLOCK:
        count, piece = 0, 0
        for g in range(stop - start):
            count += -(-(edges[g + 1] - edges[g]) // BLOCK)
        cuts, coarse = np.empty(count + 1, np.int64), np.empty(stop - start + 1, np.int64)
        for g in range(stop - start):
            coarse[g] = piece
            for first in range(edges[g], edges[g + 1], BLOCK):
                cuts[piece] = first
                piece += 1
        cuts[piece], coarse[stop - start] = edges[stop - start], piece
        sums = np.empty(8 * count, np.uint64)
        _sum_pieces(bases, entries, cuts, sums)
        bases, edges = sums, coarse
        entries = np.empty(count, np.uint32)
        for k in range(count):
            entries[k] = 2 * k
        largest = -(-largest // BLOCK)
    _sum_pieces(bases, entries, edges, out[8 * start :])
