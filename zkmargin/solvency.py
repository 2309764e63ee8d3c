"""From a state to the proof that its book is solvent, or by how much it is not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuits.check import Failure, check
from circuits.circuit import Assignment, Circuit
from circuits.margin.cell import EMPTY, SYSTEM, unpack
from circuits.margin.leg import SIGN_BIAS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Vector
from circuits.margin.solvency import CLASSES, PAY_BIAS, solvency_circuit
from circuits.margin.solvency_statement import (
    SolvencyStatement,
    Totals,
    solvency_columns,
    solvency_scalars,
    solvency_terms,
)
from circuits.margin.statement import OracleRow, scenario_vectors
from circuits.margin.tiers import NOTIONAL_LIMIT
from prover.backend import Backend
from prover.key import ProvingKey, setup
from prover.prove import prove
from prover.rounds import Progress
from prover.setup import SRS
from prover.words import Words
from verifier import verify
from verifier.curve import Point
from verifier.key import INSECURE, VerifyingKey
from verifier.proof import Layout
from verifier.solvency import SolvencyClaim, encode_solvency_parameters
from zkmargin.recorder import Recorder, Values
from zkmargin.rollup import Rollup
from zkmargin.solvency_groups import UNGROUPED, group_rows
from zkmargin.witness import columns_of, lookup_columns, scenario_columns

NO_TIER = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell at the oracle's row.

    kind: of CLASSES, `system` or `empty`. equity in quote * 2^-16, maintenance in quote * 2^-32; tier: market, lower.
    """

    kind: str
    values: Values
    equity: int
    maintenance: int
    tier: tuple[int, int] | None


def judge(content: int, parameters: Parameters, rows: Sequence[OracleRow]) -> Judged:
    """Settles a cell at its market's row, the account paying funding's ceiling, and says what it is."""
    cell = unpack(content)
    values = dict.fromkeys((*CLASSES, "system"), 0)
    values |= {
        "collateral": cell.collateral + SIGN_BIAS,
        "magnitude": abs(cell.position),
        "negative": int(cell.position < 0),
        "position": cell.position,
        "market": cell.market,
        "settled_index": cell.index + SIGN_BIAS,
    }
    if cell.kind in (EMPTY, SYSTEM):
        kind = "empty" if cell.kind == EMPTY else "system"
        values |= {"price": 0, "index": 0, "pay": PAY_BIAS, "dust": 0, "notional": 0} | _tier_values(NO_TIER)
        values["system"] = int(kind == "system")
        return Judged(kind, values, 0, 0, None)
    row, market = rows[cell.market], parameters.markets[cell.market]
    owed = cell.position * (row.index - cell.index)
    pay = -(-owed >> FUNDING_FRACTION)
    equity = (cell.collateral - pay << PRICE_FRACTION) + cell.position * row.price
    notional = abs(cell.position) * row.price
    tier = market.tier(notional) if notional < NOTIONAL_LIMIT else None
    maintenance = tier.requirement(notional, "maintenance") if tier else 0
    if equity < 0:
        kind, tier = "under", None
    elif tier is None:
        kind = "oversized"
    else:
        kind = "healthy" if equity << PRICE_FRACTION >= maintenance else "thin"
    values |= {"price": row.price, "index": row.index, "pay": pay + PAY_BIAS, "notional": notional, kind: 1}
    values["dust"] = (pay << FUNDING_FRACTION) - owed
    told = (tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction) if tier else NO_TIER
    values |= _tier_values(told)
    return Judged(kind, values, equity, maintenance, (cell.market, tier.lower) if tier else None)


def book_totals(
    cells: Mapping[int, int], parameters: Parameters, rows: Sequence[OracleRow], vectors: Sequence[Vector] = ()
) -> Totals:
    """The sums over the book, in integers. vectors: of each market's scenarios, where portfolios are judged by them."""
    counts: Counter[str] = Counter()
    recorder = _recorder(parameters, rows, vectors)
    for address, content in cells.items():
        cell = unpack(content)
        if cell.is_head:
            _, kind, equity, maintenance = group_rows(address, _group(cells, address), rows[0].tick, recorder)
        else:
            counts["collateral"] += cell.collateral
            counts["unsettled_funding"] += cell.position * cell.index if cell.holds_money else 0
            if cell.is_member:
                continue
            judged = judge(content, parameters, rows)
            kind, equity, maintenance = judged.kind, judged.equity, judged.maintenance
        if kind in CLASSES:
            counts["accounts"] += 1
            counts[kind] += 1
            counts["deficit" if kind == "under" else "equity"] += abs(equity)
        if kind == "thin":
            counts["shortfall"] += maintenance - (equity << PRICE_FRACTION)
    system = {name: unpack(cells.get(address, 0)).collateral for name, address in _system(parameters)}
    names = ("accounts", "thin", "under", "oversized", "equity", "shortfall", "deficit")
    sums = {name: counts[name] for name in (*names, "collateral", "unsettled_funding")}
    return Totals(**sums, **system)


