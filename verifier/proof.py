"""The layout of a proof: what it holds, in which order, all derived from the circuit.

Points are 64 bytes, scalars 32. In order: witness commitments, reversals (where differences are private); bus
commitments, sigmas; quotient chunks; evaluations; W, W'.

Columns may share a commitment (fflonk: Gabizon, Williamson 2021, eprint 2021/1167, section 3): F(X) = sum_i X^i
f_i(X^k), and F mod (X^k - s) = sum_i f_i(s) X^i, so that F is opened at the k-th roots of s by the values f_i(s).
"""

from dataclasses import dataclass
from functools import cached_property

from circuits.circuit import Circuit
from circuits.table import Kind, Table
from verifier.curve import POINT_BYTES, SCALAR_BYTES
from verifier.statement import ColumnKey

BLINDED = (Kind.WITNESS, Kind.BUS)
QUOTIENT: ColumnKey = ("", "quotient")
MOST_PACKED = 16
Basis = tuple[int, int, int]
"""(n, width, slot): the points [tau^slot * L_i(tau^width)]_1 of a domain of n"""
StatePair = tuple[str, str, str]
"""(table, old column, new column)"""


@dataclass(frozen=True)
class Pack:
    """Columns f_0, f_1, ... of a table with one commitment, to F(X) = sum_i X^i f_i(X^width)."""

    kind: Kind
    members: tuple[ColumnKey, ...]
    width: int

    @property
    def name(self) -> ColumnKey:
        """The first column, and behind `..` the last one."""
        (table, first), last = self.members[0], self.members[-1][1]
        return table, first if len(self.members) == 1 else f"{first}..{last}"


@dataclass(frozen=True)
class Layout:
    """The shape of all proofs for a circuit.

    published_diff: whether statements list the state's differences. packing: how many columns a commitment holds at
    most; those of the state have one each, which stands in the statement.
    """

    circuit: Circuit
    published_diff: bool = True
    packing: int = 1

    @cached_property
    def packs(self) -> list[Pack]:
        """The commitments to columns, in the order of their first ones: a pack takes columns of one table, one kind and
        the same rotations, in the order of the key, until it is full."""
        packs: list[list[ColumnKey]] = []
        unfilled: dict[object, list[ColumnKey]] = {}
        for column, rotations in self.rotations.items():
            group = (column[0], self._kind(column), rotations)
            if group not in unfilled:
                packs.append([])
                unfilled[group] = packs[-1]
            unfilled[group].append(column)
            if len(unfilled[group]) == self._width(column):
                del unfilled[group]
        return [Pack(self._kind(pack[0]), tuple(pack), self._width(pack[0])) for pack in packs]

    def packs_of(self, kind: Kind) -> list[Pack]:
        return [pack for pack in self.packs if pack.kind == kind]

    @cached_property
    def places(self) -> dict[ColumnKey, Basis]:
        """The basis under which a column enters its commitment."""
        return {
            column: (self.circuit.table(column[0]).size, pack.width, slot)
            for pack in self.packs
            for slot, column in enumerate(pack.members)
        }

    @cached_property
    def bases(self) -> list[Basis]:
        """All bases under which the prover commits."""
        columns = set(self.places.values())
        states = {(self.circuit.table(table).size, 1, 0) for table, _, _ in self.state_pairs}
        return sorted(columns | states)

    def _kind(self, column: ColumnKey) -> Kind:
        return self.circuit.table(column[0]).columns[column[1]]

    def _width(self, column: ColumnKey) -> int:
        return 1 if self._kind(column) == Kind.STATE else self.packing

    @cached_property
    def sigmas(self) -> list[str]:
        """The tables that put something on the bus."""
        return [table.name for table in self.circuit.bus_tables]

    @cached_property
    def state_pairs(self) -> list[StatePair]:
        """The state columns of a table two by two, as they were added: old, new. One alone changes nothing."""
        pairs = []
        for table in self.circuit.tables:
            names = table.of_kind(Kind.STATE)
            if len(names) == 1:
                continue
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

    def blinds(self, column: ColumnKey) -> int:
        """How many random multiples of X^n - 1 hide a column, none when it is public.

        Of one queried at k rotations k values show, k more enter what the quotient shows, and a column that shares its
        commitment has a value of its own there.
        """
        if self._kind(column) not in BLINDED:
            return 0
        return 2 * len(self.rotations[column]) + (self._width(column) > 1)

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
        """How many chunks the quotient has: as many as keep each about as long as a full pack of the largest domain."""
        shares = [(self.circuit.degrees[table.name] - 1) * table.size for table in self.circuit.tables]
        return max(1, -(-max(shares) // (self.packing * self.largest_domain)))

    @cached_property
    def chunk_length(self) -> int:
        """Coefficients of a chunk before its blinding."""
        return max(1, -(-max(self.quotient_length(table) for table in self.circuit.tables) // self.chunks))

    @cached_property
    def powers(self) -> int:
        """How many powers of tau in G1 the prover needs."""
        columns = max(table.size + self.table_blinds(table) for table in self.circuit.tables)
        return max(self.packing * columns, self.chunk_length + 1)

    @cached_property
    def points(self) -> int:
        """How many points a proof holds."""
        packs = self.packs_of(Kind.WITNESS) + self.packs_of(Kind.BUS)
        return len(packs) + len(self.reversals) + self.chunks + 2

    @cached_property
    def size(self) -> int:
        """The bytes of a proof."""
        scalars = len(self.sigmas) + len(self.queries) + 3 * len(self.reversals)
        return POINT_BYTES * self.points + SCALAR_BYTES * scalars
