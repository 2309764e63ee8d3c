"""Transforms on the device: passes of at most 2^8 points at a time, in natural order throughout."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from circuits.field import MODULUS, TWO_ADICITY, root_of_unity
from prover.backend.cuda_device import Array, Device
from prover.backend.cuda_source import montgomery

LOG_RADIX, LOG_TILE = 8, 10
TABLE_BITS, SCALE_BITS = 14, 10  # as in transforms.cu
SCALE_NONE, SCALE_INPUT, SCALE_OUTPUT = range(3)
POWERS_EACH = 32  # of a thread


class Transforms:
    """The tables of one device, and what uses them."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.roots: Callable[[], Array] = lru_cache(maxsize=1)(self._roots)
        self.scales: Callable[[int, int, int], Array] = lru_cache(maxsize=8)(self._scales)

    def powers(self, base: int, n: int, first: int = 1, out: Array | None = None) -> Array:
        """first * base^i for i < n, into `out` where it is given."""
        out = self.device.empty(4 * n) if out is None else out
        blocks = -(-n // (POWERS_EACH * 128))
        leap = pow(base, 128 * blocks, MODULUS)
        factors = (word for value in (base, first, leap) for word in montgomery(value))
        self.device.launch_blocks("vectors", "powers", blocks, *factors, out, n)
        return out

    def forward(self, coefficients: Array, n: int, shift: int) -> Array:
        """The values at shift w^i of at most n coefficients."""
        if shift == 1:
            return self._passes(coefficients, n, 1, SCALE_NONE, None)
        return self._passes(coefficients, n, 1, SCALE_INPUT, self.scales(shift, n, 1))

    def backward(self, values: Array, shift: int) -> Array:
        """The coefficients that have these values at shift w^i."""
        n = len(values) // 4
        scales = self.scales(pow(shift, -1, MODULUS), n, pow(n, -1, MODULUS))
        return self._passes(values, n, -1, SCALE_OUTPUT, scales)

    def _passes(self, values: Array, n: int, direction: int, scaling: int, scales: Array | None) -> Array:
        log_n, log_s, count = n.bit_length() - 1, 0, len(values) // 4
        radices = split_radices(log_n)
        for k, log_r in enumerate(radices):
            out = self.device.empty(4 * n)
            log_columns = min(LOG_TILE, log_n) - log_r
            here = scaling if k == (0 if scaling == SCALE_INPUT else len(radices) - 1) else SCALE_NONE
            sizes = (log_n, log_r, log_s, log_columns, direction)
            blocks = 1 << (log_n - log_r - log_columns)
            arguments = (values, count, out, *sizes, self.roots(), scales, here)
            self.device.launch_blocks("transforms", "transform_pass", blocks, *arguments)
            values, count, log_s = out, n, log_s + log_r
        return values

    def _roots(self) -> Array:
        """W^i and W^(2^14 i) for i < 2^14, W of order 2^28: by them every root of unity is one product."""
        size, root = 1 << TABLE_BITS, root_of_unity(1 << TWO_ADICITY)
        table = self.device.empty(8 * size)
        self.powers(root, size, 1, table[: 4 * size])
        self.powers(pow(root, size, MODULUS), size, 1, table[4 * size :])
        return table

    def _scales(self, base: int, n: int, first: int) -> Array:
        """base^i for i < 2^10, then first * base^(2^10 i) as far as n needs."""
        size = 1 << SCALE_BITS
        high = max(1, n >> SCALE_BITS)
        table = self.device.empty(4 * (size + high))
        self.powers(base, size, 1, table[: 4 * size])
        self.powers(pow(base, size, MODULUS), high, first, table[4 * size :])
        return table


def split_radices(log_n: int) -> list[int]:
    """Passes of nearly equal size; one of a single point for n = 1, for it may have to be scaled."""
    passes = max(1, -(-log_n // LOG_RADIX))
    return [log_n * (k + 1) // passes - log_n * k // passes for k in range(passes)]
