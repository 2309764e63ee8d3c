"""The CUDA backend: columns and points stay on the GPU, kernels are compiled by NVRTC through CuPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from circuits.field import MODULUS
from circuits.program import Program
from prover.backend.cuda_arrays import Elements, elements
from prover.backend.cuda_device import Array, Device, open_device
from prover.backend.cuda_group import CudaGroup
from prover.backend.cuda_program import Programs
from prover.backend.cuda_scans import DOWNWARD, UPWARD, scan, total
from prover.backend.cuda_transforms import Transforms
from prover.backend.protocol import (
    BackendError,
    Integers,
    Item,
    Result,
    Vector,
    check_domain,
    check_integers,
    check_lengths,
    check_words,
)

INVERSIONS = 1 << 14  # threads that invert, each one product of many elements


class CudaBackend(CudaGroup):
    """A vector is `Elements`, points are `Affine`."""

    name = "cuda"

    def __init__(self, device: Device | None = None) -> None:
        self.device = device or open_device()
        self.transforms, self.programs = Transforms(self.device), Programs(self.device)

    def proving(self) -> AbstractContextManager[None]:
        return nullcontext()  # CuPy's pool keeps memory anyway

    def wait(self) -> None:
        self.device.wait()

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        return [function(item) for item in items]

    def vector(self, values: Sequence[int] | Integers) -> Vector:
        device, n = self.device, len(values)
        out = device.empty(4 * n)
        if isinstance(values, np.ndarray) and values.ndim == 1:
            check_integers(values)
            width, signed = values.dtype.itemsize, values.dtype.kind == "i"
            device.launch("vectors", "encode_integers", n, _bytes(device, values), width, int(signed), out, n)
        else:
            device.launch("vectors", "encode_words", n, device.upload(_words(values)), out, n)
        return Elements(out)

    def integers(self, v: Vector) -> list[int]:
        data = self.words(v).astype("<u8", copy=False).tobytes()
        return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]

    def words(self, v: Vector) -> Integers:
        n = len(v)
        out = self.device.empty(4 * n)
        self.device.launch("vectors", "decode_words", n, elements(v), out, n)
        return self.device.download(out).reshape(-1, 4)

    def concatenate(self, parts: list[Vector]) -> Vector:
        return Elements(self._joined([elements(part) for part in parts]))

    def interleave(self, parts: list[Vector]) -> Vector:
        n = max(map(len, parts), default=0)
        out = self.device.empty(4 * n * len(parts))
        self.device.launch("vectors", "interleave", n * len(parts), *self._columns(parts), len(parts), out, n)
        return Elements(out)

    def slice(self, v: Vector, start: int, stop: int) -> Vector:
        return Elements(elements(v)[4 * start : 4 * stop])

    def ntt(self, coefficients: Vector, n: int, shift: int = 1) -> Vector:
        check_domain(n)
        return Elements(self.transforms.forward(self._folded(coefficients, n, shift), n, shift % MODULUS))

    def _folded(self, coefficients: Vector, n: int, shift: int) -> Array:
        """At most n coefficients that have the same values at shift w^i: (shift w^i)^n = shift^n."""
        count = len(coefficients)
        if count <= n:
            return elements(coefficients)
        turn = pow(shift, n, MODULUS)
        parts = [self.slice(coefficients, i, min(i + n, count)) for i in range(0, count, n)]
        return elements(self.combine(parts, [pow(turn, k, MODULUS) for k in range(len(parts))]))

    def intt(self, evaluations: Vector, shift: int = 1) -> Vector:
        check_domain(len(evaluations))
        return Elements(self.transforms.backward(elements(evaluations), shift % MODULUS))

    def evaluate(self, coefficients: Vector, point: int) -> int:
        data = elements(coefficients)
        return total(self.device, data, point % MODULUS) if len(coefficients) else 0

    def divide_linear(self, coefficients: Vector, root: int) -> Vector:
        data = elements(coefficients)
        if len(coefficients) == 0:
            raise BackendError("divide_linear: no coefficients")
        return Elements(scan(self.device, data, root % MODULUS, DOWNWARD, 1)[:-4])

    def combine(self, vectors: list[Vector], scalars: list[int]) -> Vector:
        check_lengths("combine", len(vectors), len(scalars))
        n = max(map(len, vectors), default=0)
        out = self.device.empty(4 * n)
        arguments = (*self._columns(vectors), elements(self.vector(scalars)), len(vectors), out, n)
        self.device.launch("vectors", "combine", n, *arguments)
        return Elements(out)

    def _columns(self, vectors: list[Vector]) -> tuple[Array, Array]:
        """Places and lengths."""
        places = self.device.addresses([elements(v) for v in vectors])
        return places, self.device.upload(np.array([len(v) for v in vectors], np.int64))

    def multiply(self, a: Vector, b: Vector) -> Vector:
        check_lengths("multiply", len(a), len(b))
        out = self.device.empty(4 * len(a))
        self.device.launch("vectors", "multiply", len(a), elements(a), elements(b), out, len(a))
        return Elements(out)

    def powers(self, base: int, n: int, first: int = 1) -> Vector:
        return Elements(self.transforms.powers(base % MODULUS, n, first % MODULUS))

    def inverse(self, v: Vector) -> Vector:
        n = len(v)
        out, flag = self.device.empty(4 * n), self.device.zeros(1, np.uint32)
        self.device.launch("vectors", "invert", min(n, INVERSIONS), elements(v), out, flag, n)
        if self.device.download(flag)[0]:
            raise ZeroDivisionError("inverse of a vector with a zero")
        return Elements(out)

    def prefix_sums(self, v: Vector) -> Vector:
        return Elements(scan(self.device, elements(v), 1, UPWARD, 1))

    def run(self, program: Program, inputs: list[Vector], constants: list[int]) -> list[Vector]:
        for column in inputs:
            check_lengths("run", len(inputs[0]), len(column))
        columns = [elements(column) for column in inputs]
        return [Elements(out) for out in self.programs.run(program, columns, elements(self.vector(constants)))]


def _bytes(device: Device, values: np.ndarray) -> Array:
    """A column of integers as it is, for the kernels that read any width."""
    return device.upload(np.ascontiguousarray(values).view(np.uint8))


def _words(values: Sequence[int] | Integers) -> np.ndarray:
    """Integers of any size as words of 64 bits below 2^256, congruent mod r."""
    if isinstance(values, np.ndarray):
        check_words(values)
        return np.ascontiguousarray(values).reshape(-1)
    data = b"".join([(int(value) % MODULUS).to_bytes(32, "little") for value in values])
    return np.frombuffer(data, "<u8").astype(np.uint64)
