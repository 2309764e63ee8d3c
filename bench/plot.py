"""The scaling plot: time by size, both logarithmic, a line for each stage, backend and number of threads."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.measurement import Measurement

MARKERS = {1: "o", 2: "s"}
STYLES = {"cpu": "-", "reference": ":", "cuda": "--"}


def plot_scaling(measurements: Sequence[Measurement], path: Path, title: str) -> None:
    """Writes a PNG; lines of one stage have one colour. title: the devices."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots()
    stages = list(dict.fromkeys(m.stage for m in measurements))
    for stage, backend, threads in dict.fromkeys((m.stage, m.backend, m.threads) for m in measurements):
        line = sorted(
            (m.size, m.median) for m in measurements if (m.stage, m.backend, m.threads) == (stage, backend, threads)
        )
        axes.plot(
            [size for size, _ in line],
            [seconds for _, seconds in line],
            color=f"C{stages.index(stage)}",
            linestyle=STYLES.get(backend, "-."),
            marker=MARKERS.get(threads, "^"),
            label=f"{stage}, {backend}, {threads} thread{'s' if threads > 1 else ''}",
        )
    axes.set_title(title)
    axes.set_yscale("log")
    axes.set_xlabel("log2 of elements (of position changes for commit, bus, quotient, evaluate, open, proof)")
    axes.set_ylabel("seconds")
    axes.grid(True, which="both", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=150)
