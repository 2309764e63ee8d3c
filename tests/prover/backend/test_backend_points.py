"""Points: their bytes, the curve, products, and the Lagrange basis by its definition."""

import itertools

import numpy as np
import pytest
from py_ecc.optimized_bn128 import FQ, G1, Z1, add, field_modulus, is_inf, multiply, normalize

from circuits.field import MODULUS, lagrange_evaluations
from prover.backend import Backend, BackendError

HARD_SCALARS = [0, 1, 2, 3, MODULUS - 1, MODULUS - 2, 1 << 128, (1 << 253) + 1, 0xF << 100, 8, 16, 128, 255, 256]


def encoded(*points: tuple[FQ, FQ, FQ]) -> bytes:
    """py_ecc's points in the bytes of `Backend.points`."""
    affine = [(0, 0) if is_inf(p) else tuple(int(c) for c in normalize(p)) for p in points]
    return b"".join(c.to_bytes(32, "little") for p in affine for c in p)


def multiples(logs: list[int]) -> bytes:
    return encoded(*(multiply(G1, log % MODULUS) for log in logs))


def test_bytes_return(backend: Backend) -> None:
    data = multiples([1, 2, 0, -1, 77])
    points = backend.points(data)
    assert len(points) == 5
    assert backend.point_bytes(points) == data
    assert backend.point_bytes(points[1:3]) == data[64:192]
    assert (
        backend.point_bytes(backend.concatenate_points([points[3:5], points[0:0], points[0:2]]))
        == data[192:] + data[:128]
    )
    assert backend.point_bytes(backend.concatenate_points([])) == b""


@pytest.mark.parametrize("coordinate", [field_modulus, field_modulus + 1, (1 << 256) - 1])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_coordinates_must_be_canonical(backend: Backend, coordinate: int, place: int) -> None:
    coordinates = [1, 2, 1, 2]
    coordinates[place] = coordinate
    with pytest.raises(BackendError, match=f"point {place // 2}: a coordinate is not below the modulus"):
        backend.points(b"".join(c.to_bytes(32, "little") for c in coordinates))
    with pytest.raises(BackendError, match="63 bytes are not a whole number of points"):
        backend.points(bytes(63))


def test_the_curve(backend: Backend) -> None:
    def point(x: int, y: int) -> bytes:
        return x.to_bytes(32, "little") + y.to_bytes(32, "little")

    assert backend.on_curve(backend.points(multiples([1, 0, 5, -5])))
    assert backend.on_curve(backend.points(b""))
    for x, y in [(1, 3), (2, 2), (0, 1), (1, 0), (field_modulus - 1, 2), (0, field_modulus - 1)]:
        assert not backend.on_curve(backend.points(multiples([1]) + point(x, y)))


def test_fixed_base(backend: Backend) -> None:
    assert backend.point_bytes(backend.fixed_base(backend.vector(HARD_SCALARS))) == multiples(HARD_SCALARS)
    assert backend.point_bytes(backend.fixed_base(backend.vector([]))) == b""


def test_products(backend: Backend) -> None:
    logs = [1, 0, -1, 12345, 2, MODULUS // 2, 7]
    pairs = list(itertools.product(logs, [0, 1, MODULUS - 1, 9, (MODULUS + 1) // 2]))
    bases = backend.points(multiples([log for log, _ in pairs]))
    products = backend.multiply_points(bases, backend.vector([scalar for _, scalar in pairs]))
    assert backend.point_bytes(products) == multiples([log * scalar for log, scalar in pairs])
    with pytest.raises(BackendError, match="lengths"):
        backend.multiply_points(bases, backend.vector([1]))


def test_many_products(fast: Backend) -> None:
    logs, scalars = list(range(1, 2049)), [(3**i) % MODULUS for i in range(2048)]
    bases = fast.fixed_base(fast.vector(logs))
    products = fast.multiply_points(bases, fast.vector(scalars))
    direct = fast.fixed_base(fast.multiply(fast.vector(logs), fast.vector(scalars)))
    assert fast.point_bytes(products) == fast.point_bytes(direct)


def test_a_long_fixed_base_spans_blocks(fast: Backend) -> None:
    n, tau = 5000, 0xDEADBEEF
    points = fast.fixed_base(fast.powers(tau, n))
    assert fast.on_curve(points)
    data = fast.point_bytes(points)
    for i in (0, 1, 127, 128, 2500, n - 1):
        assert data[64 * i : 64 * i + 64] == multiples([pow(tau, i, MODULUS)])


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_lagrange_basis_is_its_definition(backend: Backend, n: int) -> None:
    tau = 987654321
    powers = backend.points(multiples([pow(tau, i, MODULUS) for i in range(n)]))
    expected = multiples(lagrange_evaluations(n, range(n), tau))
    assert backend.point_bytes(backend.lagrange(powers)) == expected


@pytest.mark.parametrize("logs", [[0] * 4, [1] * 4, [1, -1, 1, -1], [0, 5, 0, 5], [1, 2, 3, 4], [3, 0, 0, 0]])
def test_lagrange_of_structured_points(backend: Backend, logs: list[int]) -> None:
    transformed = backend.integers(backend.intt(backend.vector(logs)))
    assert backend.point_bytes(backend.lagrange(backend.points(multiples(logs)))) == multiples(transformed)


def test_lagrange_of_a_longer_basis(fast: Backend) -> None:
    n, tau = 256, 1234567
    basis = fast.lagrange(fast.fixed_base(fast.powers(tau, n)))
    expected = fast.fixed_base(fast.vector(lagrange_evaluations(n, range(n), tau)))
    assert fast.point_bytes(basis) == fast.point_bytes(expected)
    with pytest.raises(BackendError, match="3 is not the size of a domain"):
        fast.lagrange(basis[0:3])


def test_sums_of_all_triples_of_special_points(cpu: Backend) -> None:
    """Every order in which equal, opposite and infinite points can meet in a bucket."""
    from prover.backend.cpu_arrays import Affine, affine
    from prover.backend.kernels.buckets import sum_groups

    logs = [0, 1, 2, 3, 4]
    signed = [2 * i + sign for i in range(len(logs)) for sign in (0, 1)]
    triples = list(itertools.product(signed, repeat=3))
    out = np.empty(8 * len(triples), np.uint64)
    edges = np.arange(0, 3 * len(triples) + 1, 3)
    bases = affine(cpu.points(multiples(logs)))
    sum_groups(bases, np.array(triples, np.uint32).reshape(-1), edges, out, 0, len(triples))
    table = {log: multiples([log]) for log in range(-12, 13)}
    expected = [sum(-logs[e >> 1] if e & 1 else logs[e >> 1] for e in triple) for triple in triples]
    assert cpu.point_bytes(Affine(out)) == b"".join(table[log] for log in expected)


def test_reference_points_are_pyecc() -> None:
    assert encoded(add(G1, Z1)) == (1).to_bytes(32, "little") + (2).to_bytes(32, "little")
