"""Calls by name to a contract on the in-process chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from zkmargin.evm.chain import Chain, Receipt
from zkmargin.evm.compile import Compiled


@dataclass(frozen=True)
class Contract:
    """A contract with its ABI. gas: of its deployment."""

    chain: Chain
    address: bytes
    abi: tuple[Mapping[str, Any], ...]
    gas: int = 0

    @classmethod
    def deploy(cls, chain: Chain, sender: LocalAccount, compiled: Compiled, *arguments: Any) -> "Contract":
        constructor: list[Mapping[str, Any]] = [entry for entry in compiled.abi if entry["type"] == "constructor"]
        types = _types(constructor[0]["inputs"]) if constructor else []
        receipt = chain.deploy(sender, compiled.creation + encode(types, arguments))
        return cls(chain, receipt.address, compiled.abi, receipt.gas)

    def calldata(self, name: str, *arguments: Any) -> bytes:
        types = _types(self._function(name)["inputs"])
        return keccak(f"{name}({','.join(types)})".encode())[:4] + encode(types, arguments)

    def transact(self, sender: LocalAccount, name: str, *arguments: Any) -> Receipt:
        """Reverted when the contract refuses."""
        return self.chain.transact(sender, self.address, self.calldata(name, *arguments))

    def call(self, name: str, *arguments: Any) -> Any:
        """What a view answers: one value, or a tuple."""
        output = self.chain.call(self.address, self.calldata(name, *arguments))
        values = decode(_types(self._function(name)["outputs"]), output)
        return values[0] if len(values) == 1 else values

    def events(self, receipt: Receipt, name: str) -> list[dict[str, Any]]:
        """The events of this name that the contract logged."""
        [event] = [entry for entry in self.abi if entry["type"] == "event" and entry["name"] == name]
        topic = keccak(f"{name}({','.join(_types(event['inputs']))})".encode())
        logs = [log for log in receipt.logs if log.address == self.address and log.topics[0] == topic]
        indexed = [part for part in event["inputs"] if part["indexed"]]
        others = [part for part in event["inputs"] if not part["indexed"]]
        result = []
        for log in logs:
            values = [decode([part["type"]], data)[0] for part, data in zip(indexed, log.topics[1:], strict=True)]
            values += decode(_types(others), log.data)
            result.append(dict(zip([part["name"] for part in (*indexed, *others)], values, strict=True)))
        return result

    def _function(self, name: str) -> Mapping[str, Any]:
        [function] = [entry for entry in self.abi if entry["type"] == "function" and entry["name"] == name]
        return function


def _types(parts: list[Mapping[str, Any]]) -> list[str]:
    """ABI types, tuples spelled out."""
    return [
        part["type"].replace("tuple", f"({','.join(_types(part['components']))})")
        if "components" in part
        else part["type"]
        for part in parts
    ]
