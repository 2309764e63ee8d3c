"""From rows of integers to columns: registers in limbs, what expressions define, and how often lookups are used."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any

import numpy as np

from circuits.check import rows
from circuits.circuit import Circuit
from circuits.expression import Expression, queries
from circuits.field import MODULUS
from circuits.margin.circuit import tier_rows
from circuits.margin.parameters import Parameters
from circuits.margin.statement import OracleRow
from circuits.table import Table
from prover.backend import Backend, Vector
from prover.program import Scalars, run_on_domain
from prover.words import Words, join, narrow
from zkmargin.recorder import Recorder, Values
from zkmargin.solvency_rows import filled_rows
from zkmargin.witness_fills import UNUSED_FILL
from zkmargin.witness_scenarios import UNUSED_SCAN

CHUNK = 4096  # rows held as Python integers at a time
Column = np.ndarray | Words


class WitnessError(AssertionError):
    """A step that the state machine accepted does not fit the circuit: a defect of the one or the other."""


def columns_of(
    table: Table, filled: Iterator[Values], scalars: Mapping[str, int], backend: Backend | None
) -> dict[str, Sequence[int]]:
    """Plain columns as they are, stated registers in limbs, then the registers that an expression defines."""
    parts: dict[str, list[Column]] = {}
    while chunk := list(islice(filled, CHUNK)):
        for name in [name for name in chunk[0] if name in table.columns or name in table.registers]:
            parts.setdefault(name, []).append(narrow([row[name] for row in chunk]))
    columns: dict[str, Any] = dict(table.fixed_values)
    for name in list(parts):
        column = join(parts.pop(name))
        columns |= _limbs(table, name, column) if name in table.registers else {name: column}
    waiting = {name: register.value for name, register in table.registers.items() if register.value is not None}
    while waiting:  # a register may be defined by the limbs of another
        ready = {
            name: value for name, value in waiting.items() if all(column in columns for column, _ in queries([value]))
        }
        if not ready:
            raise WitnessError(f"registers wait for each other: {sorted(waiting)}")
        values = _evaluate(table, list(ready.values()), columns, scalars, backend)
        for name, column in zip(ready, values, strict=True):
            columns |= _limbs(table, name, column)
            del waiting[name]
    return {name: columns[name] for name in table.columns if name in columns and name not in table.fixed_values}


def _evaluate(
    table: Table,
    expressions: Sequence[Expression],
    columns: Mapping[str, Any],
    scalars: Mapping[str, int],
    backend: Backend | None,
) -> Iterator[Words]:
    """The values of the expressions, column by column."""
    if backend is None:
        return map(Words.of, zip(*rows(table, expressions, columns, scalars), strict=True))

    def column(name: str) -> Vector:
        values = columns[name]
        return backend.vector(values.array if isinstance(values, Words) else np.asarray(values))

    return (
        Words(np.asarray(backend.words(vector), np.uint64))
        for vector in run_on_domain(backend, table.size, expressions, column, Scalars({}, scalars))
    )


def _limbs(table: Table, name: str, values: Column) -> dict[str, Any]:
    """Limb columns of a register, lowest first; WitnessError when a value is outside its bits."""
    bits, array = table.registers[name].bits, Words.of(values).array
    used = np.ascontiguousarray(array).view(np.uint8)
    outside = used[:, bits // 8 :].any(axis=1)
    if outside.any():
        row = int(outside.argmax())
        value = Words(array)[row]
        signed = value if value <= MODULUS // 2 else value - MODULUS
        raise WitnessError(f"row {row}: register {name} of {bits} bits cannot hold {signed}")
    limbs: np.ndarray = used[:, : bits // 8]
    match table.limb_bits:
        case 16:
            limbs = used.view(np.uint16)[:, : bits // 16]
        case 4:
            limbs = np.stack([limbs & 15, limbs >> 4], axis=2).reshape(len(array), bits // 4)
    return {f"{name}_{i}": np.ascontiguousarray(limbs[:, i]) for i in range(limbs.shape[1])}


def range_count(circuit: Circuit, tables: Mapping[str, Mapping[str, Any]], size: int) -> Any:
    """How often each limb value occurs in the columns of the tables."""
    counts = np.zeros(size, np.int64)
    for table, columns in tables.items():
        for term in circuit.base_terms[table]:
            if term.channel == "range":
                counts += np.bincount(np.asarray(columns[term.fields[0].arguments[0]]), minlength=size)
    return narrow(counts.tolist())


def padded(values: Sequence[int], size: int) -> Any:
    return narrow([*values, *[0] * (size - len(values))])


def book_columns(
    circuit: Circuit,
    rows: Sequence[OracleRow],
    cells: Mapping[int, int],
    recorder: Recorder,
    scalars: Mapping[str, int],
    backend: Backend | None,
) -> dict[str, Sequence[int]]:
    """The columns of the book, its cells judged at these oracle rows."""
    table = circuit.table("book")
    book: dict[str, Any] = columns_of(table, filled_rows(table.size, rows, cells, recorder), scalars, backend)
    return book | {"content": Words.sparse(table.size, cells)}


def scenario_columns(
    circuit: Circuit, recorder: Recorder, scalars: Mapping[str, int], backend: Backend | None
) -> dict[str, Sequence[int]]:
    """The columns of the scenarios' table, from the blocks that were recorded."""
    table = circuit.table("scenarios")
    if len(recorder.scans) > table.size:
        raise WitnessError(f"{len(recorder.scans)} rows of scenarios for a table of {table.size}")
    return columns_of(
        table, chain(recorder.scans, repeat(UNUSED_SCAN, table.size - len(recorder.scans))), scalars, backend
    )


