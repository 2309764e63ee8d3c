"""ffjavascript's sums and transforms, and snarkjs' PLONK on the conventional circuit in circom with circomlib's
Poseidon."""

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from bench.peers.process import SOURCES, build_with, timing_of
from bench.peers.work import POINT_BASE, SCALAR_BASE, Timing, Work
from bench.plan import BenchError
from prover.backend import get_backend
from prover.kzg import affine
from prover.setup import SRS, insecure_srs
from verifier.curve import BASE_MODULUS, Point

BASES = {"msm": (SCALAR_BASE, POINT_BASE), "ntt": (SCALAR_BASE,)}
LARGEST = {"msm": 18, "ntt": 20, "margin": 4}
CONSTRAINTS = 27_000  # no more than so many a change
FILES = ("package.json", "package-lock.json", "kernels.js", "margin.js", "margin.circom")
RADIX = 1 << 256  # of the Montgomery form in setup files


@dataclass(frozen=True)
class Snarkjs:
    name: str = "snarkjs"
    tools: tuple[str, ...] = ("node", "npm")
    kinds: tuple[str, ...] = ("msm", "ntt", "margin")

    def build(self, folder: Path) -> None:
        for name in FILES:
            shutil.copy(SOURCES / "snarkjs" / name, folder)
        build_with(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    def measure(self, folder: Path, work: Work, runs: int) -> Timing:
        if work.size > LARGEST[work.kind]:
            raise BenchError(f"it would take many minutes above {LARGEST[work.kind]}")
        if work.kind != "margin":
            bases = map(str, BASES[work.kind])
            return timing_of(["node", "kernels.js", work.kind, str(work.size), str(runs), *bases], folder)
        (folder / "batch.circom").write_text(
            f'pragma circom 2.0.0;\ninclude "margin.circom";\ncomponent main = Batch(20, {work.size});\n'
        )
        build_with(["node", "node_modules/circom2/cli.js", "batch.circom", "--r1cs", "--wasm"], folder)
        write_powers(folder / "powers.ptau", (CONSTRAINTS * work.size).bit_length())
        return timing_of(["node", "margin.js", str(work.size), str(runs)], folder)


def write_powers(path: Path, power: int) -> None:
    """An insecure setup for domains of up to 2^power points, as far as snarkjs' PLONK reads it."""
    backend, n = get_backend("cpu"), 1 << power
    srs = insecure_srs(backend, n + 6, b"bench")
    bases = [point for k in range(power + 1) for point in affine(backend, srs.lagrange(1 << k))]
    header = struct.pack("<I32sII", 32, BASE_MODULUS.to_bytes(32, "little"), power, power)
    sections = {1: header, 2: _encode(affine(backend, srs.powers)), 3: _tau_g2(srs), 12: _encode(bases)}
    parts = [struct.pack("<4sII", b"ptau", 1, len(sections))]
    for kind, data in sections.items():
        parts += [struct.pack("<IQ", kind, len(data)), data]
    path.write_bytes(b"".join(parts))


def _encode(points: list[Point]) -> bytes:
    return b"".join(_montgomery(c) for point in points for c in point or (0, 0))


def _tau_g2(srs: SRS) -> bytes:
    """[1]_2, of which nothing is read, and [tau]_2."""
    return bytes(128) + b"".join(_montgomery(c) for coordinate in srs.tau_g2 for c in coordinate)


def _montgomery(coordinate: int) -> bytes:
    return (coordinate * RADIX % BASE_MODULUS).to_bytes(32, "little")
