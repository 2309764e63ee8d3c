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


@pytest.mark.parametrize("lengths", [[], [0], [3], [2, 2, 2], [3, 0, 1], [0, 0], [1, 40, 17, 5]])
def test_interleaving_pads_with_zeros(backend: Backend, lengths: list[int]) -> None:
    parts = [elements(length, length) for length in lengths]
    rows = range(max(lengths, default=0))
    expected = [part[j] if j < len(part) else 0 for j in rows for part in parts]
    assert backend.integers(backend.interleave([backend.vector(part) for part in parts])) == expected


EDGES = [0, 1, 2, MODULUS - 1, MODULUS - 2, (1 << 253) - 1, 1 << 253, MODULUS // 2]


@pytest.mark.parametrize("bits", range(6, 18))
def test_large_transforms_by_samples(fast: Backend, bits: int) -> None:
    check_samples(fast, bits)


@pytest.mark.parametrize("bits", range(18, 21))
def test_largest_transforms_by_samples(cpu: Backend, bits: int) -> None:
    check_samples(cpu, bits)


def check_samples(fast: Backend, bits: int) -> None:
    """Each size is cut into passes of its own; what is not random lies at the edges of the field."""
    n = 1 << bits
    source = random.Random(bits)
    v = fast.concatenate(
        [fast.vector(EDGES), fast.powers(source.randrange(MODULUS), n - 16, 3), fast.vector(EDGES[:5])]
    )
    assert len(v) == n - 3
    for shift in (1, source.randrange(MODULUS)):
        transformed, omega = fast.ntt(v, n, shift), root_of_unity(n)
        assert len(transformed) == n
        for i in (0, 1, n // 2, n - 1, 3 * n // 8 + 1, source.randrange(n)):
            [value] = fast.integers(fast.slice(transformed, i, i + 1))
            assert value == fast.evaluate(v, shift * pow(omega, i, MODULUS) % MODULUS)
        back = fast.intt(transformed, shift)
        assert fast.integers(fast.slice(back, n - 3, n)) == [0, 0, 0]
        point = source.randrange(MODULUS)
        assert fast.evaluate(back, point) == fast.evaluate(v, point)


@pytest.mark.parametrize("bits", range(8, 14))
@pytest.mark.parametrize("fill", ["least", "most", "mixed", "one", "none"])
def test_transforms_at_the_edges(fast: Backend, bits: int, fill: str) -> None:
    """Sums of n equal elements, by which the bounds of lazy reduction are reached."""
    n, source = 1 << bits, random.Random(bits)
    values = {
        "least": [1] * n,
        "most": [MODULUS - 1] * n,
        "mixed": [source.choice(EDGES) for _ in range(n)],
        "one": [MODULUS - 1] + [0] * (n - 1),
        "none": [0] * n,
    }[fill]
    v, omega = fast.vector(values), root_of_unity(n)
    for shift in (1, MODULUS - 1, 3):
        transformed = fast.ntt(v, n, shift)
        found = fast.integers(transformed)
        assert found[0] == value_at(values, shift)
        assert found[n // 2 + 1] == value_at(values, shift * pow(omega, n // 2 + 1, MODULUS))
        assert fast.integers(fast.intt(transformed, shift)) == values
        assert fast.integers(fast.ntt(fast.intt(v, shift), n, shift)) == values


@pytest.mark.parametrize("n", [256, 512, 1024, 2048])
@pytest.mark.parametrize("missing", [0, 1, 7, 8, 9, 100])
def test_what_is_not_given_is_zero(fast: Backend, n: int, missing: int) -> None:
    given = elements(n - missing, n)
    short, whole = fast.vector(given), fast.vector(given + [0] * missing)
    for shift in (1, 5):
        assert fast.integers(fast.ntt(short, n, shift)) == fast.integers(fast.ntt(whole, n, shift))
    assert fast.integers(fast.ntt(fast.vector(given[:3]), n, 0)) == [given[0]] * n


@pytest.mark.parametrize("n", [256, 1024])
def test_more_coefficients_than_values(fast: Backend, n: int) -> None:
    coefficients = elements(2 * n + 3, n)
    values = fast.integers(fast.ntt(fast.vector(coefficients), n, 5))
    for i in (0, 1, n - 1):
        assert values[i] == value_at(coefficients, 5 * pow(root_of_unity(n), i, MODULUS))


@pytest.mark.parametrize("n", [128, 256, 512, 1024])
def test_backends_agree(fast: Backend, reference: Backend, n: int) -> None:
    coefficients = elements(n + 5, n)
    for shift in (1, 11):
        quick, slow = (b.integers(b.ntt(b.vector(coefficients), n, shift)) for b in (fast, reference))
        assert quick == slow
        quick, slow = (b.integers(b.intt(b.vector(coefficients[:n]), shift)) for b in (fast, reference))
        assert quick == slow