def fill_columns(
    circuit: Circuit, recorder: Recorder, scalars: Mapping[str, int], backend: Backend | None
) -> dict[str, Sequence[int]]:
    """The columns of the fills' table, from the fills that were recorded."""
    table = circuit.table("fills")
    if len(recorder.fills) > table.size:
        raise WitnessError(f"{len(recorder.fills)} fills of orders for a table of {table.size}")
    return columns_of(
        table, chain(recorder.fills, repeat(UNUSED_FILL, table.size - len(recorder.fills))), scalars, backend
    )


def lookup_columns(
    circuit: Circuit,
    parameters: Parameters,
    listed: Mapping[tuple[str, str], Sequence[int]],
    limbs: Mapping[str, Mapping[str, Sequence[int]]],
    recorder: Recorder,
) -> dict[str, Sequence[int]]:
    """The columns of the lookups table. listed: its public ones; limbs: the columns of the tables with registers."""
    size = circuit.table("lookups").size
    columns: dict[str, Any] = {"range_count": range_count(circuit, limbs, size)}
    tier_count = [recorder.tier_uses.get((row[1], row[2], row[3]), 0) for row in tier_rows(parameters)]
    columns["tier_count"] = padded(tier_count, size)
    uses = {"oracle": recorder.oracle_uses, "vector": recorder.vector_uses, "expired": recorder.expired_uses}
    for name, counts in uses.items():
        if ("lookups", f"{name}_tick") in listed:
            rows = zip(listed["lookups", f"{name}_tick"], listed["lookups", f"{name}_market"], strict=True)
            columns[f"{name}_count"] = padded([counts.get(row, 0) for row in rows], size)
    if (ticks := listed.get(("lookups", "clock_tick"))) is not None and parameters.cadence is not None:
        columns["clock_count"] = padded([recorder.clock_uses.get(tick, 0) for tick in ticks], size)
        bands = [recorder.band_uses.get(band.buffer, 0) for band in parameters.cadence.bands]
        columns["band_count"] = padded(bands, size)
    return columns | {name: padded(values, size) for (table, name), values in listed.items() if table == "lookups"}
