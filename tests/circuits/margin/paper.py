"""An assignment of any circuit under a pen.

    paper = Paper(circuit, assignment, scalars, terms)
    paper.write("groups", 7, own=1, collateral=5 + BIAS)     # columns and stated registers of a row
    paper.failures()                                         # names of the violated laws

Registers that an expression defines follow what was written (their low bits), and so does every count of a lookup.
"""

from collections.abc import Mapping, Sequence

from circuits import check as checker
from circuits.check import rows
from circuits.circuit import Assignment, Circuit, PublicTerm
from circuits.expression import Expression, queries
from circuits.field import MODULUS
from circuits.table import Table
from tests.circuits.margin.forge import low_limbs

LOOKUPS = ("range", "tier", "oracle", "vector", "expired", "band", "clock")


class Paper:
    """columns: table -> column -> integers, to be written on."""

    def __init__(
        self, circuit: Circuit, assignment: Assignment, scalars: Mapping[str, int], terms: Sequence[PublicTerm]
    ) -> None:
        self.circuit, self.scalars, self.terms = circuit, dict(scalars), list(terms)
        self.columns = {
            table: {name: [int(value) % MODULUS for value in column] for name, column in columns.items()}
            for table, columns in assignment.items()
        }

    def copy(self) -> "Paper":
        return Paper(self.circuit, self.columns, self.scalars, self.terms)

    def write(self, table: str, row: int, **values: int) -> "Paper":
        """Sets columns and stated registers (the integer in the limbs, bias included) of a row."""
        form = self.circuit.table(table)
        for name, value in values.items():
            limbs = low_limbs(form, name, [value]) if name in form.registers else {name: [value]}
            for column, [number] in limbs.items():
                self.columns[table][column][row] = number % MODULUS
        return self

    def read(self, table: str, row: int, name: str) -> int:
        """A column, or the integer in a register's limbs."""
        form = self.circuit.table(table)
        if name not in form.registers:
            return self.columns[table][name][row]
        limbs = [self.columns[table][column.arguments[0]][row] for column in form.limbs(name)]
        return sum(limb << i * form.limb_bits for i, limb in enumerate(limbs))

    def add(self, table: str, row: int, **values: int) -> "Paper":
        """Adds to columns and stated registers of a row."""
        return self.write(table, row, **{name: self.read(table, row, name) + more for name, more in values.items()})

    def swap(self, table: str, a: int, b: int) -> "Paper":
        """Exchanges two rows."""
        for column in self.columns[table].values():
            column[a], column[b] = column[b], column[a]
        return self

    def failures(self) -> set[str]:
        """Names of the violated laws, after registers and counts have followed."""
        for table in self.circuit.tables:
            if table.name in self.columns:
                self._define(table)
        self._count()
        found = checker.check(self.circuit, self.columns, self.scalars, self.terms)
        return {failure.constraint for failure in found}

    def _known(self, table: Table) -> dict[str, Sequence[int]]:
        return {**table.fixed_values, **self.columns[table.name]}

    def _define(self, table: Table) -> None:
        defined = {name: r.value for name, r in table.registers.items() if r.value is not None}
        limbs = {column.arguments[0] for name in defined for column in table.limbs(name)}
        later = {name for name, value in defined.items() if {column for column, _ in queries([value])} & limbs}
        for part in (defined.keys() - later, later):
            names = sorted(part)
            values = zip(*rows(table, [defined[n] for n in names], self._known(table), self.scalars), strict=True)
            for name, column in zip(names, values, strict=True):
                self.columns[table.name] |= {n: list(v) for n, v in low_limbs(table, name, column).items()}

    def _count(self) -> None:
        asked: dict[tuple[object, ...], int] = {}
        for table in self.circuit.tables:
            if table.name != "lookups":
                self._ask(table, asked)
        lookups = self.circuit.table("lookups")
        known = self._known(lookups)
        for term in self.circuit.base_terms["lookups"]:
            if term.channel not in LOOKUPS:
                continue
            found = zip(*(known[column.arguments[0]] for column in term.fields), strict=True)
            listed = known[f"{term.channel}_listed"] if term.channel != "range" else [1] * lookups.size
            self.columns["lookups"][f"{term.channel}_count"] = [
                asked.pop((term.channel, *values), 0) if on else 0 for on, values in zip(listed, found, strict=True)
            ]

    def _ask(self, table: Table, asked: dict[tuple[object, ...], int]) -> None:
        terms = [term for term in self.circuit.base_terms[table.name] if term.channel in LOOKUPS]
        roots: list[Expression] = [part for term in terms for part in (term.multiplicity, *term.fields)]
        for values in rows(table, roots, self._known(table), self.scalars):
            place = 0
            for term in terms:
                count, *found = values[place : place + 1 + len(term.fields)]
                place += 1 + len(term.fields)
                if count:
                    key = (term.channel, *found)
                    asked[key] = (asked.get(key, 0) + count) % MODULUS
