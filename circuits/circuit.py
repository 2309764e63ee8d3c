"""A circuit: tables that share a bus, with everything the prover and the verifier must agree on derived from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from circuits.bus import MASK_CHANNEL, add_bus
from circuits.expression import Expression, challenge, degree, lift, queries
from circuits.program import compile_program
from circuits.table import Kind, Table

ALPHA = challenge("alpha")


class Circuit:
    """Tables with their bus columns added, in the order of the key.

    columns are named by (table, column), queries by (table, column, rotation).
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = tuple(tables)
        used = sorted({term.channel for table in tables for term in table.terms})
        self.channels = (*used, MASK_CHANNEL)
        names = sorted({name for table in tables for name, _ in table.sums})
        self.weights = {name: exponent for exponent, name in enumerate(names, 1)}
        self.base_constraints = {table.name: tuple(table.constraints) for table in tables}
        self.base_terms = {table.name: tuple(table.terms) for table in tables}
        with_bus = [table for table in tables if table.terms or table.sums]
        for table in with_bus:
            add_bus(table, len(with_bus) > 1, self.channels, self.weights)
        self.bus_tables = tuple(with_bus)

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)

    def columns(self, *kinds: Kind) -> list[tuple[str, str]]:
        """All (table, column) of these kinds, in the order of the key."""
        return [(table.name, name) for table in self.tables for name in table.of_kind(*kinds)]

    @cached_property
    def queries(self) -> list[tuple[str, str, int]]:
        """Every (table, column, rotation) that a constraint asks for, in the order of the key; each column at least
        at rotation 0."""
        result = []
        for table in self.tables:
            asked = queries([constraint.expression for constraint in table.constraints])
            for name in table.columns:
                rotations = {rotation for column, rotation in asked if column == name} | {0}
                result += [(table.name, name, rotation) for rotation in sorted(rotations)]
        return result

    def rotations(self, table: str, column: str) -> list[int]:
        return [rotation for t, c, rotation in self.queries if (t, c) == (table, column)]

    @cached_property
    def exponents(self) -> dict[str, int]:
        """The exponent of alpha of each table's first constraint; the constraints of all tables have distinct
        exponents."""
        result, used = {}, 0
        for table in self.tables:
            result[table.name] = used
            used += len(table.constraints)
        return result

    def folded(self, table: Table) -> Expression:
        """sum_i alpha^i * C_i over the table's constraints, by Horner from the last one; times alpha^exponents[table]
        in the quotient."""
        result = lift(0)
        for constraint in reversed(table.constraints):
            result = result * ALPHA + constraint.expression
        return result

    @cached_property
    def degrees(self) -> dict[str, int]:
        """The highest constraint degree of each table, in units of its size."""
        return {table.name: max((degree(c.expression) for c in table.constraints), default=1) for table in self.tables}

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every table, column, channel, constraint and fixed value: what the circuit is."""
        state = hashlib.sha256(b"zkmargin circuit 1")
        state.update(repr((self.channels, tuple(self.weights.items()))).encode())
        for table in self.tables:
            compiled = compile_program([c.expression for c in table.constraints])
            state.update(repr((table.name, table.size, [(n, str(k)) for n, k in table.columns.items()])).encode())
            state.update(repr([c.name for c in table.constraints]).encode())
            state.update(repr((compiled.program, compiled.columns, compiled.constants)).encode())
            state.update(repr([(t.name, t.channel) for t in table.terms]).encode())
            state.update(repr([(name, list(values)) for name, values in table.fixed_values.items()]).encode())
        return state.digest()


@dataclass(frozen=True)
class PublicTerm:
    """Copies of a tuple that the statement itself puts on the bus; the verifier adds its fraction."""

    channel: str
    multiplicity: int
    fields: tuple[int, ...]


Assignment = dict[str, dict[str, Sequence[int]]]
"""table -> column -> one integer a row (any representative mod r; numpy integer arrays will do)."""
