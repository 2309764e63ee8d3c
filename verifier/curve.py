"""G1 and the pairing of BN254 on py_ecc: affine integers outside, projective points inside this file alone."""

from collections.abc import Sequence
from typing import Any

from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    FQ12,
    Z1,
    add,
    b2,
    curve_order,
    double,
    field_modulus,
    final_exponentiate,
    is_inf,
    is_on_curve,
    multiply,
    neg,
    normalize,
    pairing,
)
from py_ecc.optimized_bn128 import G2 as PROJECTIVE_G2

from circuits.field import MODULUS

Point = tuple[int, int] | None
"""An affine point of G1; None is the point at infinity."""
G2Point = tuple[tuple[int, int], tuple[int, int]]
"""An affine point of G2: x and y, each as (c_0, c_1) of c_0 + c_1*u."""

BASE_MODULUS = int(field_modulus)
G1: Point = (1, 2)
WINDOW = 5
POINT_BYTES, SCALAR_BYTES = 64, 32


def on_curve(point: Point) -> bool:
    """Whether both coordinates are canonical and y^2 = x^3 + 3; the cofactor of G1 is 1."""
    if point is None:
        return True
    x, y = point
    return 0 <= x < BASE_MODULUS and 0 <= y < BASE_MODULUS and (y * y - x * x * x - 3) % BASE_MODULUS == 0


def in_g2(point: G2Point) -> bool:
    """Whether the point has canonical coordinates, lies on the twist and in its subgroup of order r."""
    if not all(0 <= c < BASE_MODULUS for coordinate in point for c in coordinate):
        return False
    lifted = _lift_g2(point)
    return bool(is_on_curve(lifted, b2)) and bool(is_inf(multiply(lifted, curve_order)))


def encode_point(point: Point) -> bytes:
    """64 bytes, x and y big-endian (EIP-196); zeros for infinity."""
    x, y = point or (0, 0)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def decode_point(data: bytes) -> Point:
    """The point of 64 bytes; ValueError for a coordinate that is not canonical or a point off the curve."""
    x, y = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
    if x == 0 and y == 0:
        return None
    if x >= BASE_MODULUS or y >= BASE_MODULUS:
        raise ValueError("a coordinate is not below the base field's modulus")
    if not on_curve((x, y)):
        raise ValueError("not on the curve")
    return x, y


def encode_scalar(value: int) -> bytes:
    return value.to_bytes(SCALAR_BYTES, "big")


def decode_scalar(data: bytes) -> int:
    """The scalar of 32 bytes; ValueError when it is not below r."""
    value = int.from_bytes(data, "big")
    if value >= MODULUS:
        raise ValueError("not below the scalar field's modulus")
    return value


def total(points: Sequence[Point]) -> Point:
    """The sum of the points."""
    result = Z1
    for point in points:
        result = add(result, _lift(point))
    return _lower(result)


def negative(point: Point) -> Point:
    return None if point is None else (point[0], -point[1] % BASE_MODULUS)


def linear_combination(points: Sequence[Point], scalars: Sequence[int]) -> Point:
    """sum s_i * P_i by buckets of 5-bit digits, highest window first (Pippenger)."""
    terms = [(_lift(p), s % MODULUS) for p, s in zip(points, scalars, strict=True) if p is not None]
    result = Z1
    for low in reversed(range(0, MODULUS.bit_length(), WINDOW)):
        for _ in range(WINDOW):
            result = double(result)
        result = add(result, _window(terms, low))
    return _lower(result)


def pairings_agree(left: Point, left_g2: G2Point | None, right: Point, right_g2: G2Point | None) -> bool:
    """Whether e(left, left_g2) = e(right, right_g2), with one final exponentiation; None in G2 is its generator."""
    product = FQ12.one()
    for point, g2 in ((_lift(left), left_g2), (neg(_lift(right)), right_g2)):
        if not is_inf(point):
            product = product * pairing(_lift_g2(g2), point, final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def _window(terms: Sequence[tuple[Any, int]], low: int) -> Any:
    buckets: list[Any] = [Z1] * (1 << WINDOW)
    for point, scalar in terms:
        digit = scalar >> low & ((1 << WINDOW) - 1)
        if digit:
            buckets[digit] = add(buckets[digit], point)
    # sum_d d*B_d = sum over d of the sums of B_d and all buckets above it
    running = total = Z1
    for bucket in reversed(buckets[1:]):
        running = add(running, bucket)
        total = add(total, running)
    return total


def _lift(point: Point) -> Any:
    return Z1 if point is None else (FQ(point[0]), FQ(point[1]), FQ(1))


def _lower(point: Any) -> Point:
    if is_inf(point):
        return None
    x, y = normalize(point)
    return int(x.n), int(y.n)


def _lift_g2(point: G2Point | None) -> Any:
    if point is None:
        return PROJECTIVE_G2
    return FQ2(point[0]), FQ2(point[1]), FQ2.one()
