"""The equations between evaluations: the quotient identity, the balance of the bus, the difference of the states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.circuit import Circuit, PublicTerm
from circuits.expression import Expression, Scalars, evaluate, nodes
from circuits.field import MODULUS, inverse, inverses, lagrange_evaluations, root_of_unity
from circuits.table import Table
from verifier.curve import Point
from verifier.errors import InvalidProof
from verifier.proof import Layout, StatePair
from verifier.statement import ColumnKey, StateDifference, Statement, column_rows

Query = tuple[str, str, int]
"""(table, column, rotation)"""


@dataclass(frozen=True)
class PublicValues:
    """What a statement adds to the equations, under the challenges.

    columns: public columns where they are queried. scalars: by name. fractions: the sum of its fractions on the bus.
    differences: published ones at zeta, by (table, new column). commitments: of the state columns.
    """

    columns: Mapping[Query, int]
    scalars: Mapping[str, int]
    fractions: int
    differences: Mapping[ColumnKey, int]
    commitments: Mapping[ColumnKey, Point]


def public_values(layout: Layout, statement: Statement, challenges: Mapping[str, int]) -> PublicValues:
    """InvalidProof when gamma is the tuple of a public row."""
    circuit, zeta = layout.circuit, challenges["zeta"]
    published = statement.state_differences() if layout.published_diff else []
    return PublicValues(
        public_evaluations(circuit, statement, zeta),
        statement.scalars(),
        public_fractions(circuit, statement.public_terms(), challenges),
        published_differences(circuit, published, zeta),
        statement.state_commitments(),
    )


def check_zeta(layout: Layout, zeta: int) -> None:
    """InvalidProof for a zeta in a domain, where X^n - 1 vanishes, and for 0, which has no inverse."""
    if zeta == 0 or pow(zeta, layout.largest_domain, MODULUS) == 1:
        raise InvalidProof("challenge zeta: it lies in the domain")


def query_point(table: Table, rotation: int, zeta: int) -> int:
    """zeta * omega^rotation"""
    return zeta * pow(root_of_unity(table.size), rotation, MODULUS) % MODULUS


def public_evaluations(circuit: Circuit, statement: Statement, zeta: int) -> dict[Query, int]:
    """The values of the public columns where the constraints ask for them; one inversion per table and rotation."""
    columns = {key: column_rows(values) for key, values in statement.public_columns().items()}
    groups: dict[tuple[str, int], list[str]] = {}
    for table, column, rotation in circuit.queries:
        if (table, column) in columns:
            groups.setdefault((table, rotation), []).append(column)
    result = {}
    for (table, rotation), names in groups.items():
        rows = sorted({row for name in names for row in columns[table, name]})
        point = query_point(circuit.table(table), rotation, zeta)
        basis = dict(zip(rows, lagrange_evaluations(circuit.table(table).size, rows, point), strict=True))
        for name in names:
            result[table, name, rotation] = (
                sum(value * basis[row] for row, value in columns[table, name].items()) % MODULUS
            )
    return result


def quotient_value(
    circuit: Circuit,
    evaluations: Mapping[Query, int],
    challenges: Mapping[str, int],
    sigmas: Mapping[str, int],
    scalars: Mapping[str, int],
    zeta: int,
) -> int:
    """Q(zeta) = sum_t alpha^e_t * C_t(zeta) / (zeta^n_t - 1), where C_t folds the constraints of table t."""
    result = 0
    for table in circuit.tables:
        public = {**scalars, "sigma": sigmas.get(table.name, 0)}
        folded = _evaluate(circuit.folded(table), table, evaluations, challenges, public, zeta)
        exponent = pow(challenges["alpha"], circuit.exponents[table.name], MODULUS)
        result += exponent * folded * inverse(pow(zeta, table.size, MODULUS) - 1)
    return result % MODULUS


def _evaluate(
    root: Expression,
    table: Table,
    evaluations: Mapping[Query, int],
    challenges: Mapping[str, int],
    scalars: Mapping[str, int],
    zeta: int,
) -> int:
    rows = sorted({node.arguments[0] % table.size for node in nodes([root]) if node.operator == "lagrange"})
    basis = dict(zip(rows, lagrange_evaluations(table.size, rows, zeta), strict=True))

    def leaf(node: Expression) -> int:
        match node.operator:
            case "query":
                return evaluations[(table.name, *node.arguments)]
            case "challenge":
                return challenges[node.arguments[0]]
            case "public":
                return scalars[node.arguments[0]] % MODULUS
            case "lagrange":
                return basis[node.arguments[0] % table.size]
            case "x":
                return zeta
        raise ValueError(f"no value for {node}")

    return evaluate([root], Scalars(leaf))[0]


def public_fractions(circuit: Circuit, terms: Sequence[PublicTerm], challenges: Mapping[str, int]) -> int:
    """The sum of the statement's own fractions m/(gamma - tuple); InvalidProof when gamma is a tuple."""
    differences = [(challenges["gamma"] - _tuple(circuit, term, challenges["beta"])) % MODULUS for term in terms]
    if 0 in differences:
        raise InvalidProof("challenge gamma: it is the tuple of a public row")
    return sum(term.multiplicity * value for term, value in zip(terms, inverses(differences), strict=True)) % MODULUS


