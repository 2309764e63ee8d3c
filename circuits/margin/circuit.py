"""The margin circuit: transitions, the committed state, and one table for everything that is looked up."""

from collections.abc import Iterator, Sequence

from circuits.circuit import Circuit
from circuits.margin.book import book_table
from circuits.margin.dues import add_lookups, samples_table
from circuits.margin.fills import fills_table
from circuits.margin.formulas import fitting
from circuits.margin.groups import groups_table
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.scenarios import scenarios_table
from circuits.margin.tiers import ParameterError, Tier, check_integer
from circuits.margin.transitions import (
    ADDONS,
    CLOSEOUT,
    INITIAL,
    INITIAL_OPEN,
    LONG,
    MAINTENANCE,
    transitions_table,
)
from circuits.table import Table

TIER_COLUMNS = ("listed", "market", "requirement", "lower", "upper", "rate", "deduction")
ORACLE_COLUMNS = ("listed", "tick", "market", "price", "index")
EXPIRED_COLUMNS = ("listed", "tick", "market")


def margin_circuit(parameters: Parameters, shape: Shape) -> Circuit:
    """The circuit of these parameters and sizes, the same for the prover and the verifier.

    ParameterError when a system cell, the tiers or one tick's oracle rows have no place in tables of these sizes.
    """
    check_integer("fee_cell", parameters.fee_cell, 0, shape.accounts - 1)
    check_integer("insurance_cell", parameters.insurance_cell, 0, shape.accounts - 1)
    check_integer("tiers", len(tier_rows(parameters)), 1, 1 << shape.limb_bits)
    check_integer("markets", len(parameters.markets), 1, 1 << shape.limb_bits)
    if (parameters.cadence is None) != (shape.samples == 0):
        raise ParameterError("samples", "a table of samples is needed where the parameters have a cadence, only there")
    tables = [transitions_table(parameters, shape), cells_table(shape), lookups_table(parameters, shape)]
    if shape.groups:
        tables.append(groups_table(parameters, shape))
    if shape.scenarios:
        tables.append(scenarios_table(shape, scenarios_of(parameters, shape)))
    if shape.orders:
        tables.append(fills_table(shape))
    if shape.samples:
        tables.append(samples_table(shape))
    if shape.sweep:
        tables.append(book_table(parameters, shape))
    return fitting(Circuit(tables), parameters, shape)


def scenarios_of(parameters: Parameters, shape: Shape) -> int:
    """How many scenarios portfolios are judged by; ParameterError where they are not both given and in a group."""
    if parameters.portfolio is None:
        raise ParameterError("scenarios", "a table for portfolios, and parameters without a portfolio")
    if not shape.groups:
        raise ParameterError("scenarios", "portfolios are groups, and the shape has no table for groups")
    return parameters.portfolio.scenarios


def cells_table(shape: Shape) -> Table:
    """The state before and after: a touched cell enters memory at time 0 and leaves it at its last time; an untouched
    one does not change.

    The chain of accesses of a cell has rising times, so `last` needs no check of its own (design note in
    docs/protocol.md).
    """
    table = Table("cells", shape.cells, shape.limb_bits, max_degree=3)
    address = table.fixed("address", range(shape.cells))
    old, new = table.state("old"), table.state("new")
    touched, last = table.boolean("touched"), table.witness("last")
    table.require("untouched", (1 - touched) * (new - old))
    table.send("initial", "memory", touched, address, old, 0)
    table.receive("final", "memory", touched, address, new, last)
    return table


def lookups_table(parameters: Parameters, shape: Shape) -> Table:
    """Limb values, margin tiers and the statement's oracle rows, each with the number of times it is looked up."""
    table = Table("lookups", 1 << shape.limb_bits, shape.limb_bits, max_degree=3)
    table.receive("range", "range", table.witness("range_count"), table.fixed("value", range(table.size)))
    rows = list(zip(*tier_rows(parameters), strict=True))
    listed, *tier = [table.fixed(f"tier_{name}", values) for name, values in zip(TIER_COLUMNS, rows, strict=True)]
    table.receive("tier", "tier", listed * table.witness("tier_count"), *tier)
    listed, *oracle = [table.public(f"oracle_{name}") for name in ORACLE_COLUMNS]
    table.receive("oracle", "oracle", listed * table.witness("oracle_count"), *oracle)
    if shape.scenarios:
        width = scenarios_of(parameters, shape) + 1
        names = ["listed", "tick", "market", *map(str, range(width))]
        listed, *vector = [table.public(f"vector_{name}") for name in names]
        table.receive("vector", "vector", listed * table.witness("vector_count"), *vector)
    if parameters.has_options:
        listed, *expired = [table.public(f"expired_{name}") for name in EXPIRED_COLUMNS]
        table.receive("expired", "expired", listed * table.witness("expired_count"), *expired)
    if shape.samples:
        add_lookups(table, parameters)
    return table


def tier_rows(parameters: Parameters) -> list[tuple[int, ...]]:
    """Rows of TIER_COLUMNS: each tier once with its maintenance and once with its initial requirement, and the add-ons
    of portfolios."""
    rows: list[tuple[int, ...]] = []
    for market, entry in enumerate(parameters.markets):
        rows += _tier_rows(market, entry.tiers, 0, entry.is_asset)
    if parameters.portfolio is not None:
        for market, instrument in enumerate(parameters.portfolio.instruments):
            rows += _tier_rows(market, instrument.addons, ADDONS, parameters.markets[market].is_asset)
    return rows


def _tier_rows(market: int, tiers: Sequence[Tier], addons: int, asset: bool) -> Iterator[tuple[int, ...]]:
    """Of an asset each tier is there twice for either requirement: as others are, but never as open, and of classes
    that say that it is an asset."""
    for tier in tiers:
        bounds = tier.lower, tier.upper
        maintenance = *bounds, tier.maintenance_rate, tier.maintenance_deduction
        initial = *bounds, tier.initial_rate, tier.initial_deduction
        yield 1, market, addons + MAINTENANCE, *maintenance
        yield 1, market, addons + (INITIAL_OPEN if tier.open and not asset else INITIAL), *initial
        if asset:
            yield 1, market, addons + MAINTENANCE + CLOSEOUT, *maintenance
        if asset and tier.open:
            yield 1, market, addons + INITIAL_OPEN + LONG, *initial
