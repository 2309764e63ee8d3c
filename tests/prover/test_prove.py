"""True witnesses give proofs, on every backend the same; false ones give ProverError."""

from dataclasses import replace

import numpy as np
import pytest

from circuits.bus import MASK
from circuits.check import check
from circuits.circuit import Assignment, Circuit
from circuits.field import MODULUS
from circuits.table import Table
from prover.backend import get_backend
from prover.errors import ProverError
from prover.key import setup
from prover.prove import ROUNDS, prove
from prover.setup import insecure_srs
from tests.toy_circuits import ToyStatement, ledger, random_ledger, twins
from tests.verifier.cases import NAMES, Case, case, committed, key_of, srs, stream, witness_of
from verifier import verify
from verifier.statement import column_rows


def prove_and_verify(name: str, assignment: Assignment, statement: ToyStatement, seed: int | None = None) -> bytes:
    key = key_of(name)
    proof = prove(key, statement, assignment, get_backend("cpu"), None if seed is None else stream(seed))
    verify(key.verifying, statement, proof, allow_insecure=True)
    return proof


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [2, 3])
def test_random_witnesses(name: str, seed: int) -> None:
    assignment, statement = witness_of(name, seed)
    prove_and_verify(name, assignment, statement)


@pytest.mark.parametrize("empty", [False, True])
def test_nothing_happens(empty: bool) -> None:
    """Columns of zeros: with an empty book the state's commitments are the point at infinity."""
    made = random_ledger(4, steps=0, empty=empty)
    statement = committed(made, get_backend("cpu"), srs())
    assert statement.old == statement.new
    assert (statement.old is None) == empty
    assert not statement.difference
    prove_and_verify("ledger", made.assignment, statement)


def test_toy_witnesses_satisfy_their_circuit() -> None:
    for seed in range(6):
        made = random_ledger(seed, steps=(0, 5, 15)[seed % 3])
        assert check_ledger(made.assignment, made.statement) == []


def check_ledger(assignment: Assignment, statement: ToyStatement) -> list[str]:
    circuit = ledger()
    columns = {t.name: {**assignment[t.name], MASK: [0] * t.size} for t in circuit.tables}
    for (table, name), values in statement.public_columns().items():
        rows = column_rows(values)
        columns[table][name] = [rows.get(row, 0) for row in range(circuit.table(table).size)]
    return [str(failure) for failure in check(circuit, columns, statement.scalars(), statement.public_terms())]


def test_numpy_columns_and_lists_give_the_same_proof() -> None:
    made = case("ledger")
    assignment = {
        table: {
            name: np.array(column, np.uint16 if max(column) < 1 << 16 and min(column) >= 0 else object)
            for name, column in columns.items()
        }
        for table, columns in made.assignment.items()
    }
    assert prove_and_verify("ledger", assignment, made.statement, 1) == made.proof


def test_representatives_mod_r_give_the_same_proof() -> None:
    made = case("ledger")
    steps = {name: [value - MODULUS for value in column] for name, column in made.assignment["steps"].items()}
    assert prove_and_verify("ledger", {**made.assignment, "steps": steps}, made.statement, 1) == made.proof


@pytest.mark.parametrize("name", ["private ledger", "plain", "twins", "packed private ledger", "packed twins"])
def test_backends_give_the_same_proof(name: str) -> None:
    assert case(name, backend="reference").proof == case(name).proof


@pytest.mark.parametrize("name", NAMES)
def test_the_device_gives_the_same_proof(name: str, cuda_anywhere: None) -> None:
    assert case(name, backend="cuda").proof == case(name).proof


def test_fresh_randomness_changes_every_blinded_element() -> None:
    made = case("ledger")
    layout = made.key.verifying.layout
    other = prove_and_verify("ledger", made.assignment, made.statement)
    points = layout.points - layout.chunks - 2
    for start in range(0, 64 * points, 64):
        assert other[start : start + 64] != made.proof[start : start + 64]


