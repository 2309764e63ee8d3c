"""Keys, statements and proofs of the toy circuits, made once for all tests of the argument."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from circuits.circuit import Assignment
from circuits.field import MODULUS
from prover.backend import Backend, get_backend
from prover.key import ProvingKey, setup
from prover.prove import prove
from prover.setup import SRS, insecure_srs
from tests.toy_circuits import Ledger, ToyStatement, ledger, plain, random_ledger, random_plain, random_twins, twins
from verifier import verify

POWERS, SEED = 256, b"toy circuits"
NAMES = ("ledger", "private ledger", "plain", "twins", "packed ledger", "packed private ledger", "packed twins")
PACKING = 3


@dataclass(frozen=True)
class Case:
    """A key, a true statement with its witness, and a proof of it."""

    key: ProvingKey
    statement: ToyStatement
    assignment: Assignment
    proof: bytes

    def verify(self, proof: bytes | None = None, statement: ToyStatement | None = None) -> None:
        """verify() of the case's own proof and statement, or of others, under its key."""
        chosen = self.proof if proof is None else proof
        verify(self.key.verifying, self.statement if statement is None else statement, chosen, allow_insecure=True)


def stream(seed: int) -> Callable[[], int]:
    """Field elements that depend on the seed alone."""
    source = random.Random(seed)
    return lambda: source.randrange(MODULUS)


@cache
def srs(backend: str = "cpu", seed: bytes = SEED) -> SRS:
    return insecure_srs(get_backend(backend), POWERS, seed)


def committed(made: Ledger, backend: Backend, setup: SRS) -> ToyStatement:
    """The statement of a ledger with the commitments of its two states."""
    old, new = (backend.msm(setup.lagrange(len(state)), backend.vector(state)) for state in made.states)
    return replace(made.statement, old=old, new=new)


@cache
def key_of(name: str, backend: str = "cpu") -> ProvingKey:
    build = {"plain": plain, "twins": twins}.get(name.removeprefix("packed "), ledger)
    published, packing = "private" not in name, PACKING if "packed" in name else 1
    return setup(build(), name.encode(), srs(backend), get_backend(backend), published, packing)


def witness_of(name: str, seed: int, backend: str = "cpu") -> tuple[Assignment, ToyStatement]:
    made_by = {"plain": random_plain, "twins": random_twins}.get(name.removeprefix("packed "))
    if made_by is not None:
        return made_by(seed)
    made = random_ledger(seed, published="private" not in name)
    return made.assignment, committed(made, get_backend(backend), srs(backend))


@cache
def case(name: str, seed: int = 1, backend: str = "cpu") -> Case:
    assignment, statement = witness_of(name, seed, backend)
    key = key_of(name, backend)
    return Case(key, statement, assignment, prove(key, statement, assignment, get_backend(backend), stream(seed)))
