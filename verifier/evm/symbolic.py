"""The verifier itself, run on a proof that is not there: what it hashes becomes a list of steps, what it computes a
graph, what it multiplies points with the scalars of a linear combination."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from circuits.expression import nodes
from circuits.field import MODULUS, inverse
from circuits.table import Kind
from verifier.evm.trace import Trace, Value
from verifier.identity import PublicValues
from verifier.key import VerifyingKey
from verifier.proof import Layout
from verifier.statement import ColumnKey
from verifier.verify import equation, read_proof

CHALLENGES = ("beta", "gamma", "w", "alpha", "zeta", "v", "z")
"""In the order in which they are drawn."""
Query = tuple[str, str, int]


@dataclass(frozen=True)
class At:
    """A point in two words of the memory."""

    word: int


@dataclass(frozen=True)
class Message:
    """A step of the transcript: the statement, behind its length in 8 bytes."""


@dataclass(frozen=True)
class Element:
    """A step of the transcript: so many words of the proof."""

    words: int


@dataclass(frozen=True)
class Challenge:
    """A step of the transcript: a challenge is drawn."""

    label: str


Step = bytes | Message | Element | Challenge


@dataclass(frozen=True)
class Memory:
    """Which word is what: the modulus; what the caller says; the proof; what an evaluator needs besides.

    The caller says, in order: the addresses of the evaluators; the challenges; numerators of the public columns of a
    table at a rotation, and their common denominator; the statement's scalars; numerator and denominator of its
    fractions, and of the difference of each pair of states, which count only where it is published; x and y of the
    states' commitments. A numerator over its denominator is the sum of v_i * w^i / (x - w^i) over rows i with values
    v_i at x, or that of m / (gamma - tuple).
    """

    layout: Layout
    evaluators: int

    @cached_property
    def columns(self) -> list[list[Query]]:
        """The queries of public columns, those of one table at one rotation together."""
        public = set(self.layout.circuit.columns(Kind.PUBLIC))
        groups: dict[tuple[str, int], list[Query]] = {}
        for query in self.layout.circuit.queries:
            if query[:2] in public:
                groups.setdefault((query[0], query[2]), []).append(query)
        return list(groups.values())

    @cached_property
    def scalars(self) -> list[str]:
        """The statement's scalars that the constraints name."""
        roots = [constraint.expression for table in self.layout.circuit.tables for constraint in table.constraints]
        names = [node.arguments[0] for node in nodes(roots) if node.operator == "public"]
        return sorted(set(names) - {"sigma"})

    @property
    def states(self) -> list[ColumnKey]:
        return self.layout.circuit.columns(Kind.STATE)

    @property
    def first_challenge(self) -> int:
        return 1 + self.evaluators

    @property
    def said(self) -> int:
        """How many words the caller says."""
        columns = sum(len(group) + 1 for group in self.columns)
        fractions = 2 + 2 * len(self.layout.state_pairs)
        states = 2 * len(self.states)
        return self.evaluators + len(CHALLENGES) + columns + len(self.scalars) + fractions + states

    @property
    def proof(self) -> int:
        """The first word of the proof."""
        return 1 + self.said

    @property
    def free(self) -> int:
        return self.proof + self.layout.size // 32


@dataclass
class SymbolicReader:
    """Stands for `ProofReader`: elements are where they will lie, challenges what will be said."""

    trace: Trace
    position: int
    next_challenge: int

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        self.scalars: list[Value] = []

    def absorb(self, data: bytes) -> None:
        self.steps.append(data)

    def absorb_message(self, _: bytes) -> None:
        self.steps.append(Message())

    def read_point(self, _: str) -> At:
        return At(self._element(2))

    def read_scalar(self, _: str) -> Value:
        self.scalars.append(self.trace.input(self._element(1)))
        return self.scalars[-1]

    def challenge(self, label: str) -> Value:
        self.steps.append(Challenge(label))
        self.next_challenge += 1
        return self.trace.input(self.next_challenge - 1)

    def _element(self, words: int) -> int:
        self.steps.append(Element(words))
        self.position += words
        return self.position - words


@dataclass(frozen=True)
class Traced:
    """All that a contract does with a statement's values and a proof.

    scalars: those of the proof, which must be canonical. terms: their sum is paired with [1]_2. w_prime: what is paired
    with [tau]_2.
    """

    memory: Memory
    trace: Trace
    steps: Sequence[Step]
    scalars: Sequence[Value]
    terms: Sequence[tuple[Value, Any]]
    w_prime: At


def traced(key: VerifyingKey, evaluators: int) -> Traced:
    """The verifier of a key, for code in so many contracts."""
    memory, trace = Memory(key.layout, evaluators), Trace()
    reader: Any = SymbolicReader(trace, memory.proof, memory.first_challenge)
    received = read_proof(key, b"", reader)
    labels = [step.label for step in reader.steps if isinstance(step, Challenge)]
    if tuple(labels) != CHALLENGES or reader.position != memory.free:
        raise ValueError("the verifier reads otherwise than its memory says")
    terms = equation(key, received, _public(memory, trace, received.challenges["zeta"]))
    lifted = [(trace.lift(scalar), point) for scalar, point in terms if point is not None]
    w_prime: Any = received.opening[1]
    return Traced(memory, trace, reader.steps, reader.scalars, lifted, w_prime)


def _public(memory: Memory, trace: Trace, zeta: Any) -> PublicValues:
    said = iter(range(memory.first_challenge + len(CHALLENGES), memory.proof))

    def word() -> Any:
        return trace.input(next(said))

    circuit = memory.layout.circuit
    columns = dict[Query, Any]()
    for group in memory.columns:
        numerators = {query: word() for query in group}
        common = _vanishing(circuit.table(group[0][0]).size, zeta) * pow(word(), -1, MODULUS)
        columns |= {query: common * numerator for query, numerator in numerators.items()}
    scalars = {name: word() for name in memory.scalars}
    fractions = word() * pow(word(), -1, MODULUS)
    differences = {}
    for table, _, new in memory.layout.state_pairs:
        numerator, denominator = word(), word()
        differences[table, new] = (
            _vanishing(circuit.table(table).size, zeta) * numerator * pow(denominator, -1, MODULUS)
        )
    states: Any = {column: At(next(said) + 0 * next(said)) for column in memory.states}
    return PublicValues(columns, scalars, fractions, differences, states)


def _vanishing(size: int, zeta: Any) -> Any:
    """(zeta^n - 1)/n, the factor of every Lagrange polynomial there"""
    return (pow(zeta, size, MODULUS) - 1) * inverse(size)
