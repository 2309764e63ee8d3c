"""The last few points of a sum, on the host: extended Jacobian coordinates of plain integers."""

from __future__ import annotations

from collections.abc import Sequence

from prover.backend.cuda_source import BASE_MODULUS, RADIX

Point = tuple[int, int] | None
"""An affine point; None is infinity."""
Extended = tuple[int, int, int, int]
"""X, Y, ZZ, ZZZ: x = X / ZZ, y = Y / ZZZ, ZZ^3 = ZZZ^2; ZZ = 0 at infinity."""
INFINITY: Extended = (0, 0, 0, 0)
P = BASE_MODULUS
INVERSE_RADIX = pow(RADIX, -1, P)


def extended_points(data: bytes) -> list[Extended]:
    """Points in Montgomery form, 128 bytes each."""
    forms = [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]
    x, y, zz, zzz = ([form * INVERSE_RADIX % P for form in forms[k::4]] for k in range(4))
    return list(zip(x, y, zz, zzz, strict=True))


def double(p: Extended) -> Extended:
    """2p"""
    x, y, zz, zzz = p
    u = 2 * y
    v = u * u % P
    w, s, m = u * v % P, x * v % P, 3 * x * x % P
    x = (m * m - 2 * s) % P
    return x, (m * (s - x) - w * y) % P, v * zz % P, w * zzz % P


def add(p: Extended, q: Extended) -> Extended:
    """p + q, any two points."""
    if p[2] == 0 or q[2] == 0:
        return q if p[2] == 0 else p
    u, s = p[0] * q[2] % P, p[1] * q[3] % P
    across, up = (q[0] * p[2] - u) % P, (q[1] * p[3] - s) % P
    if across == 0:
        return double(p) if up == 0 else INFINITY
    square = across * across % P
    cube = across * square % P
    x = (up * up - cube - 2 * u * square) % P
    return x, (up * (u * square - x) - s * cube) % P, p[2] * q[2] * square % P, p[3] * q[3] * cube % P


def join_windows(sums: Sequence[Extended], bits: int) -> Extended:
    """sum of 2^(bits * w) sums[w]."""
    total = INFINITY
    for point in reversed(sums):
        for _ in range(bits):
            total = double(total)
        total = add(total, point)
    return total


def affine_of(p: Extended) -> Point:
    """x and y."""
    x, y, zz, zzz = p
    return None if zz == 0 else (x * pow(zz, -1, P) % P, y * pow(zzz, -1, P) % P)
