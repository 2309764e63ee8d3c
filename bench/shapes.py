"""`python -m bench.shapes`: what other shapes of the transitions table would cost, by stand-ins.

A stand-in has the columns, lookups, memory accesses and degrees of a shape, and laws that say nothing: it is proved and
verified as the margin circuit is. So shapes compare before anyone builds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter, process_time

import click
import numpy as np
from rich.console import Console
from rich.table import Table as Report

from circuits.circuit import Assignment, Circuit, PublicTerm
from circuits.field import MODULUS
from circuits.table import Kind, Table
from prover.backend import Backend, Vector, get_backend
from prover.key import ProvingKey, setup
from prover.prove import prove
from prover.setup import insecure_srs
from prover.words import Words
from verifier import verify
from verifier.curve import Point
from verifier.proof import Layout
from verifier.statement import ColumnKey, StateDifference

LIMB_BITS = 16
OTHER_LOOKUPS = 6  # tiers, oracle, L1 operations


@dataclass(frozen=True)
class Shape:
    """Columns of a row, and of a cell. rows: per position change, as a power of two below it."""

    name: str
    halvings: int
    limbs: int
    small: int
    wide: int
    accesses: int
    fields: int
    cell_limbs: int = 0
    states: int = 1


# counted from the margin circuit (the first) and, for what is not built, from the rules
SHAPES = (
    Shape("a leg a row, packed cells (built)", 0, 86, 29, 16, 1, 3),
    Shape("a trade a row", 1, 165, 39, 26, 2, 3),
    Shape("a trade a row, components in memory, read limbs once a cell", 1, 139, 39, 26, 2, 6, 13, 4),
    Shape("a trade a row, three state vectors", 1, 165, 39, 26, 2, 5, 0, 3),
)


@dataclass(frozen=True)
class Unchanged:
    """The statement that a batch changes nothing."""

    states: Mapping[ColumnKey, Point]

    def check(self) -> None:
        """Nothing is listed."""

    def encode(self) -> bytes:
        return repr(sorted(self.states.items())).encode()

    def scalars(self) -> dict[str, int]:
        return {}

    def public_columns(self) -> dict[ColumnKey, dict[int, int]]:
        return {}

    def public_terms(self) -> list[PublicTerm]:
        return []

    def state_commitments(self) -> Mapping[ColumnKey, Point]:
        return self.states

    def state_differences(self) -> list[StateDifference]:
        news = [name for _, name in self.states if name.startswith("new")]
        return [StateDifference("cells", name.replace("new", "old"), name, {}) for name in news]


def circuit_of(shape: Shape, size: int) -> Circuit:
    """The stand-in for 2^size changes over 2^size cells."""
    work = Table("work", 1 << size - shape.halvings, LIMB_BITS)
    row = work.fixed("row", range(work.size))
    for k in range(shape.limbs):
        work.register(f"limb{k}", LIMB_BITS)
    for k in range(shape.small):
        work.boolean(f"small{k}")
    wide = [work.witness(f"wide{k}") for k in range(shape.wide)]
    for k in range(2, shape.wide):
        work.require(f"product{k}", wide[k] - wide[k - 1] * wide[k - 2])
    tuples = [wide[k : k + shape.fields - 1] for k in range(shape.accesses)]
    for k, fields in enumerate([*tuples, *([wide[:4]] * (OTHER_LOOKUPS // 2))]):
        work.send(f"write{k}", "memory", 1, row, *fields)
        work.receive(f"read{k}", "memory", 1, row, *fields)
    cells = Table("cells", 1 << size, LIMB_BITS, max_degree=3)
    address, touched, last = cells.fixed("address", range(cells.size)), cells.boolean("touched"), cells.witness("last")
    pairs = [(cells.state(f"old{k}"), cells.state(f"new{k}")) for k in range(shape.states)]
    for k, (old, new) in enumerate(pairs):
        cells.require(f"untouched{k}", (1 - touched) * (new - old))
    cells.send("initial", "memory", touched, address, *(old for old, _ in pairs), 0)
    cells.receive("final", "memory", touched, address, *(new for _, new in pairs), last)
    for k in range(shape.cell_limbs):
        cells.register(f"limb{k}", LIMB_BITS)
    lookups = Table("lookups", 1 << LIMB_BITS, LIMB_BITS, max_degree=3)
    lookups.receive("range", "range", lookups.witness("count"), lookups.fixed("value", range(lookups.size)))
    return Circuit([work, cells, lookups])


def witness_of(circuit: Circuit, backend: Backend) -> Assignment:
    """Random limbs and wide values; every cell touched, none changed."""
    random, numbers = Random(1), np.random.default_rng(1)
    count = np.zeros(1 << LIMB_BITS, np.int64)
    columns: dict[str, dict[str, object]] = {table.name: {} for table in circuit.tables}
    for table in circuit.tables[:2]:
        for name in table.of_kind(Kind.WITNESS):
            if name.startswith("limb"):
                limb = numbers.integers(0, 1 << LIMB_BITS, table.size, np.uint16)
                count += np.bincount(limb, minlength=len(count))
                columns[table.name][name] = limb
            elif name.startswith("small"):
                columns[table.name][name] = numbers.integers(0, 2, table.size, np.uint8)
    rows = circuit.table("work").size
    values: list[Vector] = []
    for k in range(sum(name.startswith("wide") for name in circuit.table("work").columns)):
        base = random.randrange(MODULUS)
        values.append(backend.powers(base, rows, base) if k < 2 else backend.multiply(values[-1], values[-2]))
        columns["work"][f"wide{k}"] = Words(np.asarray(backend.words(values[-1]), np.uint64))
    size = circuit.table("cells").size
    for name in circuit.table("cells").of_kind(Kind.STATE):
        state = np.random.default_rng(int(name[3:])).integers(0, 1 << 63, size)  # old and new alike
        columns["cells"][name] = state
    columns["cells"] |= {"touched": np.ones(size, np.uint8), "last": np.zeros(size, np.uint8)}
    columns["lookups"]["count"] = count
    return columns  # type: ignore[return-value]


@dataclass(frozen=True)
class StandIn:
    """A stand-in ready to be proved."""

    key: ProvingKey
    statement: Unchanged
    assignment: Assignment

    @classmethod
    def build(cls, shape: Shape, size: int, backend: Backend) -> "StandIn":
        circuit = circuit_of(shape, size)
        srs = insecure_srs(backend, Layout(circuit).powers, b"shapes")
        key, assignment = setup(circuit, b"", srs, backend), witness_of(circuit, backend)
        names = circuit.table("cells").of_kind(Kind.STATE)
        points = {
            name: backend.msm(key.bases[1 << size, 1, 0], np.asarray(assignment["cells"][name])) for name in names
        }
        return cls(key, Unchanged({("cells", name): point for name, point in points.items()}), assignment)

    def prove(self, backend: Backend) -> bytes:
        return prove(self.key, self.statement, self.assignment, backend)


@click.command()
@click.option("--size", default=14, show_default=True, type=click.IntRange(4, 24), help="log2 of position changes.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="The median counts.")
def main(size: int, runs: int) -> None:
    """Proves and verifies a stand-in for each shape, in turns."""
    backend = get_backend("cpu")
    cases = [(shape, StandIn.build(shape, size, backend)) for shape in SHAPES]
    wall: dict[str, list[float]] = {shape.name: [] for shape in SHAPES}
    processor: dict[str, list[float]] = {shape.name: [] for shape in SHAPES}
    for run in range(runs + 1):
        for shape, case in cases:
            began, spent = perf_counter(), process_time()
            case.prove(backend)
            if run:  # the first is not counted: it compiles
                wall[shape.name].append(perf_counter() - began)
                processor[shape.name].append(process_time() - spent)
    report = Report("shape", "commitments", "proof bytes", "prove s", "processor s", "verify s")
    for shape, case in cases:
        layout, proof, began = case.key.verifying.layout, case.prove(backend), perf_counter()
        verify(case.key.verifying, case.statement, proof, allow_insecure=True)
        verified = perf_counter() - began
        figures = [f"{median(times[shape.name]):.2f}" for times in (wall, processor)]
        report.add_row(shape.name, str(layout.points), str(len(proof)), *figures, f"{verified:.2f}")
    Console(width=140).print(report)


if __name__ == "__main__":
    main()
