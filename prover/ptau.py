"""Files of powers of tau in snarkjs' format (iden3 binfile `ptau`, version 1): untrusted bytes in, located sections
out.

Sections: 1 header (field size, p, power, ceremony power), 2 tauG1 (2^(power+1) - 1 points), 3 tauG2 (2^power), 12
Lagrange bases of G1 for the domains 2^0, 2^1, ... one after the other. Points are affine, coordinates little-endian
in Montgomery form with R = 2^256.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from prover.errors import SetupError
from verifier.curve import BASE_MODULUS, G2Point, in_g2

MAGIC, VERSION = b"ptau", 1
HEADER, TAU_G1, TAU_G2, LAGRANGE_G1 = 1, 2, 3, 12
G1_BYTES, G2_BYTES, HEADER_BYTES = 64, 128, 44
MONTGOMERY = pow(1 << 256, -1, BASE_MODULUS)


@dataclass(frozen=True)
class PtauFile:
    """A file whose structure holds; its points are read and checked on demand."""

    path: Path
    power: int
    sections: dict[int, tuple[int, int]]

    @property
    def powers(self) -> int:
        """How many powers of tau in G1 the file has."""
        return self.sections[TAU_G1][1] // G1_BYTES

    def tau_powers(self, count: int) -> bytes:
        """[tau^0]_1, ... in canonical little-endian bytes."""
        if count > self.powers:
            raise SetupError(f"{self.path}: {count} powers of tau are needed, the file has {self.powers}")
        return self._points(TAU_G1, 0, count)

    def lagrange(self, size: int) -> bytes | None:
        """The Lagrange basis of the domain of `size` points, None where the file has none."""
        if LAGRANGE_G1 not in self.sections or (2 * size - 1) * G1_BYTES > self.sections[LAGRANGE_G1][1]:
            return None
        return self._points(LAGRANGE_G1, size - 1, size)

    def tau_g2(self) -> G2Point:
        """[tau]_2, on the twist and in the subgroup; the file's later powers in G2 are not looked at."""
        x0, x1, y0, y1 = self._coordinates(self._read(TAU_G2, G2_BYTES, G2_BYTES))
        point = (x0, x1), (y0, y1)
        if not in_g2(point):
            raise SetupError(f"{self.path}: [tau]_2 is not in G2")
        return point

    def blake2b(self) -> str:
        """The BLAKE2b-512 of the file, as ceremonies publish it."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()

    def _points(self, section: int, first: int, count: int) -> bytes:
        data = self._read(section, first * G1_BYTES, count * G1_BYTES)
        return b"".join(value.to_bytes(32, "little") for value in self._coordinates(data))

    def _coordinates(self, data: bytes) -> list[int]:
        values = [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]
        if any(value >= BASE_MODULUS for value in values):
            raise SetupError(f"{self.path}: a coordinate is not below the base field's modulus")
        return [value * MONTGOMERY % BASE_MODULUS for value in values]

    def _read(self, section: int, offset: int, size: int) -> bytes:
        start, length = self.sections[section]
        if offset + size > length:
            raise SetupError(f"{self.path}: section {section} is too short")
        with self.path.open("rb") as file:
            file.seek(start + offset)
            return file.read(size)


def open_ptau(path: str | Path) -> PtauFile:
    """The file's structure; SetupError names what is missing, truncated or of another curve."""
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic, version, count = struct.unpack("<4sII", file.read(12))
            if magic != MAGIC or version != VERSION:
                raise SetupError(f"{path}: not a ptau file of version {VERSION}")
            sections: dict[int, tuple[int, int]] = {}
            for _ in range(count):
                kind, length = struct.unpack("<IQ", file.read(12))
                if file.tell() + length > size:
                    raise SetupError(f"{path}: truncated in section {kind}")
                if kind in sections:
                    raise SetupError(f"{path}: section {kind} comes twice")
                sections[kind] = file.tell(), length
                file.seek(length, 1)
            power = _header(path, file, sections)
    except struct.error as error:
        raise SetupError(f"{path}: truncated") from error
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    _check_lengths(path, power, sections)
    return PtauFile(path, power, sections)


def _check_lengths(path: Path, power: int, sections: dict[int, tuple[int, int]]) -> None:
    for kind, length in ((TAU_G1, ((2 << power) - 1) * G1_BYTES), (TAU_G2, (1 << power) * G2_BYTES)):
        if kind not in sections:
            raise SetupError(f"{path}: section {kind} is missing")
        if sections[kind][1] != length:
            raise SetupError(f"{path}: section {kind} has another length than power {power} asks for")
    # newer files go one domain further, with a power of tau that is not there
    if LAGRANGE_G1 in sections and sections[LAGRANGE_G1][1] < ((2 << power) - 1) * G1_BYTES:
        raise SetupError(f"{path}: section {LAGRANGE_G1} is too short for power {power}")


def _header(path: Path, file: BinaryIO, sections: dict[int, tuple[int, int]]) -> int:
    if HEADER not in sections:
        raise SetupError(f"{path}: section {HEADER} is missing")
    if sections[HEADER][1] != HEADER_BYTES:
        raise SetupError(f"{path}: section {HEADER} is not the header of a curve of 32-byte coordinates")
    file.seek(sections[HEADER][0])
    (field_bytes,) = struct.unpack("<I", file.read(4))
    if field_bytes != 32 or int.from_bytes(file.read(32), "little") != BASE_MODULUS:
        raise SetupError(f"{path}: of another curve than BN254")
    (power,) = struct.unpack("<I", file.read(4))
    if not 1 <= power <= 28:
        raise SetupError(f"{path}: power {power} is outside 1..28")
    return int(power)
