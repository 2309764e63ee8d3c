"""`python -m bench.proof`: a whole proof of a batch of trades, stage by stage, as one line of JSON."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bench.book import trade_batch
from circuits.circuit import Circuit
from circuits.table import Kind
from prover.backend import get_backend
from prover.setup import insecure_srs
from verifier import verify
from verifier.margin import MarginStatement
from verifier.proof import Layout
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, margin_circuit, margin_key, prove_batch


class Stopwatch:
    """Wall-clock seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


def committed_cells(circuit: Circuit) -> dict[str, int]:
    """Cells of witness columns, of which limbs, flags and counts are small, and of bus columns, which are
    full-width."""
    limbs = {
        f"{name}_{i}"
        for table in circuit.tables
        for name, r in table.registers.items()
        for i in range(r.bits // table.limb_bits)
    }
    counts = {"limb": 0, "other witness": 0, "bus": 0}
    for table in circuit.tables:
        for name in table.of_kind(Kind.WITNESS):
            counts["limb" if name in limbs else "other witness"] += table.size
        counts["bus"] += table.size * len(table.of_kind(Kind.BUS))
    return counts


@click.command()
@click.option("--rows", default=64, show_default=True, help="Transitions in the batch, a power of two.")
@click.option("--accounts", default=30, show_default=True)
@click.option("--limb-bits", default=8, show_default=True, type=click.Choice([8, 16]))
@click.option("--backend", "name", default="cpu", show_default=True)
@click.option("--runs", default=1, show_default=True, help="Proofs; the fastest counts, the first compiles kernels.")
def main(rows: int, accounts: int, limb_bits: int, name: str, runs: int) -> None:
    """Proves a batch of trades on a synthetic book and prints the figures."""
    watch, backend = Stopwatch(), get_backend(name)
    with watch.stage("state machine"):
        parameters, shape, batch = trade_batch(rows, accounts, limb_bits)
    with watch.stage("setup"):
        circuit = margin_circuit(parameters, shape)
        srs = insecure_srs(backend, Layout(circuit).powers, b"bench")
        key = margin_key(parameters, shape, srs, backend)
        statement = batch_statement(batch, commit_cells(srs, backend, shape.cells, batch.old), srs, backend, shape)
    with watch.stage("witness"):
        assignment = batch_assignment(key.circuit, parameters, statement, batch)
    proofs = []
    for run in range(runs):
        with watch.stage(f"prove {run}"):
            proofs.append(prove_batch(key, statement, assignment, backend))
    with watch.stage("verify"):
        verify(key.verifying, MarginStatement.under(key.verifying, statement), proofs[-1], allow_insecure=True)
    changes = sum(2 for step in batch.steps if step.kind == "trade")
    cells = {kind: round(count / changes, 1) for kind, count in committed_cells(key.circuit).items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = {
        "changes": changes,
        "accounts": accounts,
        "rows": rows,
        "cells": shape.cells,
        "proof bytes": len(proofs[-1]),
    }
    print(json.dumps({**figures, "committed cells per change": cells, "peak MiB": peak, "seconds": watch.seconds}))


if __name__ == "__main__":
    main()
