"""The quotient against its definition, and what the blinding hides, by linear algebra."""

import random

import pytest

from circuits.circuit import Circuit
from circuits.expression import Scalars as Numbers
from circuits.expression import X, evaluate, lagrange, public
from circuits.field import MODULUS, lagrange_evaluations, root_of_unity
from circuits.table import Table
from prover.backend import get_backend
from prover.polynomial import fold, interpolate
from prover.program import Scalars
from prover.quotient import split_length, table_quotient
from prover.rounds import Setting, split
from tests.toy_circuits import ledger
from tests.verifier.cases import NAMES, case, key_of, stream
from verifier.openings import pack_points
from verifier.proof import BLINDED, Layout


def at(polynomial: list[int], x: int) -> int:
    return sum(c * pow(x, i, MODULUS) for i, c in enumerate(polynomial)) % MODULUS


def powers_table(size: int, degree: int) -> Table:
    """b = a^(degree - 1) in the next row, and a constraint with X and Lagrange polynomials."""
    table = Table("t", size)
    a, b = table.witness("a"), table.witness("b")
    product = a
    for _ in range(degree - 2):
        product = product * a
    table.require("power", product - b.at(1))
    table.require("edges", (a - public("start")) * lagrange(0) + (b - b) * (X + lagrange(-1)))
    return table


@pytest.mark.parametrize("size", [4, 8, 64, 256])
@pytest.mark.parametrize("degree", [2, 3, 5])
def test_the_quotient_is_the_quotient(size: int, degree: int) -> None:
    """Q(x) * (x^n - 1) = C(x) at random points, for sizes with and without a small coset."""
    source, backend = random.Random(size + degree), get_backend("cpu")
    table = powers_table(size, degree)
    circuit = Circuit([table])
    layout = Layout(circuit)
    a = [source.randrange(MODULUS) for _ in range(size)]
    b = [pow(a[row - 1], degree - 1, MODULUS) for row in range(size)]
    columns = {
        name: interpolate(backend, backend.vector(values), [source.randrange(MODULUS) for _ in range(count)])
        for name, values, count in (("a", a, layout.blinds(("t", "a"))), ("b", b, layout.blinds(("t", "b"))))
    }
    scalars = Scalars({"alpha": 12345}, {"start": a[0]})
    quotient = backend.integers(table_quotient(backend, layout, table, columns, scalars))
    assert len(quotient) == layout.quotient_length(table)
    numbers = {name: backend.integers(column) for name, column in columns.items()}
    for _ in range(3):
        x = source.randrange(MODULUS)
        edges = dict(zip((0, -1), lagrange_evaluations(size, (0, size - 1), x), strict=True))

        def leaf(node, x=x, edges=edges):  # type: ignore[no-untyped-def]
            if node.operator == "query":
                name, rotation = node.arguments
                return at(numbers[name], x * pow(root_of_unity(size), rotation, MODULUS))
            return {"x": x, "challenge": 12345, "public": a[0]}.get(node.operator) or edges[node.arguments[0]]

        [folded] = evaluate([circuit.folded(table)], Numbers(leaf))
        assert at(quotient, x) * (pow(x, size, MODULUS) - 1) % MODULUS == folded


@pytest.mark.parametrize("length", [1, 8, 9, 64, 127, 130, 2049, 5000])
def test_folding_keeps_the_values_on_the_coset(length: int) -> None:
    source, backend = random.Random(length), get_backend("cpu")
    polynomial, shift = [source.randrange(MODULUS) for _ in range(length)], 25
    folded = backend.integers(fold(backend, backend.vector(polynomial), 8, shift))
    assert len(folded) <= 8
    for i in range(8):
        x = shift * pow(root_of_unity(8), i, MODULUS)
        assert at(folded, x) == at(polynomial, x)


