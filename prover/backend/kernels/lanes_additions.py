"""Additions of affine points, eight at a time in two chains, with one inversion for a batch.

Equal, opposite and infinite points take a branch of their own, which costs nothing where they do not occur.
"""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE
from prover.backend.kernels.lanes import load_all, load_planar, store8, store_planar
from prover.backend.kernels.lanes_field import BASE8, choose, rotate1, rotate2, rotate4
from prover.backend.kernels.lanes_points import (
    copy_point,
    equal_mask,
    gather_points,
    gather_x,
    same_low_limb,
    scatter_points,
    sign_mask,
)
from prover.backend.kernels.wide import load, store

Array = np.ndarray[Any, Any]
add, sub, mul, square, call_mul = BASE8.add, BASE8.sub, BASE8.mul, BASE8.square, BASE8.call_mul
zero, one, is_zero = BASE8.zero, BASE8.one, BASE8.is_zero
canonical, halve_bound, difference = BASE8.canonical, BASE8.halve_bound, BASE8.difference
inverse, scalar_sub, scalar_zero = BASE.inverse, BASE.sub, BASE.zero

BATCH = 1024  # additions to an inversion: their points and products stay in the L2 cache


@kernel
def _slope_parts(x1: Any, y1: Any, x2: Any, y2: Any) -> tuple[Any, Any, int, int]:
    """(numerator, denominator) of the slope in all cases, and the masks of lanes whose sum is point 1, or point 2.

    A denominator that is not needed is 1. Opposite points are in both masks, with infinity for either.
    """
    first, second = is_zero(x1) & is_zero(y1), is_zero(x2) & is_zero(y2)  # infinite
    same = equal_mask(x1, x2) & ~(first | second)
    tangent = same & equal_mask(y1, y2)
    cancel = same & ~tangent
    xx = square(x1)
    numerator = choose(tangent, add(add(xx, xx), xx), sub(y2, y1))
    plain = first | second | cancel
    denominator = choose(plain, one(), choose(tangent, add(y1, y1), sub(x2, x1)))
    return numerator, denominator, second | cancel, first | cancel


@kernel
def _signed(y: Any, negative: int) -> Any:
    """y, or in the lanes of the mask -y, canonical as y is."""
    return choose(negative & ~is_zero(y), canonical(sub(zero(), y)), y)


@kernel
def inverse8(x: Any, scratch: Array) -> Any:
    """1/x in each lane, x not 0 and below 2m, with one scalar inversion; scratch: eight elements."""
    two = call_mul(x, rotate1(x))
    four = call_mul(two, rotate2(two))
    store8(scratch, 0, canonical(call_mul(four, rotate4(four))))
    store(scratch, 0, inverse(load(scratch, 0)))
    others = call_mul(call_mul(rotate1(x), rotate2(two)), rotate4(four))
    return call_mul(others, load_all(scratch, 0))


@kernel
def _is_rare(x1: Any, x2: Any) -> int:
    """Not 0 where the x of two points are equal, or 0 as for infinity; hardly ever otherwise."""
    return same_low_limb(x1, x2) | same_low_limb(x1, zero()) | same_low_limb(x2, zero())


@kernel
def _rare_denominator(left: Array, i: Array, right: Array, j: Array, signs: Array, k: int) -> Any:
    """The denominator of the slopes of entries k to k + 7 of a batch, in all cases."""
    x1, y1 = gather_points(left, i, k)
    x2, y2 = gather_points(right, j, k)
    return _slope_parts(x1, y1, x2, _signed(y2, sign_mask(signs, k)))[1]


@kernel
def _rare_sum(x1: Any, y1: Any, x2: Any, y2: Any, negative: int, inverted: Any) -> tuple[Any, Any]:
    """The sums of eight pairs of points in all cases."""
    y2 = _signed(y2, negative)
    numerator, _, keep_left, keep_right = _slope_parts(x1, y1, x2, y2)
    slope = call_mul(numerator, inverted)
    x3 = canonical(halve_bound(sub(square(slope), add(x1, x2))))
    y3 = canonical(halve_bound(sub(call_mul(slope, sub(x1, x3)), y1)))
    x, y = choose(keep_left, x1, choose(keep_right, x2, x3)), choose(keep_left, y1, choose(keep_right, y2, y3))
    cancel = keep_left & keep_right
    return choose(cancel, zero(), x), choose(cancel, zero(), y)


