"""The group of the CUDA backend: points one by one, sums of products, and the change to the Lagrange basis."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from circuits.field import MODULUS, root_of_unity
from prover.backend.cuda_arrays import Affine, Elements, Tabled, affine, elements
from prover.backend.cuda_device import Array, Device
from prover.backend.cuda_msm import sum_integers, sum_values, table_bits
from prover.backend.cuda_source import BASE_MODULUS, limbs, montgomery
from prover.backend.cuda_transforms import Transforms
from prover.backend.digits import MOST, shift_of, signed_windows
from prover.backend.protocol import BackendError, Integers, Points, Vector, check_domain, check_lengths

FIXED_BITS = 8  # as in groups.cu
FIXED_WINDOWS = 256 // FIXED_BITS
GENERATOR = (1, 2)
PIECE = 1 << 20  # points whose extended forms are held at a time: 128 MiB
INVERSIONS = 1 << 14  # threads that invert, each one product of many coordinates
LEAST_TABLED = 1 << 10
TABLE_SHARE = 4  # tables take at most one part in so many of the free memory


class CudaGroup:
    """Points are `Affine` on the device."""

    device: Device
    transforms: Transforms

    def points(self, data: bytes) -> Points:
        if len(data) % 64:
            raise BackendError(f"{len(data)} bytes are not a whole number of points")
        plain = np.frombuffer(data, "<u8").astype(np.uint64, copy=False)
        bad = np.flatnonzero(~_below(plain.reshape(-1, 4), BASE_MODULUS))
        if len(bad):
            raise BackendError(f"point {bad[0] // 2}: a coordinate is not below the modulus")
        out = self.device.empty(len(plain))
        n = len(plain) // 4
        self.device.launch("groups", "encode_coordinates", n, self.device.upload(plain), out, n)
        return Affine(out)

    def point_bytes(self, p: Points) -> bytes:
        n = 2 * len(p)
        out = self.device.empty(4 * n)
        self.device.launch("groups", "decode_coordinates", n, affine(p), out, n)
        return self.device.download(out).astype("<u8", copy=False).tobytes()

    def concatenate_points(self, parts: list[Points]) -> Points:
        return Affine(self._joined([affine(part) for part in parts]))

    def _joined(self, arrays: list[Array]) -> Array:
        """The arrays one after the other."""
        out, start = self.device.empty(sum(map(len, arrays))), 0
        for array in arrays:
            out[start : start + len(array)] = array
            start += len(array)
        return out

    def on_curve(self, p: Points) -> bool:
        flag = self.device.zeros(1, np.uint32)
        self.device.launch("groups", "check_curve", len(p), affine(p), flag, len(p))
        return not self.device.download(flag)[0]

    def prepare(self, p: Points) -> Points:
        """With tables of 2^(bits * w) times each point, where there are many and memory allows: then one set of buckets
        serves all windows."""
        data, count = affine(p), len(p)
        if count < LEAST_TABLED:
            return p
        bits = table_bits(count)
        windows, _ = signed_windows(bits, 0, MOST)
        if windows * data.nbytes * TABLE_SHARE > self.device.free_bytes():
            return p
        tables = self.device.empty(windows * len(data)).reshape(windows, -1)
        tables[0] = data
        for w in range(1, windows):
            self._each(tables[w - 1], "double_points", (bits,), tables[w])
        return Tabled(data, bits, tables.reshape(-1))

    def msm(self, bases: Points, scalars: Vector | Integers) -> tuple[int, int] | None:
        if len(scalars) > len(bases):
            raise BackendError(f"msm: {len(scalars)} scalars for {len(bases)} points")
        affine(bases)
        assert isinstance(bases, Affine)
        if isinstance(scalars, np.ndarray):
            return sum_integers(self.device, bases, scalars)
        return sum_values(self.device, bases, Elements(elements(scalars)))

    def multiply_points(self, bases: Points, scalars: Vector) -> Points:
        check_lengths("multiply_points", len(bases), len(scalars))
        return Affine(self._products(affine(bases), elements(scalars)))

    def fixed_base(self, scalars: Vector) -> Points:
        data, n = elements(scalars), len(scalars)
        out, shift = self.device.empty(8 * n), limbs(shift_of(FIXED_BITS, FIXED_WINDOWS))
        for a in range(0, n, PIECE):
            some = min(PIECE, n - a)
            extended = self.device.empty(16 * some)
            arguments = (self._generator_table, data[4 * a :], *shift, extended, some)
            self.device.launch("groups", "multiply_generator", some, *arguments)
            self._normalize(extended, out[8 * a :], some)
        return Affine(out)

    def lagrange(self, powers: Points) -> Points:
        n = len(powers)
        bits = check_domain(n)
        # L_i(X) = 1/n sum_j w^(-ij) X^j; decimation in time on the bit-reversed powers
        scaled = self._products(affine(powers), self._form(pow(n, -1, MODULUS)))
        points = self.device.empty(8 * n)
        self.device.launch("groups", "reverse_points", n, scaled, bits, points)
        for log_half in range(bits):
            half = 1 << log_half
            twiddles = self.transforms.powers(pow(root_of_unity(2 * half), -1, MODULUS), half)
            extended = self.device.empty(16 * n)
            arguments = (points, twiddles, log_half, extended, n // 2)
            self.device.launch("groups", "point_butterflies", n // 2, *arguments)
            points = self.device.empty(8 * n)
            self._normalize(extended, points, n)
        return Affine(points)

    @cached_property
    def _generator_table(self) -> Array:
        """2^(8w) * d times the generator at index 128 w + d - 1."""
        half = 1 << (FIXED_BITS - 1)
        factors = [d << (FIXED_BITS * w) for w in range(FIXED_WINDOWS) for d in range(1, half + 1)]
        forms = self.device.upload(np.array([montgomery(factor) for factor in factors], np.uint64).reshape(-1))
        generator = [word for coordinate in GENERATOR for word in montgomery(coordinate, BASE_MODULUS)]
        return self._products(self.device.upload(np.tile(np.array(generator, np.uint64), len(factors))), forms)

    def _form(self, value: int) -> Array:
        return self.device.upload(np.array(montgomery(value), np.uint64))

    def _products(self, points: Array, scalars: Array) -> Array:
        """Elementwise; one scalar may be given for all points."""
        out = self.device.empty(len(points))
        if len(scalars) == 4:
            self._each(points, "multiply_points", (scalars, 1), out)
            return out
        for a in range(0, len(points) // 8, PIECE):
            part = slice(8 * a, 8 * (a + PIECE))
            self._each(points[part], "multiply_points", (scalars[4 * a :], PIECE), out[part])
        return out

    def _each(self, points: Array, kernel: str, arguments: tuple[object, ...], out: Array) -> None:
        """What a kernel makes of each point, affine, in pieces whose extended forms fit."""
        n = len(points) // 8
        for a in range(0, n, PIECE):
            some = min(PIECE, n - a)
            extended = self.device.empty(16 * some)
            self.device.launch("groups", kernel, some, points[8 * a :], *arguments, extended, some)
            self._normalize(extended, out[8 * a :], some)

    def _normalize(self, extended: Array, out: Array, n: int) -> None:
        self.device.launch("groups", "normalize", min(n, INVERSIONS), extended, out, n)


def _below(words: np.ndarray, bound: int) -> np.ndarray:
    """Whether each integer of four words is below the bound."""
    below = np.zeros(len(words), bool)
    for column, limb in zip(words.T, limbs(bound), strict=True):  # from the lowest word up
        below = (column < limb) | ((column == limb) & below)
    return below
