"""What the prover asks of a backend. Integers are canonical; how it holds elements and points is its own affair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import numpy as np

from circuits.program import Program

Item = TypeVar("Item")
Result = TypeVar("Result")


class BackendError(ValueError):
    """A backend that does not exist, or arguments that it cannot take; one line."""


class Vector(Protocol):
    """A sequence of elements of the scalar field, immutable and opaque."""

    def __len__(self) -> int: ...


class Points(Protocol):
    """A sequence of affine points of G1, infinity among them, immutable and opaque."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice) -> Points: ...


Integers = np.ndarray[Any, np.dtype[np.integer[Any]]]


class Backend(Protocol):
    """Columns over F_r and points of G1 of BN254."""

    name: str

    def proving(self) -> AbstractContextManager[None]:
        """Entered for the time of a proof: memory may be kept from one step to the next."""
        ...

    def wait(self) -> None:
        """Returns when all that was asked for is done: for clocks, since results wait by themselves."""
        ...

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """The function of each item, in order: side by side where the backend has threads for it."""
        ...

    def vector(self, values: Sequence[int] | Integers) -> Vector:
        """The elements of integers of any size and sign, mod r; a numpy array of integers is fastest.

        An array of shape (n, 4) of uint64 holds integers below 2^256, lowest word first.
        """
        ...

    def integers(self, v: Vector) -> list[int]:
        """The canonical integers, in [0, r)."""
        ...

    def words(self, v: Vector) -> Integers:
        """The canonical integers as words of 64 bits, lowest first: uint64, shape (n, 4)."""
        ...

    def concatenate(self, parts: list[Vector]) -> Vector:
        """The parts one after the other."""
        ...

    def interleave(self, parts: list[Vector]) -> Vector:
        """Element i + k*j of k parts is element j of part i; shorter parts are padded with zeros."""
        ...

    def slice(self, v: Vector, start: int, stop: int) -> Vector:
        """Elements start to stop - 1; 0 <= start <= stop <= len(v)."""
        ...

    def ntt(self, coefficients: Vector, n: int, shift: int = 1) -> Vector:
        """The values at shift * w^i, i < n, w of order n (a power of two); any number of coefficients."""
        ...

    def intt(self, evaluations: Vector, shift: int = 1) -> Vector:
        """The n coefficients with these values at shift * w^i; n a power of two, shift not 0."""
        ...

    def evaluate(self, coefficients: Vector, point: int) -> int:
        """The value of the polynomial at the point."""
        ...

    def divide_linear(self, coefficients: Vector, root: int) -> Vector:
        """(f(X) - f(root)) / (X - root), of one coefficient less; f has at least one coefficient."""
        ...

    def combine(self, vectors: list[Vector], scalars: list[int]) -> Vector:
        """The sum of scalars[k] * vectors[k], shorter vectors padded with zeros."""
        ...

    def multiply(self, a: Vector, b: Vector) -> Vector:
        """Elementwise product; equal lengths."""
        ...

    def powers(self, base: int, n: int, first: int = 1) -> Vector:
        """first * base^i for i < n."""
        ...

    def inverse(self, v: Vector) -> Vector:
        """Elementwise inverses; ZeroDivisionError when an element is zero."""
        ...

    def prefix_sums(self, v: Vector) -> Vector:
        """out[i] = v[0] + ... + v[i - 1]; out[0] = 0."""
        ...

    def run(self, program: Program, inputs: list[Vector], constants: list[int]) -> list[Vector]:
        """The outputs of the program in each row; at least one input, all inputs of one length."""
        ...

    def points(self, data: bytes) -> Points:
        """64 bytes a point: x and y, little-endian; zeros are infinity. BackendError for a coordinate >= p."""
        ...

    def point_bytes(self, p: Points) -> bytes:
        """The reverse of `points`."""
        ...

    def concatenate_points(self, parts: list[Points]) -> Points:
        """The parts one after the other."""
        ...

    def on_curve(self, p: Points) -> bool:
        """Whether each point is infinity or has y^2 = x^3 + 3; the operations below need this of their arguments."""
        ...

    def prepare(self, p: Points) -> Points:
        """The same points, ready for many sums of all of them; what is computed for that takes memory and time."""
        ...

    def msm(self, bases: Points, scalars: Vector | Integers) -> tuple[int, int] | None:
        """The sum of scalars[i] * bases[i], None for infinity; no more scalars than bases. Zeros are cheap."""
        ...

    def multiply_points(self, bases: Points, scalars: Vector) -> Points:
        """scalars[i] * bases[i] for each i; equal lengths."""
        ...

    def fixed_base(self, scalars: Vector) -> Points:
        """scalars[i] * (1, 2) for each i."""
        ...

    def lagrange(self, powers: Points) -> Points:
        """[L_i(tau)] of the domain of n roots of unity from the n powers [tau^i]; n a power of two."""
        ...


def check_domain(n: int) -> int:
    """log2 of the size of a domain; BackendError unless that is a power of two of at most 2^28."""
    if n < 1 or n & (n - 1) or n > 1 << 28:
        raise BackendError(f"{n} is not the size of a domain: a power of two of at most 2^28")
    return n.bit_length() - 1


def check_lengths(what: str, first: int, second: int) -> None:
    """BackendError unless the two lengths are equal."""
    if first != second:
        raise BackendError(f"{what}: lengths {first} and {second} differ")


def check_words(values: Integers) -> None:
    """BackendError unless the array has four uint64 words a row."""
    if values.dtype != np.uint64 or values.shape[1:] != (4,):
        raise BackendError(f"expected four uint64 words for each integer, not {values.dtype} of shape {values.shape}")


def check_integers(values: Integers) -> None:
    """BackendError unless the array is one-dimensional and of integers of at most 64 bits."""
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise BackendError(f"expected a one-dimensional array of integers, not {values.dtype} of {values.ndim} axes")
