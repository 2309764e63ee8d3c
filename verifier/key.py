"""The verifying key: a circuit, what it was built from, its fixed columns' commitments and their setup."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from circuits.circuit import Circuit
from circuits.table import Kind
from verifier.curve import G2Point, Point, decode_point, encode_point, in_g2
from verifier.errors import InvalidKey
from verifier.proof import MOST_PACKED, Layout
from verifier.statement import ColumnKey

FORMAT = "zkmargin verifying key 1"
INSECURE = "insecure"
SRS_KINDS = ("ceremony", INSECURE)


@dataclass(frozen=True)
class VerifyingKey:
    """Everything a verifier trusts.

    parameters: canonical bytes of what the circuit was built from. published_diff: whether statements list the
    state's differences. packing: the most columns that a commitment holds. fixed: by the name of the pack. srs_kind:
    `ceremony` or `insecure`. srs_digest: 32 bytes that name the setup.
    """

    circuit: Circuit
    parameters: bytes
    published_diff: bool
    packing: int
    fixed: Mapping[ColumnKey, Point]
    tau_g2: G2Point
    srs_kind: str
    srs_digest: bytes

    def __post_init__(self) -> None:
        if type(self.packing) is not int or not 1 <= self.packing <= MOST_PACKED:
            raise InvalidKey(f"key: {self.packing!r} columns in a commitment: 1 to {MOST_PACKED} are possible")
        if list(self.fixed) != [pack.name for pack in self.layout.packs_of(Kind.FIXED)]:
            raise InvalidKey("key: the commitments are not those of the circuit's fixed columns in order")
        if self.srs_kind not in SRS_KINDS:
            raise InvalidKey(f"key: unknown kind of setup {self.srs_kind!r}")
        if len(self.srs_digest) != 32:
            raise InvalidKey("key: the digest of the setup has not 32 bytes")
        if not in_g2(self.tau_g2):
            raise InvalidKey("key: [tau]_2 is not in G2")

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.circuit, self.published_diff, self.packing)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over every part; variable parts carry their length."""
        state = hashlib.sha256(FORMAT.encode())
        state.update(
            self.circuit.digest
            + bytes([self.published_diff, self.packing, SRS_KINDS.index(self.srs_kind)])
            + self.srs_digest
        )
        state.update(len(self.parameters).to_bytes(8, "big") + self.parameters)
        state.update(len(self.fixed).to_bytes(8, "big") + b"".join(map(encode_point, self.fixed.values())))
        state.update(b"".join(c.to_bytes(32, "big") for coordinate in self.tau_g2 for c in coordinate))
        return state.digest()

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "circuit": self.circuit.digest.hex(),
            "parameters": self.parameters.hex(),
            "published_diff": self.published_diff,
            "packing": self.packing,
            "fixed": [[*key, encode_point(point).hex()] for key, point in self.fixed.items()],
            "tau_g2": [[hex(c) for c in coordinate] for coordinate in self.tau_g2],
            "srs_kind": self.srs_kind,
            "srs_digest": self.srs_digest.hex(),
        }

    @classmethod
    def from_json(cls, data: Any, circuit: Circuit) -> "VerifyingKey":
        """The key of a JSON object, for the circuit that its parameters build; InvalidKey names a wrong part."""
        try:
            if data["format"] != FORMAT:
                raise InvalidKey(f"key: unknown format {data['format']!r}")
            if data["circuit"] != circuit.digest.hex():
                raise InvalidKey("key: it is for another circuit")
            if not isinstance(data["published_diff"], bool):
                raise InvalidKey("key: published_diff is neither true nor false")
            (x_0, x_1), (y_0, y_1) = ((int(c, 16) for c in coordinate) for coordinate in data["tau_g2"])
            return cls(
                circuit,
                bytes.fromhex(data["parameters"]),
                data["published_diff"],
                data["packing"],
                {(table, column): _point(point) for table, column, point in data["fixed"]},
                ((x_0, x_1), (y_0, y_1)),
                data["srs_kind"],
                bytes.fromhex(data["srs_digest"]),
            )
        except InvalidKey:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidKey(f"key: {type(error).__name__} {error}") from error


def _point(text: str) -> Point:
    data = bytes.fromhex(text)
    if len(data) != 64:
        raise InvalidKey("key: a commitment has not 64 bytes")
    return decode_point(data)
