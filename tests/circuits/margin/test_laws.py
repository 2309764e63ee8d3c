"""Every law of the circuit is needed by someone: a tampered batch breaks it, and nothing that it does not say."""

import pytest

from circuits.bus import MASK_CHANNEL
from tests.circuits.margin import laws_cells, laws_kinds, laws_rules
from tests.circuits.margin.forge import circuit_of, failures
from tests.circuits.margin.laws import TAMPERS
from tests.circuits.margin.story import PARAMETERS, SHAPE, sheet

assert laws_cells and laws_kinds and laws_rules  # they fill the registry


def laws() -> set[str]:
    """Constraints of the three tables, channels of the bus and linear sums."""
    circuit = circuit_of(PARAMETERS, SHAPE)
    constraints = {f"{table}.{law.name}" for table, laws in circuit.base_constraints.items() for law in laws}
    channels = {f"bus.{channel}" for channel in circuit.channels if channel != MASK_CHANNEL}
    return constraints | channels | {f"sum.{name}" for name in circuit.weights}


def test_the_story_is_true() -> None:
    assert failures(sheet().case()) == set()


def test_no_law_without_a_tamper() -> None:
    assert laws() == set(TAMPERS)


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = TAMPERS[name]
    assert failures(tamper()) == expected


def test_most_laws_stand_alone() -> None:
    """The others are implied by their neighbours; docs/protocol.md need not argue about them."""
    implied = {name for name, (_, expected) in TAMPERS.items() if len(expected) > 1}
    assert implied == {
        f"transitions.{name}"
        for name in ("one_kind", "open_market", "fee_kind_a", "fee_kind_b", "initial_a_boolean", "reducing_a_boolean")
    }
