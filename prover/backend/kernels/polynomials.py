"""Kernels on coefficients, lowest first: evaluation and division by X - x, in chunks that threads take."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.wide import load, store

Array = np.ndarray[Any, Any]
add, mul, product, zero = SCALAR.add, SCALAR.mul, SCALAR.product, SCALAR.zero


@kernel
def evaluate(coefficients: Array, point: Array, out: Array, k: int, start: int, stop: int) -> None:
    """out_k = sum of c_{start+i} x^i over the chunk; four chains of Horner in x^4 hide the latency of the product."""
    x = load(point, 0)
    x2 = product(x, x)
    x4 = product(x2, x2)
    a0, a1, a2, a3 = zero(), zero(), zero(), zero()
    whole = start + (stop - start) // 4 * 4
    if whole < stop:
        a0 = load(coefficients, whole)
    if whole + 1 < stop:
        a1 = load(coefficients, whole + 1)
    if whole + 2 < stop:
        a2 = load(coefficients, whole + 2)
    for i in range(whole - 4, start - 1, -4):
        a0 = add(mul(a0, x4), load(coefficients, i))
        a1 = add(mul(a1, x4), load(coefficients, i + 1))
        a2 = add(mul(a2, x4), load(coefficients, i + 2))
        a3 = add(mul(a3, x4), load(coefficients, i + 3))
    low, high = add(a0, product(a1, x)), add(a2, product(a3, x))
    store(out, k, add(low, product(high, x2)))


@kernel
def divide_linear(coefficients: Array, point: Array, carry: Array, k: int, out: Array, start: int, stop: int) -> None:
    """Rows [start, stop) of synthetic division: out_{i-1} = c_i + x out_i, where out_{stop-1} = carry_k, from above."""
    x, value = load(point, 0), load(carry, k)
    for i in range(stop - 1, max(start, 1) - 1, -1):
        value = add(product(value, x), load(coefficients, i))
        store(out, i - 1, value)
