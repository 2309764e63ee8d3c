"""Multi-scalar multiplication over points of known logarithms: the result is (sum of scalar * log) * G."""

import random

import numpy as np
import pytest
from py_ecc.optimized_bn128 import G1, is_inf, multiply, normalize

from circuits.field import MODULUS
from prover.backend import Backend, BackendError, Points

SMALL = 12  # points where the reference backend takes part
FULL = [0, 1, MODULUS - 1, MODULUS - 2, 1 << 253, (1 << 254) - (1 << 250), 2, 0, 0xFFFF, 0x10000, MODULUS // 2, 3]


def bases(backend: Backend, logs: list[int]) -> Points:
    return backend.fixed_base(backend.vector(logs))


def expected(logs: list[int], scalars: list[int]) -> tuple[int, int] | None:
    point = multiply(G1, sum(int(s) * log for s, log in zip(scalars, logs, strict=False)) % MODULUS)
    return None if is_inf(point) else tuple(int(c) for c in normalize(point))


def structured_logs(n: int) -> dict[str, list[int]]:
    source = random.Random(n)
    return {
        "random": [source.randrange(MODULUS) for _ in range(n)],
        "arithmetic": list(range(1, n + 1)),
        "equal": [7] * n,
        "opposite": [7 if i % 2 else -7 for i in range(n)],
        "duplicates": [source.randrange(1, 5) for _ in range(n)],
        "infinity": [0] * n,
        "with infinity": [0 if i % 3 else i for i in range(n)],
        "powers of two": [1 << (i % 250) for i in range(n)],
    }


KINDS = list(structured_logs(1))


@pytest.mark.parametrize("kind", KINDS)
def test_full_scalars(backend: Backend, kind: str) -> None:
    logs = structured_logs(SMALL)[kind]
    points, v = bases(backend, logs), backend.vector(FULL)
    assert backend.msm(points, v) == expected(logs, FULL)


@pytest.mark.parametrize("scalar", [0, 1, MODULUS - 1, 0x8000, (1 << 254) - 1])
def test_one_scalar(backend: Backend, scalar: int) -> None:
    assert backend.msm(bases(backend, [5]), backend.vector([scalar])) == expected([5], [scalar])


def test_empty_and_too_long(backend: Backend) -> None:
    points = bases(backend, [1, 2])
    assert backend.msm(points, backend.vector([])) is None
    assert backend.msm(points, np.zeros(0, np.int64)) is None
    assert backend.msm(points, np.zeros(2, np.uint8)) is None
    assert backend.msm(points, backend.vector([MODULUS - 2, 1])) is None
    assert backend.msm(points, backend.vector([4])) == expected([1], [4])
    for scalars in (backend.vector([1] * 3), np.ones(3, np.uint8)):
        with pytest.raises(BackendError, match="3 scalars for 2 points"):
            backend.msm(points, scalars)


def edge_array(dtype: type, n: int) -> np.ndarray:
    bounds = np.iinfo(dtype)
    source = np.random.default_rng(n)
    array = source.integers(bounds.min, bounds.max, n, dtype, endpoint=True)
    array[:4] = [bounds.min, bounds.max, 0, 1]
    return array


DTYPES = [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_integer_arrays(backend: Backend, dtype: type) -> None:
    logs, array = list(range(1, SMALL + 1)), edge_array(dtype, SMALL)
    assert backend.msm(bases(backend, logs), array) == expected(logs, list(array))


@pytest.mark.parametrize("values", [[1], [-1], [0, 0, 1], [255], [65535], [-(1 << 63)], [1 << 15, -(1 << 15)], [3, -3]])
def test_edges_of_windows(fast: Backend, values: list[int]) -> None:
    array, logs = np.array(values, np.int64), [11 + i for i in range(len(values))]
    assert fast.msm(bases(fast, logs), array) == expected(logs, values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [100, 5000])
def test_structured_points(fast: Backend, kind: str, n: int) -> None:
    """More entries than a block holds, in few buckets or many: equal and opposite points meet at every level."""
    logs = structured_logs(n)[kind]
    points, source = bases(fast, logs), random.Random(n)
    columns = [
        [source.randrange(MODULUS) for _ in range(n)],
        [MODULUS - 1] * n,
        [source.choice([1, MODULUS - 1, 2]) for _ in range(n)],
    ]
    for scalars in columns:
        assert fast.msm(points, fast.vector(scalars)) == expected(logs, scalars)
    for dtype in (np.uint16, np.int64):
        array = edge_array(dtype, n)
        assert fast.msm(points, array) == expected(logs, list(array))


@pytest.mark.parametrize("n", [1 << 14, 40000])
def test_large_sums(fast: Backend, n: int) -> None:
    source = np.random.default_rng(n)
    logs, array = list(range(1, n + 1)), source.integers(0, 1 << 16, n, np.uint16)
    points = bases(fast, logs)
    assert fast.msm(points, array) == expected(logs, list(array))
    assert fast.msm(points, np.ones(n, np.uint8)) == expected(logs, [1] * n)
    v = fast.powers(3, n)
    assert fast.msm(points, v) == expected(logs, fast.integers(v))


def test_sparse_scalars(fast: Backend) -> None:
    n, logs = 3000, list(range(1, 3001))
    points = bases(fast, logs)
    array = np.zeros(n, np.int64)
    array[[0, 17, 1000, n - 1]] = [5, -9, 1 << 40, -1]
    assert fast.msm(points, array) == expected(logs, list(array))
    assert fast.msm(points, fast.vector(array)) == expected(logs, list(array))


def test_bases_may_be_a_slice(fast: Backend) -> None:
    points = bases(fast, list(range(1, 50)))
    assert fast.msm(points[10:20], np.arange(10)) == expected(list(range(11, 21)), list(range(10)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [12, 300, 1100])
def test_prepared_points(fast: Backend, kind: str, n: int) -> None:
    """Prepared points are the same points, and the same sums come of full-width, few and small scalars."""
    logs = structured_logs(n)[kind]
    plain = bases(fast, logs)
    prepared = fast.prepare(plain)
    assert fast.point_bytes(prepared) == fast.point_bytes(plain)
    full = [pow(3, i, MODULUS) if i % 7 else -i % MODULUS for i in range(n)]
    few = [full[i] if i % 50 == 1 else 0 for i in range(n)]
    assert fast.msm(prepared, fast.vector(full)) == expected(logs, full)
    assert fast.msm(prepared, fast.vector(full[: n // 2])) == expected(logs, full[: n // 2])
    assert fast.msm(prepared, fast.vector(few)) == expected(logs, few)
    assert fast.msm(prepared, fast.vector([0] * n)) is None
    assert fast.msm(prepared, np.arange(n)) == expected(logs, list(range(n)))
    assert fast.msm(prepared[1:], fast.vector(full[1:])) == expected(logs[1:], full[1:])


def test_points_of_the_reference_need_no_preparation(reference: Backend) -> None:
    plain = bases(reference, [1, 2, 3])
    assert reference.msm(reference.prepare(plain), reference.vector([4, 5, 6])) == expected([1, 2, 3], [4, 5, 6])
