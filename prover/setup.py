"""The structured reference string: powers of tau in G1 and tau in G2, from a ceremony or, for development, from a
stated seed."""

import hashlib
import json
import os
import secrets
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from py_ecc.optimized_bn128 import G2, multiply, normalize

from circuits.field import MODULUS, lagrange_evaluations
from prover.backend import Backend, BackendError, Points
from prover.errors import SetupError
from prover.kzg import affine
from prover.ptau import PtauFile, open_ptau
from verifier.curve import G1, G2Point, in_g2, pairings_agree
from verifier.key import INSECURE
from verifier.proof import Basis

FORMAT = "zkmargin setup 2"
CEREMONY = "ceremony"
CHALLENGE_BITS = 128  # of the random weights under which points are checked
SMALLEST_STORED_BASIS = 2
NOT_A_SETUP = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    BackendError,
)
"""What numpy, zipfile and json raise for bytes that `save_srs` did not write."""


@dataclass
class SRS:
    """Powers [tau^i]_1 from i = 0 on, [tau]_2, and where they come from.

    kind: `ceremony` or `insecure`. source: the file's BLAKE2b or the seed. bases: Lagrange bases that are known
    already.
    """

    kind: str
    powers: Points
    tau_g2: G2Point
    source: str
    backend: Backend
    bases: dict[Basis, Points] = field(default_factory=dict)
    make_basis: Callable[[int, int, int], Points] | None = None

    @property
    def digest(self) -> bytes:
        """32 bytes that name the setup, whatever number of powers is at hand."""
        parts = json.dumps([FORMAT, self.kind, self.source, affine(self.backend, self.powers[1:2]), self.tau_g2])
        return hashlib.sha256(parts.encode()).digest()

    def lagrange(self, n: int, width: int = 1, slot: int = 0) -> Points:
        """[tau^slot * L_i(tau^width)]_1 of the domain of n points; SetupError when there are too few powers."""
        basis = (n, width, slot)
        if n * width > len(self.powers):
            raise SetupError(
                f"setup: a domain of {n} points needs {n * width} powers of tau, there are {len(self.powers)}"
            )
        if basis not in self.bases:
            make = self.make_basis or self._transformed
            self.bases[basis] = make(n, width, slot)
        return self.bases[basis]

    def _transformed(self, n: int, width: int, slot: int) -> Points:
        if width == 1:
            return self.backend.lagrange(self.powers[:n])
        strided = _array(self.backend, self.powers[: n * width]).reshape(-1, 64)[slot::width]
        return self.backend.lagrange(self.backend.points(strided.tobytes()))


def insecure_srs(backend: Backend, size: int, seed: bytes) -> SRS:
    """`size` powers of a tau that everyone can compute from the seed: for development, and refused by `verify` unless
    allowed."""
    tau = int.from_bytes(hashlib.sha512(b"zkmargin insecure setup" + seed).digest(), "big") % MODULUS

    def basis(n: int, width: int, slot: int) -> Points:
        values = backend.vector(lagrange_evaluations(n, range(n), pow(tau, width, MODULUS)))
        return backend.fixed_base(backend.combine([values], [pow(tau, slot, MODULUS)]))

    powers = backend.fixed_base(backend.powers(tau, size))
    return SRS(INSECURE, powers, _multiple_of_g2(tau), f"seed {seed.hex()}", backend, {}, basis)


def import_ptau(backend: Backend, path: str | Path, size: int, blake2b: str | None = None) -> SRS:
    """The first `size` powers of a ceremony's file, and its Lagrange bases where it has them, all checked.

    blake2b: the hash that the ceremony published, in hexadecimal. SetupError names the file and what is wrong with it.
    """
    file = open_ptau(path)
    source = file.blake2b()
    if blake2b is not None and source != blake2b.lower():
        raise SetupError(f"{path}: its BLAKE2b is {source}, not the pinned one")
    powers, tau_g2 = _points(backend, file, file.tau_powers(size)), file.tau_g2()
    check_powers(backend, powers, tau_g2, str(path))
    srs = SRS(CEREMONY, powers, tau_g2, source, backend)
    n = SMALLEST_STORED_BASIS
    while n <= size and (data := file.lagrange(n)) is not None:
        srs.bases[n, 1, 0] = _points(backend, file, data)
        check_basis(backend, powers, srs.bases[n, 1, 0], str(path))
        n *= 2
    return srs


