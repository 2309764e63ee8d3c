"""The solvency of a whole book as a circuit of its own; batches may end with the same table."""

from dataclasses import replace

from circuits.circuit import Circuit
from circuits.margin.book import book_table
from circuits.margin.circuit import lookups_table, scenarios_of
from circuits.margin.formulas import fitting
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.scenarios import scenarios_table


def solvency_circuit(parameters: Parameters, shape: Shape) -> Circuit:
    """The circuit for a state of `shape.cells` cells, with limbs of `shape.limb_bits` and a table of
    `shape.scenarios` rows where there are portfolios; of groups it only matters whether there are any."""
    shape = replace(shape, samples=0)
    tables = [book_table(parameters, shape), lookups_table(parameters, shape)]
    if shape.scenarios:
        tables.append(scenarios_table(shape, scenarios_of(parameters, shape)))
    return fitting(Circuit(tables), parameters, shape)
