"""Cheating provers, made of the prover's own rounds, and the forgetful transcripts under which they succeed.

A transcript that forgets an element gives the same later challenges whatever the element is: the prover may choose
it after them. That is what a protocol with the wrong order of sending amounts to.
"""

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from circuits.circuit import Assignment
from circuits.table import Kind
from prover.backend import get_backend
from prover.prove import write_evaluations
from prover.rounds import (
    Columns,
    Setting,
    commit_bus,
    commit_quotient,
    commit_witness,
    evaluate,
    fold_chunks,
    open_all,
)
from tests.toy_circuits import ToyStatement
from tests.verifier.cases import Case, stream
from verifier import InvalidProof
from verifier.curve import Point
from verifier.openings import openings, reversal_key
from verifier.proof import QUOTIENT
from verifier.transcript import ProofReader, ProofWriter

VERIFY = importlib.import_module("verifier.verify")
Challenges = Mapping[str, int]
Totals = Mapping[str, int]


class ForgetfulWriter(ProofWriter):
    """Writes the elements in `forgotten` without absorbing them."""

    def __init__(self, forgotten: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.forgotten = forgotten

    def write_point(self, name: str, point: Point) -> None:
        with forgetting(self, name in self.forgotten):
            super().write_point(name, point)

    def write_scalar(self, name: str, value: int) -> None:
        with forgetting(self, name in self.forgotten):
            super().write_scalar(name, value)

    def ahead(self, label: str) -> int:
        """The challenge that would be drawn now."""
        return copy.deepcopy(self).challenge(label)


class ForgetfulReader(ProofReader):
    """Reads the elements in `forgotten` without absorbing them."""

    forgotten: frozenset[str] = frozenset()

    def read_point(self, name: str) -> Point:
        with forgetting(self, name in self.forgotten):
            return super().read_point(name)

    def read_scalar(self, name: str) -> int:
        with forgetting(self, name in self.forgotten):
            return super().read_scalar(name)


@contextmanager
def forgetting(transcript: ProofReader | ProofWriter, forgets: bool) -> Iterator[None]:
    before = bytes(transcript._pending)
    yield
    if forgets:
        transcript._pending[:] = before


def forgetful(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Makes `verify` forget these elements."""
    reader = type("Reader", (ForgetfulReader,), {"forgotten": frozenset(names)})
    monkeypatch.setattr(VERIFY, "ProofReader", reader)


def without(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Takes one of the checks out of `verify`."""
    assert callable(getattr(VERIFY, check))
    monkeypatch.setattr(VERIFY, check, lambda *_: None)


@dataclass(frozen=True)
class Cheat:
    """Where a prover leaves the protocol; the defaults are honest.

    forgotten: elements that it chooses late. columns: replaces columns of round 1, knowing beta, gamma and w.
    sigmas: replaces the totals, knowing alpha.
    """

    forgotten: frozenset[str] = frozenset()
    columns: Callable[[Setting, Columns, Challenges], Columns] = lambda setting, columns, challenges: columns
    sigmas: Callable[[Setting, Totals, Challenges], Totals] = lambda setting, sigmas, challenges: sigmas


def proof_by(cheat: Cheat, made: Case, assignment: Assignment, statement: ToyStatement | None = None) -> bytes:
    """A proof by the prover's rounds without the prover's own checks, leaving the protocol where the cheat says."""
    key = made.key
    setting = Setting(key, statement or made.statement, get_backend("cpu"), stream(9), lambda *_: None)
    columns = commit_witness(setting, assignment)
    columns = cheat.columns(setting, columns, _first_challenges(setting, columns, cheat)[1])
    writer, challenges = _first_challenges(setting, columns, cheat)
    bus, sigmas = commit_bus(setting, columns, challenges)
    for pack in setting.layout.packs_of(Kind.BUS):
        writer.write_point(".".join(pack.name), bus.commitments[pack.name])
    alpha = _alpha(setting, writer, sigmas)
    sigmas = dict(cheat.sigmas(setting, sigmas, {**challenges, "alpha": alpha}))
    for table in setting.layout.sigmas:
        writer.write_scalar(f"{table}.sigma", sigmas[table])
    challenges["alpha"] = writer.challenge("alpha")
    return _rest(setting, writer, columns | bus, challenges, sigmas)


def _first_challenges(setting: Setting, columns: Columns, cheat: Cheat) -> tuple[ForgetfulWriter, dict[str, int]]:
    writer = ForgetfulWriter(cheat.forgotten)
    writer.absorb(setting.key.verifying.digest)
    writer.absorb_message(setting.statement.encode())
    witness = [pack.name for pack in setting.layout.packs_of(Kind.WITNESS)]
    for name in [*witness, *(reversal_key(table, new) for table, _, new in setting.layout.reversals)]:
        writer.write_point(".".join(name), columns.commitments[name])
    return writer, {name: writer.challenge(name) for name in ("beta", "gamma", "w")}


def _alpha(setting: Setting, writer: ForgetfulWriter, sigmas: Mapping[str, int]) -> int:
    """The alpha that would follow these totals."""
    trial = copy.deepcopy(writer)
    for table in setting.layout.sigmas:
        trial.write_scalar(f"{table}.sigma", sigmas[table])
    return trial.challenge("alpha")


def _rest(
    setting: Setting, writer: ProofWriter, columns: Columns, challenges: Challenges, sigmas: Mapping[str, int]
) -> bytes:
    """Rounds 3 to 5, honestly; the quotient's value is that of the chunks."""
    chunks = commit_quotient(setting, columns, challenges, sigmas)
    for i, point in enumerate(chunks.commitments):
        writer.write_point(f"quotient {i}", point)
    zeta = writer.challenge("zeta")
    evaluations = evaluate(setting, columns, zeta)
    write_evaluations(writer, setting.layout, evaluations)
    folded = fold_chunks(setting, chunks, zeta)
    opened = openings(setting.layout, evaluations, setting.backend.evaluate(folded, zeta), zeta)
    open_all(setting, {**columns.coefficients, QUOTIENT: folded}, opened, writer)
    return writer.proof


def refused(made: Case, proof: bytes, match: str | None, statement: ToyStatement | None = None) -> None:
    with pytest.raises(InvalidProof, match=match):
        made.verify(proof, statement)
