"""Transforms and powers of the CPU backend: in eight lanes where the kernels have it, else one element at a time."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from circuits.field import MODULUS, root_of_unity
from prover.backend import cpu_passes
from prover.backend.cpu_arrays import Array
from prover.backend.kernels import select
from prover.backend.kernels.field import montgomery
from prover.backend.threads import run_all, split

KERNELS = select()
IN_LANES = hasattr(KERNELS, "transform_columns")


def forward(coefficients: Array, n: int, shift: int) -> Array:
    """A new array of the values at shift w^i of at most n coefficients."""
    if IN_LANES and n >= cpu_passes.LEAST:
        return cpu_passes.transform(coefficients, n, cpu_passes.forward_plan(n, shift))
    values = np.zeros(4 * n, np.uint64)
    values[: len(coefficients)] = coefficients
    if shift != 1:
        split(KERNELS.multiply, values, _powers(shift, n, 1), values, n=len(coefficients) // 4)
    return _transform(values, False)


def backward(evaluations: Array, shift: int) -> Array:
    """A new array of the coefficients that have these values at shift w^i."""
    n = len(evaluations) // 4
    if IN_LANES and n >= cpu_passes.LEAST:
        return cpu_passes.transform(evaluations, n, cpu_passes.backward_plan(n, shift))
    values = _transform(evaluations.copy(), True)
    split(KERNELS.multiply, values, _powers(pow(shift, -1, MODULUS), n, pow(n, -1, MODULUS)), values, n=n)
    return values


def make_powers(base: int, n: int, first: int) -> Array:
    """first base^i for i < n."""
    out, factor = np.empty(4 * n, np.uint64), montgomery(base)

    def fill(start: int, stop: int) -> None:
        KERNELS.powers(factor, montgomery(first * pow(base, start, MODULUS)), out, start, stop)

    split(fill, n=n)
    return out


_powers = lru_cache(maxsize=8)(make_powers)
_table = np.empty(0, np.uint64)


def _twiddles(n: int) -> Array:
    """table[h + j] = w_{2h}^j for j < h <= n / 2; the table only grows, so that one serves all smaller sizes."""
    global _table
    table, size = _table, max(n, 4)
    if len(table) < 4 * size:
        rows = np.zeros((size, 4), np.uint64)
        half = size // 2
        rows[half:] = make_powers(root_of_unity(size), half, 1).reshape(-1, 4)
        while half > 1:
            rows[half // 2 : half] = rows[half : 2 * half : 2]
            half //= 2
        table = _table = rows.reshape(-1)
    return table


def _transform(values: Array, backward: bool) -> Array:
    """The values at the powers of w (or of 1/w) in natural order; overwrites its argument."""
    n = len(values) // 4
    if n == 1:
        return values
    twiddles, width = _twiddles(n), n
    while n // width < 4 and width >= 4096:
        for base in range(0, n, width):
            split(KERNELS.butterflies, values, twiddles, base, width, n=width // 4)
        width //= 4
    run_all(partial(KERNELS.transform_block, values, twiddles, base, width) for base in range(0, n, width))
    out = np.empty(4 * n, np.uint64)
    split(KERNELS.natural_order, values, out, n.bit_length() - 1, backward, n=n)
    return out
