"""Many openings in two points: SHPLONK (Boneh, Drake, Fisch, Gabizon 2020, eprint 2020/081, section 4).

Polynomial f_i is opened on a set S_i, where r_i of degree < |S_i| takes its values. With u_i = v^i / Z_{S_i}(z):
W = sum v^i (f_i - r_i) / Z_{S_i}, and f(X) = sum u_i (f_i(X) - r_i(z)) - W(X) vanishes at z, which
W' = f / (X - z) shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.field import MODULUS, inverses
from verifier.curve import G1, G2Point, Point, linear_combination, pairings_agree
from verifier.errors import InvalidProof
from verifier.statement import ColumnKey

Commitment = Sequence[tuple[int, Point]]
"""A linear combination of points."""


@dataclass(frozen=True)
class Opening:
    """A polynomial's values at distinct points."""

    key: ColumnKey
    points: tuple[int, ...]
    values: tuple[int, ...]


def powers(base: int, count: int) -> list[int]:
    result = [1]
    for _ in range(count - 1):
        result.append(result[-1] * base % MODULUS)
    return result[:count]


def opening_weights(openings: Sequence[Opening], v: int, z: int) -> list[int]:
    """u_i = v^i / Z_{S_i}(z); InvalidProof when z is one of the points."""
    vanishing = {points: _vanishing(points, z) for points in {opening.points for opening in openings}}
    if 0 in vanishing.values():
        raise InvalidProof("challenge z: it is a point of the openings")
    reciprocal = dict(zip(vanishing, inverses(list(vanishing.values())), strict=True))
    return [power * reciprocal[o.points] % MODULUS for power, o in zip(powers(v, len(openings)), openings, strict=True)]


def interpolate_at(points: Sequence[int], values: Sequence[int], x: int) -> int:
    """r(x) for the r of degree below the number of points that takes these values (Lagrange)."""
    if len(points) == 1:
        return values[0]
    result = 0
    for i, (point, value) in enumerate(zip(points, values, strict=True)):
        others = [other for j, other in enumerate(points) if j != i]
        result += value * _vanishing(others, x) * pow(_vanishing(others, point), -1, MODULUS)
    return result % MODULUS


def check_openings(
    openings: Sequence[Opening],
    commitments: Mapping[ColumnKey, Commitment],
    v: int,
    z: int,
    proof: tuple[Point, Point],
    tau_g2: G2Point,
) -> None:
    """InvalidProof unless e(F + z*W', [1]_2) = e(W', [tau]_2), where F commits to f."""
    w, w_prime = proof
    weights = opening_weights(openings, v, z)
    remainder = sum(u * interpolate_at(o.points, o.values, z) for u, o in zip(weights, openings, strict=True))
    terms = [(-remainder, G1), (-1, w), (z, w_prime)]
    for weight, opening in zip(weights, openings, strict=True):
        terms += [(weight * scalar, point) for scalar, point in commitments[opening.key]]
    left = linear_combination([point for _, point in terms], [scalar for scalar, _ in terms])  # F + z*W'
    if not pairings_agree(left, None, w_prime, tau_g2):
        raise InvalidProof("openings: the pairing equation does not hold")


def _vanishing(points: Sequence[int], x: int) -> int:
    result = 1
    for point in points:
        result = result * (x - point) % MODULUS
    return result
