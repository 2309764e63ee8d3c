"""Cheating assignments, each a profit or a theft if it passed, with the laws that stop it.

    for name, build in CHEATS.items():
        parameters, shape, statement, assignment, expected = build()

The statement's commitments are left out: a real proof fills in those of `old` and `new`. More cheats are in
cheats_rules, and the tampers of single laws (`laws.TAMPERS`) are of the same form.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from circuits.circuit import Assignment
from circuits.field import MODULUS
from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import Statement
from tests.circuits.margin.forge import Case, Forge
from tests.circuits.margin.laws import law
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, PRICE, begin, funded, sheet

BIAS = 1 << 63
INITIAL = {"rule_a": "initial", "rule_b": "initial"}


class Cheat(NamedTuple):
    parameters: Parameters
    shape: Shape
    statement: Statement
    assignment: Assignment
    expected: frozenset[str]


CHEATS: dict[str, Callable[[], Cheat]] = {}


def as_cheat(case: Case, *expected: str) -> Cheat:
    return Cheat(case.parameters, case.shape, case.statement, case.assignment, frozenset(map(law, expected)))


def caught_by(*expected: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Registers a cheat under its function's name, with all the laws that it breaks."""

    def register(build: Callable[[], Case]) -> Callable[[], Case]:
        CHEATS[build.__name__] = lambda: as_cheat(build(), *expected)
        return build

    return register


def acted(kind: str, *legs: int, forge: Forge | None = None, **stated: Any) -> Case:
    """One forged step on the story's cells."""
    forge = forge or begin()
    forge.act(kind, *legs, **stated)
    return forge.case()


# Memory: what is read was written before, once, in another row.


@caught_by("bus.memory")
def spend_a_balance_twice() -> Case:
    """Two transfers of all that cell 2 has, both from what it had at first."""
    forge = begin()
    for receiver in (3, 7):
        forge.cells[2] = CELLS[2]
        forge.act("transfer", 2, receiver, size=CELLS[2].collateral, rule_a="initial")
    return forge.case()


@caught_by("bus.range")
def read_what_a_later_row_writes() -> Case:
    """Two transitions feed each other: a transfer of money that a later deposit brings. The gap would be negative."""
    forge = begin(CELLS | {8: Cell(kind=ACCOUNT)})
    forge.act("transfer", 8, 3, size=500, rule_a="initial")
    forge.act("deposit", 8, amount=500)
    forged = Sheet(forge.case())
    empty, full = Cell(kind=ACCOUNT), Cell(500, kind=ACCOUNT)
    for row, before, after in ((0, full, empty), (1, empty, full)):
        forged.write(row, collateral_a=before.collateral + BIAS, settled_collateral_a=before.collateral)
        forged.write(row, collateral_after_a=after.collateral + BIAS)
    forged.write(0, gap_a=0).write(1, gap_a=1)
    forged.write(0, gap_a_0=-2)  # it reads at time 2 what row 1 writes
    forged.cells["last"][8], forged.cells["new"][8] = 1, empty.pack()
    return forged.case()


@caught_by("bus.range")
def money_from_a_loop() -> Case:
    """A cell that the state never sent into memory: two touches pass it round."""
    forge = begin(CELLS | {8: Cell(1 << 40, kind=ACCOUNT)})
    forge.act("touch", 8)
    forge.act("transfer", 8, 3, size=1 << 39, rule_a="initial")
    forge.act("deposit", 8, amount=1 << 39)
    forged = Sheet(forge.case())
    forged.cells["touched"][8] = forged.cells["last"][8] = 0
    forged.cells["old"][8] = forged.cells["new"][8] = 0
    forged.write(0, gap_a_0=-3)  # the first reads what the last wrote, at time 3
    return forged.case()


@caught_by("bus.range")
def trade_with_oneself() -> Case:
    """Leg b reads what leg a of its own transition wrote, at the time of both."""
    forged = Sheet(acted("trade", 2, 2, size=10, cash=1000, **INITIAL))
    return forged.write(0, gap_b=0, gap_b_0=-1).case()


