"""Stages below the proof: sums of points, transforms, and the program of the transitions table, on random inputs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from bench.book import bench_parameters
from bench.measurement import Measurement, repeat
from circuits.field import MODULUS
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Shape
from circuits.program import Compiled, compile_program
from prover.backend import Backend, Points, Vector, get_backend
from prover.backend.threads import set_workers

SEED = 1  # of the inputs
Body = Callable[[], object]
"""What is timed."""


@dataclass(frozen=True)
class KernelJob:
    """Stages of `KERNEL_STAGES` with the sizes (log2) to do of each, on one backend."""

    backend: str
    sizes: dict[str, tuple[int, ...]]
    threads: tuple[int, ...]
    runs: int
    limb_bits: int

    @property
    def title(self) -> str:
        return f"{', '.join(self.sizes)} on {self.backend}"

    def measure(self) -> list[Measurement]:
        """Every stage at every size; one run before the others is not counted, for it may compile."""
        return [m for stage, sizes in self.sizes.items() for m in self._measure_stage(stage, sizes)]

    def _measure_stage(self, stage: str, sizes: Sequence[int]) -> Iterator[Measurement]:
        backend = get_backend(self.backend)
        make = _bodies(backend, stage, 1 << max(sizes), self.limb_bits)
        for size in sizes:
            body = partial(_done, backend, make(1 << size))
            for threads in self.threads:
                set_workers(threads)
                body()
                yield Measurement(stage, self.backend, size, threads, *repeat(self.runs, body))


def _done(backend: Backend, body: Body) -> None:
    """The body until what it asked for is done."""
    body()
    backend.wait()


def insecure_powers(backend: Backend, n: int, random: Random) -> Points:
    """[tau^i]_1 of a tau that is forgotten."""
    return backend.fixed_base(backend.powers(random.randrange(1, MODULUS), n))


def _bodies(backend: Backend, stage: str, largest: int, limb_bits: int) -> Callable[[int], Body]:
    """From a number of elements to what is to be timed on so many."""
    random, generator = Random(SEED), np.random.default_rng(SEED)
    if stage == "expression":
        return _expression(backend, limb_bits, generator)
    full = backend.powers(random.randrange(1, MODULUS), largest)  # full-width, as good as random
    if stage == "ntt":
        return lambda n: partial(backend.ntt, backend.slice(full, 0, n), n)
    points = insecure_powers(backend, largest, random)
    if stage == "msm":
        return lambda n: partial(backend.msm, points[:n], backend.slice(full, 0, n))
    narrow = generator.integers(0, 1 << 64, largest, np.uint64)
    if stage == "msm16":
        narrow = narrow.astype(np.uint16)
    return lambda n: partial(backend.msm, points[:n], narrow[:n])


def transitions_program(limb_bits: int) -> Compiled:
    """The folded constraints of the transitions table, as the quotient runs them."""
    circuit = margin_circuit(bench_parameters(), Shape(64, 64, limb_bits, True))
    return compile_program([circuit.folded(circuit.table("transitions"))])


def _expression(backend: Backend, limb_bits: int, generator: np.random.Generator) -> Callable[[int], Body]:
    compiled = transitions_program(limb_bits)
    constants = [int(value) for value in generator.integers(0, 1 << 63, len(compiled.constants))]

    def make(n: int) -> Body:
        inputs: list[Vector] = [backend.vector(generator.integers(0, 1 << 64, n, np.uint64)) for _ in compiled.columns]
        return partial(backend.run, compiled.program, inputs, constants)

    return make
