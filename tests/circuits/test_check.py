"""The mock prover names every law that an assignment breaks."""

import pytest

from circuits.bus import RUNNING_SUM, fingerprint, helper_fractions
from circuits.check import check
from circuits.circuit import Circuit, PublicTerm
from circuits.expression import Expression, Scalars, degree, evaluate, lagrange, public, query
from circuits.field import MODULUS, inverse
from circuits.table import Kind, Table

ROWS = 8


def squares() -> Circuit:
    """x in [0, 2^8) by 4-bit limbs, y = x^2, a public first x, and a sum of all x that must be what row 0 of `z`
    says."""
    table = Table("squares", ROWS, 4)
    x, y, z = table.register("x", 8), table.witness("y"), table.witness("z")
    table.require("square", y - x * x)
    table.require("first", lagrange(0) * (x - public("first")))
    table.add_to_sum("all", x - lagrange(0) * z)
    table.receive("statement", "given", lagrange(1), x, y)
    lookup = Table("lookup", 16, 4, max_degree=3)
    lookup.receive("limb", "range", lookup.witness("count"), lookup.fixed("value", range(16)))
    return Circuit([table, lookup])


def assignment() -> dict[str, dict[str, list[int]]]:
    xs = [3, 17, 255, 0, 1, 2, 16, 4]
    counts = [0] * 16
    for x in xs:
        counts[x % 16] += 1
        counts[x // 16] += 1
    limbs = {"x_0": [x % 16 for x in xs], "x_1": [x // 16 for x in xs]}
    table = limbs | {"y": [x * x for x in xs], "z": [sum(xs)] + [0] * 7}
    return {"squares": table, "lookup": {"count": counts}}


GIVEN = [PublicTerm("given", 1, (17, 289))]


def failures(cells: dict[str, dict[str, list[int]]], first: int = 3, terms: list[PublicTerm] = GIVEN) -> set[str]:
    return {failure.constraint for failure in check(squares(), cells, {"first": first}, terms)}


def test_a_true_assignment_passes() -> None:
    assert failures(assignment()) == set()


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "named"),
    [
        ("squares", "y", 2, 1, {"squares.square"}),
        ("squares", "z", 0, 1, {"sum.all"}),
        ("lookup", "count", 5, 1, {"bus.range"}),
        ("squares", "y", 1, 0, {"squares.square", "bus.given"}),
        ("squares", "x_0", 2, 16 + 15, {"squares.square", "bus.range", "sum.all"}),
    ],
)
def test_each_law_is_named(table: str, column: str, row: int, value: int, named: set[str]) -> None:
    cells = assignment()
    cells[table][column][row] = value
    assert failures(cells) == named


def test_public_scalars_and_terms_count() -> None:
    assert failures(assignment(), first=4) == {"squares.first"}
    assert failures(assignment(), terms=[]) == {"bus.given"}
    assert failures(assignment(), terms=GIVEN * 2) == {"bus.given"}


def test_a_failure_tells_row_and_cells() -> None:
    cells = assignment()
    cells["squares"]["y"][2] = 7
    (failure,) = check(squares(), cells, {"first": 3}, GIVEN)
    assert (failure.row, failure.cells["y"], failure.cells["x_0"]) == (2, 7, 15)
    assert "squares.square in row 2" in str(failure)


def test_short_columns_are_refused() -> None:
    cells = assignment()
    cells["squares"]["y"].pop()
    with pytest.raises(ValueError, match=r"squares\.y: 7 values for 8 rows"):
        failures(cells)


def test_helpers_stay_within_their_degree_and_sum_the_fractions() -> None:
    circuit = squares()
    for table, limit in (("squares", 5), ("lookup", 3)):
        assert circuit.degrees[table] <= limit
    table = circuit.table("squares")
    point = {"beta": 5, "gamma": 1 << 100, "x_0": 3, "x_1": 0, "y": 9, "z": 1, "bus_mask": 2}

    def leaf(node: Expression) -> int:
        return int(node.arguments[0] in (0, 1)) if node.operator == "lagrange" else point[node.arguments[0]]

    total = 0
    for _, (numerator, denominator) in helper_fractions(table, circuit.channels):
        value = evaluate([numerator, denominator], Scalars(leaf))
        total += value[0] * inverse(value[1])
    expected = 0
    for term in table.terms:
        multiplicity, tuple_value = evaluate([term.multiplicity, fingerprint(circuit.channels, term)], Scalars(leaf))
        expected += multiplicity * inverse((point["gamma"] - tuple_value) % MODULUS)
    assert (total - expected) % MODULUS == 0


def test_tags_are_distinct_and_never_zero() -> None:
    circuit = squares()
    tags = {channel: index + 1 for index, channel in enumerate(circuit.channels)}
    assert len(set(tags.values())) == len(tags) and 0 not in tags.values() and {"range", "mask"} < set(tags)


def test_order_of_the_key() -> None:
    circuit = squares()
    assert circuit.digest == squares().digest
    assert ("squares", RUNNING_SUM, 1) in circuit.queries and ("squares", "bus_mask", 1) in circuit.queries
    assert [c for t, c in circuit.columns(Kind.FIXED)] == ["value"]
    exponents = list(circuit.exponents.values())
    assert exponents[1] - exponents[0] == len(circuit.table("squares").constraints)


def test_the_digest_names_the_laws() -> None:
    changed = squares()
    table = Table("squares", ROWS, 4)
    assert Circuit([table]).digest != changed.digest
    assert degree(changed.folded(changed.table("squares"))) == 5
    assert query("x_0") is query("x_0", 0)


def test_two_columns_of_one_name_are_refused() -> None:
    table = Table("t", 4)
    table.witness("a")
    with pytest.raises(ValueError, match="second column"):
        table.witness("a")
    table.require("c", query("a"))
    with pytest.raises(ValueError, match="second constraint"):
        table.require("c", query("a"))
    with pytest.raises(ValueError, match="whole number"):
        table.register("r", 10)
    with pytest.raises(ValueError, match="values for"):
        table.fixed("f", range(5))
