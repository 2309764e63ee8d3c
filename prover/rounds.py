"""The rounds of the prover; what a round makes is the value that it returns."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuits.bus import MASK
from circuits.circuit import Assignment
from circuits.field import MODULUS, root_of_unity
from circuits.table import Kind
from prover.backend import Backend, Vector
from prover.bus_columns import bus_columns
from prover.errors import ProverError
from prover.key import ProvingKey
from prover.kzg import blind_commitments, commit_values, first_quotient, second_quotient
from prover.polynomial import Integers, Values, column_values, elements, interpolate
from prover.program import Scalars
from prover.quotient import table_quotient
from verifier.curve import Point, total
from verifier.identity import Query, query_point
from verifier.kzg import Opening, powers
from verifier.openings import Evaluations, reversal_key
from verifier.proof import Layout
from verifier.statement import ColumnKey, Statement, column_rows
from verifier.transcript import ProofWriter

Progress = Callable[[str, int, int], None]
"""Told of each step: (stage, steps done, steps in all)."""


@dataclass(frozen=True)
class Setting:
    """What all rounds read. random: a uniform field element at each call."""

    key: ProvingKey
    statement: Statement
    backend: Backend
    random: Callable[[], int]
    progress: Progress

    @property
    def layout(self) -> Layout:
        return self.key.verifying.layout

    def scalars(self, challenges: Mapping[str, int], sigma: int = 0) -> Scalars:
        return Scalars(challenges, {**self.statement.scalars(), "sigma": sigma})


@dataclass(frozen=True)
class Columns:
    """Columns by name: values in the rows, coefficients of the blinded polynomials, and the proof's commitments by the
    name of their pack."""

    values: Mapping[ColumnKey, Values]
    coefficients: Mapping[ColumnKey, Vector]
    commitments: Mapping[ColumnKey, Point]

    def __or__(self, other: "Columns") -> "Columns":
        """Both together."""
        return Columns(
            {**self.values, **other.values},
            {**self.coefficients, **other.coefficients},
            {**self.commitments, **other.commitments},
        )

    def without_rows(self) -> "Columns":
        """No round after the second reads values in rows, and most of the memory is needed in the third."""
        return replace(self, values={})

    def in_rows(self, backend: Backend, table: str) -> Callable[[str], Vector]:
        """The values of a column of the table, by its name."""
        return lambda name: self.values[table, name].vector(backend)

    def of_table(self, table: str) -> dict[str, Vector]:
        """{column: coefficients}"""
        return {name: vector for (owner, name), vector in self.coefficients.items() if owner == table}


@dataclass(frozen=True)
class Chunks:
    coefficients: Sequence[Vector]
    commitments: Sequence[Point]


def commit_witness(setting: Setting, assignment: Assignment) -> Columns:
    """Round 1: all columns of witness, statement and key; commitments of the witness and the reversals."""
    layout, backend = setting.layout, setting.backend
    values = {**_assigned(setting, assignment), **_mask(setting)}
    witness = _commit(setting, "witness", {key: values[key] for key in layout.circuit.columns(Kind.WITNESS)})
    others = {key: column for key, column in values.items() if key not in witness.values}
    reversals = _commit(setting, "reversals", _reversals(setting, values))
    unblinded = backend.each(lambda column: interpolate(backend, column.vector(backend), []), others.values())
    coefficients = dict(zip(others, unblinded, strict=True))
    return Columns(
        {**setting.key.values, **values},
        {**setting.key.coefficients, **coefficients, **witness.coefficients, **reversals.coefficients},
        {**witness.commitments, **reversals.commitments},
    )


def commit_bus(setting: Setting, columns: Columns, challenges: Mapping[str, int]) -> tuple[Columns, dict[str, int]]:
    """Round 2: the bus columns, and sigma of each table."""
    circuit, backend = setting.key.circuit, setting.backend
    values: dict[ColumnKey, Values] = {}
    sigmas = {}
    for i, table in enumerate(circuit.bus_tables):
        setting.progress("bus columns", i, len(circuit.bus_tables))
        scalars = setting.scalars(challenges)
        made, sigmas[table.name] = bus_columns(backend, circuit, table, columns.in_rows(backend, table.name), scalars)
        values |= {(table.name, name): elements(column) for name, column in made.items()}
    committed = _commit(setting, "bus", {key: values[key] for key in circuit.columns(Kind.BUS)})
    return committed.without_rows(), sigmas


def commit_quotient(
    setting: Setting, columns: Columns, challenges: Mapping[str, int], sigmas: Mapping[str, int]
) -> Chunks:
    """Round 3: the merged quotient in chunks; all but the last borrow a random multiple of X^L from the next."""
    circuit, layout, backend = setting.key.circuit, setting.layout, setting.backend
    shares, weights = [], []
    for i, table in enumerate(circuit.tables):
        setting.progress("quotient", i, len(circuit.tables))
        if table.constraints:
            scalars = setting.scalars(challenges, sigmas.get(table.name, 0))
            shares.append(table_quotient(backend, layout, table, columns.of_table(table.name), scalars))
            weights.append(pow(challenges["alpha"], circuit.exponents[table.name], MODULUS))
    chunks = split(setting, backend.combine(shares, weights))
    return Chunks(chunks, [backend.msm(setting.key.powers, chunk) for chunk in chunks])


def evaluate(setting: Setting, columns: Columns, zeta: int) -> Evaluations:
    """Round 4: every evaluation of the proof."""
    layout, backend, circuit = setting.layout, setting.backend, setting.key.circuit
    back, step = pow(zeta, -1, MODULUS), _steps(setting, "evaluations", len(layout.queries))

    def value(query: Query) -> int:
        step()
        table, column, rotation = query
        return backend.evaluate(columns.coefficients[table, column], query_point(circuit.table(table), rotation, zeta))

    evaluations = dict(zip(layout.queries, backend.each(value, layout.queries), strict=True))
    reversals = {
        (table, new): (
            backend.evaluate(columns.coefficients[reversal_key(table, new)], zeta),
            backend.evaluate(columns.coefficients[table, old], back),
            backend.evaluate(columns.coefficients[table, new], back),
        )
        for table, old, new in layout.reversals
    }
    return Evaluations(evaluations, reversals)


def fold_chunks(setting: Setting, chunks: Chunks, zeta: int) -> Vector:
    """sum_i zeta^(i*L) Q_i, whose value at zeta is Q(zeta)."""
    step = pow(zeta, setting.layout.chunk_length, MODULUS)
    return setting.backend.combine(list(chunks.coefficients), powers(step, len(chunks.coefficients)))


def open_all(
    setting: Setting, polynomials: Mapping[ColumnKey, Vector], opened: Sequence[Opening], writer: ProofWriter
) -> None:
    """Round 5: writes W and W'."""
    backend, bases = setting.backend, setting.key.powers
    v = writer.challenge("v")
    w = first_quotient(backend, polynomials, opened, v)
    writer.write_point("W", backend.msm(bases, w))
    z = writer.challenge("z")
    writer.write_point("W'", backend.msm(bases, second_quotient(backend, polynomials, opened, v, z, w)))


