"""From a state to the proof that its book is solvent, or by how much it is not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuits.check import Failure, check
from circuits.circuit import Assignment, Circuit
from circuits.margin.cell import EMPTY, SYSTEM, unpack
from circuits.margin.circuit import tier_rows
from circuits.margin.leg import FUNDING_FRACTION, PRICE_FRACTION, SIGN_BIAS
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.solvency import CLASSES, PAY_BIAS, solvency_circuit
from circuits.margin.solvency_statement import SolvencyStatement, Totals, solvency_columns, solvency_scalars
from circuits.margin.statement import OracleRow
from circuits.margin.tiers import NOTIONAL_LIMIT
from circuits.margin.transitions import MAINTENANCE
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
from zkmargin.rollup import Rollup
from zkmargin.witness import Values, columns_of, padded, range_count

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


def book_totals(cells: Mapping[int, int], parameters: Parameters, rows: Sequence[OracleRow]) -> Totals:
    """The sums over the book, in integers."""
    counts: Counter[str] = Counter()
    for content in cells.values():
        cell, judged = unpack(content), judge(content, parameters, rows)
        counts["collateral"] += cell.collateral
        if judged.kind in CLASSES:
            counts["accounts"] += 1
            counts[judged.kind] += 1
            counts["unsettled_funding"] += cell.position * cell.index
            counts["deficit" if judged.kind == "under" else "equity"] += abs(judged.equity)
        if judged.kind == "thin":
            counts["shortfall"] += judged.maintenance - (judged.equity << PRICE_FRACTION)
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
    table, size = circuit.table("book"), circuit.table("lookups").size
    tiers: Counter[tuple[int, int]] = Counter()
    oracle: Counter[int] = Counter()
    empty = judge(0, parameters, statement.oracle).values

    def filled() -> Iterator[Values]:
        for address in range(table.size):
            if address not in cells:
                yield empty
                continue
            judged = judge(cells[address], parameters, statement.oracle)
            if judged.tier is not None:
                tiers[judged.tier] += 1
            if judged.kind in CLASSES:
                oracle[judged.values["market"]] += 1
            yield judged.values

    book: dict[str, Any] = columns_of(table, filled(), solvency_scalars(statement), backend)
    book["content"] = Words.sparse(table.size, cells)
    used = [tiers[row[1], row[3]] if row[2] == MAINTENANCE else 0 for row in tier_rows(parameters)]
    lookups: dict[str, Any] = {
        "range_count": range_count(circuit, {"book": book}, size),
        "tier_count": padded(used, size),
        "oracle_count": padded([oracle[row.market] for row in statement.oracle], size),
    }
    lookups |= {name: padded(values, size) for (_, name), values in solvency_columns(statement).items()}
    return {"book": book, "lookups": lookups}


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
) -> SolvencyStatement:
    """The statement of the state that is committed in root."""
    totals = book_totals(cells, parameters, rows)
    return SolvencyStatement(batch, root, tuple(rows), totals, chain, contract)


def check_book(circuit: Circuit, statement: SolvencyStatement, assignment: Assignment) -> list[Failure]:
    """Every violated law, without cryptography."""
    return check(circuit, assignment, solvency_scalars(statement), [])


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
    statement = solvency_statement(state.cells, root, rollup.parameters, state.oracle_rows(), *home)
    assignment = solvency_assignment(key.circuit, rollup.parameters, statement, state.cells, srs.backend)
    proof = prove_solvency(key, statement, assignment, srs.backend, progress)
    verify(key.verifying, SolvencyClaim.under(key.verifying, statement), proof, srs.kind == INSECURE)
    return key.verifying, statement, proof


def _tier_values(tier: tuple[int, int, int, int]) -> Values:
    return dict(zip(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), tier, strict=True))


def _system(parameters: Parameters) -> list[tuple[str, int]]:
    return [("fees", parameters.fee_cell), ("insurance", parameters.insurance_cell)]
