"""The check: `verify` and what it reads, on the standard library, the circuits and py_ecc alone."""

from verifier.errors import InvalidKey, InvalidProof
from verifier.key import VerifyingKey
from verifier.statement import StateDifference, Statement
from verifier.verify import verify

__all__ = ["InvalidKey", "InvalidProof", "StateDifference", "Statement", "VerifyingKey", "verify"]
