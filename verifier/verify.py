"""The verifier: five rounds, read from the proof, and what must hold of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.table import Kind
from verifier.curve import Point
from verifier.errors import InvalidProof
from verifier.identity import (
    PublicValues,
    check_balance,
    check_reversals,
    check_state_differences,
    check_zeta,
    public_values,
    quotient_value,
)
from verifier.key import INSECURE, VerifyingKey
from verifier.kzg import Commitment, check_pairing, pairing_terms
from verifier.openings import Evaluations, commitments_of, openings, reversal_key
from verifier.proof import Layout
from verifier.receive import check_statement
from verifier.statement import ColumnKey, Statement
from verifier.transcript import ProofReader


@dataclass(frozen=True)
class Received:
    """The elements of a proof and the challenges between them. points: commitments by name, all but the chunks'."""

    points: Mapping[ColumnKey, Point]
    chunks: Sequence[Point]
    sigmas: Mapping[str, int]
    evaluations: Evaluations
    opening: tuple[Point, Point]
    challenges: Mapping[str, int]


def verify(key: VerifyingKey, statement: Statement, proof: bytes, allow_insecure: bool = False) -> None:
    """Returns when the proof shows the statement; InvalidProof names what fails otherwise.

    allow_insecure: whether keys under a setup whose secret is known are acceptable.
    """
    if key.srs_kind == INSECURE and not allow_insecure:
        raise InvalidProof(
            "setup: its secret is known to whoever made it; allow_insecure accepts such keys for development"
        )
    check_statement(key.layout, statement)
    reader = ProofReader(proof, key.layout.size)
    received = read_proof(key, statement.encode(), reader)
    reader.finish()
    public = public_values(key.layout, statement, received.challenges)
    check_pairing(equation(key, received, public), received.opening[1], key.tau_g2)


def read_proof(key: VerifyingKey, statement: bytes, reader: ProofReader) -> Received:
    """Reads all elements in order."""
    layout = key.layout

    # Round 1: statement, columns of the witness -> beta, gamma, w
    reader.absorb(key.digest)
    reader.absorb_message(statement)
    points = {pack.name: reader.read_point(".".join(pack.name)) for pack in layout.packs_of(Kind.WITNESS)}
    for table, _, new in layout.reversals:
        points[reversal_key(table, new)] = reader.read_point(f"{table}.{new} reversed")
    challenges = {name: reader.challenge(name) for name in ("beta", "gamma", "w")}

    # Round 2: helpers and running sums of the bus, the total of each table -> alpha
    points |= {pack.name: reader.read_point(".".join(pack.name)) for pack in layout.packs_of(Kind.BUS)}
    sigmas = {table: reader.read_scalar(f"{table}.sigma") for table in layout.sigmas}
    challenges["alpha"] = reader.challenge("alpha")

    # Round 3: the quotient in chunks -> zeta
    chunks = [reader.read_point(f"quotient {i}") for i in range(layout.chunks)]
    challenges["zeta"] = reader.challenge("zeta")
    check_zeta(layout, challenges["zeta"])

    # Round 4: evaluations -> v
    evaluations = read_evaluations(reader, layout)
    challenges["v"] = reader.challenge("v")

    # Round 5: all openings in two points, W -> z -> W'
    w = reader.read_point("W")
    challenges["z"] = reader.challenge("z")
    w_prime = reader.read_point("W'")
    return Received(points, chunks, sigmas, evaluations, (w, w_prime), challenges)


def equation(key: VerifyingKey, received: Received, public: PublicValues) -> Commitment:
    """The left side of the pairing equation, as a linear combination; InvalidProof when another equation fails."""
    layout, challenges, evaluations = key.layout, received.challenges, received.evaluations
    zeta, v, z = (challenges[name] for name in ("zeta", "v", "z"))
    check_balance(received.sigmas, public.fractions)
    if key.published_diff:
        check_state_differences(layout.state_pairs, public.differences, evaluations.columns)
    check_reversals(layout, evaluations.reversals, zeta)
    known = {**evaluations.columns, **public.columns}
    quotient = quotient_value(layout.circuit, known, challenges, received.sigmas, public.scalars, zeta)
    points = {**key.fixed, **public.commitments, **received.points}
    commitments = commitments_of(layout, points, received.chunks, zeta)
    return pairing_terms(openings(layout, evaluations, quotient, zeta), commitments, v, z, received.opening)


def read_evaluations(reader: ProofReader, layout: Layout) -> Evaluations:
    """The evaluations in the order of the key, then those of the reversals."""
    columns = {query: reader.read_scalar("{}.{}[{:+}]".format(*query)) for query in layout.queries}
    reversals = {}
    for table, old, new in layout.reversals:
        names = (f"{table}.{new} reversed[zeta]", f"{table}.{old}[1/zeta]", f"{table}.{new}[1/zeta]")
        reversed_value, old_value, new_value = (reader.read_scalar(name) for name in names)
        reversals[table, new] = (reversed_value, old_value, new_value)
    return Evaluations(columns, reversals)
