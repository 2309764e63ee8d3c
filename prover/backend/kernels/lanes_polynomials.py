"""Evaluation of polynomials, thirty-two coefficients at a time."""

from typing import Any

import numpy as np

from prover.backend.kernels import polynomials as portable
from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import SCALAR
from prover.backend.kernels.lanes import load8, load_all, store8
from prover.backend.kernels.lanes_field import SCALAR8
from prover.backend.kernels.wide import load, store

Array = np.ndarray[Any, Any]
add8, mul8, canonical8, zero8, one8 = SCALAR8.add, SCALAR8.mul, SCALAR8.canonical, SCALAR8.zero, SCALAR8.one
add, product, zero, one = SCALAR.add, SCALAR.product, SCALAR.zero, SCALAR.one
CHAINS = 4
STEP = 8 * CHAINS


@kernel
def evaluate(coefficients: Array, point: Array, out: Array, k: int, start: int, stop: int) -> None:
    """As the portable one: Horner in x^32, in four chains of eight lanes; the coefficients left over come first."""
    whole = start + (stop - start) // STEP * STEP
    portable.evaluate(coefficients, point, out, k, whole, stop)
    if whole == start:
        return
    x, step = load(point, 0), np.empty(4, np.uint64)
    power = x
    for _ in range(5):
        power = product(power, power)
    store(step, 0, power)
    x32 = load_all(step, 0)
    a, b, c, d = zero8(), zero8(), zero8(), zero8()
    for i in range(whole - STEP, start - 1, -STEP):
        a, b = add8(mul8(a, x32), load8(coefficients, i)), add8(mul8(b, x32), load8(coefficients, i + 8))
        c, d = add8(mul8(c, x32), load8(coefficients, i + 16)), add8(mul8(d, x32), load8(coefficients, i + 24))
    lanes = np.empty(4 * STEP, np.uint64)
    store8(lanes, 0, canonical8(mul8(a, one8())))
    store8(lanes, 8, canonical8(mul8(b, one8())))
    store8(lanes, 16, canonical8(mul8(c, one8())))
    store8(lanes, 24, canonical8(mul8(d, one8())))
    total = zero()
    for i in range(STEP - 1, -1, -1):
        total = add(product(total, x), load(lanes, i))
    shift, exponent = one(), whole - start
    while exponent:  # x^(whole - start)
        if exponent & 1:
            shift = product(shift, x)
        x = product(x, x)
        exponent >>= 1
    store(out, k, add(total, product(load(out, k), shift)))
