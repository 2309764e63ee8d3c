"""gnark-crypto's sums and transforms, and gnark's PLONK on the conventional circuit."""

from dataclasses import dataclass
from pathlib import Path

from bench.peers.process import SOURCES, build_with, timing_of
from bench.peers.work import POINT_BASE, SCALAR_BASE, Timing, Work

BASES = {"msm": (SCALAR_BASE, POINT_BASE), "ntt": (SCALAR_BASE,), "margin": ()}


@dataclass(frozen=True)
class Gnark:
    name: str = "gnark"
    tools: tuple[str, ...] = ("go",)
    kinds: tuple[str, ...] = ("msm", "ntt", "margin")

    def build(self, folder: Path) -> None:
        build_with(["go", "build", "-mod=readonly", "-o", str(folder / "peers"), "."], SOURCES / "gnark")

    def measure(self, folder: Path, work: Work, runs: int) -> Timing:
        bases = map(str, BASES[work.kind])
        return timing_of([str(folder / "peers"), work.kind, str(work.size), str(runs), *bases], folder)
