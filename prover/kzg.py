"""Commitments, and the prover's half of SHPLONK (`verifier.kzg` has the equations)."""

from collections.abc import Callable, Mapping, Sequence

from circuits.field import MODULUS
from prover.backend import Backend, Points, Vector
from prover.polynomial import Values
from verifier.curve import Point, total
from verifier.kzg import Opening, opening_weights, powers
from verifier.statement import ColumnKey

Commit = Callable[[Vector], Point]
"""The commitment of a polynomial in coefficients."""


def affine(backend: Backend, points: Points) -> list[Point]:
    """The points as integers."""
    data = backend.point_bytes(points)
    pairs = [
        (int.from_bytes(data[i : i + 32], "little"), int.from_bytes(data[i + 32 : i + 64], "little"))
        for i in range(0, len(data), 64)
    ]
    return [None if pair == (0, 0) else pair for pair in pairs]


def to_points(backend: Backend, points: Sequence[Point]) -> Points:
    """The reverse of `affine`."""
    return backend.points(b"".join(c.to_bytes(32, "little") for point in points for c in point or (0, 0)))


def commit_values(backend: Backend, basis: Points, values: Values) -> Point:
    """sum f(omega^i) [L_i(tau)]_1, unblinded."""
    return backend.msm(basis, values.scalars)


def blind_commitments(
    backend: Backend, blinding_points: Points, commitments: Sequence[Point], blinds: Sequence[Sequence[int]]
) -> list[Point]:
    """Adds sum_j b_j ([tau^(n+j)]_1 - [tau^j]_1) to each commitment; all products in one call of the backend."""
    scalars = [blind for row in blinds for blind in row]
    if not scalars:
        return list(commitments)
    bases = backend.concatenate_points([blinding_points[: len(row)] for row in blinds])
    products = iter(affine(backend, backend.multiply_points(bases, backend.vector(scalars))))
    return [
        total([commitment, *(next(products) for _ in row)]) for commitment, row in zip(commitments, blinds, strict=True)
    ]


def first_quotient(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], openings: Sequence[Opening], v: int
) -> Vector:
    """W = sum_i v^i (f_i - r_i) / Z_{S_i}, by sets of points."""
    quotients = []
    for points, combined in _by_points(backend, polynomials, openings, powers(v, len(openings))).items():
        for point in points:  # dividing by X - s for each s in S drops the remainder r
            combined = backend.divide_linear(combined, point)
        quotients.append(combined)
    return backend.combine(quotients, [1] * len(quotients))


def second_quotient(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], openings: Sequence[Opening], v: int, z: int, w: Vector
) -> Vector:
    """W' = (sum_i u_i (f_i - r_i(z)) - W) / (X - z), where division drops the constants."""
    weights = opening_weights(openings, v, z)
    vectors = [polynomials[opening.key] for opening in openings]
    return backend.divide_linear(backend.combine([*vectors, w], [*weights, MODULUS - 1]), z)


def _by_points(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], openings: Sequence[Opening], scalars: Sequence[int]
) -> dict[tuple[int, ...], Vector]:
    groups: dict[tuple[int, ...], list[tuple[Vector, int]]] = {}
    for opening, scalar in zip(openings, scalars, strict=True):
        groups.setdefault(opening.points, []).append((polynomials[opening.key], scalar))
    return {
        points: backend.combine([vector for vector, _ in members], [scalar for _, scalar in members])
        for points, members in groups.items()
    }
