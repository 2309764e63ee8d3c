"""Multiplication by fixed factors, within the bounds that its docstrings state."""

import random
from typing import Any

import numpy as np
import pytest

from circuits.field import MODULUS, root_of_unity
from prover.backend.kernels.field import montgomery
from prover.backend.kernels.host import IFMA, kernel_set

if kernel_set() != IFMA:
    pytest.skip("no kernels in eight lanes here, or not wanted", allow_module_level=True)

from prover.backend.cpu_passes import make_plan
from prover.backend.cpu_transforms import make_powers
from prover.backend.kernels import lanes_transforms
from prover.backend.kernels.cache import kernel
from prover.backend.kernels.lanes import load8, load_planar, store8, store_planar
from prover.backend.kernels.lanes_field import SCALAR8, limbs_of
from prover.backend.kernels.lanes_twiddles import (
    BASE,
    close,
    gather8,
    minus,
    plus,
    raise2,
    reduce,
    store_factors,
    times,
    times8,
)

Array = np.ndarray[Any, Any]
canonical = SCALAR8.canonical
LARGEST = 84 * MODULUS
FACTORS = [0, 1, 2, MODULUS - 1, MODULUS - 2, MODULUS // 2, 1 << 253, 3]


@kernel
def make_factors(values: Array, table: Array) -> None:
    """One group."""
    store_factors(table, 0, load8(values, 0))


@kernel
def multiply_all(x: Array, table: Array, products: Array) -> None:
    """x times each factor of a group in all lanes, raised by 2, and times all of them, lane by lane."""
    for k in range(8):
        store_planar(products, k, close(raise2(times(load_planar(x, 0), table, k))))
    store_planar(products, 8, close(raise2(times8(load_planar(x, 0), table, 0))))


@kernel
def reduce_all(x: Array, out: Array) -> None:
    """Below 2 m, then below m."""
    store_planar(out, 0, reduce(load_planar(x, 0)))
    store8(out, 10, canonical(reduce(load_planar(x, 0))))


@kernel
def sums(x: Array, y: Array, out: Array) -> None:
    """x + y - y, where the middle is not carried."""
    store_planar(out, 0, close(minus(plus(load_planar(x, 0), load_planar(y, 0)), load_planar(y, 0))))


@kernel
def gather(values: Array, index: int, stride: int, out: Array) -> None:
    """Eight elements, side by side."""
    store8(out, 0, gather8(values, index, stride))


def planar(values: list[int]) -> Array:
    """Eight integers by limb."""
    return np.array([[limbs_of(value)[k] for value in values] for k in range(5)], np.uint64).reshape(-1)


def integers(vector: Array) -> list[int]:
    """The reverse of `planar`."""
    limbs = vector.reshape(5, 8).tolist()
    assert all(limb < 1 << 52 for row in limbs for limb in row)
    return [sum(limbs[k][lane] << 52 * k for k in range(5)) for lane in range(8)]


def samples(seed: int) -> list[int]:
    source = random.Random(seed)
    near = [max(0, min(LARGEST, source.randrange(85) * MODULUS + source.randrange(-2, 3))) for _ in range(4)]
    return [LARGEST - seed, seed, *near, source.randrange(LARGEST), (1 << 258) - 1]


@pytest.mark.parametrize("seed", range(30))
def test_products_are_right_and_within_their_bounds(seed: int) -> None:
    source = random.Random(-1 - seed)
    factors = [source.choice([*FACTORS, source.randrange(MODULUS)]) for _ in range(8)]
    table, products = np.zeros(80, np.uint64), np.zeros(360, np.uint64)
    make_factors(np.concatenate([montgomery(w) for w in factors]), table)
    assert integers(table[:40]) == [w * BASE // MODULUS for w in factors]
    assert integers(table[40:]) == factors
    x = samples(seed)
    multiply_all(planar(x), table, products)
    found = [integers(products[40 * k : 40 * k + 40]) for k in range(9)]
    pairs = [(x[lane], factors[k], found[k][lane]) for k in range(8) for lane in range(8)]
    pairs += list(zip(x, factors, found[8], strict=True))
    for value, factor, product in pairs:
        assert product % MODULUS == value * factor % MODULUS
        assert MODULUS <= product < 3.03 * MODULUS


@pytest.mark.parametrize("seed", range(30))
def test_reduction(seed: int) -> None:
    x, out = samples(seed), np.zeros(72, np.uint64)
    x[0] -= 1
    reduce_all(planar(x), out)
    below = integers(out[:40])
    assert all(a < 2 * MODULUS and (a - b) % MODULUS == 0 for a, b in zip(below, x, strict=True))
    data = out[40:].tobytes()
    assert [int.from_bytes(data[32 * k : 32 * k + 32], "little") for k in range(8)] == [v % MODULUS for v in x]


def test_open_sums() -> None:
    x, y, out = samples(1), [BASE - 1, 0, *samples(2)[2:]], np.zeros(40, np.uint64)
    sums(planar(x), planar(y), out)
    assert integers(out) == x


def test_gathering() -> None:
    values = np.array([montgomery(i) for i in range(100)]).reshape(-1)
    out = np.zeros(32, np.uint64)
    gather(values, 3, 13, out)
    assert (out == np.concatenate([montgomery(3 + 13 * k) for k in range(8)])).all()


@pytest.mark.parametrize("bits", [12, 14, 15, 16])
@pytest.mark.parametrize("shift", [1, 5])
@pytest.mark.parametrize("fill", ["most", "random", "none"])
def test_what_passes_hold_is_within_its_bounds(bits: int, shift: int, fill: str) -> None:
    n, source = 1 << bits, random.Random(bits)
    word = {"most": MODULUS - 1, "random": source.randrange(MODULUS), "none": 0}[fill]
    given = np.array([word >> 64 * k & (1 << 64) - 1 for k in range(4)], np.uint64)
    values = np.tile(given, n)
    if fill == "random":
        values = make_powers(word, n, 1)
    plan = make_plan(n, root_of_unity(n), shift, 1, 1)
    sizes, length = plan.sizes.copy(), 1 << int(plan.sizes[0])
    sizes[4] = n
    scratch = np.zeros(40 * length, np.uint64)
    lanes_transforms.load_columns(values, np.zeros(64, np.uint64), sizes, plan.column_twiddles, scratch, 8)
    h, pairs = 4, 0
    while True:
        held = [value for k in range(length) for value in open_integers(scratch[40 * k : 40 * k + 40])]
        assert min(held) >= 1.9 * MODULUS
        assert max(held) <= (10.2 + 6.1 * pairs) * MODULUS
        if h == length:
            break
        lanes_transforms.level_pair(scratch, plan.column_twiddles, 0, length, h)
        h, pairs = 4 * h, pairs + 1


def open_integers(vector: Array) -> list[int]:
    """Residues mod B of eight open elements."""
    limbs = vector.view(np.int64).reshape(5, 8).tolist()
    return [sum(limbs[k][lane] << 52 * k for k in range(5)) % BASE for lane in range(8)]
