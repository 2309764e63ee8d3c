"""Code emitted from the verifier, on a chain: the same challenges, the same verdicts, for every toy circuit."""

from functools import cache
from random import Random

import pytest

from circuits.field import MODULUS
from tests.evm.emitted import Emitted
from tests.verifier.cases import NAMES, Case, case
from verifier.curve import BASE_MODULUS
from verifier.evm.assemble import Assembler, Words, kept
from verifier.evm.evaluator import evaluator_codes
from verifier.evm.opcodes import WORD, op, push
from verifier.evm.symbolic import At
from verifier.evm.trace import Trace, Value
from verifier.transcript import ProofReader
from verifier.verify import read_proof
from zkmargin.evm.chain import Chain
from zkmargin.evm.compile import creation_of


@cache
def emitted(name: str) -> Emitted:
    return Emitted(case(name).key.verifying)


def challenges_of(made: Case, statement: bytes, proof: bytes) -> dict[str, int]:
    key = made.key.verifying
    return dict(read_proof(key, statement, ProofReader(proof, key.layout.size)).challenges)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_challenges(name: str) -> None:
    made, rng = case(name), Random(1)
    for length in (0, 32, 160, 3200):
        statement = rng.randbytes(length)
        assert emitted(name).transcript(statement, made.proof) == challenges_of(made, statement, made.proof)


@pytest.mark.parametrize("name", NAMES)
def test_true_proofs_are_accepted(name: str) -> None:
    for seed in (1, 2):
        made = case(name, seed)
        challenges = challenges_of(made, made.statement.encode(), made.proof)
        assert emitted(name).accepts(emitted(name).said(made.statement, challenges), made.proof)


def words_of(name: str) -> tuple[list[int], list[int]]:
    """What is said, and the words of the proof."""
    made = case(name)
    said = emitted(name).said(made.statement, challenges_of(made, made.statement.encode(), made.proof))
    return said, [int.from_bytes(made.proof[i : i + 32], "big") for i in range(0, len(made.proof), 32)]


def accepted(name: str, said: list[int], proof: list[int]) -> bool:
    return emitted(name).accepts(said, b"".join(word.to_bytes(32, "big") for word in proof))


def test_every_word_that_is_said_counts() -> None:
    """All but the difference of the states, which this key does not publish."""
    name = "packed private ledger"
    said, proof = words_of(name)
    for position in range(emitted(name).traced.memory.evaluators, len(said)):
        changed = [*said[:position], said[position] + 1, *said[position + 1 :]]
        assert accepted(name, changed, proof) == (len(said) - position in (5, 6)), position


@pytest.mark.parametrize("name", ["twins", "packed ledger"])
def test_every_word_of_a_proof_counts(name: str) -> None:
    said, proof = words_of(name)
    for position in Random(1).sample(range(len(proof)), 24):
        assert not accepted(name, said, [*proof[:position], proof[position] + 1, *proof[position + 1 :]]), position


@pytest.mark.parametrize("name", ["twins", "packed private ledger"])
def test_scalars_and_coordinates_have_one_encoding(name: str) -> None:
    said, proof = words_of(name)
    memory = emitted(name).traced.memory
    scalars = {scalar.number - memory.proof for scalar in emitted(name).traced.scalars}
    for position, word in enumerate(proof):
        modulus = MODULUS if position in scalars else BASE_MODULUS
        if word + modulus < 2**256:
            assert not accepted(name, said, [*proof[:position], word + modulus, *proof[position + 1 :]]), position


def test_the_opening_proof_has_one_encoding() -> None:
    """W is the one point that no multiplication checks: the code computes -W, mod 2^256 first."""
    said, proof = words_of("twins")
    y = proof[-3]
    others = [y + k * BASE_MODULUS for k in range(1, 5)]
    others += [(BASE_MODULUS - (BASE_MODULUS - y) - k * BASE_MODULUS) % 2**256 for k in range(1, 5)]
    for alias in others:
        if alias < 2**256:
            assert not accepted("twins", said, [*proof[:-3], alias, *proof[-2:]])


def test_zero_denominators_are_refused() -> None:
    name = "ledger"
    said, proof = words_of(name)
    memory = emitted(name).traced.memory
    states = 2 * len(memory.states)
    for position in (len(said) - states - 1, len(said) - states - 3):
        changed = [*said[:position], 0, *said[position + 1 :]]
        assert not accepted(name, changed, proof)


def test_points_at_infinity_are_refused_where_they_are_false() -> None:
    said, proof = words_of("twins")
    points = {point.word for _, point in emitted("twins").traced.terms if isinstance(point, At)}
    for word in sorted(points):
        position = word - emitted("twins").traced.memory.proof
        if position >= 0:
            assert not accepted("twins", said, [*proof[:position], 0, 0, *proof[position + 2 :]])


def test_small_contracts_do_the_same() -> None:
    """The code in as many pieces as a low limit asks for."""
    made = case("packed ledger")
    pieces = Emitted(made.key.verifying, 2_000)
    assert len(pieces.codes) > 3 and all(len(code) <= 2_000 for code in pieces.codes)
    said = pieces.said(made.statement, challenges_of(made, made.statement.encode(), made.proof))
    assert pieces.accepts(said, made.proof)
    assert not pieces.accepts(said, made.proof[:-1] + bytes([made.proof[-1] ^ 1]))
    with pytest.raises(ValueError, match="does not fit"):
        evaluator_codes(made.key.verifying, 500)


EXTREMES = (0, 1, 2, MODULUS - 1, MODULUS - 2, MODULUS // 2)


@pytest.mark.parametrize("seed", range(12))
def test_lazy_reduction_is_exact(seed: int) -> None:
    """A random graph over extreme inputs, against integers mod r."""
    rng, trace = Random(seed), Trace()
    numbers = [rng.choice(EXTREMES) for _ in range(6)]
    values: list[tuple[Value, int]] = [(trace.input(1 + i), number) for i, number in enumerate(numbers)]
    for _ in range(150):
        (a, x), (b, y) = rng.choice(values[-12:]), rng.choice(values)
        made, number = rng.choice([(a + b, x + y), (a - b, x - y), (a * b, x * y), (a - 3, x - 3), (5 - b, 5 - y)])
        values.append((made, number % MODULUS))
        if number % MODULUS and rng.random() < 0.1:
            values.append((pow(made, -1, MODULUS), pow(number, -1, MODULUS)))
    wanted = values[-20:]
    roots, product = trace.batch_inversions([value for value, _ in wanted])
    work = Assembler(scratch=7)
    work.slots = {value: value.number for value, _ in values if value.operator == "input"}
    order = kept([product, *roots])
    words = Words(work, order, [product, *roots], 7 + 12)
    code = push(7 * WORD, 0, 0) + op("calldatacopy") + push(MODULUS, MODULUS, 0) + op("mstore")
    for node in order:
        words.keep(node)
        code += work.take()
    target = words.count
    for i, root in enumerate(roots):
        work.value(root, 1)
        work.store(target + i)
        code += work.take()
    code += push(WORD * len(roots), WORD * target) + op("return")
    chain = Chain()
    address = chain.deploy(chain.account("deployer"), creation_of(code)).address
    data = bytes(32) + b"".join(number.to_bytes(32, "big") for number in numbers)
    output = chain.call(address, data)
    assert [int.from_bytes(output[i : i + 32], "big") for i in range(0, len(output), 32)] == [n for _, n in wanted]
