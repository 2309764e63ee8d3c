"""Transforms against evaluation, and against each other."""

import random

import pytest

from circuits.field import MODULUS, root_of_unity
from prover.backend import Backend, BackendError


def elements(n: int, seed: int) -> list[int]:
    source = random.Random(seed)
    return [source.randrange(MODULUS) for _ in range(n)]


def value_at(coefficients: list[int], point: int) -> int:
    value = 0
    for c in reversed(coefficients):
        value = (value * point + c) % MODULUS
    return value


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("shift", [1, 5, MODULUS - 3])
@pytest.mark.parametrize("count", ["none", "one", "fewer", "equal", "more", "many more"])
def test_values_on_a_coset(backend: Backend, n: int, shift: int, count: str) -> None:
    size = {"none": 0, "one": 1, "fewer": n // 2, "equal": n, "more": n + n // 2 + 1, "many more": 3 * n + 1}[count]
    coefficients = elements(size, n)
    values = backend.integers(backend.ntt(backend.vector(coefficients), n, shift))
    omega = root_of_unity(n)
    assert values == [value_at(coefficients, shift * pow(omega, i, MODULUS)) for i in range(n)]


@pytest.mark.parametrize("n", [1, 2, 4, 64])
@pytest.mark.parametrize("shift", [1, 7])
def test_the_inverse_interpolates(backend: Backend, n: int, shift: int) -> None:
    coefficients = elements(n, n)
    v = backend.vector(coefficients)
    assert backend.integers(backend.intt(backend.ntt(v, n, shift), shift)) == coefficients
    assert backend.integers(v) == coefficients, "a transform changed its argument"


def test_a_shift_of_zero_gives_the_constant_term(backend: Backend) -> None:
    assert backend.integers(backend.ntt(backend.vector([9, 8, 7, 6, 5]), 4, 0)) == [9] * 4


@pytest.mark.parametrize("n", [0, 3, -4, 1 << 29])
def test_sizes_without_a_domain_are_refused(backend: Backend, n: int) -> None:
    with pytest.raises(BackendError, match="not the size of a domain"):
        backend.ntt(backend.vector([1]), n)
    with pytest.raises(BackendError, match="0 is not the size of a domain"):
        backend.intt(backend.vector([]))


@pytest.mark.parametrize("bits", [9, 12, 13, 15, 16])
def test_large_transforms_by_samples(cpu: Backend, bits: int) -> None:
    n = 1 << bits
    coefficients = elements(n - 3, bits)
    v = cpu.vector(coefficients)
    transformed = cpu.ntt(v, n, 5)
    values, omega = cpu.integers(transformed), root_of_unity(n)
    for i in (0, 1, n // 2, n - 1, 3 * n // 8 + 1):
        assert values[i] == cpu.evaluate(v, 5 * pow(omega, i, MODULUS) % MODULUS)
    assert cpu.integers(cpu.intt(transformed, 5)) == [*coefficients, 0, 0, 0]


@pytest.mark.parametrize("n", [128, 256])
def test_backends_agree(cpu: Backend, reference: Backend, n: int) -> None:
    coefficients = elements(n + 5, n)
    for shift in (1, 11):
        fast, slow = (b.integers(b.ntt(b.vector(coefficients), n, shift)) for b in (cpu, reference))
        assert fast == slow
        fast, slow = (b.integers(b.intt(b.vector(coefficients[:n]), shift)) for b in (cpu, reference))
        assert fast == slow
