"""A way out for anyone: the state from what was published, and the opening of a cell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from circuits.field import MODULUS, root_of_unity
from circuits.margin.statement import InvalidStatement, Point, Statement
from prover.backend import Backend
from prover.setup import SRS
from prover.words import Words
from zkmargin.proving import commit_cells


@dataclass(frozen=True)
class Opening:
    """That the polynomial committed in root has this value at w^cell. proof: the commitment to (f - f(s)) / (X - s)."""

    root: Point
    cell: int
    content: int
    proof: Point


def rebuild(statements: Iterable[Statement]) -> dict[int, int]:
    """The non-empty cells after the statements, from genesis on; InvalidStatement where one is missing or publishes no
    difference."""
    cells: dict[int, int] = {}
    for number, statement in enumerate(statements):
        if statement.batch != number:
            raise InvalidStatement(f"batch {number} is missing: the state cannot be rebuilt without it")
        if statement.diff is None:
            raise InvalidStatement(f"batch {number} publishes no difference: its operator alone knows the state")
        for cell, change in statement.diff:
            cells[cell] = (cells.get(cell, 0) + change) % MODULUS
    return {cell: content for cell, content in cells.items() if content}


def open_cell(cells: Mapping[int, int], cell: int, size: int, srs: SRS, backend: Backend) -> Opening:
    """The opening of one of `size` cells."""
    if not 0 <= cell < size:
        raise InvalidStatement(f"there is no cell {cell}: the state has {size}")
    coefficients = backend.intt(backend.vector(Words.sparse(size, cells).array))
    quotient = backend.divide_linear(coefficients, pow(root_of_unity(size), cell, MODULUS))
    proof = backend.msm(srs.powers[: len(quotient)], quotient)
    return Opening(commit_cells(srs, backend, size, cells), cell, cells.get(cell, 0), proof)
