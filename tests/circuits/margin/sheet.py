"""The columns of a case under a pen."""

import re
from dataclasses import replace
from typing import Any

from circuits.check import rows
from circuits.expression import Expression, queries
from circuits.field import MODULUS
from circuits.margin.kinds import PAIR_KINDS
from circuits.margin.leg import TIER_PARTS
from circuits.margin.parameters import Tier
from tests.circuits.margin.forge import Case, difference, low_limbs

LEG = re.compile(r"_([ab])(?=_|$)")
ON_BOTH_ROWS = {*PAIR_KINDS, "tick", "price", "oracle_index", "queue", "size"}


def of_leg(name: str) -> tuple[str, int | None]:
    """The name without the leg in it (`tier_after_b_rate` is `tier_after_rate`), and the leg's row of a pair."""
    found = LEG.search(name)
    return LEG.sub("", name), None if found is None else "ab".index(found[1])


class Sheet:
    """The columns of a case, open to every pen; `case` repairs what follows from what was written.

    Transitions are numbered by their place, a pair of rows. A name says which leg is meant (`margin_b`, `gap_a_0`);
    without one, both rows where the column is shared (cash as leg a pays it), else the first.
    """

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

    def write(self, place: int, **values: int) -> "Sheet":
        """Sets columns and stated registers (the integer in the limbs, bias included) of a transition."""
        for name, value in values.items():
            column, leg = of_leg(name)
            if leg is not None:
                self.write_row(2 * place + leg, column, value)
                continue
            self.write_row(2 * place, column, value)
            if column in ON_BOTH_ROWS:
                self.write_row(2 * place + 1, column, value)
            elif column == "cash":
                self.write_row(2 * place + 1, column, -value)
        return self

    def write_row(self, row: int, name: str, value: int) -> None:
        """Sets a column or stated register of a row."""
        if name in self.table.registers:
            for limb, column in low_limbs(self.table, name, [value]).items():
                self.transitions[limb][row] = column[0]
        else:
            self.transitions[name][row] = value % MODULUS

    def add(self, place: int, **values: int) -> "Sheet":
        """Adds to columns of a transition."""
        return self.write(place, **{name: self.read(place, name) + value for name, value in values.items()})

    def read(self, place: int, name: str) -> int:
        """The integer of a column or register in a transition, leg a's unless the name says b."""
        column, leg = of_leg(name)
        return self.read_row(2 * place + (leg or 0), column)

    def read_row(self, row: int, name: str) -> int:
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

    def blank(self, place: int, leg: str) -> "Sheet":
        """Makes a leg's row that of nobody, but for what the pair shares, and leaves its cell alone."""
        row, pad = 2 * place + "ab".index(leg), len(self.transitions["tick"]) - 4 + "ab".index(leg)
        address = self.transitions["address"][row]
        shared = {"tick", "queue", "size", "cash", "sells"}
        for name in set(self.transitions) - shared:
            if name.startswith("market_") and name != "market_change":
                continue
            self.transitions[name][row] = self.transitions[name][pad]
        self.cells["touched"][address] = self.cells["last"][address] = 0
        self.cells["new"][address] = self.cells["old"][address]
        return self

    def swap(self, place: int) -> "Sheet":
        """Exchanges the two rows of a transition, but for the queue's counter."""
        for name in set(self.transitions) - {"queue"}:
            column, row = self.transitions[name], 2 * place
            column[row], column[row + 1] = column[row + 1], column[row]
        return self

    def absorb(self, place: int, *names: str) -> "Sheet":
        """Lets the lowest limb of defined registers be whatever field element makes their constraint hold."""
        self.absorbing |= {(2 * place + (leg or 0), name) for name, leg in map(of_leg, names)}
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
        last = {name: value for name, value in defined.items() if _limbs_of(defined, value)}
        for part in ({name: value for name, value in defined.items() if name not in last}, last):
            self._define(part)

    def _define(self, defined: dict[str, Expression]) -> None:
        columns = {**self.table.fixed_values, **self.transitions}
        values = zip(*rows(self.table, list(defined.values()), columns, {}), strict=True)
        for name, column in zip(defined, values, strict=True):
            self.transitions |= low_limbs(self.table, name, column)
            for row in (row for row, absorbing in self.absorbing if absorbing == name):
                self.write_row(row, name, 0)
                self.write_row(row, f"{name}_0", column[row])

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


def _limbs_of(defined: dict[str, Expression], value: Expression) -> bool:
    """Whether the expression asks for limbs of these registers."""
    return any(column.rpartition("_")[0] in defined for column, _ in queries([value]))
