"""Results as tables on the terminal, and as CSV, JSON and a plot in a folder."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.measurement import Measurement
from bench.plan import BenchError
from bench.ratios import cpu_against_gpu, ratios

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
MIB = 1 << 20


def check_plotting() -> None:
    """BenchError without matplotlib: said before hours of measuring."""
    if find_spec("matplotlib") is None:
        raise BenchError("the plot in --output needs matplotlib: pip install 'zkmargin[bench]'")


def results_table(measurements: Sequence[Measurement]) -> Table:
    """One row a measurement."""
    table = Table("stage", "backend", "size", "threads", "median", "least", "most", "cpu")
    for m in measurements:
        record = m.record()
        times = (format_seconds(record[name]) for name in ("median_s", "min_s", "max_s", "cpu_median_s"))
        table.add_row(m.stage, m.backend, f"2^{m.size}", str(m.threads), *times)
    return table


def proofs_table(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """What stands beside the time of each whole proof."""
    rows = []
    for m in measurements:
        if m.stage == "proof":
            d = m.detail
            rows.append(
                {
                    "proof": f"{m.backend}, threads: {m.threads}",
                    "changes": f"{d['changes']:,}",
                    "changes/s": f"{d['changes'] / m.median:,.0f}",
                    "accounts": f"{d['accounts']:,}",
                    "rows": f"{d['rows']:,}",
                    "limb bits": d["limb_bits"],
                    "packing": d["packing"],
                    "proof bytes": f"{d['proof_bytes']:,}",
                    "peak MiB": f"{d['peak_bytes'] // MIB:,}",
                    "GPU MiB": f"{d.get('device_peak_bytes', 0) // MIB:,}",
                    "bytes a row": f"{d['bytes_per_row']:,}",
                }
            )
    return rows


def rows_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Rows of the same keys; numbers with three digits."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


def write_results(
    folder: Path,
    measurements: Sequence[Measurement],
    left_out: Sequence[str],
    machine: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """results.csv, results.json, scaling.png."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [m.record() for m in measurements]
    names = list(dict.fromkeys(name for record in records for name in record))
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(records)
    report = {
        "machine": machine,
        "settings": settings,
        "results": [{**m.record(), "seconds": m.seconds, "cpu_seconds": m.cpu} for m in measurements],
        "ratios": [asdict(ratio) for ratio in ratios(measurements)],
        "cpu against gpu": cpu_against_gpu(measurements),
        "left out": list(left_out),
    }
    (folder / "results.json").write_text(json.dumps(report, indent=1) + "\n")
    from bench.plot import plot_scaling

    devices = (str(machine[part]) for part in ("processor", "gpu") if machine.get(part, "none") != "none")
    plot_scaling(measurements, folder / "scaling.png", "; ".join(devices))


def format_seconds(seconds: float) -> str:
    """Three digits with a unit."""
    scale, unit = next(((scale, unit) for scale, unit in UNITS if seconds >= scale), UNITS[-1])
    value = seconds / scale
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
