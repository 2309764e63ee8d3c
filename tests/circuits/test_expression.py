"""Expressions mean the same in every algebra."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits.check import rows
from circuits.expression import (
    Expression,
    Scalars,
    X,
    challenge,
    degree,
    evaluate,
    lagrange,
    lift,
    public,
    queries,
    query,
)
from circuits.field import MODULUS, inverse, inverses, lagrange_evaluations, root_of_unity
from circuits.program import compile_program
from circuits.table import Table

COLUMNS = ("a", "b", "c")
OPERATORS = (Expression.__add__, Expression.__sub__, Expression.__mul__)
leaves = st.one_of(
    st.integers(-5, MODULUS).map(lift),
    st.builds(query, st.sampled_from(COLUMNS), st.integers(-2, 2)),
    st.sampled_from([challenge("z"), public("s"), lagrange(0), lagrange(-1), lagrange(3)]),
)
expressions = st.recursive(
    leaves, lambda inner: st.builds(lambda a, b, f: f(a, b), inner, inner, st.sampled_from(OPERATORS))
)


def at_row(columns: dict[str, list[int]], row: int, size: int) -> Scalars:
    def leaf(node: Expression) -> int:
        match node.operator:
            case "query":
                return columns[node.arguments[0]][(row + node.arguments[1]) % size] % MODULUS
            case "lagrange":
                return int(row == node.arguments[0] % size)
            case _:
                return {"z": 7, "s": 11}[node.arguments[0]]

    return Scalars(leaf)


@given(st.lists(expressions, min_size=1, max_size=3), st.lists(st.integers(0, MODULUS - 1), min_size=24, max_size=24))
def test_program_agrees_with_scalars(roots: list[Expression], cells: list[int]) -> None:
    size = 8
    columns = {name: cells[8 * i : 8 * i + 8] for i, name in enumerate(COLUMNS)}
    table = Table("t", size)
    computed = list(rows(table, roots, columns, {"z": 7, "s": 11}))
    assert computed == [evaluate(roots, at_row(columns, row, size)) for row in range(size)]


@given(expressions, expressions)
def test_ring_laws_of_degree_and_queries(a: Expression, b: Expression) -> None:
    assert degree(a + b) <= max(degree(a), degree(b))
    assert degree(Expression("mul", a, b)) == degree(a) + degree(b)
    assert queries([Expression("add", a, b)]) == queries([a]) | queries([b])


def test_equal_nodes_are_one_object() -> None:
    assert query("a") * 3 + X is query("a") * 3 + X
    assert query("a", 1) is query("a").at(1)


def test_only_columns_rotate() -> None:
    with pytest.raises(ValueError, match="rotations"):
        (query("a") + 1).at(1)


def test_registers_are_reused() -> None:
    a, b = query("a"), query("b")
    chain = a
    for i in range(50):
        chain = chain * b + i + 1
    assert compile_program([chain]).program.registers <= 2


def test_a_long_sum_does_not_exhaust_the_stack() -> None:
    result = lift(0)
    for i in range(20000):
        result = result * query("a") + i + 1
    assert degree(result) == 19999


def test_field() -> None:
    values = [1, 2, MODULUS - 1, 12345]
    assert inverses(values) == [inverse(value) for value in values]
    with pytest.raises(ValueError):
        inverses([1, 0])
    assert pow(root_of_unity(8), 4, MODULUS) == MODULUS - 1
    with pytest.raises(ValueError, match="power of two"):
        root_of_unity(12)


def test_lagrange_evaluations_are_the_barycentric_basis() -> None:
    size, point = 8, 987654321
    omega = root_of_unity(size)
    for row, value in enumerate(lagrange_evaluations(size, range(size), point)):
        product = 1
        for other in range(size):
            if other != row:
                node = pow(omega, other, MODULUS)
                numerator, denominator = point - node, pow(omega, row, MODULUS) - node
                product = product * numerator * inverse(denominator % MODULUS) % MODULUS
        assert value == product
