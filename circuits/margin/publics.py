"""What a statement puts into the circuit: public columns, terms on the bus, scalars."""

from collections.abc import Sequence
from dataclasses import asdict

from circuits.circuit import PublicTerm
from circuits.margin.cadence import sample
from circuits.margin.circuit import EXPIRED_COLUMNS, ORACLE_COLUMNS
from circuits.margin.dues import CLOCK_COLUMNS
from circuits.margin.portfolio import Portfolio, Vector
from circuits.margin.statement import InvalidStatement, OracleRow, Statement, require


def public_columns(
    statement: Statement, portfolio: Portfolio | None = None, samples: int = 0, cells: int = 0
) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, and what a portfolio adds to them; where there is a cadence, the
    ticks' times and a sample of so many of the state's cells."""
    columns = oracle_columns(statement.oracle, statement.scenarios, portfolio)
    if statement.checks is None:
        return columns
    times = {row.tick: row.time for row in statement.oracle}
    columns |= _public("clock", CLOCK_COLUMNS, [(1, tick, time) for tick, time in times.items()])
    return columns | {("samples", "address"): list(sample(statement.checks.seed, samples, cells))}


def oracle_columns(
    oracle: Sequence[OracleRow], scenarios: Sequence[tuple[int, ...]], portfolio: Portfolio | None
) -> dict[tuple[str, str], list[int]]:
    """The oracle rows as columns of the lookups table, from row 0 on; with a portfolio, where the key judges any, their
    scenario vectors, and the expired options."""
    columns = _public("oracle", ORACLE_COLUMNS, [(1, r.tick, r.market, r.price, r.index) for r in oracle])
    if portfolio is None:
        return columns
    if scenarios:
        found = zip(oracle, scenario_vectors(oracle, scenarios, portfolio), strict=True)
        names = ("listed", "tick", "market", *map(str, range(portfolio.scenarios + 1)))
        columns |= _public("vector", names, [(1, row.tick, row.market, *vector) for row, vector in found])
    if portfolio.has_options:
        expired = [row for row in oracle if portfolio.expired(row.market, row.time)]
        columns |= _public("expired", EXPIRED_COLUMNS, [(1, row.tick, row.market) for row in expired])
    return columns


def _public(name: str, parts: Sequence[str], rows: Sequence[tuple[int, ...]]) -> dict[tuple[str, str], list[int]]:
    columns = {part: [row[i] for row in rows] for i, part in enumerate(parts)}
    return {("lookups", f"{name}_{part}"): values for part, values in columns.items()}


def scenario_vectors(
    oracle: Sequence[OracleRow], scenarios: Sequence[tuple[int, ...]], portfolio: Portfolio
) -> list[Vector]:
    """The scenario vector of each oracle row; InvalidStatement where the oracle may not say what it says."""
    require(len(scenarios) == len(oracle), "scenarios: a row for each oracle row is needed")
    markets = len(portfolio.instruments)
    result: list[Vector] = []
    for first in range(0, len(oracle), markets):
        rows = oracle[first : first + markets]
        given = scenarios[first : first + markets]
        try:
            result += portfolio.vectors([row.price for row in rows], rows[0].time, given)
        except ValueError as error:
            raise InvalidStatement(f"scenarios, tick {rows[0].tick}, {error}") from error
    return result


def public_terms(statement: Statement) -> list[PublicTerm]:
    """Each L1 row is sent exactly once, each order once for each of its fills; a sweep answers for what options have
    left."""
    terms = [PublicTerm("l1", 1, (r.queue, r.kind, r.cell, r.amount, r.outcome)) for r in statement.l1]
    terms += [PublicTerm("order", row.fills, row.terms()) for row in statement.orders]
    return terms if statement.sweep is None else terms + unsettled_terms(statement.sweep.unsettled)


def unsettled_terms(unsettled: Sequence[int]) -> list[PublicTerm]:
    """What is left of each market answers the positions of a book."""
    return [PublicTerm("positions", -left, (market,)) for market, left in enumerate(unsettled) if left]


def public_scalars(statement: Statement) -> dict[str, int]:
    """Where ticks and the queue begin; of a sweep, its tick and its sums; of a cadence, its counts, and the time of its
    sample."""
    scalars = {"first_tick": statement.oracle[0].tick, "next_queue": statement.next_queue}
    if statement.sweep is not None:
        scalars |= {"tick": statement.oracle[-1].tick, **asdict(statement.sweep.totals)}
    if (checks := statement.checks) is not None:
        scalars |= {"late": checks.late, "sampled": checks.sampled, "overdue": checks.overdue}
        scalars["sample_clock"] = statement.last_oracle[0].time
    return scalars