def _assigned(setting: Setting, assignment: Assignment) -> dict[ColumnKey, Values]:
    """Witness and state columns of the assignment, public columns of the statement; the mask is the prover's own."""
    circuit, public = setting.key.circuit, setting.statement.public_columns()
    result = {}
    for table_name, name in circuit.columns(Kind.WITNESS, Kind.STATE, Kind.PUBLIC):
        key, size = (table_name, name), circuit.table(table_name).size
        if key in public:
            column: Sequence[int] | Integers = _dense(column_rows(public[key]), size)
        elif name == MASK:
            continue
        elif name not in assignment.get(table_name, {}):
            raise ProverError(f"column {table_name}.{name}: not in the witness")
        else:
            column = assignment[table_name][name]
        result[key] = column_values(setting.backend, f"{table_name}.{name}", column, size)
    return result


def _dense(rows: Mapping[int, int], size: int) -> Sequence[int] | Integers:
    """A column of few values that are not 0, small in most statements."""
    if not all(0 <= value < 1 << 63 for value in rows.values()):
        return [rows.get(row, 0) for row in range(size)]
    column = np.zeros(size, np.int64)
    column[list(rows)] = list(rows.values())
    return column


def _mask(setting: Setting) -> dict[ColumnKey, Values]:
    """Row 0: a random value that the table sends; row 1: the one of the table before it, around the circle."""
    tables = [table for table in setting.key.circuit.bus_tables if MASK in table.columns]
    sent = [setting.random() for _ in tables]
    return {
        (table.name, MASK): elements(setting.backend.vector([sent[i], sent[i - 1], *[0] * (table.size - 2)]))
        for i, table in enumerate(tables)
    }


