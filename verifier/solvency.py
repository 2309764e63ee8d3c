"""The arbiter of solvency proofs: keys and statements of the solvency circuit, as the argument sees them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.circuit import PublicTerm
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.solvency import solvency_circuit
from circuits.margin.solvency_statement import (
    SolvencyStatement,
    check_solvency,
    solvency_columns,
    solvency_scalars,
    solvency_terms,
)
from circuits.strict_json import loads
from verifier.curve import Point
from verifier.errors import InvalidKey
from verifier.key import VerifyingKey
from verifier.statement import ColumnKey, StateDifference

PREFIX = b"solvency "
"""What tells the parameters of such a key from those of a margin key."""


def encode_solvency_parameters(parameters: Parameters, shape: Shape) -> bytes:
    """The canonical bytes that a key binds."""
    data = {"parameters": parameters.to_json(), "shape": shape.to_json()}
    return PREFIX + json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def decode_solvency_parameters(data: bytes) -> tuple[Parameters, Shape]:
    """What `encode_solvency_parameters` wrote; InvalidKey when it is anything else."""
    try:
        values = loads(data.removeprefix(PREFIX).decode())
        parameters, shape = Parameters.from_json(values["parameters"]), Shape.from_json(values["shape"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidKey(f"key: parameters: {error}") from error
    if encode_solvency_parameters(parameters, shape) != data:
        raise InvalidKey("key: parameters: not those of a solvency key")
    return parameters, shape


def load_solvency_key(text: str) -> VerifyingKey:
    """The key of a solvency circuit from its JSON; InvalidKey names what is wrong."""
    try:
        data = loads(text)
        parameters, shape = decode_solvency_parameters(bytes.fromhex(data["parameters"]))
        key = VerifyingKey.from_json(data, solvency_circuit(parameters, shape))
    except InvalidKey:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidKey(f"key: {type(error).__name__} {error}") from error
    if key.packing != shape.packing:
        raise InvalidKey("key: packing is not what its parameters say")
    return key


@dataclass(frozen=True)
class SolvencyClaim:
    """A solvency statement under the parameters of a key."""

    statement: SolvencyStatement
    parameters: Parameters
    shape: Shape

    @classmethod
    def under(cls, key: VerifyingKey, statement: SolvencyStatement) -> "SolvencyClaim":
        return cls(statement, *decode_solvency_parameters(key.parameters))

    def check(self) -> None:
        """InvalidStatement unless the integer rules hold."""
        check_solvency(self.statement, self.parameters, self.shape)

    def encode(self) -> bytes:
        return self.statement.encode()

    def scalars(self) -> Mapping[str, int]:
        return solvency_scalars(self.statement)

    def public_columns(self) -> Mapping[ColumnKey, Sequence[int]]:
        return solvency_columns(self.statement, self.parameters.portfolio)

    def public_terms(self) -> Sequence[PublicTerm]:
        return solvency_terms(self.statement)

    def state_commitments(self) -> Mapping[ColumnKey, Point]:
        return {("book", "content"): self.statement.root}

    def state_differences(self) -> Sequence[StateDifference]:
        return []
