"""Sums of groups of affine points: pairs in a group are added, level by level, with one inversion for a whole level.

An entry is 2 * index + sign, and names a base or its negative. Equal, opposite and infinite points meet here whenever
bases are structured, so each pair is classified; the denominator of a pair that needs none is 1.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE
from prover.backend.kernels.wide import is_zero, load, store

Array = np.ndarray[Any, Any]
add, sub, mul, inverse, zero, one = BASE.add, BASE.sub, BASE.product, BASE.inverse, BASE.zero, BASE.one

BLOCK = 8192  # points in flight: 512 KiB, so that a level stays in the L2 cache
CHORD, TANGENT, LEFT, RIGHT, CANCEL = range(5)


@kernel
def _classify(x1: Any, y1: Any, x2: Any, y2: Any) -> int:
    """How to add two points of which some is infinity, or whose x are equal."""
    if is_zero(x2) and is_zero(y2):
        return LEFT
    if is_zero(x1) and is_zero(y1):
        return RIGHT
    if not is_zero(sub(x1, x2)):
        return CHORD
    return CANCEL if is_zero(add(y1, y2)) else TANGENT


@kernel
def _denominator(points: Array, i: int) -> tuple[Any, int]:
    """Of the slope for points i and i + 1, and the kind of their sum. Infinity has x = 0: few need more tests."""
    x1, x2 = load(points, 2 * i), load(points, 2 * i + 2)
    d = sub(x2, x1)
    if is_zero(d) or is_zero(x1) or is_zero(x2):
        y1 = load(points, 2 * i + 1)
        kind = _classify(x1, y1, x2, load(points, 2 * i + 3))
        return (d if kind == CHORD else add(y1, y1) if kind == TANGENT else one()), kind
    return d, CHORD


@kernel
def _sum_pair(points: Array, i: int, o: int, kind: int, inverted: Any) -> None:
    """points_o = points_i + points_{i+1}; inverted is the inverse of their denominator. o <= i."""
    x1, y1, x2, y2 = load(points, 2 * i), load(points, 2 * i + 1), load(points, 2 * i + 2), load(points, 2 * i + 3)
    if kind <= TANGENT:
        if kind == CHORD:
            slope = mul(sub(y2, y1), inverted)
        else:
            xx = mul(x1, x1)
            slope = mul(add(add(xx, xx), xx), inverted)
        x3 = sub(sub(mul(slope, slope), x1), x2)
        y3 = sub(mul(slope, sub(x1, x3)), y1)
    elif kind == LEFT:
        x3, y3 = x1, y1
    elif kind == RIGHT:
        x3, y3 = x2, y2
    else:
        x3, y3 = zero(), zero()
    store(points, 2 * o, x3)
    store(points, 2 * o + 1, y3)


@kernel
def _add_level(points: Array, groups: Array, sources: Array, products: Array, count: int) -> int:
    """Adds neighbours of one group; the number of points left. Sources are 2 * index + (1 for a pair).

    A result never lands beyond its sources, so results written in rising order overwrite nothing still to be read.
    """
    i = o = 0
    while i < count:
        group = groups[i]
        pair = 1 if i + 1 < count and groups[i + 1] == group else 0
        sources[o] = 2 * i + pair
        groups[o] = group
        i += 1 + pair
        o += 1
    if o == count:
        return count
    running = one()
    for k in range(o - 1, -1, -1):
        if sources[k] & 1:
            store(products, k, running)
            running = mul(running, _denominator(points, sources[k] >> 1)[0])
    running = inverse(running)
    for k in range(o):
        i = sources[k] >> 1
        if sources[k] & 1:
            denominator, kind = _denominator(points, i)
            inverted = mul(running, load(products, k))
            running = mul(running, denominator)
            _sum_pair(points, i, k, kind, inverted)
        elif i != k:
            store(points, 2 * k, load(points, 2 * i))
            store(points, 2 * k + 1, load(points, 2 * i + 1))
    return o


@kernel
def sum_groups(bases: Array, entries: Array, edges: Array, out: Array, start: int, stop: int) -> None:
    """out_g = the sum of entries [edges_g, edges_{g+1}) for groups g in [start, stop).

    Blocks are reduced to a point a group; the last point of a block opens the next, so groups may span blocks.
    """
    points = np.empty(8 * BLOCK, np.uint64)
    products = np.empty(4 * BLOCK, np.uint64)
    groups, sources = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    for coordinate in range(2 * start, 2 * stop):
        store(out, coordinate, zero())
    g, position, end, count = start, edges[start], edges[stop], 0
    while position < end:
        while position < end and count < BLOCK:
            while edges[g + 1] <= position:
                g += 1
            last = min(edges[g + 1], position + BLOCK - count)
            for k in range(position, last):
                entry = np.int64(entries[k])
                y = load(bases, 2 * (entry >> 1) + 1)
                store(points, 2 * count, load(bases, 2 * (entry >> 1)))
                store(points, 2 * count + 1, sub(zero(), y) if entry & 1 else y)
                groups[count] = g
                count += 1
            position = last
        left = _add_level(points, groups, sources, products, count)
        while left < count:
            count = left
            left = _add_level(points, groups, sources, products, count)
        for k in range(count - 1 if position < end else count):
            store(out, 2 * groups[k], load(points, 2 * k))
            store(out, 2 * groups[k] + 1, load(points, 2 * k + 1))
        if position < end:
            store(points, 0, load(points, 2 * count - 2))
            store(points, 1, load(points, 2 * count - 1))
            groups[0] = groups[count - 1]
            count = 1