def _reversals(setting: Setting, values: Mapping[ColumnKey, Values]) -> dict[ColumnKey, Values]:
    """R = X^(N-1) * Delta(1/X) takes the value Delta_i * omega^i in row -i."""
    backend, result = setting.backend, {}
    for table, old, new in setting.layout.reversals:
        columns = [values[table, name].vector(backend) for name in (new, old)]
        difference = backend.integers(backend.combine(columns, [1, MODULUS - 1]))
        omega, size = root_of_unity(len(difference)), len(difference)
        reversed_rows = [0] * size
        for row, delta in enumerate(difference):
            if delta:
                reversed_rows[-row % size] = delta * pow(omega, row, MODULUS) % MODULUS
        result[reversal_key(table, new)] = elements(backend.vector(reversed_rows))
    return result


def _commit(setting: Setting, stage: str, values: Mapping[ColumnKey, Values]) -> Columns:
    """Blinds columns and commits to them by their values, each under the basis of its place in its pack."""
    backend, key, layout = setting.backend, setting.key, setting.layout
    step = _steps(setting, stage, len(values))
    blinds = {name: [setting.random() for _ in range(_blinds(layout, name))] for name in values}
    places = {name: layout.places.get(name, (key.circuit.table(name[0]).size, 1, 0)) for name in values}

    def made(name: ColumnKey) -> tuple[Point, Vector]:
        step()
        column = values[name]
        return commit_values(backend, key.bases[places[name]], column), interpolate(
            backend, column.vector(backend), blinds[name]
        )

    columns = backend.each(made, values)
    blinding_points = [key.blinding_points[place] for place in places.values()]
    shares = blind_commitments(backend, blinding_points, [point for point, _ in columns], list(blinds.values()))
    coefficients = {name: vector for name, (_, vector) in zip(values, columns, strict=True)}
    return Columns(values, coefficients, _packed(layout, dict(zip(values, shares, strict=True))))


def _packed(layout: Layout, shares: Mapping[ColumnKey, Point]) -> dict[ColumnKey, Point]:
    """The commitments of packs from those of their columns; a reversal has its own."""
    packs = {pack.name: pack.members for pack in layout.packs if pack.members[0] in shares}
    alone = {name: (name,) for name in shares if name not in layout.places}
    return {name: total([shares[member] for member in members]) for name, members in {**packs, **alone}.items()}


def _steps(setting: Setting, stage: str, total: int) -> Callable[[], None]:
    """Tells the progress of one more step of a stage, from any thread."""
    count = itertools.count()
    return lambda: setting.progress(stage, next(count), total)


def _blinds(layout: Layout, key: ColumnKey) -> int:
    return layout.blinds(key) if key in layout.rotations else 0


def split(setting: Setting, quotient: Vector) -> list[Vector]:
    """Chunks Q_i + b_i X^L - b_{i-1}, with b random, of Q = sum_i X^(iL) Q_i."""
    layout, backend = setting.layout, setting.backend
    length, count = layout.chunk_length, layout.chunks
    blinds = [0, *(setting.random() for _ in range(count - 1)), 0]
    chunks = []
    for i in range(count):
        part = backend.slice(quotient, min(i * length, len(quotient)), min((i + 1) * length, len(quotient)))
        zeros = backend.vector([0] * (length - len(part)) + [blinds[i + 1]])
        chunks.append(
            backend.combine([backend.concatenate([part, zeros]), backend.vector([1])], [1, -blinds[i] % MODULUS])
        )
    return chunks
