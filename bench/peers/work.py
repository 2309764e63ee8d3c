"""The work that is compared, its inputs, and the answers in closed form that every peer's result is held against."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from py_ecc.optimized_bn128 import G1, multiply, normalize

from bench.plan import BenchError
from circuits.field import MODULUS, inverse

SCALAR_BASE = 0x1F3D5B79_8642ACE0_F1E2D3C4_B5A69788_0123456789ABCDEF
POINT_BASE = 0x2468ACE0_13579BDF_0F1E2D3C_4B5A6978_FEDCBA9876543210
KINDS = ("msm", "ntt", "margin")


@dataclass(frozen=True)
class Work:
    """kind: of `KINDS`. size: log2 of the elements, for `margin` the position changes in one proof."""

    kind: str
    size: int

    def __str__(self) -> str:
        return f"{self.kind}, {self.size} changes" if self.kind == "margin" else f"{self.kind} 2^{self.size}"


@dataclass(frozen=True)
class Timing:
    """Wall-clock and processor seconds of each run, what the peer found (held against `answer`), and what else it
    says."""

    seconds: tuple[float, ...]
    cpu: tuple[float, ...]
    check: str
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Of the processor seconds: on one core those of an otherwise idle machine."""
        return statistics.median(self.cpu)


def answer(work: Work) -> str:
    """msm: the x coordinate of sum_{i=1..n} s^i [p^i]_1 = [sum (sp)^i]_1; ntt: the value at 1 of coefficients s^i,
    i = 1..n; margin: that the proof was verified."""
    match work.kind:
        case "msm":
            x, _ = normalize(multiply(G1, _geometric(SCALAR_BASE * POINT_BASE % MODULUS, 1 << work.size)))
            return str(int(x))
        case "ntt":
            return str(_geometric(SCALAR_BASE, 1 << work.size))
        case _:
            return "verified"


def checked(work: Work, timing: Timing) -> Timing:
    """The timing; BenchError where the result is wrong, for then its time says nothing."""
    if timing.check != answer(work):
        raise BenchError(f"the result {timing.check} is not {answer(work)}")
    return timing


def _geometric(base: int, n: int) -> int:
    """base + base^2 + ... + base^n mod r."""
    return (pow(base, n + 1, MODULUS) - base) * inverse(base - 1) % MODULUS
