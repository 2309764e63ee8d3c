"""The verifier refuses what the mock prover refuses: every cheating assignment, proven without a conscience, in a
real proof."""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import pytest

from circuits.circuit import Assignment
from circuits.field import MODULUS
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import Point, Statement
from prover.backend import Backend, get_backend
from prover.key import ProvingKey
from prover.prove import prove
from prover.rounds import Setting
from prover.setup import insecure_srs
from tests.circuits.margin import (  # noqa: F401 (they register)
    cheats_pairs,
    cheats_rules,
    laws_cells,
    laws_kinds,
    laws_pairs,
    laws_rules,
)
from tests.circuits.margin.cheats import CHEATS, Cheat, as_cheat
from tests.circuits.margin.laws import TAMPERS
from tests.circuits.margin.story import sheet
from verifier import InvalidProof, verify
from verifier.identity import public_values, quotient_value
from verifier.margin import MarginStatement
from verifier.openings import Evaluations
from zkmargin.proving import margin_key

PROVE = importlib.import_module("prover.prove")


@lru_cache(maxsize=4)
def key_of(parameters: Parameters, shape: Shape) -> tuple[ProvingKey, Backend]:
    backend = get_backend("cpu")
    return margin_key(parameters, shape, insecure_srs(backend, 1 << 12, b"cheats"), backend), backend


def commit(key: ProvingKey, backend: Backend, column: object) -> Point:
    values = [int(value) % MODULUS for value in column]  # type: ignore[attr-defined]
    return backend.msm(key.srs.lagrange(len(values)), backend.vector(values))


def with_commitments(key: ProvingKey, backend: Backend, statement: Statement, assignment: Assignment) -> Statement:
    """The statement with the commitments, and the differences, of the assignment's own states."""
    cells = assignment["cells"]
    old, new = (commit(key, backend, cells[name]) for name in ("old", "new"))
    pairs = enumerate(zip(cells["old"], cells["new"], strict=True))
    diff = tuple((row, (int(b) - int(a)) % MODULUS) for row, (a, b) in pairs if (int(b) - int(a)) % MODULUS)
    return replace(statement, old=old, new=new, diff=diff)


def without_conscience(
    setting: Setting,
    evaluations: Evaluations,
    _: object,
    challenges: Mapping[str, int],
    sigmas: Mapping[str, int],
) -> int:
    """In place of the prover's own check: the value that the verifier will compute, whether or not it is true."""
    public = public_values(setting.layout, setting.statement, challenges)
    known = {**evaluations.columns, **public.columns}
    return quotient_value(setting.key.circuit, known, challenges, sigmas, public.scalars, challenges["zeta"])


def judge(monkeypatch: pytest.MonkeyPatch, cheat: Cheat) -> None:
    """Proves the assignment as it is, and asks the verifier."""
    key, backend = key_of(cheat.parameters, cheat.shape)
    statement = with_commitments(key, backend, cheat.statement, cheat.assignment)
    public = MarginStatement.under(key.verifying, statement)
    with monkeypatch.context() as patch:
        patch.setattr(PROVE, "check_witness", without_conscience)
        patch.setattr(PROVE, "_receive", lambda *_: None)
        proof = prove(key, public, cheat.assignment, backend)
    verify(key.verifying, public, proof, allow_insecure=True)


def test_the_same_prover_persuades_where_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, as_cheat(sheet().case()))


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_cheats_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, CHEATS[name]())


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_tampers_of_single_laws_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tamper, expected = TAMPERS[name]
    with pytest.raises(InvalidProof, match=r"statement|bus|openings"):
        judge(monkeypatch, as_cheat(tamper(), *expected))
