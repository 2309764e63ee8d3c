"""Margin keys with their contract on a chain, and proofs of the scenario that visits every kind of transition."""

from dataclasses import dataclass
from functools import cache

from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import Statement
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.margin_scenario import every_kind
from tests.verifier.cases import stream
from verifier import InvalidProof, VerifyingKey, verify
from verifier.evm.contracts import contracts_of
from verifier.margin import MarginStatement
from zkmargin.batch import Batch
from zkmargin.evm.chain import Chain, Reverted
from zkmargin.evm.deploy import deploy_verifier, verify_calldata
from zkmargin.proving import batch_assignment, batch_statement, layout_of, margin_key


@dataclass(frozen=True)
class Proven:
    """Batches in order, each with its proof."""

    key: VerifyingKey
    batches: tuple[tuple[Statement, bytes], ...]


class Arbiter:
    """The contract of a key."""

    def __init__(self, key: VerifyingKey, fork: str = "prague") -> None:
        self.chain = Chain(fork)
        self.sender = self.chain.account("operator")
        self.deployment = deploy_verifier(self.chain, self.sender, contracts_of(key))

    def refusal(self, statement: bytes, proof: bytes) -> str | None:
        """Why the contract refuses, or None."""
        return self.refusal_of(verify_calldata(statement, proof))

    def refusal_of(self, calldata: bytes) -> str | None:
        try:
            answer = self.chain.call(self.deployment.address, calldata)
        except Reverted as reverted:
            return reverted.reason
        assert answer == (1).to_bytes(32, "big")
        return None

    def gas(self, statement: Statement, proof: bytes) -> int:
        """Of the whole transaction."""
        calldata = verify_calldata(statement.encode(), proof)
        return self.chain.transact(self.sender, self.deployment.address, calldata).gas


def accepted_by_python(key: VerifyingKey, statement: Statement, proof: bytes) -> bool:
    try:
        verify(key, MarginStatement.under(key, statement), proof, allow_insecure=True)
    except InvalidProof:
        return False
    return True


@cache
def proven(published: bool, packing: int = 8) -> Proven:
    """Every kind of transition, in three batches with deposits, withdrawals and two markets."""
    shape = Shape(32, 16, 8, published, packing)
    batches, parameters = every_kind(shape)
    return prove_all(parameters, shape, batches[:2])


def prove_all(parameters: Parameters, shape: Shape, batches: list[Batch]) -> Proven:
    backend = get_backend("cpu")
    srs = insecure_srs(backend, layout_of(parameters, shape).powers, b"arbiter")
    key, root, made = margin_key(parameters, shape, srs, backend), None, []
    for seed, batch in enumerate(batches):
        statement = batch_statement(batch, root, srs, backend, shape)
        assignment = batch_assignment(key.circuit, parameters, statement, batch)
        public = MarginStatement.under(key.verifying, statement)
        made.append((statement, prove(key, public, assignment, backend, stream(seed))))
        root = statement.new
    return Proven(key.verifying, tuple(made))


@cache
def arbiter(published: bool, fork: str = "prague") -> Arbiter:
    return Arbiter(proven(published).key, fork)
