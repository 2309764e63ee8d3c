"""From a state to the proof that its book is solvent, or by how much it is not."""

from collections.abc import Mapping, Sequence

from circuits.check import Failure, check
from circuits.circuit import Assignment, Circuit
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Vector
from circuits.margin.publics import scenario_vectors
from circuits.margin.solvency import solvency_circuit
from circuits.margin.solvency_statement import (
    SolvencyStatement,
    solvency_columns,
    solvency_scalars,
    solvency_terms,
)
from circuits.margin.statement import OracleRow
from prover.backend import Backend
from prover.key import ProvingKey, setup
from prover.prove import prove
from prover.rounds import Progress
from prover.setup import SRS
from verifier import verify
from verifier.curve import Point
from verifier.key import INSECURE, VerifyingKey
from verifier.proof import Layout
from verifier.solvency import SolvencyClaim, encode_solvency_parameters
from zkmargin.columns import book_columns, lookup_columns, scenario_columns
from zkmargin.rollup import Rollup
from zkmargin.solvency_rows import book_totals, recorder_of, unsettled


def solvency_assignment(
    circuit: Circuit,
    parameters: Parameters,
    statement: SolvencyStatement,
    cells: Mapping[int, int],
    backend: Backend | None = None,
) -> Assignment:
    """All witness, state and public columns. cells: the non-empty ones, packed."""
    vectors: Sequence[Vector] = ()
    if parameters.portfolio is not None and statement.scenarios:
        vectors = scenario_vectors(statement.oracle, statement.scenarios, parameters.portfolio)
    recorder = recorder_of(parameters, statement.oracle, vectors)
    scalars = solvency_scalars(statement)
    limbs = {"book": book_columns(circuit, statement.oracle, cells, recorder, scalars, backend)}
    if "scenarios" in {table.name for table in circuit.tables}:
        limbs["scenarios"] = scenario_columns(circuit, recorder, scalars, backend)
    listed = solvency_columns(statement, parameters.portfolio)
    return limbs | {"lookups": lookup_columns(circuit, parameters, listed, limbs, recorder)}


def solvency_layout(parameters: Parameters, shape: Shape) -> Layout:
    return Layout(solvency_circuit(parameters, shape), True, shape.packing)


def solvency_key(parameters: Parameters, shape: Shape, srs: SRS, backend: Backend) -> ProvingKey:
    """The keys of the solvency circuit; ProverError when the SRS is too small."""
    circuit, encoded = solvency_circuit(parameters, shape), encode_solvency_parameters(parameters, shape)
    return setup(circuit, encoded, srs, backend, True, shape.packing)


def solvency_statement(
    cells: Mapping[int, int],
    root: Point,
    parameters: Parameters,
    rows: Sequence[OracleRow],
    batch: int,
    chain: int = 0,
    contract: int = 0,
    scenarios: Sequence[tuple[int, ...]] = (),
) -> SolvencyStatement:
    """The statement of the state that is committed in root. scenarios: what the oracle said of them at that tick, where
    the key has portfolios."""
    vectors: Sequence[Vector] = ()
    if parameters.portfolio is not None and scenarios:
        vectors = scenario_vectors(rows, scenarios, parameters.portfolio)
    totals = book_totals(cells, parameters, rows, vectors)
    left = unsettled(cells, parameters)
    return SolvencyStatement(batch, root, tuple(rows), totals, chain, contract, tuple(scenarios), left)


def check_book(circuit: Circuit, statement: SolvencyStatement, assignment: Assignment) -> list[Failure]:
    """Every violated law, without cryptography."""
    return check(circuit, assignment, solvency_scalars(statement), solvency_terms(statement))


def prove_solvency(
    key: ProvingKey,
    statement: SolvencyStatement,
    assignment: Assignment,
    backend: Backend,
    progress: Progress | None = None,
) -> bytes:
    return prove(key, SolvencyClaim.under(key.verifying, statement), assignment, backend, progress=progress)


def prove_state(rollup: Rollup, progress: Progress | None = None) -> tuple[VerifyingKey, SolvencyStatement, bytes]:
    """The proof of a rollup's present state at its last oracle rows, verified."""
    (state, root), srs = rollup.store.state(), rollup.proving_key().srs
    key = solvency_key(rollup.parameters, rollup.shape, srs, srs.backend)
    home = (state.batch, state.chain, state.contract)
    rows = state.oracle_rows()
    statement = solvency_statement(state.cells, root, rollup.parameters, rows, *home, rollup.last_scenarios())
    assignment = solvency_assignment(key.circuit, rollup.parameters, statement, state.cells, srs.backend)
    proof = prove_solvency(key, statement, assignment, srs.backend, progress)
    verify(key.verifying, SolvencyClaim.under(key.verifying, statement), proof, srs.kind == INSECURE)
    return key.verifying, statement, proof
