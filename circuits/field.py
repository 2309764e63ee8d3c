"""The scalar field of BN254 (EIP-196 calls its order the curve order) in plain integers."""

from collections.abc import Sequence
from functools import cache

MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617
GENERATOR = 5  # of the multiplicative group
TWO_ADICITY = 28


@cache
def root_of_unity(order: int) -> int:
    """The canonical primitive root of the given order, a power of two of at most 2^28."""
    if order < 1 or order & (order - 1) or order > 1 << TWO_ADICITY:
        raise ValueError(f"no domain of {order} points: the order must be a power of two of at most 2^{TWO_ADICITY}")
    return pow(GENERATOR, (MODULUS - 1) // order, MODULUS)


def inverse(value: int) -> int:
    """The inverse of a non-zero element; ValueError for zero."""
    return pow(value, -1, MODULUS)


def inverses(values: Sequence[int]) -> list[int]:
    """All inverses for one inversion (Montgomery's trick); ValueError when an element is zero."""
    prefix = [1]
    for value in values:
        prefix.append(prefix[-1] * value % MODULUS)
    running = inverse(prefix[-1])
    result = [0] * len(values)
    for i in range(len(values) - 1, -1, -1):
        result[i] = prefix[i] * running % MODULUS
        running = running * values[i] % MODULUS
    return result


def lagrange_evaluations(size: int, rows: Sequence[int], point: int) -> list[int]:
    """L_row(point) of the domain of `size` roots of unity, for a point outside it: (x^n - 1)/n * w/(x - w)."""
    omega = root_of_unity(size)
    nodes, node, last = [], 1, 0
    steps: dict[int, int] = {}  # w^gap: the rows are mostly in order and near each other
    for row in rows:
        gap, last = row - last, row
        if gap not in steps:
            steps[gap] = pow(omega, gap, MODULUS)
        node = node * steps[gap] % MODULUS
        nodes.append(node)
    vanishing = (pow(point, size, MODULUS) - 1) * inverse(size) % MODULUS
    return [
        vanishing * node % MODULUS * reciprocal % MODULUS
        for node, reciprocal in zip(nodes, inverses([point - node for node in nodes]), strict=True)
    ]
