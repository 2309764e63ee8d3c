"""The equations and the pairing as EVM code: from a statement's values and a proof to a verdict."""

from collections.abc import Iterator, Sequence

from circuits.field import MODULUS
from verifier.curve import BASE_MODULUS, G2Point, Point
from verifier.evm.assemble import Assembler, Words, kept
from verifier.evm.opcodes import ECADD, ECMUL, PAIRING, WORD, call, demand, op, push
from verifier.evm.symbolic import At, Traced, traced
from verifier.evm.trace import Value, nodes
from verifier.key import VerifyingKey

LIMIT = 24_576
"""Bytes of a contract (EIP-170)."""
MOST_EVALUATORS = 16
SCRATCH_WORDS = 12
G2_GENERATOR: G2Point = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)
"""EIP-197"""


def evaluator_codes(key: VerifyingKey, limit: int = LIMIT) -> list[bytes]:
    """Runtime code of the evaluators, each at most `limit` bytes, the first one first.

    Calldata: the words of `Memory` between the modulus and the scratch. Returns the word 1 or reverts; each calls the
    next with its memory. ValueError when not even many contracts hold the code.
    """
    for evaluators in range(1, MOST_EVALUATORS + 1):
        pieces = _pieces(traced(key, evaluators), key.tau_g2, limit)
        if len(pieces) == evaluators:
            return pieces
    raise ValueError(f"the verifier of this key does not fit {MOST_EVALUATORS} contracts of {limit} bytes")


def _pieces(verifier: Traced, tau_g2: G2Point, limit: int) -> list[bytes]:
    work = Assembler(verifier.memory.free)
    statements, scalars, words = _scalars(work, verifier)
    statements += [*_points(work, scalars, [point for _, point in verifier.terms])]
    statements.append(_pairing(work.scratch, verifier.w_prime, tau_g2))
    start = op("calldatasize") + push(0, WORD) + op("calldatacopy") + push(MODULUS, MODULUS, 0) + op("mstore")
    pieces, code = list[bytes](), start
    for statement in statements:
        following = push(WORD * (2 + len(pieces))) + op("mload")
        go_on = call(following, WORD, WORD * (words - 1), 0, WORD) + demand() + push(WORD, 0) + op("return")
        if len(code) + len(statement) + len(go_on) > limit:
            pieces.append(code + go_on)
            code = start
        code += statement
    return [*pieces, code]


def _scalars(work: Assembler, verifier: Traced) -> tuple[list[bytes], list[Value], int]:
    """Code that computes every term's scalar and reverts where an equation fails, the scalars, the words it takes."""
    trace, terms = verifier.trace, len(verifier.terms)
    roots, product = trace.batch_inversions([*(scalar for scalar, _ in verifier.terms), *trace.zeros])
    work.slots |= {
        node: node.number for node in nodes([product, *roots, *verifier.scalars]) if node.operator == "input"
    }
    order = kept([product, *roots])
    words = Words(work, order, roots[:terms], verifier.memory.free + SCRATCH_WORDS)
    statements = [_canonical(work, verifier.scalars)]
    for node in order:
        words.keep(node)
        if node is product:
            work.value(node, 1)
            work.demand()
        elif node in roots[terms:]:
            work.value(node, 1)
            work.emit(op("iszero"), change=0)
            work.demand()
        statements.append(work.take())
    return statements, roots[:terms], words.count


def _canonical(work: Assembler, scalars: Sequence[Value]) -> bytes:
    """Reverts unless all are below r."""
    work.emit(push(1), change=1)
    for scalar in scalars:
        work.modulus()
        work.load(work.slots[scalar])
        work.emit(op("lt", "and"), change=-2)
    work.demand()
    return work.take()


def _points(work: Assembler, scalars: Sequence[Value], points: Sequence[At | Point]) -> Iterator[bytes]:
    """The sum of scalars times points, in the first two words of the scratch. The precompiles refuse coordinates that
    are not below p, and points off the curve."""
    total, factor, scalar = work.scratch, work.scratch + 2, work.scratch + 4
    work.emit(push(0, WORD * total) + op("mstore") + push(0, WORD * (total + 1)) + op("mstore"), change=0)
    for value, point in zip(scalars, points, strict=True):
        x, y = _coordinates(point)
        if value.constant == MODULUS - 1:
            work.emit(push(BASE_MODULUS), y, op("lt"), demand(), change=0)
            y = _negative(y)
        for i, coordinate in enumerate((x, y)):
            work.emit(coordinate, push(WORD * (factor + i)), op("mstore"), change=0)
        if value.constant != MODULUS - 1:
            work.value(value)
            work.store(scalar)
            work.emit(call(push(ECMUL), WORD * factor, 3 * WORD, WORD * factor, 2 * WORD), demand(), change=0)
        work.emit(call(push(ECADD), WORD * total, 4 * WORD, WORD * total, 2 * WORD), demand(), change=0)
        yield work.take()


def _coordinates(point: At | Point) -> list[bytes]:
    """Code that pushes x, and that pushes y."""
    if isinstance(point, At):
        return [push(WORD * (point.word + i)) + op("mload") for i in range(2)]
    return [push(coordinate) for coordinate in point or (0, 0)]


def _negative(coordinate: bytes) -> bytes:
    """-y, for a y below p."""
    return push(BASE_MODULUS) + coordinate + push(BASE_MODULUS) + op("sub", "mod")


def _pairing(scratch: int, w_prime: At, tau_g2: G2Point) -> bytes:
    """Returns 1 where e(sum, [1]_2) * e(-W', [tau]_2) = 1, else reverts (EIP-197: imaginary parts first)."""
    x, y = _coordinates(w_prime)
    words = [*_g2(G2_GENERATOR), x, _negative(y), *_g2(tau_g2)]
    code = b"".join(word + push(WORD * (scratch + 2 + i)) + op("mstore") for i, word in enumerate(words))
    code += call(push(PAIRING), WORD * scratch, 12 * WORD, 0, WORD) + demand()
    return code + push(0) + op("mload") + demand() + push(WORD, 0) + op("return")


def _g2(point: G2Point) -> list[bytes]:
    return [push(part) for c_0, c_1 in point for part in (c_1, c_0)]