def solvency_assignment(
    circuit: Circuit,
    parameters: Parameters,
    statement: SolvencyStatement,
    cells: Mapping[int, int],
    backend: Backend | None = None,
) -> Assignment:
    """All witness, state and public columns. cells: the non-empty ones, packed."""
    table = circuit.table("book")
    vectors: Sequence[Vector] = ()
    if parameters.portfolio is not None and statement.scenarios:
        vectors = scenario_vectors(statement.oracle, statement.scenarios, parameters.portfolio)
    recorder = _recorder(parameters, statement.oracle, vectors)
    scalars = solvency_scalars(statement)
    filled = _filled(table.size, parameters, statement.oracle, cells, recorder)
    book: dict[str, Any] = columns_of(table, filled, scalars, backend)
    book["content"] = Words.sparse(table.size, cells)
    limbs = {"book": book}
    if "scenarios" in {table.name for table in circuit.tables}:
        limbs["scenarios"] = scenario_columns(circuit, recorder, scalars, backend)
    listed = solvency_columns(statement, parameters.portfolio)
    return limbs | {"lookups": lookup_columns(circuit, parameters, listed, limbs, recorder)}


def _filled(
    size: int,
    parameters: Parameters,
    rows: Sequence[OracleRow],
    cells: Mapping[int, int],
    recorder: Recorder,
) -> Iterator[Values]:
    """The rows of the book, cell by cell, their lookups counted."""
    nothing = dict.fromkeys(("equity_sum", "maintenance_sum"), 0)
    empty = UNGROUPED | nothing | judge(0, parameters, rows).values
    address = 0
    while address < size:
        content = cells.get(address, 0)
        if content and unpack(content).is_head:
            contents = _group(cells, address)
            grouped, *_ = group_rows(address, contents, rows[0].tick, recorder)
            yield from (empty | row for row in grouped)
            address += len(contents)
            continue
        if not content:
            yield empty
        else:
            yield empty | _alone(content, parameters, rows, recorder)
        address += 1


def _alone(content: int, parameters: Parameters, rows: Sequence[OracleRow], recorder: Recorder) -> Values:
    """The row of a cell that is no group's."""
    judged = judge(content, parameters, rows)
    values, market = judged.values, judged.values["market"]
    if judged.kind in CLASSES:
        recorder.look_up(rows[0].tick, market)
    if judged.tier is not None:
        recorder.maintenance(market, values["notional"])
    sums = {"equity_sum": judged.equity, "maintenance_sum": judged.maintenance if judged.tier is not None else 0}
    return values | sums | {"short": values["negative"] * values["magnitude"]}


def _group(cells: Mapping[int, int], head: int) -> list[int]:
    return [cells[head + i] for i in range(unpack(cells[head]).position)]


def _recorder(parameters: Parameters, rows: Sequence[OracleRow], vectors: Sequence[Vector]) -> Recorder:
    keys = [(row.tick, row.market) for row in rows]
    return Recorder(parameters, dict(zip(keys, rows, strict=True)), dict(zip(keys, vectors, strict=False)))


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
    left: tuple[int, ...] = ()
    if parameters.has_options:
        found = [cell for cell in map(unpack, cells.values()) if cell.holds_money]
        left = tuple(sum(cell.position for cell in found if cell.market == row.market) for row in rows)
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


def _tier_values(tier: tuple[int, int, int, int]) -> Values:
    return dict(zip(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), tier, strict=True))


def _system(parameters: Parameters) -> list[tuple[str, int]]:
    return [("fees", parameters.fee_cell), ("insurance", parameters.insurance_cell)]
