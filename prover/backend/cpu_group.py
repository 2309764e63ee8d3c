"""The group of the CPU backend: products of points, sums of products, and the change to the Lagrange basis."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from circuits.field import MODULUS, root_of_unity
from prover.backend.cpu_arrays import Affine, Array, Tabled, affine, elements
from prover.backend.cpu_msm import multi_scalar, sum_by_tables, with_tables
from prover.backend.digits import shift_of
from prover.backend.kernels import multiples, select
from prover.backend.kernels.field import BASE_MODULUS, integer, limbs, montgomery
from prover.backend.protocol import BackendError, Integers, Points, Vector, check_domain, check_lengths
from prover.backend.threads import ranges, run_all, split

KERNELS = select()
GENERATOR = (1, 2)


class CpuGroup:
    """Points are `Affine`: Montgomery forms in one array, never changed once made."""

    def points(self, data: bytes) -> Points:
        if len(data) % 64:
            raise BackendError(f"{len(data)} bytes are not a whole number of points")
        plain = np.frombuffer(bytearray(data), "<u8").astype(np.uint64, copy=False)
        out = np.empty_like(plain)
        for bad in split(KERNELS.encode_points, plain, limbs(BASE_MODULUS), out, n=len(plain) // 4):
            if bad >= 0:
                raise BackendError(f"point {bad // 2}: a coordinate is not below the modulus")
        return Affine(out)

    def point_bytes(self, p: Points) -> bytes:
        out = np.empty(8 * len(p), np.uint64)
        split(KERNELS.decode_points, affine(p), out, n=2 * len(p))
        return out.astype("<u8", copy=False).tobytes()

    def concatenate_points(self, parts: list[Points]) -> Points:
        return Affine(np.concatenate([affine(part) for part in parts]) if parts else np.empty(0, np.uint64))

    def on_curve(self, p: Points) -> bool:
        return all(split(KERNELS.on_curve, affine(p), n=len(p), least=512))

    def prepare(self, p: Points) -> Points:
        return with_tables(affine(p))

    def msm(self, bases: Points, scalars: Vector | Integers) -> tuple[int, int] | None:
        if len(scalars) > len(bases):
            raise BackendError(f"msm: {len(scalars)} scalars for {len(bases)} points")
        if isinstance(bases, Tabled) and not isinstance(scalars, np.ndarray):
            point = sum_by_tables(bases, elements(scalars))
        else:
            point = multi_scalar(affine(bases), scalars)
        x, y = (integer(point[k : k + 4], BASE_MODULUS) for k in (0, 4))
        return (x, y) if x or y else None

    def multiply_points(self, bases: Points, scalars: Vector) -> Points:
        check_lengths("multiply_points", len(bases), len(scalars))
        return Affine(_products(affine(bases), elements(scalars)))

    def fixed_base(self, scalars: Vector) -> Points:
        table, shifted = _generator_table(), _shifted(elements(scalars), multiples.FIXED_BITS, multiples.FIXED_WINDOWS)
        out = np.empty(8 * len(scalars), np.uint64)

        def part(start: int, stop: int) -> None:
            count = stop - start
            edges, entries = np.empty(count + 1, np.int64), np.empty(multiples.FIXED_WINDOWS * count, np.uint32)
            KERNELS.fixed_entries(shifted, edges, entries, start, stop)
            KERNELS.sum_groups(table, entries, edges, out[8 * start :], 0, count)

        pieces = ranges(len(scalars), 16, max(2, len(scalars) >> 12))
        run_all(partial(part, a, b) for a, b in pieces)
        return Affine(out)

    def lagrange(self, powers: Points) -> Points:
        n = len(powers)
        bits = check_domain(n)
        # L_i(X) = 1/n sum_j w^(-ij) X^j; decimation in time on the bit-reversed powers
        order = np.array([int(f"{i:b}".zfill(bits)[::-1], 2) for i in range(n)])
        scale = np.tile(montgomery(pow(n, -1, MODULUS)), n)
        points = _products(affine(powers), scale).reshape(n, 8)[order]
        half = 1
        while half < n:
            points = _butterflies(points.reshape(-1, 2, half, 8))
            half *= 2
        return Affine(points.reshape(-1))


def _shifted(scalars: Array, bits: int, windows: int) -> Array:
    """Canonical integers plus the shift that makes the digits of all windows signed."""
    n = len(scalars) // 4
    out = np.empty_like(scalars)
    split(KERNELS.shift_scalars, scalars, np.arange(n, dtype=np.uint32), limbs(shift_of(bits, windows)), out, n=n)
    return out


def _products(bases: Array, scalars: Array) -> Array:
    """Elementwise, in pieces whose extended forms stay small."""
    n = len(bases) // 8
    shifted, out = _shifted(scalars, multiples.BITS, multiples.WINDOWS), np.empty_like(bases)
    multiply = KERNELS.multiply_points if n >= 8 else multiples.multiply_points
    run_all(partial(multiply, bases, shifted, out, a, b) for a, b in ranges(n, 8, max(2, n >> 10)))
    return out


@cache
def _generator_table() -> Array:
    """2^(8w) * d times the generator at index 128 w + d - 1."""
    half = 1 << (multiples.FIXED_BITS - 1)
    factors = [d << (multiples.FIXED_BITS * w) for w in range(multiples.FIXED_WINDOWS) for d in range(1, half + 1)]
    generator = np.concatenate([montgomery(c, BASE_MODULUS) for c in GENERATOR])
    return _products(np.tile(generator, len(factors)), np.concatenate([montgomery(f) for f in factors]))


def _butterflies(points: np.ndarray) -> np.ndarray:
    """One level: blocks (a, b) of `half` points each become (a + w b, a - w b), w powers of the inverse root."""
    blocks, _, half, _ = points.shape
    turned = points[:, 1].copy()
    if half > 1:
        root = pow(root_of_unity(2 * half), -1, MODULUS)
        twiddles = np.empty(4 * (half - 1), np.uint64)
        KERNELS.powers(montgomery(root), montgomery(root), twiddles, 0, half - 1)
        turned[:, 1:] = _products(turned[:, 1:].reshape(-1), np.tile(twiddles, blocks)).reshape(blocks, half - 1, 8)
    count = blocks * half
    bases = np.concatenate([points[:, 0].reshape(-1), turned.reshape(-1)])
    sums, differences = (_sum_pairs(bases, count, sign).reshape(blocks, half, 8) for sign in (0, 1))
    return np.stack([sums, differences], axis=1)


def _sum_pairs(bases: Array, count: int, sign: int) -> Array:
    """Base i plus (sign 0) or minus (sign 1) base count + i, for each i < count."""
    left, right = 2 * np.arange(count), 2 * np.arange(count, 2 * count) + sign
    entries = np.stack([left, right], axis=1).astype(np.uint32).reshape(-1)
    out = np.empty(8 * count, np.uint64)
    split(KERNELS.sum_groups, bases, entries, np.arange(0, 2 * count + 1, 2), out, n=count, least=64)
    return out
