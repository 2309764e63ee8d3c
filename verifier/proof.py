"""The layout of a proof: what it holds, in which order, all derived from the circuit.

Points are 64 bytes, scalars 32. In order: witness commitments, reversals (where differences are private); bus
commitments, sigmas; quotient chunks; evaluations; W, W'.
"""

from dataclasses import dataclass
from functools import cached_property

from circuits.circuit import Circuit
from circuits.table import Kind, Table
from verifier.curve import POINT_BYTES, SCALAR_BYTES
from verifier.statement import ColumnKey

BLINDED = (Kind.WITNESS, Kind.BUS)
QUOTIENT: ColumnKey = ("", "quotient")
StatePair = tuple[str, str, str]
"""(table, old column, new column)"""


@dataclass(frozen=True)
class Layout:
    """The shape of all proofs for a circuit; published_diff: whether statements list the state's differences."""

    circuit: Circuit
    published_diff: bool = True

    @cached_property
    def witness(self) -> list[ColumnKey]:
        return self.circuit.columns(Kind.WITNESS)

    @cached_property
    def bus(self) -> list[ColumnKey]:
        return self.circuit.columns(Kind.BUS)

    @cached_property
    def sigmas(self) -> list[str]:
        """The tables that put something on the bus."""
        return [table.name for table in self.circuit.bus_tables]

    @cached_property
    def state_pairs(self) -> list[StatePair]:
        """The state columns of a table two by two, as they were added: old, new."""
        pairs = []
        for table in self.circuit.tables:
            names = table.of_kind(Kind.STATE)
            if len(names) % 2:
                raise ValueError(f"{table.name}: state columns come in pairs, old and new")
            pairs += [(table.name, *names[i : i + 2]) for i in range(0, len(names), 2)]
        return [(table, old, new) for table, old, new in pairs]

    @cached_property
    def reversals(self) -> list[StatePair]:
        """The pairs whose difference the proof shows by its reversed polynomial."""
        return [] if self.published_diff else self.state_pairs

    @cached_property
    def queries(self) -> list[tuple[str, str, int]]:
        """(table, column, rotation) of every evaluation in the proof; public columns the verifier evaluates itself."""
        public = set(self.circuit.columns(Kind.PUBLIC))
        return [
            (table, column, rotation)
            for table, column, rotation in self.circuit.queries
            if (table, column) not in public
        ]

    @cached_property
    def rotations(self) -> dict[ColumnKey, tuple[int, ...]]:
        """The rotations at which each column is opened, in the order of the key; ValueError when two are one row."""
        result: dict[ColumnKey, list[int]] = {}
        for table, column, rotation in self.queries:
            result.setdefault((table, column), []).append(rotation)
        for (table, column), rotations in result.items():
            if len({rotation % self.circuit.table(table).size for rotation in rotations}) < len(rotations):
                raise ValueError(f"{table}.{column}: two of its rotations are one row")
        return {key: tuple(rotations) for key, rotations in result.items()}

    def blinds(self, key: ColumnKey) -> int:
        """How many random multiples of X^n - 1 hide a column: 2k for one queried at k rotations, none when public."""
        table, column = key
        return 2 * len(self.rotations[key]) if self.circuit.table(table).columns[column] in BLINDED else 0

    def table_blinds(self, table: Table) -> int:
        """The most blinding scalars that a column of the table has."""
        return max((self.blinds((table.name, name)) for name in table.of_kind(*BLINDED)), default=0)

    def quotient_length(self, table: Table) -> int:
        """Coefficients of the table's share of the quotient: d factors of degree below n + b, divided by X^n - 1."""
        if not table.constraints:
            return 0
        degree = self.circuit.degrees[table.name] * (table.size + self.table_blinds(table) - 1)
        return max(degree - table.size + 1, 1)

    @cached_property
    def largest_domain(self) -> int:
        return max(table.size for table in self.circuit.tables)

    @cached_property
    def chunks(self) -> int:
        """How many chunks the quotient has: as many as keep each about as long as the largest domain."""
        shares = [(self.circuit.degrees[table.name] - 1) * table.size for table in self.circuit.tables]
        return max(1, -(-max(shares) // self.largest_domain))

    @cached_property
    def chunk_length(self) -> int:
        """Coefficients of a chunk before its blinding."""
        return max(1, -(-max(self.quotient_length(table) for table in self.circuit.tables) // self.chunks))

    @cached_property
    def powers(self) -> int:
        """How many powers of tau in G1 the prover needs."""
        columns = max(table.size + self.table_blinds(table) for table in self.circuit.tables)
        return max(columns, self.chunk_length + 1)

    @cached_property
    def size(self) -> int:
        """The bytes of a proof."""
        points = len(self.witness) + len(self.reversals) + len(self.bus) + self.chunks + 2
        scalars = len(self.sigmas) + len(self.queries) + 3 * len(self.reversals)
        return POINT_BYTES * points + SCALAR_BYTES * scalars
