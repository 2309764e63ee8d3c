"""Straight-line programs: expressions as a list of instructions over a small set of registers, for whole columns at a
time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from circuits.expression import Expression, nodes

REGISTER, INPUT, CONSTANT = range(3)
SPACE_SHIFT = 24
OPERATIONS = {"add": 0, "sub": 1, "mul": 2}
X_COLUMN, LAGRANGE_COLUMN = "#x", "#lagrange"  # columns that the domain itself defines


@dataclass(frozen=True)
class Program:
    """Code for one row; an operand is (space << 24) | index with space 0 register, 1 input, 2 constant.

    inputs: (column index, rotation): at row j the value is column[(j + rotation) mod n].
    code: (operation, register, operand, operand), operation 0 add, 1 sub, 2 mul.
    outputs: operands, read after the last instruction.
    """

    inputs: tuple[tuple[int, int], ...]
    constants: int
    registers: int
    code: tuple[tuple[int, int, int, int], ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Compiled:
    """A program with the names of what it reads: columns (also `#x` and `#lagrange`, L_0 of the domain), and leaves
    for its constants."""

    program: Program
    columns: tuple[str, ...]
    constants: tuple[Expression, ...]


def compile_program(roots: Sequence[Expression]) -> Compiled:
    """One program for all roots; registers are reused after the last use of what they hold."""
    return _compile(tuple(roots))


@cache
def _compile(roots: tuple[Expression, ...]) -> Compiled:
    return _Compiler(roots).compile()


class _Compiler:
    def __init__(self, roots: Sequence[Expression]) -> None:
        self.roots = roots
        self.order = list(nodes(roots))
        self.columns: dict[str, int] = {}
        self.inputs: dict[tuple[int, int], int] = {}
        self.constants: dict[Expression, int] = {}
        self.free: list[int] = []
        self.registers = 0

    def compile(self) -> Compiled:
        remaining = self._uses()
        place: dict[Expression, int] = {}
        code = []
        for node in self.order:
            if node.is_leaf:
                place[node] = self._leaf(node)
                continue
            a, b = node.arguments
            operands = place[a], place[b]
            for child in node.arguments:
                remaining[child] -= 1
            for child in dict.fromkeys((a, b)):  # once each, in this order: the program is part of the digest
                if remaining[child] == 0 and not child.is_leaf:
                    self.free.append(place[child])
            place[node] = self._register()
            code.append((OPERATIONS[node.operator], place[node], *operands))
        program = Program(
            tuple(self.inputs),
            len(self.constants),
            self.registers,
            tuple(code),
            tuple(place[root] for root in self.roots),
        )
        return Compiled(program, tuple(self.columns), tuple(self.constants))

    def _uses(self) -> dict[Expression, int]:
        uses = dict.fromkeys(self.order, 0)
        for node in self.order:
            for child in () if node.is_leaf else node.arguments:
                uses[child] += 1
        for root in self.roots:
            uses[root] += 1
        return uses

    def _register(self) -> int:
        if self.free:
            return self.free.pop()
        self.registers += 1
        return self.registers - 1

    def _leaf(self, node: Expression) -> int:
        match node.operator:
            case "query":
                column, rotation = node.arguments
            case "x":
                column, rotation = X_COLUMN, 0
            case "lagrange":  # L_k(X) = L_0(w^-k X)
                column, rotation = LAGRANGE_COLUMN, -node.arguments[0]
            case _:
                return CONSTANT << SPACE_SHIFT | self.constants.setdefault(node, len(self.constants))
        index = self.columns.setdefault(column, len(self.columns))
        return INPUT << SPACE_SHIFT | self.inputs.setdefault((index, rotation), len(self.inputs))
