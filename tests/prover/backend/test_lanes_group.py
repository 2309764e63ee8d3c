"""Sums of points eight at a time against the portable kernels, on points that meet themselves, their negatives and
infinity."""

from collections.abc import Callable

import numpy as np
import pytest

from circuits.field import MODULUS
from prover.backend import get_backend
from prover.backend.cpu_arrays import affine
from prover.backend.digits import shift_of
from prover.backend.kernels import buckets as portable
from prover.backend.kernels import multiples as portable_multiples
from prover.backend.kernels import windows as portable_windows
from prover.backend.kernels.field import limbs
from prover.backend.kernels.host import IFMA, kernel_set

if kernel_set() != IFMA:
    pytest.skip("the kernels of this processor are the portable ones", allow_module_level=True)

from prover.backend.kernels import lanes_buckets, lanes_groups, lanes_multiples, lanes_windows

COUNT = 3000


def _points(logarithms: list[int]) -> np.ndarray:
    backend = get_backend("cpu")
    return affine(backend.fixed_base(backend.vector(logarithms)))


def _random(i: int) -> int:
    return pow(5, 1000 + i, MODULUS)


FAMILIES: dict[str, Callable[[int], int]] = {
    "random": _random,
    "consecutive": lambda i: i + 1,
    "all equal": lambda i: 7,
    "opposite": lambda i: (_random(i // 2) * (-1) ** i) % MODULUS,
    "some infinite": lambda i: 0 if i % 3 else _random(i),
    "all infinite": lambda i: 0,
    "few": lambda i: (i % 5 - 2) % MODULUS,
}
SPREADS = {"random": 40, "two groups": 2, "one group": 1, "many groups": COUNT}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_sums_of_groups(family: str, spread: str) -> None:
    bases, random = _points([FAMILIES[family](i) for i in range(COUNT)]), np.random.default_rng(1)
    groups = SPREADS[spread]
    edges = np.sort(random.integers(0, COUNT + 1, groups + 1))
    edges[0], edges[-1] = 0, COUNT
    entries = (2 * random.permutation(COUNT) + random.integers(0, 2, COUNT)).astype(np.uint32)
    expected, found = np.empty(8 * groups, np.uint64), np.full(8 * groups, 1, np.uint64)
    portable.sum_groups(bases, entries, edges, expected, 0, groups)
    lanes_groups.sum_groups(bases, entries, edges, found, 0, groups)
    assert (expected == found).all()


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 33, 8191, 8192, 8193, 20000])
def test_groups_of_any_length(count: int) -> None:
    bases = _points([_random(i) for i in range(64)])
    entries = (np.arange(count) % 128).astype(np.uint32)
    edges = np.array([0, count // 3, count // 3, count])
    expected, found = np.empty(24, np.uint64), np.empty(24, np.uint64)
    portable.sum_groups(bases, entries, edges, expected, 0, 3)
    lanes_groups.sum_groups(bases, entries, edges, found, 0, 3)
    assert (expected == found).all()
    part = np.full(24, 9, np.uint64)
    lanes_groups.sum_groups(bases, entries, edges, part, 1, 3)
    assert (part[8:] == expected[8:]).all()
    assert (part[:8] == 9).all()


@pytest.mark.parametrize("half", [1, 16, 1000])
@pytest.mark.parametrize("family", FAMILIES)
def test_streamed_buckets_are_the_sorted_ones(family: str, half: int) -> None:
    bases, random = _points([FAMILIES[family](i) for i in range(COUNT)]), np.random.default_rng(2)
    rows = random.permutation(COUNT).astype(np.uint32)
    digits = random.integers(-half, half + 1, COUNT).astype(np.int32)
    edges, entries = np.empty(half + 1, np.int64), np.empty(COUNT, np.uint32)
    portable_windows.sort_digits(rows, digits, half, edges, entries)
    expected = np.empty(8 * half, np.uint64)
    portable.sum_groups(bases, entries, edges, expected, 0, half)

    found, used = np.zeros(8 * half, np.uint64), np.zeros(half, np.uint32)
    rest_rows, rest_digits = np.empty(COUNT, np.uint32), np.empty(COUNT, np.int32)
    left = lanes_buckets.accumulate(bases, rows, digits, found, used, rest_rows, rest_digits)
    rest, sums = np.minimum(used, 1), np.empty(8 * half, np.uint64)
    portable_windows.sort_digits(rest_rows[:left], rest_digits[:left], half, edges, entries)
    portable.sum_groups(bases, entries, edges, sums, 0, half)
    met = np.flatnonzero(np.diff(edges)).astype(np.uint32)
    lanes_buckets.accumulate(sums, met, met.astype(np.int32) + 1, found, rest, rest_rows, rest_digits)
    assert (expected == found).all()
    assert left < COUNT or half == 1


@pytest.mark.parametrize("bits", [7, 8, 10])
@pytest.mark.parametrize("family", FAMILIES)
def test_weighed_buckets(family: str, bits: int) -> None:
    half, windows = 1 << (bits - 1), 2
    buckets = _points([FAMILIES[family](i) for i in range(windows * half)])
    points = []
    for weigh in (portable_windows.weigh_buckets, lanes_windows.weigh_buckets):
        sums, joined = np.empty(16 * windows, np.uint64), np.empty(8, np.uint64)
        weigh(buckets, bits, windows, sums)
        portable_windows.join_windows(sums, bits, windows, 1, joined)
        points.append(joined)
    assert (points[0] == points[1]).all()


@pytest.mark.parametrize("rows", [[], [3], list(range(5, 29)), [0, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13], list(range(100))])
def test_digits(rows: list[int]) -> None:
    backend = get_backend("cpu")
    scalars = np.concatenate([backend.vector([_random(i) - 1, MODULUS - i - 1]).data for i in range(50)])
    chosen, shift = np.array(rows, np.uint32), np.array([9, 1 << 63, 5, 1 << 40], np.uint64)
    found = []
    for kernels in (portable_windows, lanes_windows):
        shifted, digits = np.empty(4 * len(rows), np.uint64), np.empty(20 * len(rows), np.int32)
        kernels.shift_scalars(scalars, chosen, shift, shifted, 0, len(rows))
        kernels.extract_digits(shifted, shift, 13, 20, digits, 0, len(rows))
        found.append((shifted, digits))
    assert (found[0][0] == found[1][0]).all()
    assert (found[0][1] == found[1][1]).all()


@pytest.mark.parametrize("count", [8, 9, 15, 40])
@pytest.mark.parametrize("family", FAMILIES)
def test_multiples(family: str, count: int) -> None:
    bases = _points([FAMILIES[family](i) for i in range(count + 2)])
    scalars = [0, 1, 2, MODULUS - 1, 8, 1 << 253, *(_random(i) for i in range(count))][: count + 2]
    vector = get_backend("cpu").vector(scalars + [3] * (count + 2 - len(scalars)))
    shifted = np.empty(4 * (count + 2), np.uint64)
    shift = limbs(shift_of(portable_multiples.BITS, portable_multiples.WINDOWS))
    portable_windows.shift_scalars(vector.data, np.arange(count + 2, dtype=np.uint32), shift, shifted, 0, count + 2)
    expected, found = np.zeros(8 * (count + 2), np.uint64), np.zeros(8 * (count + 2), np.uint64)
    portable_multiples.multiply_points(bases, shifted, expected, 1, count + 1)
    lanes_multiples.multiply_points(bases, shifted, found, 1, count + 1)
    assert (expected == found).all()
