"""Whole proofs of a batch of trades, round by round."""

import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.book import trade_batch
from bench.cells import committed_cells
from bench.measurement import ROUNDS, Clock, Measurement, columns
from circuits.circuit import Assignment
from circuits.margin.parameters import Shape
from circuits.margin.statement import Statement
from prover.backend import Backend, get_backend
from prover.backend.cuda import CudaBackend
from prover.backend.threads import set_workers
from prover.key import ProvingKey
from prover.prove import ROUNDS as ROUND_STARTS
from prover.setup import insecure_srs
from verifier import verify
from verifier.margin import MarginStatement
from zkmargin.proving import (
    batch_assignment,
    batch_statement,
    commit_cells,
    layout_of,
    margin_key,
    prove_batch,
)

SYSTEM_CELLS = 2
CHANGES_POSITION = ("trade", "liquidate")


@dataclass(frozen=True)
class Case:
    """A batch ready to be proved. changes: position changes, two a trade."""

    shape: Shape
    key: ProvingKey
    statement: Statement
    assignment: Assignment
    accounts: int
    changes: int

    @classmethod
    def build(cls, backend: Backend, size: int, accounts: int | None, limb_bits: int, packing: int) -> "Case":
        """2^(size-1) transitions, trades but for one that collects the fees; as many accounts as changes unless
        told."""
        count = accounts or (1 << size) - SYSTEM_CELLS
        parameters, shape, batch = trade_batch(1 << (size - 1), count, limb_bits)
        shape = replace(shape, packing=packing)
        srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"bench")
        key = margin_key(parameters, shape, srs, backend)
        statement = batch_statement(batch, commit_cells(srs, backend, shape.cells, batch.old), srs, backend, shape)
        assignment = batch_assignment(key.circuit, parameters, statement, batch, backend)
        return cls(
            shape, key, statement, assignment, count, sum(2 for step in batch.steps if step.kind in CHANGES_POSITION)
        )

    def verify(self, proof: bytes) -> None:
        public = MarginStatement.under(self.key.verifying, self.statement)
        verify(self.key.verifying, public, proof, allow_insecure=True)


@dataclass(frozen=True)
class ProofJob:
    """The stages of `PROOF_STAGES` at one size, in a process of its own: what it takes in memory is its own."""

    backend: str
    stages: tuple[str, ...]
    size: int
    threads: tuple[int, ...]
    runs: int
    limb_bits: int
    accounts: int | None
    packing: int

    @property
    def title(self) -> str:
        return f"proof of 2^{self.size} changes on {self.backend}"

    def measure(self) -> list[Measurement]:
        backend = get_backend(self.backend)
        case = Case.build(backend, self.size, self.accounts, self.limb_bits, self.packing)
        if self.backend != "reference":  # which keeps nothing from one proof to the next
            prove_batch(case.key, case.statement, case.assignment, backend)
        return [m for threads in self.threads for m in self._measure(backend, case, threads)]

    def _measure(self, backend: Backend, case: Case, threads: int) -> Iterator[Measurement]:
        set_workers(threads)
        reset_peak()
        runs = [prove_in_rounds(case, backend) for _ in range(self.runs)]
        detail = describe(case, runs[-1][0], peak_bytes()) | device_peak(backend)
        case.verify(runs[-1][0])
        for stage in self.stages:
            times = columns([times[stage] for _, times in runs])
            yield Measurement(stage, self.backend, self.size, threads, *times, detail)


def prove_in_rounds(case: Case, backend: Backend) -> tuple[bytes, dict[str, tuple[float, float]]]:
    """A proof from the witness in memory, and (wall, processor) seconds of each round and of all of it."""
    marks: list[tuple[float, float]] = []
    clock = Clock()

    def told(stage: str, *_: int) -> None:
        if stage == ROUND_STARTS:
            backend.wait()
            marks.append(clock.read())

    proof = prove_batch(case.key, case.statement, case.assignment, backend, told)
    marks = [(0.0, 0.0), *marks[1:], clock.read()]  # what is absorbed before the first round counts to it
    rounds = {
        stage: (end[0] - start[0], end[1] - start[1])
        for stage, start, end in zip(ROUNDS, marks[:-1], marks[1:], strict=True)
    }
    return proof, {**rounds, "proof": marks[-1]}


def describe(case: Case, proof: bytes, peak: int) -> dict[str, int]:
    """What belongs beside the times of a proof. rows: of the transitions table."""
    rows = case.key.circuit.table("transitions").size
    return {
        "changes": case.changes,
        "accounts": case.accounts,
        "rows": rows,
        "cells": case.shape.cells,
        "limb_bits": case.shape.limb_bits,
        "packing": case.shape.packing,
        **committed_cells(case.key.circuit),
        "proof_bytes": len(proof),
        "peak_bytes": peak,
        "bytes_per_row": peak // rows,
    }


def device_peak(backend: Backend) -> dict[str, int]:
    """The most memory that the pool of a GPU held, key, setup and witness in it."""
    return {"device_peak_bytes": backend.device.peak_bytes} if isinstance(backend, CudaBackend) else {}


def reset_peak() -> None:
    """Makes the present memory the peak, where the system can (Linux)."""
    control = Path("/proc/self/clear_refs")
    if control.exists():
        control.write_text("5")


def peak_bytes() -> int:
    """The most memory that the process held since `reset_peak`, or since it began where that cannot be asked."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10
