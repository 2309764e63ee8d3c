"""The verifier: five rounds, read from the proof, and what must hold of them."""

from circuits.table import Kind
from verifier.curve import Point
from verifier.errors import InvalidProof
from verifier.identity import (
    check_balance,
    check_reversals,
    check_state_differences,
    check_zeta,
    public_evaluations,
    quotient_value,
)
from verifier.key import INSECURE, VerifyingKey
from verifier.kzg import check_openings
from verifier.openings import Evaluations, commitments_of, openings, reversal_key
from verifier.proof import Layout
from verifier.receive import check_statement
from verifier.statement import Statement
from verifier.transcript import ProofReader


def verify(key: VerifyingKey, statement: Statement, proof: bytes, allow_insecure: bool = False) -> None:
    """Returns when the proof shows the statement; InvalidProof names what fails otherwise.

    allow_insecure: whether keys under a setup whose secret is known are acceptable.
    """
    if key.srs_kind == INSECURE and not allow_insecure:
        raise InvalidProof(
            "setup: its secret is known to whoever made it; allow_insecure accepts such keys for development"
        )
    circuit, layout = key.circuit, key.layout
    check_statement(layout, statement)
    reader = ProofReader(proof, layout.size)

    # Round 1: statement, columns of the witness -> beta, gamma, w
    reader.absorb(key.digest)
    reader.absorb_message(statement.encode())
    witness = {pack.name: reader.read_point(".".join(pack.name)) for pack in layout.packs_of(Kind.WITNESS)}
    reversals = {
        reversal_key(table, new): reader.read_point(f"{table}.{new} reversed") for table, _, new in layout.reversals
    }
    challenges = {name: reader.challenge(name) for name in ("beta", "gamma", "w")}

    # Round 2: helpers and running sums of the bus, the total of each table -> alpha
    bus = {pack.name: reader.read_point(".".join(pack.name)) for pack in layout.packs_of(Kind.BUS)}
    sigmas = {table: reader.read_scalar(f"{table}.sigma") for table in layout.sigmas}
    challenges["alpha"] = reader.challenge("alpha")

    # Round 3: the quotient in chunks -> zeta
    chunks = [reader.read_point(f"quotient {i}") for i in range(layout.chunks)]
    zeta = reader.challenge("zeta")
    check_zeta(layout, zeta)

    # Round 4: evaluations -> v
    evaluations = read_evaluations(reader, layout)
    v = reader.challenge("v")

    # Round 5: all openings in two points, W -> z -> W'
    w = reader.read_point("W")
    z = reader.challenge("z")
    w_prime = reader.read_point("W'")
    reader.finish()

    check_balance(circuit, sigmas, statement.public_terms(), challenges)
    if key.published_diff:
        check_state_differences(circuit, statement.state_differences(), evaluations.columns, zeta)
    check_reversals(layout, evaluations.reversals, zeta)
    known = {**evaluations.columns, **public_evaluations(circuit, statement, zeta)}
    quotient = quotient_value(circuit, known, challenges, sigmas, statement.scalars(), zeta)
    points: dict[tuple[str, str], Point] = {**key.fixed, **statement.state_commitments(), **witness, **reversals, **bus}
    commitments = commitments_of(layout, points, chunks, zeta)
    check_openings(openings(layout, evaluations, quotient, zeta), commitments, v, z, (w, w_prime), key.tau_g2)


def read_evaluations(reader: ProofReader, layout: Layout) -> Evaluations:
    """The evaluations in the order of the key, then those of the reversals."""
    columns = {query: reader.read_scalar("{}.{}[{:+}]".format(*query)) for query in layout.queries}
    reversals = {}
    for table, old, new in layout.reversals:
        names = (f"{table}.{new} reversed[zeta]", f"{table}.{old}[1/zeta]", f"{table}.{new}[1/zeta]")
        reversed_value, old_value, new_value = (reader.read_scalar(name) for name in names)
        reversals[table, new] = (reversed_value, old_value, new_value)
    return Evaluations(columns, reversals)
