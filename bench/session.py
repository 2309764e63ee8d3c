"""One run of the bench: what is asked for, measured, printed and written."""

import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.machine import describe_machine
from bench.measurement import Measurement
from bench.plan import BenchError, Job, Options, make_plan, run_jobs
from bench.ratios import cpu_against_gpu, ratios
from bench.report import check_plotting, proofs_table, results_table, rows_table, write_results

WIDTH = 160  # of tables that go into a file


def run_session(options: Options, output: Path | None) -> None:
    """Measures and prints; with a folder also writes the results there. BenchError for what cannot be done at all."""
    if output is not None:
        check_plotting()
    console, machine = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False), describe_machine()
    jobs, left_out = make_plan(options)
    console.print("; ".join(f"{name} {value}" for name, value in machine.items()))
    for line in left_out:
        console.print(f"left out: {line}")
    if not jobs:
        raise BenchError("nothing is left to measure")
    measurements = run_with_bar(jobs)
    console.print(results_table(measurements))
    proofs = proofs_table(measurements)
    for rows in (proofs, [asdict(ratio) for ratio in ratios(measurements)], cpu_against_gpu(measurements)):
        if rows:
            console.print(rows_table(rows))
    if output is not None:
        write_results(output, measurements, left_out, machine, asdict(options))
        console.print(f"written to {output}: results.csv, results.json, scaling.png")


def run_with_bar(jobs: list[Job]) -> list[Measurement]:
    """With a bar on stderr where that is a terminal."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(jobs))
        return run_jobs(
            jobs, lambda title, done, total: bar.update(task, description=title, completed=done, total=total)
        )
