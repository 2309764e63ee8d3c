"""The arithmetic of the verifier as a graph: its own functions, called with `Value`s where they expect integers.

A `Value` adds, multiplies and takes powers as an integer mod r would. What Python would decide is written down: a test
for zero becomes the demand that the verifier's refusal does not happen.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from circuits.field import MODULUS

LEAVES = ("input", "constant")


class Value:
    """A node: `input` and `constant` have a number, `add`, `sub`, `mul` two nodes, `inverse` one."""

    __slots__ = ("arguments", "operator", "trace")

    def __init__(self, trace: Trace, operator: str, arguments: tuple[Value | int, ...]) -> None:
        self.trace, self.operator, self.arguments = trace, operator, arguments

    @property
    def children(self) -> tuple[Value, ...]:
        return tuple(argument for argument in self.arguments if isinstance(argument, Value))

    @property
    def number(self) -> int:
        """Of a leaf."""
        [number] = self.arguments
        if not isinstance(number, int):
            raise ValueError(f"{self.operator} is no leaf")
        return number

    @property
    def constant(self) -> int | None:
        return self.number if self.operator == "constant" else None

    def __add__(self, other: Value | int) -> Value:
        return self.trace.add(self, self.trace.lift(other))

    __radd__ = __add__

    def __sub__(self, other: Value | int) -> Value:
        return self.trace.sub(self, self.trace.lift(other))

    def __rsub__(self, other: int) -> Value:
        return self.trace.sub(self.trace.lift(other), self)

    def __mul__(self, other: Value | int) -> Value:
        return self.trace.mul(self, self.trace.lift(other))

    __rmul__ = __mul__

    def __neg__(self) -> Value:
        return 0 - self

    def __mod__(self, modulus: int) -> Value:
        if modulus != MODULUS:
            raise ValueError("values are elements of the scalar field")
        return self

    def __pow__(self, exponent: int, modulus: int | None = None) -> Value:
        if exponent < 0:
            return pow(self.trace.inverse(self), -exponent, modulus)
        result = self.trace.lift(1)
        for bit in bin(exponent)[2:]:
            result = result * result
            if bit == "1":
                result = result * self
        return result

    def __eq__(self, other: object) -> bool:
        """Whether it is the same node; of a number, False, and that it differs is demanded."""
        if isinstance(other, int):
            self.trace.demand_nonzero(self - other)
            return False
        return self is other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        """False, and that it is zero is demanded."""
        self.trace.zeros.append(self)
        return False


@dataclass
class Trace:
    """Equal nodes are one. zeros, nonzeros: what must be, for the verifier not to refuse; inverses: of what."""

    zeros: list[Value] = field(default_factory=list)
    nonzeros: list[Value] = field(default_factory=list)
    inverted: dict[Value, Value] = field(default_factory=dict)
    _nodes: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def input(self, number: int) -> Value:
        return self._node("input", number)

    def lift(self, value: Value | int) -> Value:
        return value if isinstance(value, Value) else self._node("constant", value % MODULUS)

    def add(self, a: Value, b: Value) -> Value:
        if a.constant is not None and b.constant is not None:
            return self.lift(a.constant + b.constant)
        if a.constant is not None:
            a, b = b, a
        if b.constant == 0:
            return a
        if b.constant is not None and b.constant > MODULUS // 2:  # the shorter of c and -c
            return self._node("sub", a, self.lift(-b.constant))
        return self._node("add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        if b.constant is not None and (a.constant is not None or b.constant == 0 or b.constant > MODULUS // 2):
            return self.add(a, self.lift(-b.constant))
        return self._node("sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        if a.constant is not None and b.constant is not None:
            return self.lift(a.constant * b.constant)
        if a.constant is not None:
            a, b = b, a
        if b.constant == 0:
            return b
        if b.constant == 1:
            return a
        return self._node("mul", a, b)

    def inverse(self, value: Value) -> Value:
        if value.constant is not None:
            return self.lift(pow(value.constant, -1, MODULUS))
        node = self._node("inverse", value)
        self.inverted[value] = node
        return node

    def demand_nonzero(self, value: Value) -> None:
        self.nonzeros.append(value)

    def batch_inversions(self, roots: Sequence[Value]) -> tuple[list[Value], Value]:
        """The roots with one inversion for all that do not depend on each other (Montgomery's trick), and the product
        of what must not be zero: what is inverted among it."""
        replaced: dict[Value, Value] = {}
        product, waiting = self.lift(1), list(self.inverted)
        while waiting:
            ready = [value for value in waiting if not _pending(value, replaced)]
            waiting = [value for value in waiting if value not in ready]
            values = self._rewritten(ready, replaced)
            prefixes = [self.lift(1)]
            for value in values:
                prefixes.append(prefixes[-1] * value)
            running = self._node("inverse", prefixes[-1])
            for value, rewritten, prefix in reversed(list(zip(ready, values, prefixes[:-1], strict=True))):
                replaced[self.inverted[value]] = running * prefix
                running = running * rewritten
            product = product * prefixes[-1]
        for value in self._rewritten([value for value in self.nonzeros if value not in self.inverted], replaced):
            product = product * value
        return self._rewritten(roots, replaced), product

    def _rewritten(self, roots: Sequence[Value], replaced: dict[Value, Value]) -> list[Value]:
        rewritten = dict(replaced)
        operations = {"add": self.add, "sub": self.sub, "mul": self.mul}
        for node in nodes(roots, stop=replaced):
            if node not in rewritten:
                parts = [rewritten[child] for child in node.children]
                rewritten[node] = operations[node.operator](*parts) if parts else node
        return [rewritten[root] for root in roots]

    def _node(self, operator: str, *arguments: Value | int) -> Value:
        key = (operator, *(id(a) if isinstance(a, Value) else a for a in arguments))
        if key not in self._nodes:
            self._nodes[key] = Value(self, operator, arguments)
        return self._nodes[key]


def nodes(roots: Iterable[Value], stop: Container[Value] = ()) -> list[Value]:
    """Every node below the roots once, children first; nothing below a node of `stop`."""
    seen: dict[Value, None] = {}
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if node in seen:
            continue
        if ready or not node.children or node in stop:
            seen[node] = None
        else:
            stack += [(node, True), *((child, False) for child in reversed(node.children))]
    return list(seen)


def _pending(value: Value, replaced: Container[Value]) -> bool:
    return any(node.operator == "inverse" and node not in replaced for node in nodes([value], replaced))
