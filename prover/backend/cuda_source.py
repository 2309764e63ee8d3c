"""The CUDA sources: which files make a module, and the constants of the fields in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from py_ecc.optimized_bn128 import field_modulus

from circuits.field import MODULUS

BASE_MODULUS: int = field_modulus
FOLDER = Path(__file__).parent / "kernels"
COMMON = ("device", "field")
UNITS = {
    "vectors": (),
    "scans": (),
    "transforms": (),
    "programs": (),
    "groups": ("curve",),
    "buckets": ("curve",),
}
"""{module: what it needs besides COMMON}"""
OPTIONS = ("--std=c++17",)
THREADS = 128  # of a block, as in device.cu
RADIX = 1 << 256  # Montgomery's R
WORDS = 8  # of 32 bits, of an element


@cache
def source(unit: str) -> str:
    """One text of CUDA C++ with no includes: a module is compiled from it."""
    names = (*COMMON, *UNITS[unit], unit)
    device, *others = ((FOLDER / f"{name}.cu").read_text() for name in names)
    return "\n".join([device, _field("Scalar", MODULUS), _field("Base", BASE_MODULUS), *others])


def montgomery(value: int, modulus: int = MODULUS) -> tuple[int, int, int, int]:
    """The Montgomery form as words of 64 bits, lowest first: an element as a kernel's argument."""
    return limbs(value * RADIX % modulus)


def limbs(value: int) -> tuple[int, int, int, int]:
    """An integer below 2^256 as words of 64 bits, lowest first."""
    a, b, c, d = (value >> 64 * k & (1 << 64) - 1 for k in range(4))
    return a, b, c, d


def integer(form: bytes, modulus: int) -> int:
    """The canonical integer of a Montgomery form in 32 bytes."""
    return int.from_bytes(form, "little") * pow(RADIX, -1, modulus) % modulus


def _field(name: str, modulus: int) -> str:
    """A structure of constants; words are functions, so that loops that are unrolled see constants."""
    lines = [
        f"struct {name} {{",
        f"    static constexpr u32 NEGATIVE_INVERSE = {-pow(modulus, -1, 1 << 32) % (1 << 32)}u;",
        _words("word", modulus),
        _words("one", RADIX % modulus),
        _words("radix_square", RADIX * RADIX % modulus),
        _words("inverse_exponent", modulus - 2),
        "};",
    ]
    return "\n".join(lines)


def _words(name: str, value: int) -> str:
    words = [value >> 32 * k & 0xFFFFFFFF for k in range(WORDS)]
    chosen = "".join(f"i == {k} ? {word}u : " for k, word in enumerate(words[:-1]))
    return f"    DEVICE constexpr u32 {name}(int i) {{ return {chosen}{words[-1]}u; }}"
