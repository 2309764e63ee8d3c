"""The emitted code of a key on a chain, without a contract that reads statements: what it would say, Python says."""

from collections.abc import Mapping
from functools import cached_property

from eth_abi.abi import encode

from circuits.field import MODULUS
from verifier.evm.evaluator import evaluator_codes
from verifier.evm.symbolic import CHALLENGES, traced
from verifier.evm.transcript import transcript_code
from verifier.identity import public_values
from verifier.key import VerifyingKey
from verifier.statement import Statement
from zkmargin.evm.chain import Chain, Reverted
from zkmargin.evm.compile import creation_of


class Emitted:
    """transcript() and accepts(): the two calls that a verifier's contract makes."""

    def __init__(self, key: VerifyingKey, limit: int = 24_576) -> None:
        self.key, self.chain = key, Chain()
        self.sender = self.chain.account("deployer")
        self.codes = evaluator_codes(key, limit)
        self.traced = traced(key, len(self.codes))
        self.evaluators = [self._deploy(code) for code in self.codes]

    @cached_property
    def hasher(self) -> bytes:
        return self._deploy(transcript_code(self.traced.steps))

    def transcript(self, statement: bytes, proof: bytes) -> dict[str, int]:
        """The challenges."""
        output = self.chain.call(self.hasher, b"any." + encode(["bytes", "bytes"], [statement, proof]))
        words = [int.from_bytes(output[i : i + 32], "big") for i in range(0, len(output), 32)]
        return dict(zip(CHALLENGES, words, strict=True))

    def said(self, statement: Statement, challenges: Mapping[str, int]) -> list[int]:
        """The words before the proof."""
        memory, layout = self.traced.memory, self.key.layout
        public, circuit = public_values(layout, statement, challenges), layout.circuit
        words = [int.from_bytes(address, "big") for address in self.evaluators]
        words += [challenges[name] for name in CHALLENGES]
        for group in memory.columns:
            words += [public.columns[query] for query in group]
            words.append(_vanishing(circuit.table(group[0][0]).size, challenges["zeta"]))
        words += [public.scalars[name] for name in memory.scalars]
        words += [public.fractions, 1]
        for table, _, new in layout.state_pairs:
            words.append(public.differences.get((table, new), 0))
            words.append(_vanishing(circuit.table(table).size, challenges["zeta"]))
        return words + [word for column in memory.states for word in public.commitments[column] or (0, 0)]

    def accepts(self, words: list[int], proof: bytes) -> bool:
        try:
            output = self.chain.call(self.evaluators[0], b"".join(w.to_bytes(32, "big") for w in words) + proof)
        except Reverted:
            return False
        assert output == (1).to_bytes(32, "big")
        return True

    def _deploy(self, code: bytes) -> bytes:
        return self.chain.deploy(self.sender, creation_of(code)).address


def _vanishing(size: int, zeta: int) -> int:
    """(zeta^n - 1)/n, over which a value at zeta is a sum of v_i * w^i / (zeta - w^i)"""
    return (pow(zeta, size, MODULUS) - 1) * pow(size, -1, MODULUS) % MODULUS
