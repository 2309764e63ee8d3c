"""What the measurements say beside one another: threads, widths of scalars, growth, CPU against GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.measurement import Measurement

Key = tuple[str, str, int, int]


def by_key(measurements: Sequence[Measurement]) -> dict[Key, Measurement]:
    """{(stage, backend, size, threads): measurement}"""
    return {(m.stage, m.backend, m.size, m.threads): m for m in measurements}


@dataclass(frozen=True)
class Ratio:
    """What is compared, of which stage and backend, at which size."""

    ratio: str
    of: str
    backend: str
    size: str
    value: float


def ratios(measurements: Sequence[Measurement]) -> list[Ratio]:
    """Every ratio that the measurements allow."""
    found = by_key(measurements)
    return [*_threads(found), *_widths(found), *_growth(found)]


def cpu_against_gpu(measurements: Sequence[Measurement]) -> list[dict[str, str | int | float]]:
    """Stage by stage, the fastest of `cpu` beside `cuda`; empty without a GPU."""
    best: dict[tuple[str, int], dict[str, float]] = {}
    for m in measurements:
        times = best.setdefault((m.stage, m.size), {})
        times[m.backend] = min(m.median, times.get(m.backend, m.median))
    return [
        {"stage": stage, "size": size, "cpu_s": t["cpu"], "cuda_s": t["cuda"], "ratio": t["cpu"] / t["cuda"]}
        for (stage, size), t in best.items()
        if {"cpu", "cuda"} <= t.keys()
    ]


def _threads(found: dict[Key, Measurement]) -> Iterator[Ratio]:
    for (stage, backend, size, threads), several in found.items():
        one = found.get((stage, backend, size, 1))
        if threads > 1 and one:
            speed = one.median / several.median
            yield Ratio(f"speed of {threads} threads against 1", stage, backend, f"2^{size}", speed)


def _widths(found: dict[Key, Measurement]) -> Iterator[Ratio]:
    for (stage, backend, size, threads), narrow in found.items():
        full = found.get(("msm", backend, size, threads))
        if stage in ("msm16", "msm64") and full:
            share = narrow.median / full.median
            yield Ratio("time against full scalars", f"{stage}, threads: {threads}", backend, f"2^{size}", share)


def _growth(found: dict[Key, Measurement]) -> Iterator[Ratio]:
    """Growth from the smallest to the largest size, over that of n log n: at most 1 is no worse than n log n."""
    lines: dict[tuple[str, str, int], list[Measurement]] = {}
    for (stage, backend, _, threads), m in found.items():
        lines.setdefault((stage, backend, threads), []).append(m)
    for (stage, backend, threads), line in lines.items():
        low, high = min(line, key=lambda m: m.size), max(line, key=lambda m: m.size)
        if low.size < high.size:
            expected = 2 ** (high.size - low.size) * high.size / low.size
            of, sizes = f"{stage}, threads: {threads}", f"2^{low.size} to 2^{high.size}"
            yield Ratio("growth over n log n", of, backend, sizes, high.median / low.median / expected)
