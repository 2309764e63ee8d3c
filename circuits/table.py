"""Tables: columns, constraints that hold in every row, and terms that a table puts on the bus."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from circuits.expression import Expression, Operand, lift, query, total


class Kind(StrEnum):
    """Where a column comes from: the key, the witness, the committed state, the statement, or the bus argument."""

    FIXED = "fixed"
    WITNESS = "witness"
    STATE = "state"
    PUBLIC = "public"
    BUS = "bus"


@dataclass(frozen=True)
class Constraint:
    """`expression` vanishes in every row of the table."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Term:
    """`multiplicity` copies of a tuple on a channel: positive is sent, negative is received."""

    name: str
    channel: str
    multiplicity: Expression
    fields: tuple[Expression, ...]


@dataclass(frozen=True)
class Register:
    """A range-checked integer of `bits` bits in limb columns, and the expression that it equals where there is one."""

    bits: int
    value: Expression | None


@dataclass
class Table:
    """A table of `size` rows, a power of two; `limb_bits` is the width of its range-checked limbs.

    max_degree bounds the bus's own constraints, in units of the size: 5 puts four fractions in a helper column, 3
    puts two.
    """

    name: str
    size: int
    limb_bits: int = 16
    max_degree: int = 5
    columns: dict[str, Kind] = field(default_factory=dict)
    fixed_values: dict[str, Sequence[int]] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)
    constraints: list[Constraint] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    sums: list[tuple[str, Expression]] = field(default_factory=list)

    def fixed(self, name: str, values: Sequence[int]) -> Expression:
        """A column of the key; shorter values are filled up with zeros."""
        if len(values) > self.size:
            raise ValueError(f"{self.name}.{name}: {len(values)} values for {self.size} rows")
        self.fixed_values[name] = [*values, *[0] * (self.size - len(values))]
        return self.column(name, Kind.FIXED)

    def witness(self, name: str) -> Expression:
        return self.column(name, Kind.WITNESS)

    def state(self, name: str) -> Expression:
        """A column whose commitment stands in the statement; it is not blinded."""
        return self.column(name, Kind.STATE)

    def public(self, name: str) -> Expression:
        """A column of the statement, whose evaluations the verifier computes itself."""
        return self.column(name, Kind.PUBLIC)

    def column(self, name: str, kind: Kind) -> Expression:
        if name in self.columns:
            raise ValueError(f"{self.name}.{name}: a second column of this name")
        self.columns[name] = kind
        return query(name)

    def of_kind(self, *kinds: Kind) -> list[str]:
        """The columns of these kinds, in the order of the key."""
        return [name for name, kind in self.columns.items() if kind in kinds]

    def require(self, name: str, expression: Expression) -> None:
        """Adds the constraint that the expression is zero in every row."""
        if any(constraint.name == name for constraint in self.constraints):
            raise ValueError(f"{self.name}.{name}: a second constraint of this name")
        self.constraints.append(Constraint(name, expression))

    def boolean(self, name: str) -> Expression:
        """A witness column of zeros and ones."""
        column = self.witness(name)
        self.require(f"{name}_boolean", column * (column - 1))
        return column

    def register(self, name: str, bits: int, value: Operand | None = None) -> Expression:
        """An integer in [0, 2^bits) as range-checked limbs, lowest first; with `value`, a constraint `name` that they
        make it up."""
        if bits % self.limb_bits:
            raise ValueError(f"{self.name}.{name}: {bits} bits are no whole number of {self.limb_bits}-bit limbs")
        limbs = [self.witness(f"{name}_{i}") for i in range(bits // self.limb_bits)]
        for i, limb in enumerate(limbs):
            self.send(f"{name}_{i}", "range", 1, limb)
        self.registers[name] = Register(bits, None if value is None else lift(value))
        composed = self.composed(limbs)
        if value is not None:
            self.require(name, lift(value) - composed)
        return composed

    def limbs(self, name: str) -> list[Expression]:
        """The limbs of a register that the table has, lowest first."""
        return [query(f"{name}_{i}") for i in range(self.registers[name].bits // self.limb_bits)]

    def composed(self, limbs: Sequence[Expression]) -> Expression:
        """The integer of limbs, lowest first."""
        return total([limb * (1 << i * self.limb_bits) for i, limb in enumerate(limbs)])

    def send(self, name: str, channel: str, multiplicity: Operand, *fields: Operand) -> None:
        self.terms.append(Term(name, channel, lift(multiplicity), tuple(map(lift, fields))))

    def receive(self, name: str, channel: str, multiplicity: Operand, *fields: Operand) -> None:
        self.send(name, channel, -lift(multiplicity), *fields)

    def add_to_sum(self, name: str, expression: Expression) -> None:
        """Adds the expression, over all rows, to a named total that the circuit makes zero."""
        self.sums.append((name, expression))
