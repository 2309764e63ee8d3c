"""Elementwise kernels eight at a time against the portable ones: edges of the field, any length, any start."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from circuits.field import MODULUS
from circuits.program import CONSTANT, INPUT, SPACE_SHIFT, Program
from prover.backend import cpu_program, get_backend
from prover.backend.cpu_arrays import elements
from prover.backend.kernels import polynomials, scalars
from prover.backend.kernels.field import montgomery
from prover.backend.kernels.host import IFMA, kernel_set

if kernel_set() != IFMA:
    pytest.skip("the kernels of this processor are the portable ones", allow_module_level=True)

from prover.backend.kernels import lanes_polynomials, lanes_scalars

EDGES = [0, 1, 2, MODULUS - 1, MODULUS - 2, (MODULUS - 1) // 2, 1 << 253, (1 << 64) - 1, 1 << 64, (1 << 208) - 1]
RANGES = [(0, 0), (0, 1), (0, 7), (0, 8), (3, 11), (1, 40), (5, 100)]
LENGTH = 100


def values(n: int, seed: int = 0) -> np.ndarray:
    source = random.Random(seed)
    return elements(get_backend("cpu").vector([source.choice([*EDGES, source.randrange(MODULUS)]) for _ in range(n)]))


def agree(run: Callable[[Any, np.ndarray], object]) -> None:
    """Both modules write the same, and nothing outside of their range."""
    outputs = [np.full(4 * LENGTH, 7, np.uint64) for _ in range(2)]
    results = [run(module, out) for module, out in zip((scalars, lanes_scalars), outputs, strict=True)]
    assert (outputs[0] == outputs[1]).all()
    assert results[0] == results[1]


@pytest.mark.parametrize("start,stop", RANGES)
def test_products_and_forms(start: int, stop: int) -> None:
    a, b = values(LENGTH, 1), values(LENGTH, 2)
    wide = np.random.default_rng(0).integers(0, 1 << 64, 4 * LENGTH, np.uint64)
    wide[:8] = (1 << 64) - 1
    agree(lambda module, out: module.multiply(a, b, out, start, stop))
    agree(lambda module, out: module.encode(wide, out, start, stop))
    agree(lambda module, out: module.decode(a, out, start, stop))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("start,stop", RANGES)
def test_words(start: int, stop: int, signed: bool) -> None:
    words = np.random.default_rng(1).integers(0, 1 << 64, LENGTH, np.uint64)
    words[:6] = [0, 1, (1 << 64) - 1, 1 << 63, (1 << 63) - 1, 1 << 52]
    agree(lambda module, out: module.encode_words(words, signed, out, start, stop))


@pytest.mark.parametrize("start,stop", RANGES)
def test_inverses(start: int, stop: int) -> None:
    a = values(LENGTH, 3).reshape(-1, 4)
    a[~a.any(axis=1)] = montgomery(5)
    flat = a.reshape(-1)
    found, expected = (np.full(4 * LENGTH, 7, np.uint64) for _ in range(2))
    assert scalars.invert(flat, expected, start, stop)
    assert lanes_scalars.invert(flat, found, start, stop)
    assert (found == expected).all()
    for zero in {start, (start + stop) // 2, stop - 1} if start < stop else set():
        with_zero = flat.copy()
        with_zero[4 * zero : 4 * zero + 4] = 0
        assert not lanes_scalars.invert(with_zero, found, start, stop)


@pytest.mark.parametrize("count", [0, 1, 5, 63, 64, 65, 200])
def test_sums_of_many_vectors(count: int) -> None:
    source = random.Random(count)
    lengths = [source.choice([LENGTH, LENGTH, 0, 1, 8, 50, 63, 64, 99]) for _ in range(count)]
    vectors = [values(n, k) for k, n in enumerate(lengths)]
    largest = montgomery(MODULUS - 1)
    for vector in vectors[::3]:
        vector.reshape(-1, 4)[:] = largest
    addresses = np.array([vector.ctypes.data for vector in vectors], np.uint64)
    factors = values(count, 99) if count % 2 else np.tile(largest, count)
    sizes = np.array(lengths, np.int64)
    for start, stop in RANGES:
        agree(lambda module, out, a=start, b=stop: module.combine(addresses, sizes, factors, out, a, b))


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 64, 100])
@pytest.mark.parametrize("point", [0, 1, 3, MODULUS - 1, pow(7, 99, MODULUS)])
def test_values_of_polynomials(n: int, point: int) -> None:
    coefficients, x = values(n + 3, n), montgomery(point)
    found, expected = np.empty(8, np.uint64), np.empty(8, np.uint64)
    for start in (0, 3):
        polynomials.evaluate(coefficients, x, expected, 1, start, start + n)
        lanes_polynomials.evaluate(coefficients, x, found, 1, start, start + n)
        assert (found[4:] == expected[4:]).all()


def _stressed(seed: int, length: int) -> Program:
    """Long runs of sums and differences of sums, the worst for values that are reduced late, and some products."""
    source = random.Random(seed)
    operands = [
        *range(6),
        *(INPUT << SPACE_SHIFT | k for k in range(3)),
        *(CONSTANT << SPACE_SHIFT | k for k in (0, 1)),
    ]
    code = [(0, k, INPUT << SPACE_SHIFT | k % 3, CONSTANT << SPACE_SHIFT | k % 2) for k in range(6)]
    for _ in range(length):
        operation = source.choices([0, 1, 2], [4, 4, 1])[0]
        a = source.choice(operands)
        code.append((operation, source.randrange(6), a, a if source.random() < 0.2 else source.choice(operands)))
    return Program(((0, 0), (1, 3), (0, -1)), 2, 6, tuple(code), (*range(6), INPUT << SPACE_SHIFT | 1))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n", [8, 64, 136, 1024])
def test_programs_reduced_late(seed: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program, backend = _stressed(seed, 300), get_backend("cpu")
    columns = [backend.vector([0, MODULUS - 1] * (n // 2)), backend.vector(EDGES * (n // 10) + EDGES[: n % 10])]
    constants = [MODULUS - 1, pow(3, seed, MODULUS)]
    found = backend.run(program, columns, constants)
    monkeypatch.setattr(cpu_program, "LANES", False)
    expected = backend.run(program, columns, constants)
    assert [backend.integers(v) for v in found] == [backend.integers(v) for v in expected]
