"""s_i = u_i + x s_(i-1) on the device, in tiles: sums of tiles are scanned in the same way."""

from __future__ import annotations

from circuits.field import MODULUS
from prover.backend.cuda_device import Array, Device
from prover.backend.cuda_source import integer, montgomery

TILE = 512  # as in scans.cu
UPWARD, DOWNWARD = 0, 1
"""From the first element on, or from the last."""


def total(device: Device, values: Array, x: int) -> int:
    """sum values[i] x^i."""
    direction = DOWNWARD
    while len(values) > 4 or direction == DOWNWARD:
        values, x, direction = _totals(device, values, x, direction), pow(x, TILE, MODULUS), UPWARD
    return integer(device.download(values).tobytes(), MODULUS)


def scan(device: Device, values: Array, x: int, direction: int, shift: int) -> Array:
    """s_i at i + shift from the side on which the scan begins; what would be beyond the other is dropped, and the first
    `shift` places are zero."""
    n = len(values) // 4
    out = device.zeros(4 * n) if shift else device.empty(4 * n)
    if n > TILE:
        carries = scan(device, _totals(device, values, x, direction), pow(x, TILE, MODULUS), UPWARD, 0)
    else:
        carries = None
    arguments = (values, n, direction, *montgomery(x), carries, shift, out)
    device.launch_blocks("scans", "scan_tiles", -(-n // TILE), *arguments)
    return out


def _totals(device: Device, values: Array, x: int, direction: int) -> Array:
    """The sum of each tile on its own; tiles end where the vector does."""
    n = len(values) // 4
    tiles = -(-n // TILE)
    totals = device.empty(4 * tiles)
    device.launch_blocks("scans", "tile_totals", tiles, values, n, direction, *montgomery(x), totals)
    return totals
