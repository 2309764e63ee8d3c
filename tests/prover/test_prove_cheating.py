"""Attacks on the order of sending and on each check: they succeed where the defence is removed, and only there."""

from dataclasses import replace

import pytest

from circuits.bus import MASK, MASK_CHANNEL
from circuits.circuit import Assignment, Circuit
from circuits.field import MODULUS, inverse, root_of_unity
from circuits.table import Table
from prover.backend import get_backend
from prover.key import setup
from prover.kzg import blind_commitments
from prover.polynomial import elements, interpolate
from prover.rounds import Columns, Setting
from tests.prover.cheats import (
    VERIFY,
    Challenges,
    Cheat,
    ForgetfulReader,
    forgetful,
    proof_by,
    refused,
    without,
)
from tests.prover.forged import forged_openings
from tests.toy_circuits import ToyStatement
from tests.verifier.cases import Case, case, srs
from verifier import InvalidProof
from verifier.curve import Point
from verifier.transcript import ProofReader


def changed(assignment: Assignment, table: str, **columns: list[int]) -> Assignment:
    return {**assignment, table: {**assignment[table], **columns}}


@pytest.mark.parametrize("name", ["ledger", "private ledger", "twins", "packed ledger", "packed private ledger"])
def test_the_honest_cheat_is_a_proof(name: str) -> None:
    made = case(name)
    made.verify(proof_by(Cheat(), made, made.assignment))


