"""Plans of the transforms in eight lanes, and their two passes over threads."""

from __future__ import annotations

import threading
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from circuits.field import MODULUS, root_of_unity
from prover.backend.cpu_arrays import Array
from prover.backend.kernels import select
from prover.backend.kernels.field import montgomery
from prover.backend.memory import blank
from prover.backend.threads import ranges, run_all

KERNELS = select()
LEAST = 1 << 8  # elements: each pass needs eight columns and eight rows, and fewer are soon done otherwise
PADDING = 8  # elements after each row between the passes, lest a column fall into few sets of a cache
_own = threading.local()


class Plan(NamedTuple):
    """Tables of one transform, n = height * width; about 160 n^(3/4) bytes: 0.3 MB for 2^14, 5.5 MB for 2^20."""

    sizes: Array  # as kernels take them, but for the number of elements given
    column_twiddles: Array  # of length height, on the coset of shift^width
    row_twiddles: Array  # of length width
    coarse: Array  # a, k: (w^k shift)^(step a)
    fine: Array  # k, b: (w^k shift)^b scale ratio^k
    last: Array  # l: ratio^(height l)


@lru_cache(maxsize=16)
def forward_plan(n: int, shift: int) -> Plan:
    """Of the values at shift w^i."""
    return make_plan(n, root_of_unity(n), shift, 1, 1)


@lru_cache(maxsize=16)
def backward_plan(n: int, shift: int) -> Plan:
    """Of the coefficients from the values at shift w^i."""
    return make_plan(n, pow(root_of_unity(n), -1, MODULUS), 1, pow(shift, -1, MODULUS), pow(n, -1, MODULUS))


def make_plan(n: int, root: int, shift: int, ratio: int, scale: int) -> Plan:
    """Of out_k = scale ratio^k sum over i of (shift root^k)^i x_i, for k < n."""
    bits = n.bit_length() - 1
    height_bits = (bits + 1) // 4 * 2  # even: levels are done in pairs, and a level alone costs more on a coset
    height, width = 1 << height_bits, n >> height_bits
    step = 1 << max(3, width.bit_length() // 2)
    turns = _powers(root, height, shift)
    jumps = _powers(pow(root, step, MODULUS), height, pow(shift, step, MODULUS))
    coset, scaled = pow(shift, width, MODULUS), pow(ratio, height, MODULUS)
    return Plan(
        np.array([height_bits, bits - height_bits, step, width + PADDING, 0, coset != 1, scaled != 1]),
        _level_twiddles(pow(root, width, MODULUS), height, coset),
        _level_twiddles(pow(root, height, MODULUS), width, 1),
        _factor_powers(jumps, np.tile(montgomery(1), height), width // step, 1, height // 8),
        _factor_powers(turns, _powers(ratio, height, scale), step, step, 1),
        _factors(_powers(scaled, width, 1)),
    )


def _powers(base: int, n: int, first: int) -> Array:
    """first * base^i for i < n."""
    out = np.empty(4 * n, np.uint64)
    KERNELS.powers(montgomery(base), montgomery(first), out, 0, n)
    return out


def _factor_powers(ratios: Array, firsts: Array, count: int, across: int, along: int) -> Array:
    """A table of first * ratio^t for t < count: for eight ratios of group g at group across * g + along * t."""
    out = np.empty(len(ratios) // 32 * 80 * count, np.uint64)
    KERNELS.factor_powers(ratios, firsts, out, count, across, along)
    return out


def _factors(values: Array) -> Array:
    """A table of the values; their number is a multiple of eight."""
    return _factor_powers(values, values, 1, 1, 0)


def _level_twiddles(root: int, length: int, coset: int) -> Array:
    """At h + j, for j < h < length: coset^(length / 2h) w_{2h}^j, where root is w_length."""
    rows = np.zeros((length, 4), np.uint64)
    h = 1
    while h < length:
        turn = length // (2 * h)
        rows[h : 2 * h] = _powers(pow(root, turn, MODULUS), h, pow(coset, turn, MODULUS)).reshape(-1, 4)
        h *= 2
    return _factors(rows.reshape(-1))


def transform(values: Array, n: int, plan: Plan) -> Array:
    """A new array of n elements: the transform of at most n, as the plan says."""
    rest = len(values) // 4 % 8
    edge = np.zeros(64, np.uint64)
    edge[32 : 32 + 4 * rest] = values[len(values) - 4 * rest :]
    sizes = plan.sizes.copy()
    sizes[4] = len(values) // 4 - rest
    height, width = 1 << sizes[0], 1 << sizes[1]
    between, out = _between(height * int(sizes[3])), blank(4 * n)
    columns, rows = ranges(width // 8, 1024 // height), ranges(height // 8, 1024 // width)
    run_all(partial(_columns, values, edge, sizes, plan, between, *piece) for piece in columns)
    run_all(partial(_rows, between, sizes, plan, out, *piece) for piece in rows)
    return out


def _columns(values: Array, edge: Array, sizes: Array, plan: Plan, out: Array, start: int, stop: int) -> None:
    scratch = _scratch(1 << sizes[0])
    KERNELS.transform_columns(values, edge, sizes, plan.column_twiddles, plan.coarse, scratch, out, start, stop)


def _rows(values: Array, sizes: Array, plan: Plan, out: Array, start: int, stop: int) -> None:
    scratch = _scratch(1 << sizes[1])
    KERNELS.transform_rows(values, sizes, plan.row_twiddles, plan.fine, plan.last, scratch, out, start, stop)


def _between(n: int) -> Array:
    """This thread's memory between passes, kept: fresh memory for each transform would cost its page faults."""
    if len(getattr(_own, "between", ())) < 4 * n:
        _own.between = np.empty(4 * n, np.uint64)
    between: Array = _own.between
    return between


def _scratch(length: int) -> Array:
    """This thread's memory within a pass, 40 words a vector of eight, from the start of a cache line on."""
    if len(getattr(_own, "scratch", ())) < 40 * length:
        words = np.empty(40 * length + 8, np.uint64)
        first = -words.ctypes.data % 64 // 8
        _own.scratch = words[first : first + 40 * length]
    scratch: Array = _own.scratch
    return scratch