@kernel
def add_batch(
    left: Array,
    left_index: Array,
    right: Array,
    right_index: Array,
    signs: Array,
    out: Array,
    out_index: Array,
    count: int,
    products: Array,
) -> None:
    """out[out_index_k] = left[left_index_k] + right[right_index_k], the latter negated where signs_k < 0, k < count.

    Indices are uint32 and signs int32, readable up to the next multiple of 16, which must repeat entry count - 1. No
    result is an operand of another entry. products: scratch of 5 words an entry. Entries go by sixteen, in
    two chains a and b of eight lanes: a product waits for the one before it longer than it takes.
    """
    running_a, running_b = one(), one()
    for k in range(0, count, 16):
        x1_a, x1_b = gather_x(left, left_index, k), gather_x(left, left_index, k + 8)
        x2_a, x2_b = gather_x(right, right_index, k), gather_x(right, right_index, k + 8)
        d_a, d_b = sub(x2_a, x1_a), sub(x2_b, x1_b)
        if _is_rare(x1_a, x2_a) | _is_rare(x1_b, x2_b):
            d_a = _rare_denominator(left, left_index, right, right_index, signs, k)
            d_b = _rare_denominator(left, left_index, right, right_index, signs, k + 8)
        store_planar(products, k >> 3, running_a)
        store_planar(products, (k >> 3) + 1, running_b)
        running_a, running_b = mul(running_a, d_a), mul(running_b, d_b)
    inverted = inverse8(call_mul(running_a, running_b), np.empty(32, np.uint64))
    running_a, running_b = call_mul(inverted, running_b), call_mul(inverted, running_a)
    for k in range((count - 1) // 16 * 16, -1, -16):
        inverted_a = mul(running_a, load_planar(products, k >> 3))
        inverted_b = mul(running_b, load_planar(products, (k >> 3) + 1))
        x1_a, y1_a = gather_points(left, left_index, k)
        x1_b, y1_b = gather_points(left, left_index, k + 8)
        x2_a, y2_a = gather_points(right, right_index, k)
        x2_b, y2_b = gather_points(right, right_index, k + 8)
        negative_a, negative_b = sign_mask(signs, k), sign_mask(signs, k + 8)
        d_a, d_b = sub(x2_a, x1_a), sub(x2_b, x1_b)
        if _is_rare(x1_a, x2_a) | _is_rare(x1_b, x2_b):
            d_a = _rare_denominator(left, left_index, right, right_index, signs, k)
            d_b = _rare_denominator(left, left_index, right, right_index, signs, k + 8)
            x3_a, y3_a = _rare_sum(x1_a, y1_a, x2_a, y2_a, negative_a, inverted_a)
            x3_b, y3_b = _rare_sum(x1_b, y1_b, x2_b, y2_b, negative_b, inverted_b)
        else:
            slope_a = mul(difference(negative_a, y2_a, y1_a), inverted_a)
            slope_b = mul(difference(negative_b, y2_b, y1_b), inverted_b)
            square_a, square_b = square(slope_a), square(slope_b)
            x3_a = canonical(halve_bound(sub(square_a, add(x1_a, x2_a))))
            x3_b = canonical(halve_bound(sub(square_b, add(x1_b, x2_b))))
            product_a, product_b = mul(slope_a, sub(x1_a, x3_a)), mul(slope_b, sub(x1_b, x3_b))
            y3_a, y3_b = canonical(halve_bound(sub(product_a, y1_a))), canonical(halve_bound(sub(product_b, y1_b)))
        running_a, running_b = mul(running_a, d_a), mul(running_b, d_b)
        scatter_points(out, out_index, k, x3_a, y3_a)
        scatter_points(out, out_index, k + 8, x3_b, y3_b)


@kernel
def copy_signed(out: Array, k: int, points: Array, i: int, negative: bool) -> None:
    """out_k = points_i or its negative."""
    copy_point(out, k, points, i)
    if negative:
        store(out, 2 * k + 1, scalar_sub(scalar_zero(), load(points, 2 * i + 1)))


@kernel
def repeat_last(indices: Array, count: int) -> None:
    """Fills up to the next multiple of 16."""
    for k in range(count, (count + 15) // 16 * 16):
        indices[k] = indices[count - 1]
