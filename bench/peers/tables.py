"""The comparison as tables: times of the same work side by side, and position changes a second."""

from collections.abc import Sequence
from typing import Any

from bench.peers.comparison import OURS, Compared
from bench.report import format_seconds


def kernels_table(results: Sequence[Compared]) -> list[dict[str, str]]:
    """A row for each work: our time, each peer's, and how many times ours that is."""
    kernels = [r for r in results if r.work.kind != "margin"]
    times = {(r.prover, r.work): r.timing.median for r in kernels}
    peers = dict.fromkeys(r.prover for r in kernels if r.prover != OURS)
    rows = []
    for work in dict.fromkeys(r.work for r in kernels):
        ours = times[OURS, work]
        row = {"processor time, one core": str(work), OURS: format_seconds(ours)}
        for peer in peers:
            time = times.get((peer, work))
            row[peer] = format_seconds(time) if time else "–"
            row[f"{peer} / {OURS}"] = f"{time / ours:.2f}" if time else "–"
        rows.append(row)
    return rows


def margin_table(results: Sequence[Compared]) -> list[dict[str, str]]:
    """A row for each prover of margin batches; ours by how many changes a second it exceeds it."""
    margin = [r for r in results if r.work.kind == "margin"]
    ours = max((r.per_second for r in margin if r.prover == OURS), default=0.0)
    return [
        {
            "margin batch, one core": f"{r.prover}, {CIRCUITS[r.prover == OURS]}",
            "changes": f"{r.work.size:,}",
            "constraints a change": str(r.timing.detail.get("constraints per change", "–")),
            "prove": format_seconds(r.timing.median),
            "changes a second": f"{r.per_second:,.2f}",
            f"{OURS} / it": f"{ours / r.per_second:,.1f}",
        }
        for r in margin
    ]


CIRCUITS = {True: "vector commitment and memory checking", False: "account tree of depth 20"}


def records(results: Sequence[Compared]) -> list[dict[str, Any]]:
    """For JSON."""
    return [
        {
            "prover": r.prover,
            "kind": r.work.kind,
            "size": r.work.size,
            "cpu_median_s": r.timing.median,
            "cpu_seconds": r.timing.cpu,
            "seconds": r.timing.seconds,
            "changes_per_second": r.per_second if r.work.kind == "margin" else None,
            "detail": r.timing.detail,
        }
        for r in results
    ]
