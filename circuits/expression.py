"""Expressions: the one place where a law is written.

An `Expression` is a polynomial in column queries, challenges, public scalars, `X` and Lagrange polynomials. It says
what holds, never how to compute it: the witness check, the quotient, the verifier and the contract evaluate the same
nodes in different algebras. Equal nodes are one object, so a shared subexpression is evaluated once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar, Union

from circuits.field import MODULUS

Value = TypeVar("Value")
SYMBOLS = {"add": "+", "sub": "-", "mul": "*"}
Operand = Union["Expression", int]


class Algebra(Protocol[Value]):
    """What an expression is evaluated in: a meaning for each leaf, and a ring."""

    def leaf(self, node: "Expression") -> Value: ...
    def add(self, a: Value, b: Value) -> Value: ...
    def sub(self, a: Value, b: Value) -> Value: ...
    def mul(self, a: Value, b: Value) -> Value: ...


class Expression:
    """A node: an operator (`add`, `sub`, `mul`) over two nodes, or a leaf with its arguments."""

    __slots__ = ("arguments", "operator")
    _interned: ClassVar[dict[tuple[object, ...], "Expression"]] = {}

    operator: str
    arguments: tuple

    def __new__(cls, operator: str, *arguments: object) -> "Expression":
        key = (operator, *arguments)
        node = cls._interned.get(key)
        if node is None:
            node = object.__new__(cls)
            node.operator, node.arguments = operator, arguments
            cls._interned[key] = node
        return node

    @property
    def is_leaf(self) -> bool:
        return self.operator not in ("add", "sub", "mul")

    @property
    def constant(self) -> int | None:
        """The value of a constant leaf, else None."""
        return self.arguments[0] if self.operator == "constant" else None

    def __add__(self, other: Operand) -> "Expression":
        other = lift(other)
        if self.constant == 0:
            return other
        return self if other.constant == 0 else Expression("add", self, other)

    def __radd__(self, other: Operand) -> "Expression":
        return lift(other) + self

    def __sub__(self, other: Operand) -> "Expression":
        other = lift(other)
        return self if other.constant == 0 else Expression("sub", self, other)

    def __rsub__(self, other: Operand) -> "Expression":
        return lift(other) - self

    def __neg__(self) -> "Expression":
        return lift(0) - self

    def __mul__(self, other: Operand) -> "Expression":
        other = lift(other)
        for one, rest in ((self, other), (other, self)):
            if one.constant == 0:
                return one
            if one.constant == 1:
                return rest
        return Expression("mul", self, other)

    def __rmul__(self, other: Operand) -> "Expression":
        return lift(other) * self

    def at(self, rotation: int) -> "Expression":
        """The same column `rotation` rows further on, cyclically; only of a column query."""
        if self.operator != "query":
            raise ValueError("only a column has rotations")
        return query(self.arguments[0], self.arguments[1] + rotation)

    def __repr__(self) -> str:
        if self.is_leaf:
            return f"{self.operator}({', '.join(map(str, self.arguments))})"
        return f"({self.arguments[0]!r} {SYMBOLS[self.operator]} {self.arguments[1]!r})"


def lift(value: Operand) -> Expression:
    return value if isinstance(value, Expression) else Expression("constant", value % MODULUS)


def query(column: str, rotation: int = 0) -> Expression:
    """The value of a column of the table at the present row plus `rotation`."""
    return Expression("query", column, rotation)


def challenge(name: str) -> Expression:
    return Expression("challenge", name)


def public(name: str) -> Expression:
    """A scalar of the statement or the proof that the verifier knows, such as a table's bus sum."""
    return Expression("public", name)


def lagrange(row: int) -> Expression:
    """L_row: 1 in that row of the table (negative rows count from the end) and 0 in the others."""
    return Expression("lagrange", row)


X = Expression("x")


def total(terms: Sequence[Operand]) -> Expression:
    """The sum of the terms."""
    result = lift(0)
    for term in terms:
        result = result + term
    return result


def nodes(roots: Sequence[Expression]) -> Iterator[Expression]:
    """Every node below the roots once, children before parents, left before right."""
    seen: set[Expression] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if node in seen:
            continue
        if ready or node.is_leaf:
            seen.add(node)
            yield node
        else:
            stack += [(node, True), (node.arguments[1], False), (node.arguments[0], False)]


def evaluate(roots: Sequence[Expression], algebra: Algebra[Value]) -> list[Value]:
    """The values of the roots in the algebra; each distinct node is evaluated once."""
    values: dict[Expression, Value] = {}
    for node in nodes(roots):
        if node.is_leaf:
            values[node] = algebra.leaf(node)
        else:
            operation = getattr(algebra, node.operator)
            values[node] = operation(values[node.arguments[0]], values[node.arguments[1]])
    return [values[root] for root in roots]


@dataclass(frozen=True)
class Scalars:
    """Field elements: leaves by a look-up, arithmetic mod r."""

    lookup: Callable[[Expression], int]

    def leaf(self, node: Expression) -> int:
        return node.arguments[0] if node.operator == "constant" else self.lookup(node)

    def add(self, a: int, b: int) -> int:
        return (a + b) % MODULUS

    def sub(self, a: int, b: int) -> int:
        return (a - b) % MODULUS

    def mul(self, a: int, b: int) -> int:
        return a * b % MODULUS


class Degrees:
    """Degrees in units of the table's size: a column or a Lagrange polynomial counts one, and so, generously, does
    X."""

    def leaf(self, node: Expression) -> int:
        return int(node.operator in ("query", "lagrange", "x"))

    def add(self, a: int, b: int) -> int:
        return max(a, b)

    sub = add

    def mul(self, a: int, b: int) -> int:
        return a + b


def degree(root: Expression) -> int:
    return evaluate([root], Degrees())[0]


def queries(roots: Sequence[Expression]) -> set[tuple[str, int]]:
    """All (column, rotation) that the roots ask for."""
    return {(node.arguments[0], node.arguments[1]) for node in nodes(roots) if node.operator == "query"}
