"""Bands of distance to the maintenance margin, as shares of the present price: within 1/2^k of it."""

from bisect import bisect_left

import numpy as np

NEAREST = 10
EDGES = tuple(0.5**k for k in range(NEAREST, -1, -1))
NAMES = (*(f"within 1/{1 << k}" for k in range(NEAREST, -1, -1)), "beyond 1")
NOWHERE = "no such price"
WATCHED = ("below", *NAMES, NOWHERE)


def band(distance: float | None) -> str:
    """By how far the nearest price is at which the account could be liquidated."""
    return NOWHERE if distance is None else NAMES[bisect_left(EDGES, distance)]


def count(distances: np.ndarray) -> np.ndarray:
    """How many are in each band of WATCHED; negative ones are below maintenance, infinite ones have no such price."""
    bands = 1 + np.searchsorted((*EDGES, np.finfo(np.float64).max), distances)
    return np.bincount(np.where(distances < 0, 0, bands), minlength=len(WATCHED))
