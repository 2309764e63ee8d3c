"""Vectors and polynomials, each operation against its formula in Python integers."""

import random

import numpy as np
import pytest

from circuits.field import MODULUS
from prover.backend import Backend, BackendError, get_backend

EDGES = [0, 1, 2, MODULUS - 1, MODULUS - 2, (1 << 64) - 1, 1 << 64, (1 << 128) - 1, (1 << 192) - 1, (1 << 253) - 1]


def sample(n: int, seed: int = 0) -> list[int]:
    """Edges of limbs first, then random elements."""
    source = random.Random(seed)
    return (EDGES + [source.randrange(MODULUS) for _ in range(n)])[:n]


def value_at(coefficients: list[int], point: int) -> int:
    return sum(c * pow(point, i, MODULUS) for i, c in enumerate(coefficients)) % MODULUS


@pytest.mark.parametrize(
    "values",
    [
        [],
        EDGES,
        [-1, -MODULUS, -(1 << 300)],
        [MODULUS, MODULUS + 1, (1 << 256) - 1, 1 << 256, 1 << 300],
        [True, False, -5, (1 << 63) - 1, -(1 << 63), 1 << 63],
        [np.int64(-3), np.uint64(1 << 63), np.uint8(200)],
    ],
)
def test_integers_of_any_size_are_reduced(backend: Backend, values: list[int]) -> None:
    assert backend.integers(backend.vector(values)) == [int(v) % MODULUS for v in values]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int16, np.int32, np.int64])
def test_numpy_integers_keep_their_sign_and_width(backend: Backend, dtype: type) -> None:
    bounds = np.iinfo(dtype)
    array = np.array([0, 1, bounds.min, bounds.max, bounds.max - 1], dtype)
    expected = [int(v) % MODULUS for v in array]
    assert backend.integers(backend.vector(array)) == expected
    strided = np.repeat(array, 2)[::2]
    strided.flags.writeable = False
    assert backend.integers(backend.vector(strided)) == expected


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), np.int64), np.array([True]), np.array([1 << 70])])
def test_other_arrays_are_refused(backend: Backend, array: np.ndarray) -> None:
    with pytest.raises(BackendError, match=r"one-dimensional array of integers|four uint64 words"):
        backend.vector(array)


def test_parts_and_whole(backend: Backend) -> None:
    values = sample(40)
    v = backend.vector(values)
    assert len(v) == 40
    assert backend.integers(backend.slice(v, 3, 17)) == values[3:17]
    assert backend.integers(backend.slice(v, 5, 5)) == []
    parts = [backend.slice(v, 0, 7), backend.slice(v, 7, 7), backend.slice(v, 7, 40)]
    assert backend.integers(backend.concatenate(parts)) == values
    assert backend.integers(backend.concatenate([])) == []


def test_elementwise_operations(backend: Backend) -> None:
    a, b = sample(100, 1), sample(100, 2)[::-1]
    va, vb = backend.vector(a), backend.vector(b)
    assert backend.integers(backend.multiply(va, vb)) == [x * y % MODULUS for x, y in zip(a, b, strict=True)]
    expected = [(5 * x - y) % MODULUS for x, y in zip(a, b, strict=True)]
    assert backend.integers(backend.combine([va, vb], [5, -1])) == expected
    sums = [sum(a[:i]) % MODULUS for i in range(100)]
    assert backend.integers(backend.prefix_sums(va)) == sums
    assert backend.integers(va) == a, "an operation changed its argument"


def test_combine_pads_shorter_vectors(backend: Backend) -> None:
    a, b, c = sample(600, 1), sample(9, 2), [7]
    combined = backend.integers(
        backend.combine([backend.vector(v) for v in (b, a, c, [])], [3, MODULUS - 4, 1 << 255, 9])
    )
    padded = [b + [0] * 591, a, c + [0] * 599]
    assert combined == [(3 * x - 4 * y + (z << 255)) % MODULUS for x, y, z in zip(*padded, strict=True)]
    assert backend.integers(backend.combine([], [])) == []


