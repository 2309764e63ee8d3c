"""What is supplied of assets: the contract says what Python says of the same bytes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from circuits.margin.statement import InvalidStatement, L1Row, Statement
from circuits.margin.statement_rules import check_statement
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.circuits.margin.assets_story import BTC, ETH, ETH_CAP, ETHER, PARAMETERS, SHAPE, SOL, SOL_CAP, tell
from tests.evm.margin_arbiter import Arbiter, accepted_by_python
from tests.evm.test_verifier_contract import THE_PROOF, changed_word, resized, swapped_words
from tests.verifier.cases import stream
from verifier.key import VerifyingKey
from verifier.margin import MarginStatement
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key

PACKED = replace(SHAPE, packing=8)
Change = Callable[[Statement], Statement]


@cache
def arbiter() -> tuple[Arbiter, VerifyingKey, Statement, bytes]:
    """The story of assets."""
    backend, batch = get_backend("cpu"), tell().batch
    key = margin_key(PARAMETERS, PACKED, insecure_srs(backend, layout_of(PARAMETERS, PACKED).powers, b"a"), backend)
    statement = batch_statement(
        batch, commit_cells(key.srs, backend, PACKED.cells, batch.old), key.srs, backend, PACKED
    )
    assignment = batch_assignment(key.circuit, PARAMETERS, statement, batch, backend)
    proof = prove(key, MarginStatement.under(key.verifying, statement), assignment, backend, stream(3))
    return Arbiter(key.verifying), key.verifying, statement, proof


def verdicts_agree(told: Statement) -> bool:
    """Whether Python's rules allow the statement; where they do not, the contract has another reason than the proof."""
    judge, _, statement, proof = arbiter()
    refusal = judge.refusal(told.encode(), proof)
    try:
        check_statement(told, PARAMETERS, PACKED)
    except InvalidStatement:
        assert refusal not in (None, THE_PROOF)
        return False
    assert refusal == (None if told == statement else THE_PROOF)
    return True


def later(*supplied: int) -> Change:
    """In a batch after the first."""
    return lambda s: replace(s, batch=1, supplied=supplied)


def with_row(**changes: int) -> Change:
    """One more row of the queue."""

    def change(statement: Statement) -> Statement:
        row = L1Row(len(statement.l1), 5 + 16 * ETH, ETHER, 5, 1)
        return replace(statement, l1=(*statement.l1, replace(row, **changes)))

    return change


CHANGES: dict[str, tuple[bool, Change]] = {
    "as it was": (True, lambda s: s),
    "none told": (False, lambda s: replace(s, supplied=())),
    "one told": (False, lambda s: replace(s, supplied=(0,))),
    "three told": (False, lambda s: replace(s, supplied=(0, 0, 0))),
    "before batch 0": (False, lambda s: replace(s, supplied=(0, 1))),
    "in a later batch": (True, later(1, 0)),
    "up to the cap": (True, lambda s: replace(later(ETH_CAP, SOL_CAP)(s), l1=())),
    "beyond it": (False, lambda s: replace(later(ETH_CAP + 1, 0)(s), l1=())),
    "beyond the other": (False, lambda s: replace(later(0, SOL_CAP + 1)(s), l1=())),
    "negative": (False, lambda s: replace(later(-1, 0)(s), l1=())),
    "beyond it with the batch's": (False, later(ETH_CAP - 1, 0)),
    "another supply": (True, with_row()),
    "too large a supply": (False, with_row(amount=ETH_CAP)),
    "a supply refused": (False, with_row(outcome=0)),
    "an outcome of two": (False, with_row(outcome=2)),
    "of a perpetual": (False, with_row(kind=5 + 16 * BTC)),
    "of no market": (False, with_row(kind=5 + 16 * 3)),
    "of a market far away": (False, with_row(kind=5 + (1 << 20))),
    "of the other asset": (True, with_row(kind=5 + 16 * SOL)),
    "a deposit with a market": (False, with_row(kind=3 + 16)),
    "a kind of zero with a market": (False, with_row(kind=16)),
    "a kind of seven": (False, with_row(kind=7 + 16)),
    "a redemption": (True, with_row(kind=6 + 16 * ETH)),
    "a redemption refused": (True, with_row(kind=6 + 16 * ETH, outcome=0)),
    "more than there is": (False, with_row(kind=6 + 16 * ETH, amount=ETH_CAP)),
    "more than there is, refused": (True, with_row(kind=6 + 16 * ETH, amount=ETH_CAP, outcome=0)),
    "beyond the widest": (False, with_row(kind=6 + 16 * ETH, amount=1 << 56, outcome=0)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_statements_at_the_edges_of_the_rules(name: str) -> None:
    right, change = CHANGES[name]
    assert verdicts_agree(change(arbiter()[2])) == right


def test_mutated_pairs() -> None:
    """In the rows of the queue and behind them, above all."""
    judge, key, statement, proof = arbiter()
    rng, good = Random(9), statement.encode()
    for _ in range(30):
        change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
        split = rng.choice((0, len(good) // 2, len(good) - 32 * 8))
        data = good[:split] + change(rng, good[split:])
        if data == good:
            continue
        assert judge.refusal(data, proof) is not None, data.hex()
        try:
            assert not accepted_by_python(key, Statement.decode(data), proof), data.hex()
        except InvalidStatement:
            continue
