"""From a batch to its statement and its proof."""

from collections.abc import Mapping

from circuits.check import Failure, check
from circuits.circuit import Assignment, Circuit
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.publics import public_scalars, public_terms
from circuits.margin.statement import Point, Statement
from prover.backend import Backend
from prover.key import ProvingKey, setup
from prover.prove import prove
from prover.rounds import Progress
from prover.setup import SRS
from prover.words import Words
from verifier.curve import total
from verifier.margin import MarginStatement, encode_parameters
from verifier.proof import Layout
from zkmargin.batch import Batch
from zkmargin.witness import build_assignment


def layout_of(parameters: Parameters, shape: Shape) -> Layout:
    """The layout of the margin circuit's proofs."""
    return Layout(margin_circuit(parameters, shape), shape.published_diff, shape.packing)


def margin_key(parameters: Parameters, shape: Shape, srs: SRS, backend: Backend) -> ProvingKey:
    """The keys of the margin circuit; ProverError when the SRS is too small."""
    circuit = margin_circuit(parameters, shape)
    return setup(circuit, encode_parameters(parameters, shape), srs, backend, shape.published_diff, shape.packing)


def commit_cells(srs: SRS, backend: Backend, size: int, cells: Mapping[int, int]) -> Point:
    """sum_i v_i [L_i(tau)]_1 over the given cells; all others are zero and cost next to nothing."""
    if not cells:
        return None
    return backend.msm(srs.lagrange(size), backend.vector(Words.sparse(size, cells).array))


def batch_statement(batch: Batch, old: Point, srs: SRS, backend: Backend, shape: Shape) -> Statement:
    """The statement of a batch on the state committed in `old`: the new commitment is the old one plus that of the
    differences."""
    new = total([old, commit_cells(srs, backend, shape.cells, batch.diff)])
    diff = tuple(batch.diff.items()) if shape.published_diff else None
    return Statement(
        batch.number,
        old,
        new,
        batch.last_oracle,
        batch.ticks,
        batch.next_queue,
        batch.l1,
        diff,
        batch.chain,
        batch.contract,
        batch.scenarios,
        batch.sweep,
        batch.orders,
        batch.supplied,
        batch.checks,
    )


def batch_assignment(
    circuit: Circuit, parameters: Parameters, statement: Statement, batch: Batch, backend: Backend | None = None
) -> Assignment:
    """The witness of a batch, as `build_assignment`; WitnessError when the circuit has no room for what the state
    machine did."""
    return build_assignment(circuit, parameters, statement, batch.steps, batch.old, batch.new, backend)


def check_batch(circuit: Circuit, statement: Statement, assignment: Assignment) -> list[Failure]:
    """Every violated law, without cryptography."""
    return check(circuit, assignment, public_scalars(statement), public_terms(statement))


def prove_batch(
    key: ProvingKey, statement: Statement, assignment: Assignment, backend: Backend, progress: Progress | None = None
) -> bytes:
    """The proof of a batch; progress is told (stage, steps done, steps in all)."""
    return prove(key, MarginStatement.under(key.verifying, statement), assignment, backend, progress=progress)
