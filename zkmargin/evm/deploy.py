"""Puts the arbiter of a key on a chain."""

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from verifier.evm.contracts import Contracts
from zkmargin.evm.chain import Chain
from zkmargin.evm.compile import compile_contract, creation_of

VERIFY = keccak(b"verify(bytes,bytes)")[:4]


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


def verify_calldata(statement: bytes, proof: bytes) -> bytes:
    """verify(bytes statement, bytes proof)"""
    return VERIFY + encode(["bytes", "bytes"], [statement, proof])
