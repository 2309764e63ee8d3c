"""The bus columns of a table: helpers, each a sum of a few fractions, and the running sum of all of them."""

from collections.abc import Callable

import numpy as np

from circuits.bus import RUNNING_SUM, Fraction, helper_fractions
from circuits.circuit import Circuit
from circuits.field import MODULUS
from circuits.table import Table
from prover.backend import Backend, Vector
from prover.errors import ProverError
from prover.program import Scalars, run_on_domain


def bus_columns(
    backend: Backend, circuit: Circuit, table: Table, column: Callable[[str], Vector], scalars: Scalars
) -> tuple[dict[str, Vector], int]:
    """({bus column: its values}, sigma).

    column: gives the values of all other columns. scalars: hold beta, gamma and w.
    """

    def helper(named: tuple[str, Fraction]) -> Vector:
        name, fraction = named
        above, below = run_on_domain(backend, table.size, fraction, column, scalars)
        try:
            return backend.multiply(above, backend.inverse(below))
        except ZeroDivisionError as error:
            raise ProverError(
                f"{table.name}.{name}: gamma is the tuple of a row; prove again with fresh randomness"
            ) from error

    helpers = helper_fractions(table, circuit.channels)
    columns = dict(zip((name for name, _ in helpers), backend.each(helper, helpers), strict=True))
    columns[RUNNING_SUM], sigma = _running_sum(
        backend, table, lambda name: columns[name] if name in columns else column(name), scalars
    )
    return columns, sigma


def _running_sum(
    backend: Backend, table: Table, column: Callable[[str], Vector], scalars: Scalars
) -> tuple[Vector, int]:
    """S with S_0 = 0 and S_{i+1} = S_i + step_i - sigma/n, and sigma = sum of the steps."""
    law = next(constraint.expression for constraint in table.constraints if constraint.name == RUNNING_SUM)
    zeros = backend.vector(np.zeros(table.size, np.uint8))
    # with S = 0 and sigma = 0 the law S(wX) - S - step + sigma/n is -step
    without_sigma = Scalars(scalars.challenges, {**scalars.public, "sigma": 0})
    [negative] = run_on_domain(
        backend, table.size, [law], lambda name: zeros if name == RUNNING_SUM else column(name), without_sigma
    )
    sums = backend.prefix_sums(
        backend.concatenate([negative, backend.vector([0])])
    )  # n + 1 of them, the last is -sigma
    sigma = -backend.integers(backend.slice(sums, table.size, table.size + 1))[0] % MODULUS
    rows = backend.vector(np.arange(table.size))
    share = sigma * pow(table.size, -1, MODULUS) % MODULUS
    return backend.combine([backend.slice(sums, 0, table.size), rows], [MODULUS - 1, MODULUS - share]), sigma
