"""The equations between evaluations: the quotient identity, the balance of the bus, the difference of the states."""

from collections.abc import Mapping, Sequence

from circuits.circuit import Circuit, PublicTerm
from circuits.expression import Expression, Scalars, evaluate, nodes
from circuits.field import MODULUS, inverse, inverses, lagrange_evaluations, root_of_unity
from circuits.table import Table
from verifier.errors import InvalidProof
from verifier.proof import Layout
from verifier.statement import ColumnKey, StateDifference, Statement, column_rows

Query = tuple[str, str, int]
"""(table, column, rotation)"""


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


def check_balance(
    circuit: Circuit, sigmas: Mapping[str, int], terms: Sequence[PublicTerm], challenges: Mapping[str, int]
) -> None:
    """InvalidProof unless the tables' totals and the statement's own fractions m/(gamma - tuple) add up to zero."""
    differences = [(challenges["gamma"] - _tuple(circuit, term, challenges["beta"])) % MODULUS for term in terms]
    if 0 in differences:
        raise InvalidProof("challenge gamma: it is the tuple of a public row")
    fractions = sum(term.multiplicity * value for term, value in zip(terms, inverses(differences), strict=True))
    if (sum(sigmas.values()) + fractions) % MODULUS:
        raise InvalidProof("bus: the tables and the public rows do not balance")


def _tuple(circuit: Circuit, term: PublicTerm, beta: int) -> int:
    """tag + beta*f_1 + beta^2*f_2 + ..., as circuits.bus.fingerprint."""
    result = 0
    for part in reversed(term.fields):
        result = (result + part) * beta % MODULUS
    return (result + circuit.channels.index(term.channel) + 1) % MODULUS


def check_state_differences(
    circuit: Circuit, differences: Sequence[StateDifference], evaluations: Mapping[Query, int], zeta: int
) -> None:
    """InvalidProof unless new(zeta) = old(zeta) + Delta(zeta) for each published difference.

    Delta is the polynomial of degree < N that the difference determines, so new - old is that polynomial.
    """
    for difference in differences:
        rows = column_rows(difference.rows or {})
        basis = lagrange_evaluations(circuit.table(difference.table).size, list(rows), zeta)
        delta = sum(value * weight for value, weight in zip(rows.values(), basis, strict=True))
        old, new = (evaluations[difference.table, name, 0] for name in (difference.old, difference.new))
        if (new - old - delta) % MODULUS:
            raise InvalidProof(
                f"state difference {difference.table}.{difference.new}: new is not old plus the published difference"
            )


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
