"""Expressions over whole columns: compiled once, run by the backend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuits.expression import Expression
from circuits.field import MODULUS, root_of_unity
from circuits.program import LAGRANGE_COLUMN, X_COLUMN, Compiled, compile_program
from prover.backend import Backend, Vector


@dataclass(frozen=True)
class Scalars:
    """The leaves that are one field element in all rows: challenges, and the public scalars of a table."""

    challenges: Mapping[str, int]
    public: Mapping[str, int]

    def value(self, leaf: Expression) -> int:
        if leaf.operator == "constant":
            return int(leaf.arguments[0])
        return (self.challenges if leaf.operator == "challenge" else self.public)[leaf.arguments[0]] % MODULUS


def run_compiled(
    backend: Backend, compiled: Compiled, inputs: list[Vector], size: int, scalars: Scalars
) -> list[Vector]:
    """The roots of a compiled program in each of `size` rows; inputs: one vector for each column that it names."""
    constants = [scalars.value(leaf) for leaf in compiled.constants]
    if inputs:
        return backend.run(compiled.program, inputs, constants)
    # a program of constants alone does not say how many rows it has
    program = replace(compiled.program, inputs=((0, 0),))
    return backend.run(program, [backend.vector(np.zeros(size, np.uint8))], constants)


def run_on_domain(
    backend: Backend, size: int, roots: Sequence[Expression], column: Callable[[str], Vector], scalars: Scalars
) -> list[Vector]:
    """The values of the roots in each of the `size` rows of a table; `column` gives those of a column."""
    compiled = compile_program(roots)
    inputs = []
    for name in compiled.columns:
        if name == X_COLUMN:
            inputs.append(backend.powers(root_of_unity(size), size))
        elif name == LAGRANGE_COLUMN:
            inputs.append(backend.vector([1] + [0] * (size - 1)))
        else:
            inputs.append(column(name))
    return run_compiled(backend, compiled, inputs, size, scalars)