def check_balance(sigmas: Mapping[str, int], fractions: int) -> None:
    """InvalidProof unless the tables' totals and the statement's fractions add up to zero."""
    if (sum(sigmas.values()) + fractions) % MODULUS:
        raise InvalidProof("bus: the tables and the public rows do not balance")


def _tuple(circuit: Circuit, term: PublicTerm, beta: int) -> int:
    """tag + beta*f_1 + beta^2*f_2 + ..., as circuits.bus.fingerprint."""
    result = 0
    for part in reversed(term.fields):
        result = (result + part) * beta % MODULUS
    return (result + circuit.channels.index(term.channel) + 1) % MODULUS


def published_differences(circuit: Circuit, differences: Sequence[StateDifference], zeta: int) -> dict[ColumnKey, int]:
    """Delta(zeta) by (table, new column), for the polynomial Delta of degree < N that each difference determines."""
    result = {}
    for difference in differences:
        rows = column_rows(difference.rows or {})
        basis = lagrange_evaluations(circuit.table(difference.table).size, list(rows), zeta)
        delta = sum(value * weight for value, weight in zip(rows.values(), basis, strict=True))
        result[difference.table, difference.new] = delta % MODULUS
    return result


def check_state_differences(
    pairs: Sequence[StatePair], differences: Mapping[ColumnKey, int], evaluations: Mapping[Query, int]
) -> None:
    """InvalidProof unless new(zeta) = old(zeta) + Delta(zeta) for each pair: new - old is that polynomial."""
    for table, old, new in pairs:
        if (evaluations[table, new, 0] - evaluations[table, old, 0] - differences[table, new]) % MODULUS:
            raise InvalidProof(f"state difference {table}.{new}: new is not old plus the published difference")


def check_reversals(layout: Layout, reversals: Mapping[ColumnKey, tuple[int, int, int]], zeta: int) -> None:
    """InvalidProof unless R(zeta) = zeta^(N-1) * (new - old)(1/zeta) for each private difference.

    Such a polynomial R exists only where new - old has degree < N. reversals: (R(zeta), old(1/zeta), new(1/zeta)) by
    (table, new column).
    """
    for table, _, new_name in layout.reversals:
        reversal, old, new = reversals[table, new_name]
        shift = pow(zeta, layout.circuit.table(table).size - 1, MODULUS)
        if (reversal - shift * (new - old)) % MODULUS:
            raise InvalidProof(
                f"state difference {table}.{new_name}: new - old has not a degree below the number of cells"
            )