def test_small_cosets_take_the_rest() -> None:
    assert split_length(4 * 64 + 36, 64) == (5, 0)  # 64 points are no fewer
    assert split_length(4 * 128 + 36, 128) == (4, 64)
    assert split_length(4 * 1024 + 36, 1024) == (4, 64)
    assert split_length(2 * 64, 64) == (2, 0)
    assert split_length(4, 64) == (0, 4)


def rank(matrix: list[list[int]]) -> int:
    rows, found = [list(row) for row in matrix], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        scale = pow(rows[found][column], -1, MODULUS)
        for i in range(found + 1, len(rows)):
            factor = rows[i][column] * scale % MODULUS
            rows[i] = [(x - factor * y) % MODULUS for x, y in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


@pytest.mark.parametrize("name", NAMES)
def test_openings_and_commitment_of_a_column_are_independent_and_uniform(name: str) -> None:
    """As linear forms in the blinding scalars: the evaluations at k points have rank k, with the one at tau k + 1, and
    with that at tau^width, by which a column enters a shared commitment, k + 2."""
    backend, layout, zeta, tau = get_backend("cpu"), key_of(name).verifying.layout, 987654321, 123456789
    seen = set()
    packs = {column: pack for pack in layout.packs for column in pack.members}
    for key, pack in packs.items():
        points, table = pack_points(layout, pack, zeta), layout.circuit.table(key[0])
        count, blinded, shown = layout.blinds(key), pack.kind in BLINDED, sorted({tau, pow(tau, pack.width, MODULUS)})
        assert count == (2 * len(points) + len(shown) - 1 if blinded else 0)
        if not blinded:
            continue
        seen.add(len(points))
        zeros = backend.vector([0] * table.size)
        units = [[int(i == j) for i in range(count)] for j in range(count)]
        multiples = [backend.integers(interpolate(backend, zeros, unit)) for unit in units]
        assert rank([[at(multiple, x) for multiple in multiples] for x in (*points, *shown)]) == len(points) + len(
            shown
        )
        assert all(at(multiple, pow(root_of_unity(table.size), 3, MODULUS)) == 0 for multiple in multiples)
    assert seen


def test_running_sums_have_four_scalars() -> None:
    layout = Layout(ledger())
    assert {layout.blinds((table, "bus_sum")) for table in layout.sigmas} == {4}


def test_chunks_add_up_to_the_quotient_and_hide_each_other() -> None:
    made, backend = case("ledger"), get_backend("cpu")
    setting = Setting(made.key, made.statement, backend, stream(3), lambda *_: None)
    length, count = setting.layout.chunk_length, setting.layout.chunks
    assert count > 1
    quotient = [pow(7, i, MODULUS) for i in range(length * count - 3)]
    chunks = [backend.integers(chunk) for chunk in split(setting, backend.vector(quotient))]
    x = 123456789
    assert sum(at(chunk, x) * pow(x, length * i, MODULUS) for i, chunk in enumerate(chunks)) % MODULUS == at(
        quotient, x
    )
    assert [len(chunk) for chunk in chunks] == [length + 1] * count
    assert [bool(chunk[-1]) for chunk in chunks] == [True] * (count - 1) + [False]


def test_state_columns_come_in_pairs_or_alone() -> None:
    """One alone is a state that nothing changes; three are a pair and a mistake."""
    pairs: list[object] = []
    for count in (1, 2, 3):
        table = Table("t", 8)
        for name in ("old", "new", "more")[:count]:
            table.state(name)
        layout = Layout(Circuit([table]))
        if count == 3:
            with pytest.raises(ValueError, match="old and new"):
                _ = layout.state_pairs
        else:
            pairs.append(layout.state_pairs)
    assert pairs == [[], [("t", "old", "new")]]


def test_rotations_of_a_column_are_different_rows() -> None:
    table = Table("t", 4)
    column = table.witness("column")
    table.require("same", column.at(4) - column)
    with pytest.raises(ValueError, match=r"t\.column: two of its rotations are one row"):
        _ = Layout(Circuit([table])).rotations
