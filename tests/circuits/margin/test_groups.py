"""Every law that groups, portfolios and options add is needed by someone, and nobody passes an insolvent group."""

from dataclasses import replace

import pytest

from circuits.margin.circuit import margin_circuit
from tests.circuits.margin.groups_story import CROSS_ONLY, SHAPE, parameters, tell
from tests.circuits.margin.laws_groups import GROUP_TAMPERS

ADDED_CHANNELS = {f"bus.{name}" for name in ("own", "sums", "position", "change", "worst", "vector", "expired")}


def laws(shape: object, portfolio: bool) -> set[str]:
    rules = parameters() if portfolio else replace(parameters(), portfolio=None)
    circuit = margin_circuit(rules, shape)  # type: ignore[arg-type]
    return {f"{table}.{law.name}" for table, found in circuit.base_constraints.items() for law in found}


def test_the_story_is_true() -> None:
    assert tell().paper.copy().failures() == set()


def test_no_law_without_a_tamper() -> None:
    """Of those that groups of portfolios have more than a key without; a key with cross groups has no others."""
    without = laws(replace(SHAPE, groups=0, scenarios=0), False)
    registers = {"groups.above", "groups.below", "scenarios.slack", "transitions.relief"}
    added = laws(SHAPE, True) - without
    assert registers <= added and laws(CROSS_ONLY, False) - without < added
    assert added | ADDED_CHANNELS == set(GROUP_TAMPERS)


@pytest.mark.parametrize("name", sorted(GROUP_TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = GROUP_TAMPERS[name]
    paper = tell().paper.copy()
    tamper(paper)
    assert paper.failures() == expected
