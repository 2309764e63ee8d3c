"""The prover: five rounds, written to the proof. `verifier.verify` has the same banners."""

import secrets
from collections.abc import Callable, Mapping

from circuits.circuit import Assignment
from circuits.field import MODULUS
from circuits.table import Kind
from prover.backend import Backend, Vector
from prover.errors import ProverError
from prover.key import ProvingKey
from prover.rounds import (
    Progress,
    Setting,
    commit_bus,
    commit_quotient,
    commit_witness,
    evaluate,
    fold_chunks,
    open_all,
)
from verifier.errors import InvalidProof
from verifier.identity import (
    check_balance,
    check_reversals,
    check_state_differences,
    check_zeta,
    public_values,
    quotient_value,
)
from verifier.openings import Evaluations, openings, reversal_key
from verifier.proof import QUOTIENT, Layout
from verifier.receive import check_statement
from verifier.statement import Statement
from verifier.transcript import ProofWriter

ROUNDS = "rounds"
"""The stage of progress that is told at the start of each round."""


def prove(
    key: ProvingKey,
    statement: Statement,
    assignment: Assignment,
    backend: Backend,
    random: Callable[[], int] | None = None,
    progress: Progress | None = None,
) -> bytes:
    """A proof of the statement.

    assignment: table -> column -> one integer a row, for witness and state columns. random: a uniform field element at
    each call, by default from `secrets`. progress: told (stage, steps done, steps in all). ProverError when the
    statement or the witness does not hold.
    """
    setting = Setting(
        key, statement, backend, random or (lambda: secrets.randbelow(MODULUS)), progress or (lambda *_: None)
    )
    _receive(key.verifying.layout, statement)
    with backend.proving():
        return _rounds(setting, assignment)


def _rounds(setting: Setting, assignment: Assignment) -> bytes:
    key, layout, statement, writer = setting.key, setting.layout, setting.statement, ProofWriter()

    # Round 1: statement, columns of the witness -> beta, gamma, w
    writer.absorb(key.verifying.digest)
    writer.absorb_message(statement.encode())
    setting.progress(ROUNDS, 0, 5)
    columns = commit_witness(setting, assignment)
    witness = [pack.name for pack in layout.packs_of(Kind.WITNESS)]
    for name in [*witness, *(reversal_key(table, new) for table, _, new in layout.reversals)]:
        writer.write_point(".".join(name), columns.commitments[name])
    challenges = {name: writer.challenge(name) for name in ("beta", "gamma", "w")}

    # Round 2: helpers and running sums of the bus, the total of each table -> alpha
    setting.progress(ROUNDS, 1, 5)
    bus, sigmas = commit_bus(setting, columns, challenges)
    for pack in layout.packs_of(Kind.BUS):
        writer.write_point(".".join(pack.name), bus.commitments[pack.name])
    for table in layout.sigmas:
        writer.write_scalar(f"{table}.sigma", sigmas[table])
    challenges["alpha"] = writer.challenge("alpha")
    columns = (columns | bus).without_rows()

    # Round 3: the quotient in chunks -> zeta
    setting.progress(ROUNDS, 2, 5)
    chunks = commit_quotient(setting, columns, challenges, sigmas)
    for i, point in enumerate(chunks.commitments):
        writer.write_point(f"quotient {i}", point)
    zeta = writer.challenge("zeta")

    # Round 4: evaluations -> v
    setting.progress(ROUNDS, 3, 5)
    evaluations = evaluate(setting, columns, zeta)
    write_evaluations(writer, layout, evaluations)
    folded = fold_chunks(setting, chunks, zeta)
    quotient = check_witness(setting, evaluations, folded, {**challenges, "zeta": zeta}, sigmas)

    # Round 5: all openings in two points, W -> z -> W'
    setting.progress(ROUNDS, 4, 5)
    polynomials = {**columns.coefficients, QUOTIENT: folded}
    open_all(setting, polynomials, openings(layout, evaluations, quotient, zeta), writer)
    return writer.proof


def write_evaluations(writer: ProofWriter, layout: Layout, evaluations: Evaluations) -> None:
    """As `verifier.verify.read_evaluations`."""
    for query in layout.queries:
        writer.write_scalar("{}.{}[{:+}]".format(*query), evaluations.columns[query])
    for table, old, new in layout.reversals:
        names = (f"{table}.{new} reversed[zeta]", f"{table}.{old}[1/zeta]", f"{table}.{new}[1/zeta]")
        for name, value in zip(names, evaluations.reversals[table, new], strict=True):
            writer.write_scalar(name, value)


def check_witness(
    setting: Setting,
    evaluations: Evaluations,
    folded: Vector,
    challenges: Mapping[str, int],
    sigmas: Mapping[str, int],
) -> int:
    """Q(zeta). ProverError when the verifier's equations do not hold: a proof of a false witness is never written."""
    layout, zeta = setting.layout, challenges["zeta"]
    try:
        check_zeta(layout, zeta)
        public = public_values(layout, setting.statement, challenges)
        check_balance(sigmas, public.fractions)
        if layout.published_diff:
            check_state_differences(layout.state_pairs, public.differences, evaluations.columns)
        check_reversals(layout, evaluations.reversals, zeta)
    except InvalidProof as error:
        raise ProverError(f"the witness does not hold: {error}") from error
    known = {**evaluations.columns, **public.columns}
    expected = quotient_value(layout.circuit, known, challenges, sigmas, public.scalars, zeta)
    if setting.backend.evaluate(folded, zeta) != expected:
        raise ProverError("the witness does not hold: a constraint is violated (circuits.check names it)")
    return expected


def _receive(layout: Layout, statement: Statement) -> None:
    try:
        check_statement(layout, statement)
    except InvalidProof as error:
        raise ProverError(str(error)) from error