@pytest.mark.parametrize("count", [4, 5, 8, 11])
def test_combine_of_many_vectors_of_nearly_equal_lengths(backend: Backend, count: int) -> None:
    """Largest elements and scalars, whose sums of products are the first to overflow."""
    lengths = [300 - (k * k) % 5 for k in range(count)]
    scalars = [MODULUS - 1 - k // 6 for k in range(count)]
    combined = backend.combine([backend.powers(1, n, -1 - n) for n in lengths], scalars)
    columns = [[(-1 - n) * s] * n + [0] * (300 - n) for n, s in zip(lengths, scalars, strict=True)]
    assert backend.integers(combined) == [sum(row) % MODULUS for row in zip(*columns, strict=True)]
    largest = backend.combine([backend.powers(1, 9, -1)] * count, [-1] * count)
    assert backend.integers(largest) == [count] * 9


def test_lengths_that_differ_are_refused(backend: Backend) -> None:
    one, two = backend.vector([1]), backend.vector([1, 2])
    with pytest.raises(BackendError, match="lengths 1 and 2 differ"):
        backend.multiply(one, two)
    with pytest.raises(BackendError, match="lengths 1 and 2 differ"):
        backend.combine([one], [1, 2])


@pytest.mark.parametrize("n", [0, 1, 3, 31, 32, 33, 63, 64, 65, 1300, 4999])
def test_powers(backend: Backend, n: int) -> None:
    assert backend.integers(backend.powers(3, n, -7)) == [-7 * 3**i % MODULUS for i in range(n)]
    assert backend.integers(backend.powers(0, 3)) == [1, 0, 0]


@pytest.mark.parametrize("n", [0, 1, 2, 1100])
def test_inverse(backend: Backend, n: int) -> None:
    values = [v or 5 for v in sample(n)]
    inverses = backend.integers(backend.inverse(backend.vector(values)))
    assert all(x * y % MODULUS == 1 for x, y in zip(values, inverses, strict=True))


@pytest.mark.parametrize("value", [*EDGES[1:], *(1 << k for k in range(0, 254, 31)), (MODULUS + 1) // 2])
def test_inverse_of_one_element(backend: Backend, value: int) -> None:
    assert backend.integers(backend.inverse(backend.vector([value]))) == [pow(value, -1, MODULUS)]


@pytest.mark.parametrize("place", [0, 600, 1199])
def test_inverse_of_zero_raises(backend: Backend, place: int) -> None:
    values = list(range(1, 1201))
    values[place] = 0
    with pytest.raises(ZeroDivisionError):
        backend.inverse(backend.vector(values))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("point", [0, 1, MODULUS - 1, 12345678901234567890])
def test_evaluation_and_division(backend: Backend, n: int, point: int) -> None:
    check_division(backend, sample(n, 3), point)


def check_division(backend: Backend, coefficients: list[int], point: int) -> None:
    f = backend.vector(coefficients)
    remainder = value_at(coefficients, point)
    assert backend.evaluate(f, point) == remainder
    if not coefficients:
        with pytest.raises(BackendError, match="no coefficients"):
            backend.divide_linear(f, point)
        return
    quotient = backend.integers(backend.divide_linear(f, point))
    assert len(quotient) == len(coefficients) - 1
    product = [(a - point * b) % MODULUS for a, b in zip([0, *quotient], [*quotient, 0], strict=True)]
    product[0] = (product[0] + remainder) % MODULUS
    assert product == coefficients


@pytest.mark.parametrize("n", [4095, 4096, 10001])
def test_evaluation_and_division_in_chunks(fast: Backend, n: int) -> None:
    check_division(fast, sample(n, 4), 987654321)


def test_unknown_backends_are_named() -> None:
    with pytest.raises(BackendError, match="unknown backend 'gpu': choose one of reference, cpu, cuda, auto"):
        get_backend("gpu")


def test_a_foreign_vector_is_refused(fast: Backend, reference: Backend) -> None:
    with pytest.raises(BackendError, match=f"expected a vector of the {fast.name} backend"):
        fast.evaluate(reference.vector([1, 2]), 3)
    with pytest.raises(BackendError, match=f"expected points of the {fast.name} backend"):
        fast.on_curve(reference.points(bytes(64)))
