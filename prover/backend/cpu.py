"""The CPU backend: Numba kernels over numpy arrays, ranges and windows spread over threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial

import numpy as np

from circuits.field import MODULUS
from circuits.program import Program
from prover.backend.cpu_arrays import Elements, elements, words
from prover.backend.cpu_group import CpuGroup
from prover.backend.cpu_program import run_program
from prover.backend.cpu_transforms import backward, forward, make_powers
from prover.backend.kernels import select
from prover.backend.kernels.field import integer, montgomery
from prover.backend.memory import blank, reusing
from prover.backend.protocol import (
    BackendError,
    Integers,
    Item,
    Result,
    Vector,
    check_domain,
    check_lengths,
    check_words,
)
from prover.backend.threads import ranges, run_all, split

KERNELS = select()
FEW = 8  # tasks


class CpuBackend(CpuGroup):
    """A vector is `Elements`: Montgomery forms in one array, never changed once made."""

    name = "cpu"

    def proving(self) -> AbstractContextManager[None]:
        return reusing()

    def wait(self) -> None:
        return None

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        tasks = [partial(function, item) for item in items]
        # of few tasks each is better split in itself, for they may be of very different size
        return run_all(tasks) if len(tasks) >= FEW else [task() for task in tasks]

    def vector(self, values: Sequence[int] | Integers) -> Vector:
        return encode(values)

    def integers(self, v: Vector) -> list[int]:
        data = self.words(v).astype("<u8", copy=False).tobytes()
        return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]

    def words(self, v: Vector) -> Integers:
        plain = _blank(len(v))
        split(KERNELS.decode, elements(v), plain, n=len(v))
        return plain.reshape(-1, 4)

    def concatenate(self, parts: list[Vector]) -> Vector:
        out = _blank(sum(map(len, parts)))
        return Elements(np.concatenate([elements(part) for part in parts], out=out) if parts else out)

    def interleave(self, parts: list[Vector]) -> Vector:
        n = max(map(len, parts), default=0)
        out = _blank(len(parts) * n).reshape(n, len(parts), 4)
        for i, part in enumerate(parts):
            out[: len(part), i] = elements(part).reshape(-1, 4)
            out[len(part) :, i] = 0
        return Elements(out.reshape(-1))

    def slice(self, v: Vector, start: int, stop: int) -> Vector:
        return Elements(elements(v)[4 * start : 4 * stop])

    def ntt(self, coefficients: Vector, n: int, shift: int = 1) -> Vector:
        check_domain(n)
        return Elements(forward(self._folded(coefficients, n, shift), n, shift % MODULUS))

    def _folded(self, coefficients: Vector, n: int, shift: int) -> np.ndarray:
        """At most n coefficients that have the same values at shift w^i."""
        if len(coefficients) <= n:
            return elements(coefficients)
        turn, count = pow(shift, n, MODULUS), len(coefficients)
        if count <= 2 * n:  # a blinded column has a few more than n
            folded, more = _blank(n), count - n
            folded[:] = elements(coefficients)[: 4 * n]
            low, high = self.slice(coefficients, 0, more), self.slice(coefficients, n, count)
            folded[: 4 * more] = elements(self.combine([low, high], [1, turn]))
            return folded
        parts = [self.slice(coefficients, i, min(i + n, count)) for i in range(0, count, n)]
        return elements(self.combine(parts, [pow(turn, k, MODULUS) for k in range(len(parts))]))

    def intt(self, evaluations: Vector, shift: int = 1) -> Vector:
        check_domain(len(evaluations))
        return Elements(backward(elements(evaluations), shift % MODULUS))

    def evaluate(self, coefficients: Vector, point: int) -> int:
        pieces = ranges(len(coefficients), 2048)
        values = _evaluate_pieces(elements(coefficients), montgomery(point), pieces)
        sums = (integer(values[4 * k : 4 * k + 4]) * pow(point, a, MODULUS) for k, (a, _) in enumerate(pieces))
        return sum(sums) % MODULUS

    def divide_linear(self, coefficients: Vector, root: int) -> Vector:
        n, data, x = len(coefficients), elements(coefficients), montgomery(root)
        if n == 0:
            raise BackendError("divide_linear: no coefficients")
        pieces = ranges(n, 2048)
        carries = np.concatenate([np.zeros(4, np.uint64), _evaluate_pieces(data, x, pieces[1:])])
        value = 0
        for k in range(len(pieces) - 1, -1, -1):  # carry k becomes the value of all chunks above k
            a, b = pieces[k]
            chunk = integer(carries[4 * k : 4 * k + 4])
            carries[4 * k : 4 * k + 4] = montgomery(value)
            value = (value * pow(root, b - a, MODULUS) + chunk) % MODULUS
        out = _blank(n - 1)
        run_all(partial(KERNELS.divide_linear, data, x, carries, k, out, *piece) for k, piece in enumerate(pieces))
        return Elements(out)

    def combine(self, vectors: list[Vector], scalars: list[int]) -> Vector:
        check_lengths("combine", len(vectors), len(scalars))
        arrays = [elements(v) for v in vectors]
        n = max(map(len, vectors), default=0)
        out = _blank(n)
        addresses = np.array([array.ctypes.data for array in arrays], np.uint64)
        lengths = np.array([len(v) for v in vectors], np.int64)
        factors = encode(scalars).data if scalars else _blank(0)
        split(KERNELS.combine, addresses, lengths, factors, out, n=n)
        return Elements(out)

    def multiply(self, a: Vector, b: Vector) -> Vector:
        check_lengths("multiply", len(a), len(b))
        out = _blank(len(a))
        split(KERNELS.multiply, elements(a), elements(b), out, n=len(a))
        return Elements(out)

    def powers(self, base: int, n: int, first: int = 1) -> Vector:
        return Elements(make_powers(base, n, first))

    def inverse(self, v: Vector) -> Vector:
        out = _blank(len(v))
        if not all(split(KERNELS.invert, elements(v), out, n=len(v))):
            raise ZeroDivisionError("inverse of a vector with a zero")
        return Elements(out)

    def prefix_sums(self, v: Vector) -> Vector:
        out = _blank(len(v))
        KERNELS.prefix_sums(elements(v), out, len(v))
        return Elements(out)

    def run(self, program: Program, inputs: list[Vector], constants: list[int]) -> list[Vector]:
        for column in inputs:
            check_lengths("run", len(inputs[0]), len(column))
        arrays = [elements(column) for column in inputs]
        return [Elements(out) for out in run_program(program, arrays, encode(constants).data)]


def encode(values: Sequence[int] | Integers) -> Elements:
    """Integers of any kind into Montgomery form."""
    out = _blank(len(values))
    if isinstance(values, np.ndarray) and values.ndim == 2:
        check_words(values)
        split(KERNELS.encode, np.ascontiguousarray(values).reshape(-1), out, n=len(values))
        return Elements(out)
    if isinstance(values, np.ndarray) or _small(values):
        raw, signed = words(values if isinstance(values, np.ndarray) else np.array(values, np.int64))
        split(KERNELS.encode_words, raw, signed, out, n=len(values))
        return Elements(out)
    try:
        data = b"".join([value.to_bytes(32, "little") for value in values])
    except (OverflowError, AttributeError):  # negative, beyond 256 bits, or numpy integers
        data = b"".join([(int(value) % MODULUS).to_bytes(32, "little") for value in values])
    plain = np.frombuffer(bytearray(data), "<u8").astype(np.uint64, copy=False)
    split(KERNELS.encode, plain, out, n=len(values))
    return Elements(out)


def _small(values: Sequence[int]) -> bool:
    """Whether numpy would hold the integers in 64 bits with a sign."""
    bound = 1 << 63
    return all(-bound <= value < bound for value in values)


def _blank(n: int) -> np.ndarray:
    return blank(4 * n)


def _evaluate_pieces(data: np.ndarray, point: np.ndarray, pieces: list[tuple[int, int]]) -> np.ndarray:
    """The value of each chunk [a, b) as a polynomial of its own."""
    values = _blank(len(pieces))
    run_all(partial(KERNELS.evaluate, data, point, values, k, *piece) for k, piece in enumerate(pieces))
    return values