def bump(column: list[int], row: int, by: int = 1) -> list[int]:
    return [value + by * (i == row) for i, value in enumerate(column)]


@pytest.mark.parametrize(
    ("table", "column", "row", "match"),
    [
        ("steps", "deposit", 3, "constraint|bus|balance"),
        ("steps", "tick", 0, "constraint|bus"),
        ("steps", "order_0", 2, "constraint|bus"),
        ("steps", "address", 1, "bus"),
        ("cells", "old", 5, "state difference|bus"),
        ("cells", "touched", 0, "constraint|bus"),
        ("cells", "last", 0, "constraint|bus"),
        ("lookups", "used", 15, "bus"),
    ],
)
def test_false_witnesses_give_no_proof(table: str, column: str, row: int, match: str) -> None:
    made = case("ledger")
    columns = {**made.assignment[table], column: bump(list(made.assignment[table][column]), row)}
    with pytest.raises(ProverError, match=f"the witness does not hold: .*({match})"):
        prove(made.key, made.statement, {**made.assignment, table: columns}, get_backend("cpu"))


def test_a_violated_constraint_alone_gives_no_proof() -> None:
    made = case("twins")
    for row in range(8):
        left = {**made.assignment["left"], "zero": bump([0] * 8, row)}
        with pytest.raises(ProverError, match="a constraint is violated"):
            prove(made.key, made.statement, {**made.assignment, "left": left}, get_backend("cpu"))


def test_false_statements_give_no_proof() -> None:
    made = case("ledger")
    for statement, match in (
        (replace(made.statement, first_tick=made.statement.first_tick + 1), "constraint"),
        (replace(made.statement, deposits=made.statement.deposits[1:]), "bus"),
        (replace(made.statement, difference={}), "state difference"),
        (replace(made.statement, deposits=((1, 0),)), "statement: a deposit"),
    ):
        with pytest.raises(ProverError, match=match):
            prove(made.key, statement, made.assignment, get_backend("cpu"))


def test_assignments_that_do_not_fit() -> None:
    made = case("twins")
    left = made.assignment["left"]
    with pytest.raises(ProverError, match=r"column left\.sent: not in the witness"):
        prove_case(made, {"left": {name: left[name] for name in ("zero", "received")}})
    with pytest.raises(ProverError, match=r"column left\.sent: 7 values for 8 rows"):
        prove_case(made, {"left": {**left, "sent": left["sent"][:-1]}})


def prove_case(made: Case, change: Assignment) -> bytes:
    return prove(made.key, made.statement, {**made.assignment, **change}, get_backend("cpu"))


def test_a_setup_that_is_too_small() -> None:
    backend, circuit = get_backend("cpu"), twins()
    needed = key_of("twins").verifying.layout.powers
    small, exact = (insecure_srs(backend, size, b"small") for size in (needed - 1, needed))
    with pytest.raises(ProverError, match=f"needs {needed} powers of tau, there are {needed - 1}"):
        setup(circuit, b"", small, backend)
    key = setup(circuit, b"", exact, backend)
    assignment, statement = witness_of("twins", 1)
    verify(key.verifying, statement, prove(key, statement, assignment, backend), allow_insecure=True)


def test_a_table_that_is_too_small_to_hide() -> None:
    table = Table("tiny", 2)
    column = table.witness("column")
    table.require("equal", column.at(1) - column)
    with pytest.raises(ProverError, match="2 rows is too small for 4 blinding scalars"):
        setup(Circuit([table]), b"", srs(), get_backend("cpu"))


def test_progress_is_told_in_order() -> None:
    made, told = case("twins"), []
    prove(made.key, made.statement, made.assignment, get_backend("cpu"), progress=lambda *step: told.append(step))
    assert [done for stage, done, _ in told if stage == ROUNDS] == [0, 1, 2, 3, 4]
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == [
        ROUNDS,
        "witness",
        "bus columns",
        "bus",
        "quotient",
        "evaluations",
    ]
    assert all(0 <= done < total for _, done, total in told)
