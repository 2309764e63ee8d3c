"""The columns of a case under a pen."""

from dataclasses import replace
from typing import Any

from circuits.check import rows
from circuits.field import MODULUS
from circuits.margin.parameters import Tier
from tests.circuits.margin.forge import Case, difference, low_limbs

TIER_PARTS = ("lower", "upper", "rate", "deduction")


class Sheet:
    """The columns of a case, open to every pen; `case` repairs what follows from what was written."""

    def __init__(self, case: Case) -> None:
        self.base = case
        self.table = case.circuit.table("transitions")
        self.columns = {
            table: {name: [int(value) % MODULUS for value in column] for name, column in columns.items()}
            for table, columns in case.assignment.items()
        }
        self.transitions, self.cells = self.columns["transitions"], self.columns["cells"]
        self.lookups = self.columns["lookups"]
        self.absorbing: set[tuple[int, str]] = set()

    def write(self, row: int, **values: int) -> "Sheet":
        """Sets columns and stated registers (the integer in the limbs, bias included) of a row of the transitions."""
        for name, value in values.items():
            if name in self.table.registers:
                for limb, column in low_limbs(self.table, name, [value]).items():
                    self.transitions[limb][row] = column[0]
            else:
                self.transitions[name][row] = value % MODULUS
        return self

    def read(self, row: int, name: str) -> int:
        """The integer of a column or register in a row."""
        if name not in self.table.registers:
            return self.transitions[name][row]
        limbs = range(self.table.registers[name].bits // self.table.limb_bits)
        return sum(self.transitions[f"{name}_{i}"][row] << i * self.table.limb_bits for i in limbs)

    def tier(self, row: int, name: str, tier: Tier, initial: bool) -> "Sheet":
        """Points `tier_before_a` or its like at a tier's requirement."""
        kind = "initial" if initial else "maintenance"
        values = tier.lower, tier.upper, getattr(tier, f"{kind}_rate"), getattr(tier, f"{kind}_deduction")
        return self.write(row, **{f"{name}_{part}": value for part, value in zip(TIER_PARTS, values, strict=True)})

    def absorb(self, row: int, *names: str) -> "Sheet":
        """Lets the lowest limb of defined registers be whatever field element makes their constraint hold."""
        self.absorbing |= {(row, name) for name in names}
        return self

    def case(self, **statement: Any) -> Case:
        """The case as written, its defined registers and lookup counts made to fit, and the statement changed."""
        self.define()
        self._counts()
        diff = difference(self.cells["old"], self.cells["new"])
        stated = replace(self.base.statement, **({"diff": diff} | statement))
        return Case(self.base.parameters, self.base.shape, stated, self.columns)

    def define(self) -> None:
        """Makes the registers that an expression defines follow what was written."""
        defined = {name: r.value for name, r in self.table.registers.items() if r.value is not None}
        columns = {**self.table.fixed_values, **self.transitions}
        values = zip(*rows(self.table, list(defined.values()), columns, {}), strict=True)
        for name, column in zip(defined, values, strict=True):
            self.transitions |= low_limbs(self.table, name, column)
            for row in (row for row, absorbing in self.absorbing if absorbing == name):
                self.write(row, **{name: 0, f"{name}_0": column[row]})

    def _counts(self) -> None:
        """How often each listed row is asked for; what is not listed stays without an answer."""
        asked = self._asked()
        lookups = self.base.circuit.table("lookups")
        columns = {**lookups.fixed_values, **self.lookups}
        counts = {"range": "range_count", "tier": "tier_count", "oracle": "oracle_count"}
        for term in self.base.circuit.base_terms["lookups"]:
            found = zip(*(columns[column.arguments[0]] for column in term.fields), strict=True)
            listed = columns[f"{term.channel}_listed"] if term.channel != "range" else [1] * lookups.size
            self.lookups[counts[term.channel]] = [
                asked.pop((term.channel, *values), 0) if on else 0 for on, values in zip(listed, found, strict=True)
            ]

    def _asked(self) -> dict[tuple[object, ...], int]:
        terms = [t for t in self.base.circuit.base_terms["transitions"] if t.channel in ("range", "tier", "oracle")]
        roots = [expression for term in terms for expression in (term.multiplicity, *term.fields)]
        asked: dict[tuple[object, ...], int] = {}
        for values in rows(self.table, roots, {**self.table.fixed_values, **self.transitions}, {}):
            place = 0
            for term in terms:
                count, *found = values[place : place + 1 + len(term.fields)]
                place += 1 + len(term.fields)
                key = (term.channel, *found)
                asked[key] = (asked.get(key, 0) + count) % MODULUS
        return asked
