"""This project's side of the comparison: the `cpu` backend on one thread."""

from dataclasses import dataclass

from bench.measurement import repeat
from bench.peers.work import POINT_BASE, SCALAR_BASE, Timing, Work
from bench.plan import run_alone
from bench.proofs import ProofJob
from prover.backend import get_backend
from prover.backend.threads import set_workers

LIMB_BITS = 16


def measure_ours(work: Work, runs: int) -> Timing:
    """For `margin` the size is log2 of the changes, which one proof takes in by the thousand."""
    if work.kind != "margin":
        return run_alone(OurKernel(work, runs))
    [proof] = run_alone(ProofJob("cpu", ("proof",), work.size, (1,), runs, LIMB_BITS, None, 1))
    return Timing(proof.seconds, proof.cpu, "verified", dict(proof.detail))


@dataclass(frozen=True)
class OurKernel:
    """A sum of points or a transform; one run before the others is not counted."""

    work: Work
    runs: int

    @property
    def title(self) -> str:
        return f"{self.work} on cpu"

    def measure(self) -> Timing:
        set_workers(1)
        backend, n = get_backend("cpu"), 1 << self.work.size
        scalars = backend.powers(SCALAR_BASE, n, SCALAR_BASE)
        if self.work.kind == "ntt":
            check = str(backend.integers(backend.slice(backend.ntt(scalars, n), 0, 1))[0])
            return Timing(*repeat(self.runs, lambda: backend.ntt(scalars, n)), check)
        points = backend.fixed_base(backend.powers(POINT_BASE, n, POINT_BASE))
        point = backend.msm(points, scalars)
        times = repeat(self.runs, lambda: backend.msm(points, scalars))
        return Timing(*times, str(point[0]) if point else "infinity")
