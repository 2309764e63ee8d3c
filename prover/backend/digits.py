"""Signed digits of scalars: how many windows hold them, and what is added to make fields of bits signed."""

from __future__ import annotations

MOST = (1 << 254) - 1  # a scalar of full width


def shift_of(bits: int, windows: int) -> int:
    """sum of 2^(bits - 1) * 2^(bits * w): what makes the digits of `windows` windows signed."""
    return sum(1 << (bits * w + bits - 1) for w in range(windows))


def signed_windows(bits: int, low: int, high: int) -> tuple[int, int]:
    """(windows, shift): as few as hold scalars in [low, high]. The top digit is signed only where scalars are."""
    windows = 1
    while True:
        if low < 0:
            shift = shift_of(bits, windows)
            if low + shift >= 0 and high + shift < 1 << (bits * windows):
                return windows, shift
        else:
            shift = shift_of(bits, windows - 1)
            if (high + shift) >> (bits * (windows - 1)) <= 1 << (bits - 1):
                return windows, shift
        windows += 1


def rough(count: int) -> int:
    """The power of two nearest to a positive count: few distinct values, for a cache of plans."""
    return 1 << (count + count // 2).bit_length() - 1


def whole_bits(low: int, high: int) -> tuple[int, int]:
    """Bounds of whole bits."""
    return -(1 << (-low - 1).bit_length()) if low < 0 else 0, (1 << max(high, 0).bit_length()) - 1
