"""One proof, two witnesses: what a proof shows is as likely with any other witness of its statement.

With the setup's secret known, randomness is solved for under which the second witness gives the first one's proof,
byte for byte: a mask a table, and as many blinding scalars a column as it has values that show, at zeta and, through
commitments and quotient, at tau.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import pytest

from circuits.bus import MASK_CHANNEL
from circuits.circuit import Assignment
from circuits.field import MODULUS, inverse
from circuits.table import Kind
from prover.backend import Vector, get_backend
from prover.key import ProvingKey
from prover.prove import prove
from prover.rounds import Columns, Setting, commit_bus, commit_quotient, commit_witness
from tests.prover.cheats import VERIFY
from tests.toy_circuits import ToyStatement, random_ledger, random_twins
from tests.verifier.cases import NAMES, SEED, committed, key_of, srs, stream
from verifier import verify
from verifier.curve import G1, linear_combination
from verifier.identity import query_point
from verifier.statement import ColumnKey
from verifier.transcript import ProofReader

TAU = int.from_bytes(hashlib.sha512(b"zkmargin insecure setup" + SEED).digest(), "big") % MODULUS
BACKEND = get_backend("cpu")
Random = Callable[[], int]
Challenges = Mapping[str, int]


@dataclass(frozen=True)
class Rounds:
    """What the prover makes of a witness in its first three rounds, under given challenges."""

    columns: Columns
    sigmas: Mapping[str, int]
    chunks: Sequence[Vector]


def rounds(
    key: ProvingKey, statement: ToyStatement, assignment: Assignment, random: Random, challenges: Challenges
) -> Rounds:
    setting = Setting(key, statement, BACKEND, random, lambda *_: None)
    columns = commit_witness(setting, assignment)
    bus, sigmas = commit_bus(setting, columns, challenges)
    chunks = commit_quotient(setting, columns | bus, challenges, sigmas)
    return Rounds(columns | bus, sigmas, chunks.coefficients)


def scripted(values: Sequence[int]) -> Random:
    """These values, then zeros."""
    source: Iterator[int] = chain(values, repeat(0))
    return lambda: next(source)


def drawn(monkeypatch: pytest.MonkeyPatch, key: ProvingKey, statement: ToyStatement, proof: bytes) -> dict[str, int]:
    """The challenges of a proof that the verifier accepts."""
    challenges: dict[str, int] = {}

    class Listener(ProofReader):
        def challenge(self, label: str) -> int:
            challenges[label] = super().challenge(label)
            return challenges[label]

    with monkeypatch.context() as patch:
        patch.setattr(VERIFY, "ProofReader", Listener)
        verify(key.verifying, statement, proof, allow_insecure=True)
    return challenges


def masks(key: ProvingKey, wanted: Mapping[str, int], plain: Mapping[str, int], challenges: Challenges) -> list[int]:
    """The value that each table sends, so that the totals change from `plain` to `wanted`."""
    tag = key.circuit.channels.index(MASK_CHANNEL) + 1
    fraction, sent = 7, []
    for table in key.circuit.bus_tables:  # a table's total holds its own fraction less that of the table before
        fraction = (fraction + wanted[table.name] - plain[table.name]) % MODULUS
        sent.append((challenges["gamma"] - tag - inverse(fraction)) * inverse(challenges["beta"]) % MODULUS)
    return sent


def blinds(key: ProvingKey, name: ColumnKey, shown: Vector, other: Vector, zeta: int) -> list[int]:
    """b such that other + b*(X^n - 1) has the values of `shown` at zeta and tau, at both times omega^rotation, and at
    tau^width."""
    table, layout = key.circuit.table(name[0]), key.verifying.layout
    points = [query_point(table, rotation, x) for x in (zeta, TAU) for rotation in layout.rotations[name]]
    if (width := layout.places[name][1]) > 1:  # a column's share in the commitment of its pack
        points.append(pow(TAU, width, MODULUS))
    assert layout.blinds(name) == len(points)
    gaps = [
        (BACKEND.evaluate(shown, point) - BACKEND.evaluate(other, point)) * inverse(pow(point, table.size, MODULUS) - 1)
        for point in points
    ]
    return through(points, gaps)


def through(points: Sequence[int], values: Sequence[int]) -> list[int]:
    """The coefficients of the polynomial with these values (Lagrange)."""
    result = [0] * len(points)
    for i, (point, value) in enumerate(zip(points, values, strict=True)):
        product, scale = [1], value
        for other in (other for j, other in enumerate(points) if j != i):
            product = [a - other * b for a, b in zip([0, *product], [*product, 0], strict=True)]
            scale = scale * inverse(point - other) % MODULUS
        result = [(a + scale * b) % MODULUS for a, b in zip(result, product, strict=True)]
    return result


def chunk_blinds(key: ProvingKey, shown: Sequence[Vector], plain: Sequence[Vector]) -> list[int]:
    """b_i such that plain_i + b_i*X^L - b_(i-1) has the value of shown_i at tau, for all chunks but the last."""
    step, result = pow(TAU, key.verifying.layout.chunk_length, MODULUS), [0]
    for one, other in list(zip(shown, plain, strict=True))[:-1]:
        gap = BACKEND.evaluate(one, TAU) - BACKEND.evaluate(other, TAU) + result[-1]
        result.append(gap * inverse(step) % MODULUS)
    return result[1:]


def two_twins() -> tuple[ToyStatement, Assignment, Assignment]:
    """Nothing in common but their statement."""
    (one, statement), (other, _) = random_twins(1), random_twins(2)
    return statement, one, other


def two_ledgers(published: bool) -> tuple[ToyStatement, Assignment, Assignment]:
    """Other values in every column that padding leaves free."""
    made, source = random_ledger(4, steps=6, published=published), stream(5)
    steps = {name: list(column) for name, column in made.assignment["steps"].items()}
    for name in ("address", "before", "after", "price", "read"):
        for row in range(6, 15):
            steps[name][row] = source()
    statement = committed(made, BACKEND, srs())
    return statement, made.assignment, made.assignment | {"steps": steps}


@pytest.mark.parametrize("name", [name for name in NAMES if "plain" not in name])
def test_another_witness_has_the_same_proof(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    statement, one, other = two_twins() if "twins" in name else two_ledgers("private" not in name)
    key = key_of(name)
    assert linear_combination([G1], [TAU]) == BACKEND.msm(key.srs.powers[1:2], BACKEND.vector([1]))
    proof = prove(key, statement, one, BACKEND, stream(1))
    assert prove(key, statement, other, BACKEND, stream(1)) != proof
    challenges = drawn(monkeypatch, key, statement, proof)
    shown = rounds(key, statement, one, stream(1), challenges)

    script: list[int] = []
    plain = rounds(key, statement, other, scripted(script), challenges)
    script += masks(key, shown.sigmas, plain.sigmas, challenges)
    plain = rounds(key, statement, other, scripted(script), challenges)
    assert plain.sigmas == shown.sigmas
    for column in [*key.circuit.columns(Kind.WITNESS), *key.circuit.columns(Kind.BUS)]:
        vectors = (made.columns.coefficients[column] for made in (shown, plain))
        script += blinds(key, column, *vectors, challenges["zeta"])
    plain = rounds(key, statement, other, scripted(script), challenges)
    script += chunk_blinds(key, shown.chunks, plain.chunks)
    assert prove(key, statement, other, BACKEND, scripted(script)) == proof
