"""The contract says what `verify` says of margin batches."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from circuits.field import MODULUS
from circuits.margin.statement import InvalidStatement, Statement
from tests.circuits.margin.story import PARAMETERS, SHAPE
from tests.circuits.margin.test_statement import ACCEPTED, REFUSED, TOLD, Change
from tests.evm.margin_arbiter import Arbiter, accepted_by_python, arbiter, prove_all, proven
from tests.test_cheats_refused import key_of
from verifier.curve import BASE_MODULUS
from zkmargin.evm.chain import FORKS
from zkmargin.evm.deploy import verify_calldata

THE_PROOF = "proof"  # the reason where every rule of the statement holds


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize("published", [True, False])
def test_true_batches_are_accepted(published: bool, fork: str) -> None:
    for statement, proof in proven(published).batches:
        assert arbiter(published, fork).refusal(statement.encode(), proof) is None


@cache
def judge_of_the_story() -> tuple[Arbiter, bytes]:
    """The contract of the story's key, and bytes as long as a proof."""
    key, _ = key_of(PARAMETERS, SHAPE)
    return Arbiter(key.verifying), bytes(key.verifying.layout.size)


@pytest.mark.parametrize("change", ACCEPTED)
def test_statements_that_keep_the_rules(change: Change) -> None:
    judge, proof = judge_of_the_story()
    assert judge.refusal(change(TOLD).encode(), proof) == THE_PROOF


@pytest.mark.parametrize(("reason", "change"), REFUSED)
def test_statements_that_break_a_rule(reason: str, change: Change) -> None:
    judge, proof = judge_of_the_story()
    assert judge.refusal(change(TOLD).encode(), proof) not in (None, THE_PROOF), reason


def test_batch_0_starts_at_the_genesis_of_the_key() -> None:
    judge, proof = judge_of_the_story()
    later = replace(TOLD.last_oracle[0], price=TOLD.last_oracle[0].price + 1)
    for change in ({"old": (1, 2)}, {"last_oracle": (later, *TOLD.last_oracle[1:])}, {"next_queue": 1, "l1": ()}):
        first = replace(TOLD, **{"batch": 0, "old": None, **change})  # type: ignore[arg-type]
        assert judge.refusal(first.encode(), proof) not in (None, THE_PROOF)
        if "next_queue" not in change:
            assert judge.refusal(replace(first, batch=1).encode(), proof) == THE_PROOF


def encodings() -> dict[str, bytes]:
    """Calldata of a true batch, encoded otherwise."""
    statement, proof = proven(False).batches[1]
    good = verify_calldata(statement.encode(), proof)
    size = len(statement.encode())

    def word(position: int, number: int) -> bytes:
        return good[:position] + number.to_bytes(32, "big") + good[position + 32 :]

    return {
        "another selector": b"\0\0\0\0" + good[4:],
        "no selector": good[:3],
        "nothing": b"",
        "a byte behind": good + b"\0",
        "a word behind": good + bytes(32),
        "a byte less": good[:-1],
        "a word less": good[:-32],
        "statement elsewhere": word(4, 96),
        "proof elsewhere": word(36, 64 + size),
        "statement longer": word(68, size + 32),
        "statement shorter": word(68, size - 32),
        "statement longer than memory": word(68, 2**255),
        "proof shorter": word(100 + size, len(proof) - 32),
        "a word in the statement": verify_calldata(statement.encode() + bytes(32), proof),
        "a word less in the statement": verify_calldata(statement.encode()[:-32], proof),
        "a proof of other length": verify_calldata(statement.encode(), proof + bytes(32)),
        "a gap": good[:68] + bytes(32) + good[68:],
    }


@pytest.mark.parametrize("name", encodings())
def test_calldata_has_one_encoding(name: str) -> None:
    assert arbiter(False).refusal_of(encodings()[name]) is not None


def test_replay_elsewhere() -> None:
    """A proof is for one statement: its chain, contract, batch and roots are bound."""
    statement, proof = proven(True).batches[1]
    for change in ({"chain": 1}, {"contract": 1}, {"batch": 2}, {"old": statement.new}, {"new": statement.old}):
        other = replace(statement, **change)  # type: ignore[arg-type]
        assert arbiter(True).refusal(other.encode(), proof) == THE_PROOF
        assert not accepted_by_python(proven(True).key, other, proof)


def test_a_proof_under_another_key() -> None:
    (statement, proof), key = proven(False).batches[0], proven(False).key
    other = prove_all(PARAMETERS, replace(SHAPE, published_diff=False, packing=8), [])
    assert other.key.layout.size == len(proof) and other.key.digest != key.digest
    assert Arbiter(other.key).refusal(statement.encode(), proof) is not None


Mutation = Callable[[Random, Statement, bytes], tuple[bytes, bytes]]


def changed_word(rng: Random, data: bytes) -> bytes:
    """One word of the data as it should not be."""
    at = 32 * rng.randrange(len(data) // 32)
    word = int.from_bytes(data[at : at + 32], "big")
    others = (
        word + 1, word - 1, word ^ 1 << rng.randrange(256), word + MODULUS, word + BASE_MODULUS, 0, 1, MODULUS - word,
        BASE_MODULUS - word, rng.randrange(1 << 256), rng.randrange(MODULUS), 2**256 - 1,
    )  # fmt: skip
    return data[:at] + (rng.choice(others) % 2**256).to_bytes(32, "big") + data[at + 32 :]


def swapped_words(rng: Random, data: bytes) -> bytes:
    words = [data[i : i + 32] for i in range(0, len(data), 32)]
    a, b = rng.sample(range(len(words)), 2)
    words[a], words[b] = words[b], words[a]
    return b"".join(words)


def resized(rng: Random, data: bytes) -> bytes:
    at = 32 * rng.randrange(len(data) // 32)
    return rng.choice([data[:at] + bytes(32) + data[at:], data[:at] + data[at + 32 :], data + bytes(32), data[:-32]])


def mutated(rng: Random, published: bool) -> tuple[bytes, bytes]:
    """A true pair with one or a few changes in the statement or the proof, which is another then."""
    pairs = [(statement.encode(), proof) for statement, proof in proven(published).batches]
    while True:
        statement, proof = rng.choice(pairs)
        if rng.random() < 0.05:
            _, proof = rng.choice(pairs)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
            if rng.random() < 0.5:
                statement = change(rng, statement)
            else:
                proof = change(rng, proof)
        if (statement, proof) not in pairs:
            return statement, proof


def refuse(rng: Random, published: bool) -> None:
    """Both arbiters refuse a mutated pair."""
    statement, proof = mutated(rng, published)
    told = (statement.hex(), proof.hex())
    assert arbiter(published).refusal(statement, proof) is not None, told
    try:
        assert not accepted_by_python(proven(published).key, Statement.decode(statement), proof), told
    except InvalidStatement:
        return


def test_mutated_pairs() -> None:
    rng = Random(7)
    for number in range(30):
        refuse(rng, number % 2 == 0)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_mutated_pairs(part: int) -> None:
    rng = Random(20 + part)
    for number in range(1000):
        refuse(rng, number % 2 == 0)