@caught_by("bus.memory")
def transfer_to_oneself_twice_read() -> Case:
    """Both legs read the same first balance; what the sender wrote is dropped."""
    forged = Sheet(acted("transfer", 2, 2, size=25, rule_a="initial"))
    received = CELLS[2].collateral + 25
    forged.write(0, gap_b=0, collateral_b=received - 25 + BIAS, collateral_after_b=received + BIAS)
    forged.write(0, settled_collateral_b=received - 25)
    forged.cells["new"][2] = replace(CELLS[2], collateral=received).pack()
    return forged.case()


@caught_by("bus.memory")
def a_cell_beyond_the_state() -> Case:
    return Sheet(acted("transfer", 2, 3, size=25, rule_a="initial")).write(0, address_b=16).case()


@caught_by("bus.memory")
def a_touched_cell_changed_by_no_row() -> Case:
    forged = sheet()
    forged.cells["touched"][15], forged.cells["new"][15] = 1, CELLS[2].pack()
    return forged.case()


# Digits: one value, one account.


@caught_by("bus.range")
def a_unit_of_position_as_collateral() -> Case:
    """c + 2^64 and q - 1 pack to the same value, and are worth far more."""
    forged = Sheet(acted("withdraw", 2, amount=5_000_000, rule_a="initial"))
    for when, cell in (("", CELLS[2].collateral), ("_after", CELLS[2].collateral - 5_000_000)):
        low = cell + BIAS & (1 << 64) - 1
        forged.write(0, **{f"collateral{when}_a": low, f"magnitude{when}_a": 1, f"negative{when}_a": 1})
        forged.write(0, **{f"position{when}_a": -1, f"notional{when}_a": PRICE})
        forged.add(0, **{f"collateral{when}_a_7": ((cell + BIAS - low) >> 56) + 256})
    forged.write(0, settled_collateral_a=CELLS[2].collateral + (1 << 64))
    forged.cells["new"][2] = (CELLS[2].pack() - 5_000_000) % MODULUS
    return forged.case()


@caught_by("bus.range")
def a_fraction_of_a_quote() -> Case:
    """A cash amount of 1/2^16 mod r: beyond the band as an integer, inside it as a field element."""
    tiny = pow(1 << 16, -1, MODULUS)
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, **INITIAL)
    forged = Sheet(forge.case())
    forged.write(0, cash=1000 + tiny)
    for leg, cell, sign in (("a", 2, -1), ("b", 3, 1)):
        forged.add(0, **{f"collateral_after_{leg}_0": sign * tiny})
        forged.cells["new"][cell] = (forged.cells["new"][cell] + sign * tiny) % MODULUS
    return forged.absorb(0, "margin_a", "margin_b", "band_a", "band_b", "exchanged_b").case()


@caught_by("bus.range")
def a_negative_fee() -> Case:
    """One side is paid what the other pays; the sum of fees does not notice."""
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, fee_a=-5, fee_b=5, **INITIAL)
    forge.collect()
    forged = Sheet(forge.case()).write(0, fee_a=0).absorb(0, "margin_a", "fee_room_a")
    return forged.write(0, fee_a_0=-5).case()


@caught_by("bus.range")
def a_payment_of_funding_rounded_down() -> Case:
    """q = 1 owes a quarter of a unit, and pays nothing: the dust would be negative."""
    forge = funded()
    forge.cells[2] = forge.old[2] = Cell(500, 1, kind=ACCOUNT)
    forge.act("touch", 2, after_a={"collateral": 500})
    forged = Sheet(forge.case()).write(1, settled_collateral_a=500, funding_dust_a=0)
    return forged.write(1, funding_dust_a_0=-(1 << 30)).case()


@caught_by("bus.oracle")
def yesterdays_funding_index() -> Case:
    """Settled at an index that this tick does not list."""
    forge = funded()
    forge.act("touch", 12, after_a={"collateral": CELLS[12].collateral, "index": CELLS[12].index})
    settled = CELLS[12].collateral
    return Sheet(forge.case()).write(1, oracle_index=0, settled_collateral_a=settled, funding_dust_a=0).case()
