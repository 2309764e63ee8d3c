"""What the CUDA backend holds: arrays on the device, never changed once made."""

from __future__ import annotations

from prover.backend.cuda_device import Array
from prover.backend.protocol import BackendError, Points, Vector


class Elements:
    """Elements of F_r in Montgomery form, R = 2^256: four words of 64 bits each."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // 4


class Affine:
    """Points of G1, x and y in Montgomery form, eight words of 64 bits each; zeros are infinity."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data) // 8

    def __getitem__(self, index: slice) -> Affine:
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise BackendError("points are sliced in ranges only")
        return Affine(self.data[8 * start : 8 * max(start, stop)])


class Tabled(Affine):
    """Points with 2^(bits * w) times all of them for w = 0, 1, ..., one table after the other."""

    __slots__ = ("bits", "tables")

    def __init__(self, data: Array, bits: int, tables: Array) -> None:
        super().__init__(data)
        self.bits, self.tables = bits, tables


def elements(v: Vector) -> Array:
    """The words of a vector of this backend."""
    if not isinstance(v, Elements):
        raise BackendError(f"expected a vector of the cuda backend, not {type(v).__name__}")
    return v.data


def affine(p: Points) -> Array:
    """The words of points of this backend."""
    if not isinstance(p, Affine):
        raise BackendError(f"expected points of the cuda backend, not {type(p).__name__}")
    return p.data
