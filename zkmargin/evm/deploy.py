"""Puts the arbiter of a key on a chain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from verifier.evm.contracts import Contracts
from zkmargin.evm.chain import Chain
from zkmargin.evm.compile import compile_contract, compile_rollup, creation_of
from zkmargin.evm.contract import Contract

VERIFY = keccak(b"verify(bytes,bytes)")[:4]
HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True)
class Deployment:
    """address: of the verifier. gas: of each deployment, by the contract's name."""

    address: bytes
    gas: dict[str, int]


def deploy_verifier(chain: Chain, sender: LocalAccount, contracts: Contracts) -> Deployment:
    """The transcript, the evaluators, then the contract that calls them."""
    codes = {"transcript": contracts.transcript}
    codes |= {f"evaluator {i}": code for i, code in enumerate(contracts.evaluators)}
    receipts = {name: chain.deploy(sender, creation_of(code)) for name, code in codes.items()}
    transcript, *evaluators = (receipt.address for receipt in receipts.values())
    arguments = encode(["address", f"address[{len(evaluators)}]"], [transcript, evaluators])
    creation = compile_contract("verifier.vy", contracts.sources).creation
    receipts["verifier"] = chain.deploy(sender, creation + arguments)
    return Deployment(receipts["verifier"].address, {name: receipt.gas for name, receipt in receipts.items()})


@dataclass(frozen=True)
class Terms:
    """What a rollup contract is set up with. Times are in seconds, least_deposit in units of the token.

    signers, threshold: who attests oracle rows, and how many must. queue: in which the operator must answer a request;
    claims: in which claims share alike after a freeze; notice: before another verifier counts; fresh: how old the first
    oracle rows of a batch may be.
    """

    token: bytes
    operator: bytes
    governor: bytes
    signers: tuple[bytes, ...]
    threshold: int
    queue: int = 3 * DAY
    claims: int = 14 * DAY
    notice: int = 10 * DAY
    fresh: int = HOUR
    least_deposit: int = 1_000_000
    assets: tuple[bytes, ...] = ()

    def arguments(self, verifier: bytes, leaving: bytes) -> tuple[Any, ...]:
        """Of the constructor, in order."""
        people = (self.token, self.operator, self.governor, verifier, sorted(self.signers), self.threshold)
        return (*people, self.queue, self.claims, self.notice, self.fresh, self.least_deposit, leaving, self.assets)


def deploy_rollup(
    chain: Chain, sender: LocalAccount, sources: Mapping[str, str], verifier: bytes, terms: Terms
) -> Contract:
    """The rollup contract on a verifier that is there, and the contract of its code for leaving before it."""
    rollup, leaving = compile_rollup(sources)
    ways_out = Contract.deploy(chain, sender, leaving)
    made = Contract.deploy(chain, sender, rollup, *terms.arguments(verifier, ways_out.address))
    return replace(made, gas=made.gas + ways_out.gas)


def token_source() -> str:
    """Of a token for development."""
    return files("zkmargin.evm").joinpath("token.vy").read_text()


def verify_calldata(statement: bytes, proof: bytes) -> bytes:
    """verify(bytes statement, bytes proof)"""
    return VERIFY + encode(["bytes", "bytes"], [statement, proof])
