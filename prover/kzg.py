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
    """sum f(omega^i) [L_i(tau)]_1, unblinded; under a basis of a pack, the column's share in its commitment."""
    return backend.msm(basis, values.scalars)


def blind_commitments(
    backend: Backend, blinding_points: Sequence[Points], commitments: Sequence[Point], blinds: Sequence[Sequence[int]]
) -> list[Point]:
    """Adds sum_j b_j B_j to each commitment, under its own points B_j (at width k and slot i they are
    [tau^(i+k(n+j))]_1 - [tau^(i+kj)]_1); all products in one call of the backend."""
    scalars = [blind for row in blinds for blind in row]
    if not scalars:
        return list(commitments)
    rows = zip(blinding_points, blinds, strict=True)
    bases = backend.concatenate_points([points[: len(row)] for points, row in rows])
    products = iter(affine(backend, backend.multiply_points(bases, backend.vector(scalars))))
    return [
        total([commitment, *(next(products) for _ in row)]) for commitment, row in zip(commitments, blinds, strict=True)
    ]


def first_quotient(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], openings: Sequence[Opening], v: int
) -> Vector:
    """W = sum_i v^i (F_i - r_i) / Z_i, by sets of points: division by X^k - s is division by X - s in each of the k
    slots."""
    groups: dict[tuple[tuple[int, ...], int], list[tuple[Opening, int]]] = {}
    for opening, power in zip(openings, powers(v, len(openings)), strict=True):
        groups.setdefault((opening.points, opening.width), []).append((opening, power))
    quotients = []
    for (points, width), members in groups.items():
        slots = _slots(backend, polynomials, members, width)
        for point in points:  # dividing by X - s for each s in S drops the remainder r
            slots = [backend.divide_linear(slot, point) if len(slot) else slot for slot in slots]
        quotients.append(_joined(backend, slots))
    return backend.combine(quotients, [1] * len(quotients))


def second_quotient(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], openings: Sequence[Opening], v: int, z: int, w: Vector
) -> Vector:
    """W' = (sum_i u_i (F_i - r_i(z)) - W) / (X - z), where division drops the constants."""
    groups: dict[int, list[tuple[Opening, int]]] = {}
    for opening, weight in zip(openings, opening_weights(openings, v, z), strict=True):
        groups.setdefault(opening.width, []).append((opening, weight))
    sums = [_joined(backend, _slots(backend, polynomials, members, width)) for width, members in groups.items()]
    return backend.divide_linear(backend.combine([*sums, w], [*[1] * len(sums), MODULUS - 1]), z)


def _slots(
    backend: Backend, polynomials: Mapping[ColumnKey, Vector], weighted: Sequence[tuple[Opening, int]], width: int
) -> list[Vector]:
    """The f_i of sum_i X^i f_i(X^width), which is the sum of these openings' polynomials with their weights."""
    slots: list[list[tuple[Vector, int]]] = [[] for _ in range(width)]
    for opening, weight in weighted:
        for slot, member in zip(slots, opening.members, strict=False):
            slot.append((polynomials[member], weight))
    return [backend.combine([vector for vector, _ in slot], [weight for _, weight in slot]) for slot in slots]


def _joined(backend: Backend, slots: list[Vector]) -> Vector:
    return slots[0] if len(slots) == 1 else backend.interleave(slots)
