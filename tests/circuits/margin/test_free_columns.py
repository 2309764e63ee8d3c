"""What a transition leaves to the prover: exactly the columns that its kind and rules have no use for.

A column of one of its rows is moved, what follows from it recomputed; it is free when no constraint fails and no tuple
but those of limbs changes.
"""

from itertools import islice, product

import pytest

from circuits.check import rows
from circuits.margin.parameters import Shape
from circuits.margin.publics import public_scalars
from circuits.table import Kind
from tests.circuits.margin.forge import Forge, circuit_of
from tests.circuits.margin.sheet import TIER_PARTS, Sheet
from tests.circuits.margin.story import PARAMETERS, PRICE, steps
from zkmargin.state import Leg, Step

SHAPE = Shape(4, 16, 8, True)
CIRCUIT = circuit_of(PARAMETERS, SHAPE)
TABLE = CIRCUIT.table("transitions")
STATED = {name for name, register in TABLE.registers.items() if register.value is None}
LIMBS = {f"{name}_{i}" for name, register in TABLE.registers.items() for i in range(register.bits // 8)}
BOOLEANS = {law.name.removesuffix("_boolean") for law in TABLE.constraints if law.name.endswith("_boolean")}
PLAIN = set(TABLE.of_kind(Kind.WITNESS)) - LIMBS - {"bus_mask"}
MOVED = sorted((STATED | PLAIN) - {"tick", "queue"})  # whose steps show in the next row
LAWS = [law.expression for law in CIRCUIT.base_constraints["transitions"]]
TUPLES = [
    expression
    for term in CIRCUIT.base_terms["transitions"]
    if term.channel != "range"
    for expression in (term.multiplicity, *(term.multiplicity * part for part in term.fields))
]


def alone(step: Step) -> tuple[Sheet, int]:
    """The step in a table of its own, and its place: the last for `collect`, else the first."""
    forge = Forge(PARAMETERS, SHAPE, {leg.address: leg.before for leg in (step.a, step.b) if leg is not None})
    if step.tick == 2:
        forge.tick(60, (PRICE, 1 << 30), (1 << 16, -5 << 32))
        forge.oracle = forge.oracle[2:]
    forge.take(step)
    return Sheet(forge.case()), SHAPE.transitions - 1 if step.kind == "collect" else 0


def seen(sheet: Sheet, place: int) -> tuple[bool, list[int]]:
    """Whether all constraints hold in the pair of rows, and what it puts on the bus besides limbs."""
    columns = {**TABLE.fixed_values, **sheet.columns["transitions"]}
    scalars = public_scalars(sheet.base.statement)
    first, second = islice(rows(TABLE, LAWS + TUPLES, columns, scalars), 2 * place, 2 * place + 2)
    held = not any(first[: len(LAWS)]) and not any(second[: len(LAWS)])
    return held, [*first[len(LAWS) :], *second[len(LAWS) :]]


def free_columns(step: Step) -> set[str]:
    """Names with the leg in whose row the column is free."""
    sheet, place = alone(step)
    before = seen(sheet, place)
    assert before[0]
    original = {name: list(column) for name, column in sheet.transitions.items()}
    free = set()
    for leg, name in product("ab", MOVED):
        row = 2 * place + "ab".index(leg)
        value = sheet.read_row(row, name)
        sheet.write_row(row, name, 1 - value if name in BOOLEANS else value + 1)
        sheet.define()
        if seen(sheet, place) == before:
            free.add(f"{name}_{leg}")
        for column, values in original.items():
            sheet.transitions[column][:] = values
    return free


def unused(step: Step) -> set[str]:
    """The same by reason."""
    exchange = step.kind in ("trade", "liquidate", "deleverage")
    judged = step.rule_a is not None or (step.kind == "refuse" and not step.system and not step.oversized)
    names = {"amount_b"}
    names |= set() if step.queue is not None else {"amount_a"}
    names |= set() if exchange else {"sells_a", "sells_b"}
    names |= {"open_tier_a"} if step.kind == "refuse" and not judged else set()
    names |= _unused_leg("a", step.a, step.rule_a == "reducing", judged)
    return names | _unused_leg("b", step.b, step.rule_b == "reducing", step.rule_b is not None)


def _unused_leg(suffix: str, leg: Leg | None, before_judged: bool, after_judged: bool) -> set[str]:
    names = set() if leg is not None else {f"address_{suffix}", f"gap_{suffix}", f"market_{suffix}"}
    if leg is None or not leg.settled:
        names.add(f"oracle_index_{suffix}")
    if leg is None or not (leg.settled or leg.before.position or leg.after.position):
        names.add(f"price_{suffix}")
    for when, judged in (("before", before_judged), ("after", after_judged)):
        names |= set() if judged else {f"tier_{when}_{part}_{suffix}" for part in TIER_PARTS}
    if leg is None or leg.before.position == 0:
        names.add(f"negative_{suffix}")
    if leg is None or leg.after.position == 0:
        names.add(f"negative_after_{suffix}")
    return names


@pytest.mark.parametrize("name", sorted(steps()))
def test_free_columns(name: str) -> None:
    step = steps()[name]
    assert free_columns(step) == unused(step)


def test_padding_leaves_everything_but_accounts() -> None:
    """Without a kind nothing is read or written; balances must still be in their registers."""
    pad = Step("pad", 1)
    assert free_columns(pad) == unused(pad)