@pytest.mark.parametrize("name", ["private ledger", "twins", "packed ledger"])
def test_every_element_is_absorbed_before_the_next_challenge(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Forgetting an element changes every challenge that comes after it and none before."""
    made = case(name)
    honest = heard(monkeypatch, made)
    elements = [event for event, value in honest if value is None]
    assert len(elements) == len(set(elements)) > 30
    for element in elements:
        events = heard(monkeypatch, made, element)
        position = events.index((element, None))
        assert events[:position] == honest[:position]
        later = [
            (mine, theirs)
            for mine, theirs in zip(events[position:], honest[position:], strict=True)
            if mine[1] is not None
        ]
        assert all(mine != theirs for mine, theirs in later)
        assert bool(later) == (element != "W'")


def heard(monkeypatch: pytest.MonkeyPatch, made: Case, *forgotten: str) -> list[tuple[str, int | None]]:
    """What the verifier reads (name, None) and draws (label, challenge) in order, when it forgets these elements."""
    events: list[tuple[str, int | None]] = []

    class Listener(ForgetfulReader):
        def read_point(self, name: str) -> Point:
            events.append((name, None))
            return super().read_point(name)

        def read_scalar(self, name: str) -> int:
            events.append((name, None))
            return super().read_scalar(name)

        def challenge(self, label: str) -> int:
            events.append((label, super().challenge(label)))
            return events[-1][1] or 0

        def finish(self) -> None:
            raise InvalidProof("heard enough")

    Listener.forgotten = frozenset(forgotten)
    with monkeypatch.context() as patch:
        patch.setattr(VERIFY, "ProofReader", Listener)
        refused(made, made.proof, "heard enough")
    return events


def test_sigmas_after_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    """`zero` is one in every row of the left table; totals moved between the tables cancel that at the known alpha."""
    made = case("twins")
    circuit, names = made.key.circuit, ("left.sigma", "right.sigma")
    index = {
        (t.name, c.name): circuit.exponents[t.name] + i for t in circuit.tables for i, c in enumerate(t.constraints)
    }

    def sigmas(setting: Setting, honest: dict[str, int], challenges: Challenges) -> dict[str, int]:
        weight = {key: pow(challenges["alpha"], exponent, MODULUS) for key, exponent in index.items()}
        # weight[zero]*1 + x/n*(weight[left sum] - weight[right sum]) = 0
        lever = (weight["left", "bus_sum"] - weight["right", "bus_sum"]) * pow(circuit.table("left").size, -1, MODULUS)
        x = -weight["left", "zero"] * pow(lever, -1, MODULUS)
        return {"left": (honest["left"] + x) % MODULUS, "right": (honest["right"] - x) % MODULUS}

    false = changed(made.assignment, "left", zero=[1] * circuit.table("left").size)
    proof = proof_by(Cheat(forgotten=frozenset(names), sigmas=sigmas), made, false)
    refused(made, proof, "openings")
    refused(made, proof_by(Cheat(sigmas=sigmas), made, false), "openings")
    forgetful(monkeypatch, *names)
    made.verify(proof)


def recommit(
    setting: Setting, columns: Columns, table: str, name: str, values: list[int], blinds: list[int]
) -> Columns:
    """The columns with one of them replaced, values and commitment."""
    backend, size = setting.backend, len(values)
    vector = backend.vector(values)
    plain = backend.msm(setting.key.srs.lagrange(size), vector)
    [commitment] = blind_commitments(backend, [setting.key.blinding_points[size, 1, 0]], [plain], [blinds])
    key = (table, name)
    return columns | Columns({key: elements(vector)}, {key: interpolate(backend, vector, blinds)}, {key: commitment})


def test_multiplicities_after_gamma(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limbs 16+ and -1 are outside the range of 0..15; a multiplicity that is free after gamma pays for them."""
    made, name = case("ledger"), "lookups.used"
    steps, lookups = made.assignment["steps"], made.assignment["lookups"]
    low, high = list(steps["cap_0"]), list(steps["cap_1"])
    used = list(lookups["used"])
    for limb in (low[0], high[0]):
        used[limb] -= 1
    low[0], high[0] = low[0] + 16, high[0] - 1  # the same sum
    tag = made.key.circuit.channels.index("range") + 1

    def columns(setting: Setting, honest: Columns, challenges: Challenges) -> Columns:
        beta, gamma = challenges["beta"], challenges["gamma"]
        missing = sum(pow(gamma - tag - beta * limb, -1, MODULUS) for limb in (low[0], high[0]))
        paid = list(used)
        paid[0] = (paid[0] + missing * (gamma - tag)) % MODULUS
        return recommit(setting, honest, "lookups", "used", paid, [3] * setting.layout.blinds(("lookups", "used")))

    false = changed(made.assignment, "steps", cap_0=low, cap_1=high)
    proof = proof_by(Cheat(forgotten=frozenset({name}), columns=columns), made, false)
    refused(made, proof, "openings|bus")
    refused(made, proof_by(Cheat(columns=columns), made, false), "openings|bus")
    forgetful(monkeypatch, name)
    made.verify(proof)


def test_a_mask_after_gamma(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask is the prover's own: chosen after gamma, the one fraction that nobody else asks about balances the bus."""
    made, name = case("twins"), "left.bus_mask"
    received = list(made.assignment["right"]["received"])
    circuit = made.key.circuit
    sent, mask = (circuit.channels.index(channel) + 1 for channel in ("there", MASK_CHANNEL))

    def columns(setting: Setting, honest: Columns, challenges: Challenges) -> Columns:
        beta, gamma = challenges["beta"], challenges["gamma"]
        values = setting.backend.integers(honest.values["left", MASK].vector(setting.backend))
        missing = [inverse(gamma - sent - beta * value) for value in (received[0] + 1, received[0])]
        fraction = inverse(gamma - mask - beta * values[0]) + missing[0] - missing[1]
        paid = [(gamma - mask - inverse(fraction)) * inverse(beta) % MODULUS, *values[1:]]
        return recommit(setting, honest, "left", MASK, paid, [3] * setting.layout.blinds(("left", MASK)))

    false = changed(made.assignment, "right", received=[received[0] + 1, *received[1:]])
    proof = proof_by(Cheat(forgotten=frozenset({name}), columns=columns), made, false)
    refused(made, proof, "openings|bus")
    refused(made, proof_by(Cheat(columns=columns), made, false), "openings|bus")
    forgetful(monkeypatch, name)
    made.verify(proof)


@pytest.mark.parametrize("sizes", [(8, 8), (8, 16), (16, 8)])
def test_tables_that_share_powers_of_alpha(monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int]) -> None:
    """A point of two domains is a pole of both shares, of residues violation/n: they cancel under one power alone."""
    tables = [Table(name, size) for name, size in zip(("one", "other"), sizes, strict=True)]
    for table in tables:
        table.require("zero", table.witness("zero"))
    key, statement = setup(Circuit(tables), b"", srs(), get_backend("cpu")), ToyStatement(extra_columns={})
    made = Case(key, replace(statement, name="zeros"), {t.name: {"zero": [0] * t.size} for t in tables}, b"")
    made.verify(proof_by(Cheat(), made, made.assignment))
    violations = (sizes[0], -sizes[1])
    false: Assignment = {
        t.name: {"zero": [v if row == t.size // 4 else 0 for row in range(t.size)]}
        for t, v in zip(tables, violations, strict=True)
    }
    refused(made, proof_by(Cheat(), made, false), "openings")
    monkeypatch.setattr(key.circuit, "exponents", {"one": 0, "other": 0})
    made.verify(proof_by(Cheat(), made, false))


def test_z_before_w(monkeypatch: pytest.MonkeyPatch) -> None:
    """With z known, W = sum u_i (C_i - r_i(z)) and W' = 0 open anything to anything: here a stolen amount."""
    made = case("ledger")
    row, delta = next(iter(made.statement.difference.items()))
    stolen = replace(made.statement, difference={**made.statement.difference, row: (delta + (1 << 60)) % MODULUS})
    proof = forged_openings(made, stolen)
    refused(made, proof, "openings", stolen)
    forgetful(monkeypatch, "W")
    made.verify(proof, stolen)


@pytest.mark.parametrize("zeta", [0, 1, root_of_unity(32), root_of_unity(16), pow(root_of_unity(32), 5, MODULUS)])
def test_zeta_in_the_domain(monkeypatch: pytest.MonkeyPatch, zeta: int) -> None:
    class Reader(ProofReader):
        def challenge(self, label: str) -> int:
            drawn = super().challenge(label)
            return zeta if label == "zeta" else drawn

    made = case("ledger")
    monkeypatch.setattr(VERIFY, "ProofReader", Reader)
    refused(made, made.proof, "^challenge zeta")


@pytest.mark.parametrize(
    ("name", "check", "match"),
    [
        ("ledger", "check_state_differences", "cells.new"),
        ("private ledger", "check_reversals", "cells.new"),
        ("packed private ledger", "check_reversals", "cells.new"),
    ],
)
def test_a_state_of_too_high_degree(monkeypatch: pytest.MonkeyPatch, name: str, check: str, match: str) -> None:
    """`new` + X^N - 1 agrees with `new` on the domain, but nobody who knows the cells could open its commitment."""
    made = case(name)
    new = [int(value) for value in made.assignment["cells"]["new"]]
    setting_columns: list[Columns] = []

    def columns(setting: Setting, honest: Columns, challenges: Challenges) -> Columns:
        raised = recommit(setting, honest, "cells", "new", new, [1])
        setting_columns.append(raised)
        return raised

    proof_by(Cheat(columns=columns), made, made.assignment)
    statement = replace(made.statement, new=setting_columns[0].commitments["cells", "new"])
    assert statement.new != made.statement.new
    proof = proof_by(Cheat(columns=columns), made, made.assignment, statement)
    refused(made, proof, f"^state difference {match}", statement)
    without(monkeypatch, check)
    made.verify(proof, statement)


def test_an_unbalanced_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    made = case("twins")
    received = [value + (i == 0) for i, value in enumerate(made.assignment["right"]["received"])]
    proof = proof_by(Cheat(), made, changed(made.assignment, "right", received=received))
    refused(made, proof, "^bus: ")
    without(monkeypatch, "check_balance")
    made.verify(proof)


def test_a_violated_constraint(monkeypatch: pytest.MonkeyPatch) -> None:
    made = case("twins")
    proof = proof_by(Cheat(), made, changed(made.assignment, "left", zero=[0] * 7 + [1]))
    refused(made, proof, "^openings: ")
    without(monkeypatch, "check_pairing")
    made.verify(proof)
