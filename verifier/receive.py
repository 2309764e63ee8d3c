"""Where a statement passes into the verifier: its integers, and that its parts are those the circuit names."""

from collections.abc import Iterable

from circuits.expression import nodes
from circuits.table import Kind
from verifier.curve import on_curve
from verifier.errors import InvalidProof
from verifier.proof import Layout
from verifier.statement import Statement, column_rows


def check_statement(layout: Layout, statement: Statement) -> None:
    """InvalidProof unless the statement's own check passes and its parts are those that the circuit names."""
    try:
        statement.check()
    except ValueError as error:
        raise InvalidProof(f"statement: {error}") from error
    _check_scalars(layout, statement)
    _check_public_columns(layout, statement)
    _check_public_terms(layout, statement)
    _check_state_commitments(layout, statement)
    _check_state_differences(layout, statement)


def _check_scalars(layout: Layout, statement: Statement) -> None:
    roots = [constraint.expression for table in layout.circuit.tables for constraint in table.constraints]
    asked = {node.arguments[0] for node in nodes(roots) if node.operator == "public"} - {"sigma"}
    if missing := asked - set(statement.scalars()):
        raise InvalidProof(f"statement: no public scalar {', '.join(sorted(missing))}")


def _check_public_columns(layout: Layout, statement: Statement) -> None:
    columns = statement.public_columns()
    if set(columns) != set(layout.circuit.columns(Kind.PUBLIC)):
        raise InvalidProof("statement: its public columns are not those of the circuit")
    for (table, column), values in columns.items():
        _check_rows(layout, table, column, column_rows(values))


def _check_public_terms(layout: Layout, statement: Statement) -> None:
    for term in statement.public_terms():
        if term.channel not in layout.circuit.channels:
            raise InvalidProof(f"statement: a public row on the unknown channel {term.channel}")


def _check_state_commitments(layout: Layout, statement: Statement) -> None:
    commitments = statement.state_commitments()
    if set(commitments) != set(layout.circuit.columns(Kind.STATE)):
        raise InvalidProof("statement: its state commitments are not those of the circuit")
    for (table, column), point in commitments.items():
        if not on_curve(point):
            raise InvalidProof(f"statement: the commitment {table}.{column} is not on the curve")


def _check_state_differences(layout: Layout, statement: Statement) -> None:
    differences = statement.state_differences()
    if [(d.table, d.old, d.new) for d in differences] != layout.state_pairs:
        raise InvalidProof("statement: its state differences are not those of the circuit")
    for difference in differences:
        if (difference.rows is not None) != layout.published_diff:
            raise InvalidProof("statement: the key says otherwise whether state differences are published")
        _check_rows(layout, difference.table, difference.new, difference.rows or {})


def _check_rows(layout: Layout, table: str, column: str, rows: Iterable[int]) -> None:
    size = layout.circuit.table(table).size
    if any(not 0 <= row < size for row in rows):
        raise InvalidProof(f"statement: a row of {table}.{column} outside the table")
