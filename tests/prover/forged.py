"""A proof without a witness, for a verifier that draws z before it reads W."""

from collections.abc import Mapping

from circuits.circuit import Circuit
from circuits.field import MODULUS, lagrange_evaluations
from circuits.table import Kind
from tests.prover.cheats import ForgetfulWriter
from tests.toy_circuits import CELLS, ToyStatement
from tests.verifier.cases import Case
from verifier.curve import G1, Point, linear_combination
from verifier.identity import Query, public_evaluations, quotient_value
from verifier.kzg import Commitment, Opening, opening_weights
from verifier.openings import Evaluations, commitments_of, openings
from verifier.proof import BLINDED, Layout
from verifier.statement import ColumnKey


def forged_openings(made: Case, statement: ToyStatement) -> bytes:
    """Commitments and evaluations at will, but for the verifier's equations; then W opens the ones to the others."""
    layout, circuit, writer = made.key.verifying.layout, made.key.circuit, ForgetfulWriter(frozenset({"W"}))
    writer.absorb(made.key.verifying.digest)
    writer.absorb_message(statement.encode())
    write_points(writer, [pack.name for pack in layout.packs_of(Kind.WITNESS)])
    challenges = {name: writer.challenge(name) for name in ("beta", "gamma", "w")}
    write_points(writer, [pack.name for pack in layout.packs_of(Kind.BUS)])
    sigmas = balancing_sigmas(circuit, layout, statement, challenges)
    for table in layout.sigmas:
        writer.write_scalar(f"{table}.sigma", sigmas[table])
    challenges["alpha"] = writer.challenge("alpha")
    write_points(writer, [("quotient", str(i)) for i in range(layout.chunks)])
    zeta = writer.challenge("zeta")
    evaluations = consistent_evaluations(layout, statement, zeta)
    for query in layout.queries:
        writer.write_scalar(str(query), evaluations[query])
    known = {**evaluations, **public_evaluations(circuit, statement, zeta)}
    quotient = quotient_value(circuit, known, challenges, sigmas, statement.scalars(), zeta)
    opened = openings(layout, Evaluations(evaluations), quotient, zeta)
    columns: dict[ColumnKey, Point] = {pack.name: G1 for pack in layout.packs if pack.kind in BLINDED}
    points = {**made.key.verifying.fixed, **statement.state_commitments(), **columns}
    commitments = commitments_of(layout, points, [G1] * layout.chunks, zeta)
    v = writer.challenge("v")
    writer.write_point("W", matching_w(opened, commitments, v, writer.ahead("z")))
    writer.write_point("W'", None)
    return writer.proof


def write_points(writer: ForgetfulWriter, names: list[ColumnKey]) -> None:
    for name in names:
        writer.write_point(".".join(name), G1)


def balancing_sigmas(
    circuit: Circuit, layout: Layout, statement: ToyStatement, challenges: Mapping[str, int]
) -> dict[str, int]:
    """Totals that balance the statement's public rows."""
    tag, beta, gamma = circuit.channels.index("l1") + 1, challenges["beta"], challenges["gamma"]
    fractions = sum(
        pow(gamma - tag - beta * cell - beta**2 * amount, -1, MODULUS) for cell, amount in statement.deposits
    )
    return {**dict.fromkeys(layout.sigmas, 0), "steps": -fractions % MODULUS}


def consistent_evaluations(layout: Layout, statement: ToyStatement, zeta: int) -> dict[Query, int]:
    """Five everywhere, and new = old + Delta."""
    rows = statement.difference or {}
    basis = lagrange_evaluations(CELLS, list(rows), zeta)
    delta = sum(value * weight for value, weight in zip(rows.values(), basis, strict=True))
    return {**dict.fromkeys(layout.queries, 5), ("cells", "new", 0): (5 + delta) % MODULUS}


def matching_w(opened: list[Opening], commitments: Mapping[ColumnKey, Commitment], v: int, z: int) -> Point:
    """W = sum u_i (C_i - r_i(z)): with W' = 0 the pairing equation holds."""
    weights = opening_weights(opened, v, z)
    terms = [(u * scalar, point) for u, o in zip(weights, opened, strict=True) for scalar, point in commitments[o.key]]
    values = sum(u * o.remainder(z) for u, o in zip(weights, opened, strict=True))
    terms.append((-values, G1))
    return linear_combination([point for _, point in terms], [scalar for scalar, _ in terms])
