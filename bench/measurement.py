"""What a measurement is: the times of several runs of one stage, and how they are taken."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

ROUNDS = ("commit", "bus", "quotient", "evaluate", "open")
PROOF_STAGES = (*ROUNDS, "proof")
KERNEL_STAGES = ("msm", "msm64", "msm16", "ntt", "expression")
STAGES = (*KERNEL_STAGES, *PROOF_STAGES)


@dataclass(frozen=True)
class Measurement:
    """Seconds of each run of a stage.

    size: log2 of the elements, for the stages of a proof of the position changes. cpu: processor seconds of each run,
    of all threads together. detail: what else there is to say, by name.
    """

    stage: str
    backend: str
    size: int
    threads: int
    seconds: tuple[float, ...]
    cpu: tuple[float, ...]
    detail: dict[str, int] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def record(self) -> dict[str, Any]:
        """One row of the results."""
        return {
            "stage": self.stage,
            "backend": self.backend,
            "size": self.size,
            "threads": self.threads,
            "runs": len(self.seconds),
            "median_s": self.median,
            "min_s": min(self.seconds),
            "max_s": max(self.seconds),
            "cpu_median_s": statistics.median(self.cpu),
            **self.detail,
        }


@dataclass(frozen=True)
class Clock:
    """Wall-clock and processor seconds since the clock was made."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def repeat(runs: int, body: Callable[[], object]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(wall seconds, processor seconds) of each of several runs."""
    times = []
    for _ in range(runs):
        clock = Clock()
        body()
        times.append(clock.read())
    return columns(times)


def columns(times: Sequence[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Pairs of wall and processor seconds as two tuples."""
    wall, cpu = zip(*times, strict=True)
    return wall, cpu
