"""Many openings in two points: SHPLONK (Boneh, Drake, Fisch, Gabizon 2020, eprint 2020/081, section 4).

Polynomial F_i is opened on a set S_i, where r_i of degree < |S_i| takes its values. With u_i = v^i / Z_i(z), where Z_i
vanishes on S_i: W = sum v^i (F_i - r_i) / Z_i, and f(X) = sum u_i (F_i(X) - r_i(z)) - W(X) vanishes at z, which
W' = f / (X - z) shows.

F(X) = sum_i X^i f_i(X^k) is opened at all k-th roots of the points s where the f_i are: Z(X) = prod_s (X^k - s), and
r(X) = sum_i X^i r_i(X^k), where r_i takes the values of f_i.
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
    """Values at distinct points of the polynomials f_0, f_1, ... in one commitment, sum_i X^i f_i(X^width).

    key: names the commitment, members: the polynomials. values: of each one, at the points in order.
    """

    key: ColumnKey
    members: tuple[ColumnKey, ...]
    points: tuple[int, ...]
    values: tuple[tuple[int, ...], ...]
    width: int = 1

    def remainder(self, z: int) -> int:
        """r(z)"""
        power = pow(z, self.width, MODULUS)
        remainders = [interpolate_at(self.points, values, power) for values in self.values]
        return sum(power * value for power, value in zip(powers(z, self.width), remainders, strict=False)) % MODULUS


def powers(base: int, count: int) -> list[int]:
    result = [1]
    for _ in range(count - 1):
        result.append(result[-1] * base % MODULUS)
    return result[:count]


def opening_weights(openings: Sequence[Opening], v: int, z: int) -> list[int]:
    """u_i = v^i / Z_i(z); InvalidProof when z is one of the points."""
    sets = dict.fromkeys((opening.points, opening.width) for opening in openings)
    vanishing = {(points, width): _vanishing(points, pow(z, width, MODULUS)) for points, width in sets}
    if 0 in vanishing.values():
        raise InvalidProof("challenge z: it is a point of the openings")
    reciprocal = dict(zip(vanishing, inverses(list(vanishing.values())), strict=True))
    return [
        power * reciprocal[o.points, o.width] % MODULUS
        for power, o in zip(powers(v, len(openings)), openings, strict=True)
    ]


def interpolate_at(points: Sequence[int], values: Sequence[int], x: int) -> int:
    """r(x) for the r of degree below the number of points that takes these values (Lagrange)."""
    if len(points) == 1:
        return values[0]
    result = 0
    for i, (point, value) in enumerate(zip(points, values, strict=True)):
        others = [other for j, other in enumerate(points) if j != i]
        result += value * _vanishing(others, x) * pow(_vanishing(others, point), -1, MODULUS)
    return result % MODULUS


def pairing_terms(
    openings: Sequence[Opening],
    commitments: Mapping[ColumnKey, Commitment],
    v: int,
    z: int,
    proof: tuple[Point, Point],
) -> Commitment:
    """F + z*W', where F commits to f, as a linear combination."""
    w, w_prime = proof
    weights = opening_weights(openings, v, z)
    remainder = sum(weight * opening.remainder(z) for weight, opening in zip(weights, openings, strict=True))
    terms = [(-remainder, G1), (-1, w), (z, w_prime)]
    for weight, opening in zip(weights, openings, strict=True):
        terms += [(weight * scalar, point) for scalar, point in commitments[opening.key]]
    return terms


def check_pairing(terms: Commitment, w_prime: Point, tau_g2: G2Point) -> None:
    """InvalidProof unless e(F + z*W', [1]_2) = e(W', [tau]_2), with the left one as a linear combination."""
    left = linear_combination([point for _, point in terms], [scalar for scalar, _ in terms])
    if not pairings_agree(left, None, w_prime, tau_g2):
        raise InvalidProof("openings: the pairing equation does not hold")


def _vanishing(points: Sequence[int], x: int) -> int:
    result = 1
    for point in points:
        result = result * (x - point) % MODULUS
    return result
