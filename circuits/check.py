"""The mock prover: every violated constraint of an assignment by name, row and cells, without cryptography."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuits.circuit import Assignment, Circuit, PublicTerm
from circuits.expression import Expression, nodes
from circuits.field import MODULUS
from circuits.program import LAGRANGE_COLUMN, SPACE_SHIFT, X_COLUMN, Compiled, compile_program
from circuits.table import Table

INDEX_MASK = (1 << SPACE_SHIFT) - 1


@dataclass(frozen=True)
class Failure:
    """A law that does not hold: its name (`table.constraint`, `bus.channel` or `sum.name`), the row where it was
    seen, and what stood there."""

    constraint: str
    row: int | None
    cells: Mapping[str, object]

    def __str__(self) -> str:
        where = "" if self.row is None else f" in row {self.row}"
        return f"{self.constraint}{where}: " + ", ".join(f"{name} = {value}" for name, value in self.cells.items())


def check(
    circuit: Circuit, assignment: Assignment, scalars: Mapping[str, int], public_terms: Sequence[PublicTerm] = ()
) -> list[Failure]:
    """All failures: table constraints row by row, then unbalanced tuples of each channel, then linear sums.

    assignment holds every fixed, witness, state and public column; scalars the public scalars by name.
    """
    columns = {t.name: {**t.fixed_values, **assignment.get(t.name, {})} for t in circuit.tables}
    failures: list[Failure] = []
    for table in circuit.tables:
        failures += _constraints(circuit, table, columns[table.name], scalars)
    failures += _bus(circuit, columns, scalars, public_terms)
    failures += _sums(circuit, columns, scalars)
    return failures


def rows(
    table: Table, roots: Sequence[Expression], columns: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> Iterator[list[int]]:
    """The values of the roots in each row of the table."""
    compiled = compile_program(roots)
    data = [_column(table, name, columns) for name in compiled.columns]
    constants = [_constant(leaf, scalars) for leaf in compiled.constants]
    for row in range(table.size):
        yield _run(compiled, data, constants, row)


def _column(table: Table, name: str, columns: Mapping[str, Sequence[int]]) -> list[int]:
    if name == X_COLUMN:
        raise ValueError("a law of a row cannot name X")
    if name == LAGRANGE_COLUMN:
        return [1] + [0] * (table.size - 1)
    values = [int(value) % MODULUS for value in columns[name]]
    if len(values) != table.size:
        raise ValueError(f"{table.name}.{name}: {len(values)} values for {table.size} rows")
    return values


def _constant(leaf: Expression, scalars: Mapping[str, int]) -> int:
    return leaf.arguments[0] if leaf.operator == "constant" else scalars[leaf.arguments[0]] % MODULUS


def _run(compiled: Compiled, data: Sequence[list[int]], constants: Sequence[int], row: int) -> list[int]:
    program = compiled.program
    inputs = [data[column][(row + rotation) % len(data[column])] for column, rotation in program.inputs]
    registers = [0] * program.registers
    spaces = (registers, inputs, constants)
    for operation, target, a, b in program.code:
        x, y = spaces[a >> SPACE_SHIFT][a & INDEX_MASK], spaces[b >> SPACE_SHIFT][b & INDEX_MASK]
        registers[target] = (x + y if operation == 0 else x - y if operation == 1 else x * y) % MODULUS
    return [spaces[output >> SPACE_SHIFT][output & INDEX_MASK] for output in program.outputs]


def _constraints(
    circuit: Circuit, table: Table, columns: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> Iterator[Failure]:
    constraints = circuit.base_constraints[table.name]
    if not constraints:
        return
    for row, values in enumerate(rows(table, [c.expression for c in constraints], columns, scalars)):
        for constraint, value in zip(constraints, values, strict=True):
            if value:
                yield Failure(
                    f"{table.name}.{constraint.name}", row, _cells(table, constraint.expression, columns, row)
                )


def _cells(table: Table, expression: Expression, columns: Mapping[str, Sequence[int]], row: int) -> dict[str, object]:
    asked = sorted(node.arguments for node in nodes([expression]) if node.operator == "query")
    return {
        name + (f"[{rotation:+}]" if rotation else ""): int(columns[name][(row + rotation) % table.size])
        for name, rotation in asked
    }


def _bus(
    circuit: Circuit,
    columns: Mapping[str, Mapping[str, Sequence[int]]],
    scalars: Mapping[str, int],
    public_terms: Sequence[PublicTerm],
) -> Iterator[Failure]:
    balance: Counter[tuple[str, tuple[int, ...]]] = Counter()
    seen: dict[tuple[str, tuple[int, ...]], tuple[str, int | None]] = {}
    for term in public_terms:
        key = term.channel, tuple(value % MODULUS for value in term.fields)
        balance[key] += term.multiplicity
        seen.setdefault(key, ("statement", None))
    for table in circuit.tables:
        for name, key, row, multiplicity in _terms(circuit, table, columns[table.name], scalars):
            balance[key] += multiplicity
            seen.setdefault(key, (f"{table.name}.{name}", row))
    for key, count in balance.items():
        if residue := count % MODULUS:
            term_name, place = seen[key]
            signed = residue if residue <= MODULUS // 2 else residue - MODULUS
            yield Failure(f"bus.{key[0]}", place, {"term": term_name, "tuple": key[1], "sent minus received": signed})


def _terms(
    circuit: Circuit, table: Table, columns: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> Iterator[tuple[str, tuple[str, tuple[int, ...]], int, int]]:
    terms = circuit.base_terms[table.name]
    roots = [expression for term in terms for expression in (term.multiplicity, *term.fields)]
    if not roots:
        return
    for row, values in enumerate(rows(table, roots, columns, scalars)):
        position = 0
        for term in terms:
            multiplicity = values[position]
            fields = tuple(values[position + 1 : position + 1 + len(term.fields)])
            position += 1 + len(term.fields)
            if multiplicity:
                yield term.name, (term.channel, fields), row, multiplicity


def _sums(
    circuit: Circuit, columns: Mapping[str, Mapping[str, Sequence[int]]], scalars: Mapping[str, int]
) -> Iterator[Failure]:
    totals: Counter[str] = Counter()
    for table in circuit.tables:
        if table.sums:
            for values in rows(table, [expression for _, expression in table.sums], columns[table.name], scalars):
                for (name, _), value in zip(table.sums, values, strict=True):
                    totals[name] += value
    for name, value in totals.items():
        if value % MODULUS:
            yield Failure(f"sum.{name}", None, {"total": value % MODULUS})
