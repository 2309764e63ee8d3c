"""From a file of transactions to a verified proof, in one page. Read this first."""

from pathlib import Path

import pytest

from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from prover.backend import get_backend
from prover.setup import insecure_srs
from verifier import InvalidProof, verify
from verifier.margin import MarginStatement
from verifier.proof import Layout
from zkmargin.batch import build_batch
from zkmargin.proving import batch_assignment, batch_statement, check_batch, margin_key, prove_batch
from zkmargin.state import State
from zkmargin.transactions import read_transactions

# Two accounts open, deposit and trade 1,000 base units at 30,000 quote units each; the last line is refused.
TRANSACTIONS = """
{"type": "tick", "time": 60, "rows": [[1966080000, 5]]}
{"type": "open", "cell": 2, "market": 0, "queue": 0}
{"type": "open", "cell": 3, "market": 0, "queue": 1}
{"type": "deposit", "cell": 2, "amount": 1000000000, "queue": 2}
{"type": "deposit", "cell": 3, "amount": 1000000000, "queue": 3}
{"type": "trade", "a": 2, "b": 3, "size": 1000, "direction": 1, "cash": 30000000, "fee_a": 9000, "fee_b": 3000}
{"type": "transfer", "a": 2, "b": 3, "amount": 1000000000}
"""


def test_a_batch_becomes_a_verified_proof(tmp_path: Path) -> None:
    # The rules: one market, 1 % maintenance and 2 % initial margin, positions up to a notional of 2^50 quote units.
    market = Market(
        "BTC-USD", funding_cap=1000, tiers=build_tiers([(0, 655, 1311)], cap=1 << 66), price=30_000 << 16, index=0
    )
    parameters = Parameters((market,), 0, 1, 3000, 6000, trade_fee_cap=100, liquidation_fee_cap=1000, genesis_time=0)
    shape = Shape(transitions=32, cells=16, limb_bits=8, published_diff=True)

    # The state machine applies the lines one by one and says why it refuses one.
    path = tmp_path / "batch.jsonl"
    path.write_text(TRANSACTIONS)
    state = State.genesis(parameters)
    batch = build_batch(state, parameters, shape, list(read_transactions(path)))
    assert [line for line, _ in batch.refusals] == [8]

    # The key of the circuit, under a setup whose secret everybody knows.
    backend = get_backend("cpu")
    key = margin_key(parameters, shape, insecure_srs(backend, 1 << 9, b"tiny"), backend)
    assert Layout(key.circuit).powers <= 1 << 9

    # What is public, what is secret, and that the one is true of the other.
    statement = batch_statement(batch, None, key.srs, backend, shape)
    assignment = batch_assignment(key.circuit, parameters, statement, batch)
    assert check_batch(key.circuit, statement, assignment) == []

    # The proof, and the arbiter's verdict: nothing, or InvalidProof.
    proof = prove_batch(key, statement, assignment, backend)
    verify(key.verifying, MarginStatement.under(key.verifying, statement), proof, allow_insecure=True)
    with pytest.raises(InvalidProof):
        verify(
            key.verifying,
            MarginStatement.under(key.verifying, statement),
            proof[:-1] + bytes([proof[-1] ^ 1]),
            allow_insecure=True,
        )