def check_powers(backend: Backend, powers: Points, tau_g2: G2Point, name: str) -> None:
    """SetupError unless P_0 = G and P_(i+1) = tau P_i: e(sum c_i P_(i+1), [1]_2) = e(sum c_i P_i, [tau]_2) for random
    c; and for tau = 1, with which every ceremony's file starts."""
    if affine(backend, powers[:1]) != [G1]:
        raise SetupError(f"{name}: the first power is not the generator")
    if affine(backend, powers[1:2]) == [G1]:
        raise SetupError(f"{name}: tau is 1, nobody has contributed")
    weights = backend.vector([secrets.randbits(CHALLENGE_BITS) for _ in range(len(powers) - 1)])
    low, high = backend.msm(powers[: len(powers) - 1], weights), backend.msm(powers[1:], weights)
    if low is None or not pairings_agree(high, None, low, tau_g2):
        raise SetupError(f"{name}: the points are not the powers of one tau")


def check_basis(backend: Backend, powers: Points, basis: Points, name: str) -> None:
    """SetupError unless a random polynomial has one commitment by its values in this basis and by its coefficients."""
    values = backend.vector([secrets.randbits(CHALLENGE_BITS) for _ in range(len(basis))])
    if backend.msm(basis, values) != backend.msm(powers, backend.intt(values)):
        raise SetupError(f"{name}: the Lagrange section of {len(basis)} points does not belong to the powers")


def save_srs(srs: SRS, path: str | Path) -> None:
    """Writes powers and all known bases to one .npz file, whole or not at all."""
    backend, path = srs.backend, Path(path)
    arrays: dict[str, Any] = {
        "basis_" + "_".join(map(str, basis)): _array(backend, points) for basis, points in srs.bases.items()
    }
    arrays["powers"] = _array(backend, srs.powers)
    header = {
        "format": FORMAT,
        "kind": srs.kind,
        "source": srs.source,
        "tau_g2": [[str(c) for c in pair] for pair in srs.tau_g2],
    }
    arrays["header"] = np.frombuffer(json.dumps(header | {"checksum": _checksum(header, arrays)}).encode(), np.uint8)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
        written = Path(folder) / path.name
        with written.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)


def load_srs(backend: Backend, path: str | Path) -> SRS:
    """What `save_srs` wrote; SetupError for a file that is truncated, changed or of another version."""
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT:
            raise SetupError(f"{path}: of version {header['format']!r}, not {FORMAT!r}")
        if header.pop("checksum") != _checksum(header, arrays):
            raise SetupError(f"{path}: the checksum does not fit, the file was changed")
        points = {name: backend.points(array.tobytes()) for name, array in arrays.items()}
        powers = points.pop("powers")
        bases = {_basis(name): basis for name, basis in points.items()}
        (x0, x1), (y0, y1) = ((int(c) for c in pair) for pair in header["tau_g2"])
        kind, source = header["kind"], header["source"]
    except SetupError:
        raise
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror or error}") from error
    except NOT_A_SETUP as error:
        raise SetupError(f"{path}: not a setup file, or truncated") from error
    if kind not in (CEREMONY, INSECURE) or not in_g2(((x0, x1), (y0, y1))):
        raise SetupError(f"{path}: its header is not that of a setup")
    if not all(backend.on_curve(points) for points in (powers, *bases.values())):
        raise SetupError(f"{path}: a point is not on the curve")
    return SRS(kind, powers, ((x0, x1), (y0, y1)), source, backend, bases)


def _basis(name: str) -> Basis:
    n, width, slot = map(int, name.removeprefix("basis_").split("_"))
    return n, width, slot


def _multiple_of_g2(scalar: int) -> G2Point:
    (x0, x1), (y0, y1) = ([int(c) for c in coordinate.coeffs] for coordinate in normalize(multiply(G2, scalar)))
    return (x0, x1), (y0, y1)


def _points(backend: Backend, file: PtauFile, data: bytes) -> Points:
    points = backend.points(data)
    if not backend.on_curve(points) or _has_infinity(data):
        raise SetupError(f"{file.path}: a point is not on the curve, or is infinity")
    return points


def _has_infinity(data: bytes) -> bool:
    return bool((~np.frombuffer(data, np.uint64).reshape(-1, 8).any(axis=1)).any())


def _array(backend: Backend, points: Points) -> np.ndarray:
    return np.frombuffer(backend.point_bytes(points), np.uint8)


def _checksum(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    state = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(arrays):
        state.update(name.encode() + arrays[name].tobytes())
    return state.hexdigest()
