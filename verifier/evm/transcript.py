"""The transcript as EVM code: from calldata `verify(bytes statement, bytes proof)` to the challenges."""

from collections.abc import Iterable, Iterator, Sequence

from circuits.field import MODULUS
from verifier.evm.opcodes import SHA256, WORD, call, demand, dup, op, push
from verifier.evm.symbolic import Challenge, Element, Message, Step
from verifier.transcript import LABEL_BYTES, START

STATEMENT = 4 + 3 * WORD
"""Where the statement begins in calldata that is encoded without gaps: behind the selector, two offsets, its length."""
LENGTH_BYTES = 8


def transcript_code(steps: Sequence[Step]) -> bytes:
    """Runtime code that returns the challenges in order, a word each.

    Trusts its caller that the calldata has no gaps and the proof its length. On the stack lies S, the bytes of
    the statement. Memory: challenges; two digests; then what is hashed: state, label, what was absorbed since.
    """
    rounds = list(_rounds(steps))
    digests = WORD * len(rounds)
    state = digests + 2 * WORD
    code = push(int.from_bytes(START, "big"), state) + op("mstore")
    code += push(STATEMENT - WORD) + op("calldataload")
    position = 0
    for number, (label, absorbed) in enumerate(rounds):
        part, position = _absorb(absorbed, state + WORD + LABEL_BYTES, position)
        code += (
            push(int.from_bytes(label.encode().ljust(LABEL_BYTES, b"\0"), "big"), state + WORD) + op("mstore") + part
        )
        code += _challenge(state, digests, WORD * number)
    return code + push(WORD * len(rounds), 0) + op("return")


def _rounds(steps: Iterable[Step]) -> Iterator[tuple[str, list[Step]]]:
    """Each challenge with what is absorbed before it."""
    absorbed: list[Step] = []
    for step in steps:
        if isinstance(step, Challenge):
            yield step.label, absorbed
            absorbed = []
        else:
            absorbed.append(step)


def _absorb(steps: Sequence[Step], target: int, position: int) -> tuple[bytes, int]:
    """Puts the steps into memory from `target` on, and the size of what is hashed then on the stack. position: of the
    proof's next word."""
    code, messages, words = b"", 0, 0

    def proof_words() -> bytes:
        """Copies the words of the proof that wait."""
        nonlocal words, target, position
        if not words:
            return b""
        source = STATEMENT + WORD + WORD * position
        copied = push(WORD * words) + _shifted(source, 1, 1) + _shifted(target, messages, 2) + op("calldatacopy")
        target, position, words = target + WORD * words, position + words, 0
        return copied

    first = target
    for step in steps:
        if isinstance(step, Element):
            words += step.words
            continue
        code += proof_words()
        if isinstance(step, Message):
            size = push(LENGTH_BYTES) + dup(1) + op("add")
            code += size + push(STATEMENT - LENGTH_BYTES) + _shifted(target, messages, 2) + op("calldatacopy")
            target, messages = target + LENGTH_BYTES, messages + 1
        elif isinstance(step, bytes) and len(step) == WORD:
            code += push(int.from_bytes(step, "big")) + _shifted(target, messages, 1) + op("mstore")
            target += WORD
        else:
            raise ValueError(f"no code absorbs {step!r}")
    code += proof_words()
    return code + _shifted(target - first + WORD + LABEL_BYTES, messages, 0), position


def _shifted(offset: int, messages: int, above: int) -> bytes:
    """offset + messages * S, where S lies below `above` words."""
    return push(offset) + (dup(above + 1) + op("add")) * messages


def _challenge(state: int, digests: int, target: int) -> bytes:
    """The next state, of the bytes whose size is on the stack, and from it 512 bits mod r into `target`."""
    answered = op("gas", "staticcall", "returndatasize") + push(WORD) + op("eq", "and")
    code = push(WORD, state) + dup(2) + push(state, SHA256) + answered + demand() + op("pop")
    for half in range(2):
        code += push(half, state + WORD) + op("mstore8")
        code += call(push(SHA256), state, WORD + 1, digests + WORD * half, WORD) + demand()
    high, low = (push(digests + WORD * half) + op("mload") for half in range(2))
    reduced = push(MODULUS) + low + push(MODULUS) + push(2**256 % MODULUS) + high + op("mulmod", "addmod")
    return code + reduced + push(target) + op("mstore")
