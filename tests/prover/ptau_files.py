"""Files of powers of tau written for tests, point by point on py_ecc, with whatever a test wants to be wrong."""

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

from py_ecc.optimized_bn128 import FQ2, G1, G2, b2, curve_order, is_on_curve, multiply, normalize

from circuits.field import lagrange_evaluations
from verifier.curve import BASE_MODULUS, G2Point

Sections = dict[int, bytes]
TAU, POWER = 987_654_321_987_654_321, 2
MONTGOMERY_RADIX = 1 << 256


def montgomery(*coordinates: int) -> bytes:
    return b"".join((c * MONTGOMERY_RADIX % BASE_MODULUS).to_bytes(32, "little") for c in coordinates)


def g1_multiple(scalar: int) -> tuple[int, int]:
    """s * (1, 2); (0, 0) for infinity."""
    if scalar % curve_order == 0:
        return 0, 0
    x, y = normalize(multiply(G1, scalar % curve_order))
    return int(x.n), int(y.n)


def g2_multiple(scalar: int) -> G2Point:
    (x0, x1), (y0, y1) = ([int(c) for c in coordinate.coeffs] for coordinate in normalize(multiply(G2, scalar)))
    return (x0, x1), (y0, y1)


def header(power: int = POWER, modulus: int = BASE_MODULUS, size: int = 32) -> bytes:
    return struct.pack("<I", size) + modulus.to_bytes(size, "little") + struct.pack("<II", power, power)


def lagrange_section(tau: int, power: int) -> bytes:
    """The bases of the domains 2^0 ... 2^power, then points of a larger domain that no reader may use."""
    scalars = [v for k in range(power + 1) for v in lagrange_evaluations(1 << k, range(1 << k), tau)]
    return b"".join(montgomery(*g1_multiple(s)) for s in scalars) + montgomery(1, 2) * (2 << power)


@dataclass(frozen=True)
class PtauWriter:
    """The sections of a file of 2^(power+1) - 1 powers of tau."""

    sections: Sections = field(default_factory=dict)
    magic: bytes = b"ptau"
    version: int = 1

    @classmethod
    def of(cls, tau: int = TAU, power: int = POWER, bases: bool = True) -> "PtauWriter":
        """A file as snarkjs prepares it; powers of tau in G2 beyond tau are filler."""
        powers = b"".join(montgomery(*g1_multiple(pow(tau, i, curve_order))) for i in range((2 << power) - 1))
        g2 = [c for exponent in (1, tau) for coordinate in g2_multiple(exponent) for c in coordinate]
        filler = bytes(128) * ((1 << power) - 2)
        sections = {1: header(power), 2: powers, 3: montgomery(*g2) + filler, 7: bytes(4)}
        return cls(sections | ({12: lagrange_section(tau, power)} if bases else {}))

    def having(self, section: int, data: bytes) -> "PtauWriter":
        return replace(self, sections=self.sections | {section: data})

    def without(self, section: int) -> "PtauWriter":
        return replace(self, sections={k: v for k, v in self.sections.items() if k != section})

    def patched(self, section: int, offset: int, data: bytes) -> "PtauWriter":
        old = self.sections[section]
        return self.having(section, old[:offset] + data + old[offset + len(data) :])

    def encode(self) -> bytes:
        parts = [struct.pack("<4sII", self.magic, self.version, len(self.sections))]
        for kind, data in self.sections.items():
            parts += [struct.pack("<IQ", kind, len(data)), data]
        return b"".join(parts)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.encode())
        return path


def outside_the_subgroup() -> G2Point:
    """A point of the twist whose order does not divide r: the first x = (k, 1) that has a y."""
    for k in range(1, 200):
        x = FQ2([k, 1])
        y = square_root(x * x * x + b2)
        if y is not None:
            assert is_on_curve((x, y, FQ2.one()), b2)
            return (k, 1), (int(y.coeffs[0]), int(y.coeffs[1]))
    raise AssertionError("no x of the twist among 200: half of them have a y")


def square_root(value: FQ2) -> FQ2 | None:
    """In F_(p^2) with p = 3 mod 4 and u^2 = -1, from the norm's root in F_p."""
    a, b = (int(c) for c in value.coeffs)
    norm_root = pow(a * a + b * b, (BASE_MODULUS + 1) // 4, BASE_MODULUS)
    half = pow(2, -1, BASE_MODULUS)
    for sign in (1, -1):
        square = (a + sign * norm_root) * half % BASE_MODULUS
        x = pow(square, (BASE_MODULUS + 1) // 4, BASE_MODULUS)
        if x and x * x % BASE_MODULUS == square:
            root = FQ2([x, b * half * pow(x, -1, BASE_MODULUS) % BASE_MODULUS])
            if root * root == value:
                return root
    return None
