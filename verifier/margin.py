"""The arbiter of margin batches: keys and statements of the margin circuit, as the argument of this package sees
them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.circuit import PublicTerm
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.publics import public_columns, public_scalars, public_terms
from circuits.margin.statement import Statement
from circuits.margin.statement_rules import check_statement
from circuits.strict_json import loads
from verifier.curve import Point
from verifier.errors import InvalidKey
from verifier.key import VerifyingKey
from verifier.statement import ColumnKey, StateDifference


def encode_parameters(parameters: Parameters, shape: Shape) -> bytes:
    """The canonical bytes that a key binds: JSON with sorted names and no white space."""
    data = {"parameters": parameters.to_json(), "shape": shape.to_json()}
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def decode_parameters(data: bytes) -> tuple[Parameters, Shape]:
    """What `encode_parameters` wrote; InvalidKey when it is anything else."""
    try:
        fields = loads(data.decode())
        parameters, shape = Parameters.from_json(fields["parameters"]), Shape.from_json(fields["shape"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidKey(f"key: parameters: {error}") from error
    if encode_parameters(parameters, shape) != data:
        raise InvalidKey("key: parameters: not in canonical form")
    return parameters, shape


def load_key(text: str) -> VerifyingKey:
    """The key of a margin circuit from its JSON; InvalidKey names what is wrong."""
    try:
        data = loads(text)
        parameters, shape = decode_parameters(bytes.fromhex(data["parameters"]))
        circuit = margin_circuit(parameters, shape)
    except InvalidKey:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidKey(f"key: {type(error).__name__} {error}") from error
    key = VerifyingKey.from_json(data, circuit)
    for name in ("published_diff", "packing"):
        if getattr(key, name) != getattr(shape, name):
            raise InvalidKey(f"key: {name} is not what its parameters say")
    return key


@dataclass(frozen=True)
class MarginStatement:
    """A batch's statement under the parameters of a key."""

    statement: Statement
    parameters: Parameters
    shape: Shape

    @classmethod
    def under(cls, key: VerifyingKey, statement: Statement) -> "MarginStatement":
        return cls(statement, *decode_parameters(key.parameters))

    def check(self) -> None:
        """InvalidStatement unless the integer rules hold."""
        check_statement(self.statement, self.parameters, self.shape)

    def encode(self) -> bytes:
        return self.statement.encode()

    def scalars(self) -> Mapping[str, int]:
        return public_scalars(self.statement)

    def public_columns(self) -> Mapping[ColumnKey, Sequence[int]]:
        return public_columns(self.statement, self.parameters.portfolio, self.shape.samples, self.shape.cells)

    def public_terms(self) -> Sequence[PublicTerm]:
        return public_terms(self.statement)

    def state_commitments(self) -> Mapping[ColumnKey, Point]:
        states: dict[ColumnKey, Point] = {("cells", "old"): self.statement.old, ("cells", "new"): self.statement.new}
        return states | {("book", "content"): self.statement.new} if self.shape.sweep else states

    def state_differences(self) -> Sequence[StateDifference]:
        rows = None if self.statement.diff is None else dict(self.statement.diff)
        return [StateDifference("cells", "old", "new", rows)]
