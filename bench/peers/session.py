"""One run of the comparison: what is asked for, measured, printed and written."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.machine import describe_machine
from bench.peers.comparison import PEERS, compare
from bench.peers.process import cache_folder, one_core
from bench.peers.tables import kernels_table, margin_table, records
from bench.peers.work import Work
from bench.plan import SMALLEST_PROOF
from bench.report import rows_table

CHANGES = (4, 16)  # in one proof of a peer, unless told
WIDTH = 160  # of tables that go into a file


@dataclass(frozen=True)
class PeerOptions:
    """msm, ntt: log2 of the elements. changes: of the peers' proofs; proof: log2 of those of ours. peers: by name."""

    msm: tuple[int, ...]
    ntt: tuple[int, ...]
    changes: tuple[int, ...]
    proof: int
    peers: tuple[str, ...]
    runs: int

    @classmethod
    def of_sizes(cls, sizes: tuple[int, ...], runs: int) -> "PeerOptions":
        """Sums and transforms of these sizes, our proof of the largest, and every peer."""
        proof = max(SMALLEST_PROOF, *sizes)
        return cls(sizes, sizes, CHANGES, proof, tuple(peer.name for peer in PEERS), runs)

    @property
    def works(self) -> list[Work]:
        asked = {"msm": self.msm, "ntt": self.ntt, "margin": self.changes}
        return [Work(kind, size) for kind, sizes in asked.items() for size in sizes]


def run_peers(options: PeerOptions, output: Path | None) -> None:
    """Builds, measures and prints; with a folder also writes peers.json there."""
    console, told = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False), Console(stderr=True)
    machine = describe_machine()
    peers = [peer for peer in PEERS if peer.name in options.peers]
    with one_core() as core:
        where = "not pinned" if core is None else f"pinned to core {core}"
        console.print("; ".join(f"{name} {value}" for name, value in machine.items()) + f"; {where}")
        results, left_out = compare(
            options.works, options.proof, peers, options.runs, cache_folder(), lambda step: told.print(f"{step} …")
        )
    for line in left_out:
        console.print(f"left out: {line}")
    for rows in (kernels_table(results), margin_table(results)):
        if rows:
            console.print(rows_table(rows))
    if output is not None:
        report = {"machine": machine, "core": core, "results": records(results), "left out": left_out}
        write_json(output / "peers.json", report)
        console.print(f"written to {output}: peers.json")


def write_json(path: Path, report: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
