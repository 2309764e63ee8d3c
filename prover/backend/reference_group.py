"""The group of the reference backend: lists of py_ecc's projective points, one operation at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from py_ecc.optimized_bn128 import FQ, G1, Z1, add, field_modulus, is_inf, is_on_curve, multiply, neg, normalize
from py_ecc.optimized_bn128 import b as curve_b

from circuits.field import MODULUS, root_of_unity
from prover.backend.protocol import BackendError, Points, check_domain, check_integers, check_lengths


class ReferencePoints(Sequence[Any]):
    """Projective points."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> ReferencePoints: ...

    def __getitem__(self, index: int | slice) -> Any:
        return ReferencePoints(self.items[index]) if isinstance(index, slice) else self.items[index]


class ReferenceGroup:
    """Group operations by their definitions."""

    def points(self, data: bytes) -> Points:
        if len(data) % 64:
            raise BackendError(f"{len(data)} bytes are not a whole number of points")
        items = []
        for i in range(0, len(data), 64):
            x, y = (int.from_bytes(data[k : k + 32], "little") for k in (i, i + 32))
            if max(x, y) >= field_modulus:
                raise BackendError(f"point {i // 64}: a coordinate is not below the modulus")
            items.append(Z1 if x == y == 0 else (FQ(x), FQ(y), FQ(1)))
        return ReferencePoints(items)

    def point_bytes(self, p: Points) -> bytes:
        return b"".join(c.to_bytes(32, "little") for item in _items(p) for c in _affine(item) or (0, 0))

    def concatenate_points(self, parts: list[Points]) -> Points:
        return ReferencePoints([item for part in parts for item in _items(part)])

    def on_curve(self, p: Points) -> bool:
        return all(is_inf(item) or is_on_curve(item, curve_b) for item in _items(p))

    def prepare(self, p: Points) -> Points:
        return p

    def msm(self, bases: Points, scalars: Any) -> tuple[int, int] | None:
        if len(scalars) > len(bases):
            raise BackendError(f"msm: {len(scalars)} scalars for {len(bases)} points")
        if type(scalars) is np.ndarray:
            check_integers(scalars)
        total = Z1
        for item, scalar in zip(_items(bases), scalars, strict=False):
            total = add(total, multiply(item, int(scalar) % MODULUS))
        return _affine(total)

    def multiply_points(self, bases: Points, scalars: Any) -> Points:
        check_lengths("multiply_points", len(bases), len(scalars))
        return ReferencePoints([multiply(item, int(k)) for item, k in zip(_items(bases), scalars, strict=True)])

    def fixed_base(self, scalars: Any) -> Points:
        return ReferencePoints([multiply(G1, int(scalar)) for scalar in scalars])

    def lagrange(self, powers: Points) -> Points:
        n = len(powers)
        check_domain(n)
        # L_i(X) = 1/n sum_j w^(-ij) X^j
        sums = _transform(_items(powers), pow(root_of_unity(n), -1, MODULUS))
        return ReferencePoints([multiply(item, pow(n, -1, MODULUS)) for item in sums])


def _items(points: Points) -> list[Any]:
    assert isinstance(points, ReferencePoints)
    return points.items


def _affine(item: Any) -> tuple[int, int] | None:
    if is_inf(item):
        return None
    x, y = normalize(item)
    return int(x), int(y)


def _transform(items: list[Any], root: int) -> list[Any]:
    if len(items) == 1:
        return items
    even, odd = (_transform(items[k::2], root * root % MODULUS) for k in (0, 1))
    turned = [multiply(item, pow(root, i, MODULUS)) for i, item in enumerate(odd)]
    pairs = list(zip(even, turned, strict=True))
    return [add(p, q) for p, q in pairs] + [add(p, neg(q)) for p, q in pairs]
