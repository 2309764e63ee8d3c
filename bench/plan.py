"""Which measurements are made, and which are left out and why."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol, TypeVar

from bench.kernels import KernelJob, transitions_program
from bench.measurement import KERNEL_STAGES, PROOF_STAGES, Measurement
from bench.proofs import ProofJob
from prover.backend import BackendError, get_backend
from prover.backend.threads import workers

REFERENCE_LIMITS = {"msm": 8, "msm64": 8, "msm16": 8, "ntt": 12, "expression": 8}
REFERENCE_PROOF_LIMIT = 5
WITHOUT_THREADS = {"reference": "it has no threads", "cuda": "one thread feeds the GPU"}
SMALLEST_PROOF = 5  # below, the tables of the margin circuit are too small to hide their columns
EXPRESSION_MEMORY = 12 << 30
ELEMENT_BYTES = 32

Job = KernelJob | ProofJob
Result = TypeVar("Result", covariant=True)


class Measurable(Protocol[Result]):
    """What a process of its own can be given to measure."""

    @property
    def title(self) -> str: ...

    def measure(self) -> Result: ...


class BenchError(ValueError):
    """What the user of the bench can mend; one line."""


@dataclass(frozen=True)
class Options:
    """sizes, threads: as asked for. accounts: None for as many as position changes. packing: columns a commitment."""

    stages: tuple[str, ...]
    backends: tuple[str, ...]
    sizes: tuple[int, ...]
    threads: tuple[int, ...]
    runs: int
    limb_bits: int
    accounts: int | None
    packing: int = 1


def make_plan(options: Options) -> tuple[list[Job], list[str]]:
    """The jobs, and a line for each thing asked for that none of them does."""
    jobs: list[Job] = []
    possible_threads = tuple(count for count in options.threads if count <= workers())
    left_out = [
        f"{count} threads: this process may use {workers()} cores" for count in options.threads if count > workers()
    ]
    for backend in options.backends:
        try:
            get_backend(backend)
        except BackendError as error:
            left_out.append(f"backend {backend}: {error}")
            continue
        threads = possible_threads
        if backend in WITHOUT_THREADS and options.threads != (1,):
            left_out.append(f"{backend} with several threads: {WITHOUT_THREADS[backend]}")
            threads = (1,)
        possible = {
            stage: tuple(size for size in options.sizes if not _obstacle(stage, backend, size, options.limb_bits))
            for stage in options.stages
        }
        left_out += _missing(options, backend)
        if threads:
            jobs += _jobs(options, backend, threads, possible)
    return jobs, left_out


def run_jobs(jobs: Sequence[Job], progress: Callable[[str, int, int], None] = lambda *_: None) -> list[Measurement]:
    """What the jobs measured, one after the other, each in a fresh process. progress: told (job, done, in all)."""
    results = []
    for i, job in enumerate(jobs):
        progress(job.title, i, len(jobs))
        results += run_alone(job)
    return results


def run_alone(job: Measurable[Result]) -> Result:
    """What the job measures, in a fresh process; BenchError when that is killed."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(job.measure).result()
        except BrokenProcessPool as error:
            raise BenchError(f"{job.title}: its process was killed, as for too little memory") from error


def _jobs(options: Options, backend: str, threads: tuple[int, ...], possible: dict[str, tuple[int, ...]]) -> list[Job]:
    kernels = {stage: sizes for stage, sizes in possible.items() if stage in KERNEL_STAGES and sizes}
    rounds = tuple(stage for stage in options.stages if stage in PROOF_STAGES)
    result: list[Job] = []
    if kernels:
        result.append(KernelJob(backend, kernels, threads, options.runs, options.limb_bits))
    if rounds:
        for size in possible[rounds[0]]:
            result.append(
                ProofJob(
                    backend, rounds, size, threads, options.runs, options.limb_bits, options.accounts, options.packing
                )
            )
    return result


def _missing(options: Options, backend: str) -> list[str]:
    """A line for each stage and reason."""
    lines: dict[tuple[str, str], list[str]] = {}
    for stage in options.stages:
        for size in options.sizes:
            if reason := _obstacle(stage, backend, size, options.limb_bits):
                lines.setdefault((stage, reason), []).append(f"2^{size}")
    return [f"{stage} of {', '.join(sizes)} on {backend}: {reason}" for (stage, reason), sizes in lines.items()]


def _obstacle(stage: str, backend: str, size: int, limb_bits: int) -> str:
    """Why a stage is not done at a size, or nothing."""
    if stage in PROOF_STAGES and size < SMALLEST_PROOF:
        return f"proofs begin at 2^{SMALLEST_PROOF} changes"
    if stage == "expression" and _expression_bytes(size, limb_bits) > EXPRESSION_MEMORY:
        return f"its columns would take more than {EXPRESSION_MEMORY >> 30} GiB"
    if backend != "reference":
        return ""
    if stage in PROOF_STAGES and limb_bits != 8:
        return "it would take hours with limbs of 16 bits"
    limit = REFERENCE_LIMITS.get(stage, REFERENCE_PROOF_LIMIT)
    return f"it would take minutes above 2^{limit}" if size > limit else ""


def _expression_bytes(size: int, limb_bits: int) -> int:
    return len(transitions_program(limb_bits).columns) * ELEMENT_BYTES << size
