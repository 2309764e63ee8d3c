"""Every law of the circuit is needed by someone: a tampered batch breaks it, and nothing that it does not say."""

import pytest

from circuits.bus import MASK_CHANNEL
from circuits.expression import lift, query
from tests.circuits.margin import laws_cells, laws_kinds, laws_pairs, laws_rules
from tests.circuits.margin.forge import circuit_of, failures
from tests.circuits.margin.laws import TAMPERS
from tests.circuits.margin.story import PARAMETERS, SHAPE, sheet, steps, tell

assert laws_cells and laws_kinds and laws_pairs and laws_rules  # they fill the registry


def laws() -> set[str]:
    """Constraints of the three tables, channels of the bus and linear sums."""
    circuit = circuit_of(PARAMETERS, SHAPE)
    constraints = {f"{table}.{law.name}" for table, laws in circuit.base_constraints.items() for law in laws}
    channels = {f"bus.{channel}" for channel in circuit.channels if channel != MASK_CHANNEL}
    return constraints | channels | {f"sum.{name}" for name in circuit.weights}


def test_the_story_is_true() -> None:
    assert failures(sheet().case()) == set()


def test_no_law_without_a_tamper() -> None:
    assert laws() == {name.split()[0] for name in TAMPERS}


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_law(name: str) -> None:
    tamper, expected = TAMPERS[name]
    assert failures(tamper()) == expected


def test_most_laws_stand_alone() -> None:
    """The others are implied by their neighbours; docs/protocol.md need not argue about them."""
    alone = {law for _, expected in TAMPERS.values() if len(expected) == 1 for law in expected}
    assert laws() - alone == {
        f"transitions.{name}"
        for name in ("one_kind", "fee_kind", "initial_boolean", "reducing_boolean", "collect_boolean", "cover_boolean")
    }


def test_every_limb_is_looked_up() -> None:
    """In every row, once."""
    circuit = circuit_of(PARAMETERS, SHAPE)
    table = circuit.table("transitions")
    limbs = {f"{name}_{i}" for name, r in table.registers.items() for i in range(r.bits // table.limb_bits)}
    ranged = [term for term in circuit.base_terms["transitions"] if term.channel == "range"]
    assert {(term.multiplicity, term.fields) for term in ranged} == {(lift(1), (query(limb),)) for limb in limbs}
    assert len(ranged) == len(limbs)


@pytest.mark.parametrize("part", ["lower", "upper", "rate", "deduction"])
@pytest.mark.parametrize(
    ("row", "tier"),
    [
        ("trade", "tier_after_a"),
        ("trade", "tier_after_b"),
        ("trade_reducing_a", "tier_before_a"),
        ("trade_reducing_a", "tier_after_a"),
        ("trade_reducing_b", "tier_before_b"),
        ("trade_reducing_b", "tier_after_b"),
        ("liquidate", "tier_before_b"),
        ("withdraw", "tier_after_a"),
        ("refuse", "tier_after_a"),
    ],
)
def test_each_part_of_a_tier_is_looked_up(row: str, tier: str, part: str) -> None:
    """No rule notices a requirement that is off by next to nothing: the lookup does."""
    forged, place, column = sheet(), tell()[row], f"{tier}_{part}"
    forged.write(place, **{column: forged.read(place, column) + (-1 if part in ("lower", "upper") else 1)})
    assert failures(forged.case()) == {"bus.tier"}


@pytest.mark.parametrize("name", [name for name, row in tell().items() if name not in ("pad",)])
@pytest.mark.parametrize("leg", ["a", "b"])
@pytest.mark.parametrize("column", ["address", "gap"])
def test_an_access_is_of_one_cell_at_one_time(name: str, leg: str, column: str) -> None:
    """An address beside the cell, or a read a row earlier, leaves memory unbalanced, where the kind has the leg."""
    forged, row = sheet(), tell()[name]
    forged.write(row, **{f"{column}_{leg}": forged.read(row, f"{column}_{leg}") + 1})
    absent = leg == "b" and steps()[name].b is None
    found = failures(forged.case())
    assert ("bus.memory" in found) != absent
