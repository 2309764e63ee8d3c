"""Fiat-Shamir by SHA-256: reading an element of a proof is absorbing it, and there is no other way to obtain one."""

import hashlib

from circuits.field import MODULUS
from verifier.curve import POINT_BYTES, SCALAR_BYTES, Point, decode_point, decode_scalar, encode_point, encode_scalar
from verifier.errors import InvalidProof

PROTOCOL = b"zkmargin proof 1"
LABEL_BYTES = 32
START = hashlib.sha256(PROTOCOL).digest()


class Transcript:
    """A chain of digests: each challenge hashes the last state, its own label and everything absorbed since.

    Every absorbed piece has a length that the key fixes, or carries its length: no two histories give the same bytes.
    """

    def __init__(self) -> None:
        self._state = START
        self._pending = bytearray()

    def absorb(self, data: bytes) -> None:
        """Absorbs a piece of fixed length."""
        self._pending += data

    def absorb_message(self, data: bytes) -> None:
        """Absorbs a piece of any length, behind its length in 8 bytes."""
        self.absorb(len(data).to_bytes(8, "big") + data)

    def challenge(self, label: str) -> int:
        """A field element; 512 bits mod r are within 2^-258 of uniform."""
        self._state = hashlib.sha256(self._state + label.encode().ljust(LABEL_BYTES, b"\0") + self._pending).digest()
        self._pending.clear()
        wide = b"".join(hashlib.sha256(self._state + bytes([i])).digest() for i in range(2))
        return int.from_bytes(wide, "big") % MODULUS


class ProofReader(Transcript):
    """The verifier's side: reads a proof of exactly `size` bytes; InvalidProof names the element that is refused."""

    def __init__(self, proof: bytes, size: int) -> None:
        super().__init__()
        if len(proof) != size:
            raise InvalidProof(f"proof length: {len(proof)} bytes instead of {size}")
        self._proof = proof
        self._position = 0

    def read_point(self, name: str) -> Point:
        data = self._take(POINT_BYTES)
        try:
            return decode_point(data)
        except ValueError as error:
            raise InvalidProof(f"point {name}: {error}") from error

    def read_scalar(self, name: str) -> int:
        data = self._take(SCALAR_BYTES)
        try:
            return decode_scalar(data)
        except ValueError as error:
            raise InvalidProof(f"scalar {name}: {error}") from error

    def finish(self) -> None:
        """InvalidProof when bytes are left."""
        if self._position != len(self._proof):
            raise InvalidProof(f"proof length: {len(self._proof) - self._position} bytes left over")

    def _take(self, size: int) -> bytes:
        data = self._proof[self._position : self._position + size]
        if len(data) != size:
            raise InvalidProof("proof length: it ends early")
        self._position += size
        self.absorb(data)
        return data


class ProofWriter(Transcript):
    """The prover's side: what is written is absorbed, and `proof` is all of it in order."""

    def __init__(self) -> None:
        super().__init__()
        self.proof = b""

    def write_point(self, name: str, point: Point) -> None:
        self._put(encode_point(point))

    def write_scalar(self, name: str, value: int) -> None:
        self._put(encode_scalar(value))

    def _put(self, data: bytes) -> None:
        self.proof += data
        self.absorb(data)
