"""Tampers with the pair of rows of a transition: kinds, sizes, cash and directions that differ between its legs."""

from functools import partial

from circuits.margin.cell import ACCOUNT, Cell
from tests.circuits.margin.forge import Case
from tests.circuits.margin.laws import add, breaks
from tests.circuits.margin.laws_cells import acted, collected
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, FEE_CELL, INSURANCE_CELL, LAST, PRICE, begin

INDEX = -5 << 32  # of market 1, where a unit is worth one quote: as much as a price may be off
PAIR = {13: Cell(1000, 0, INDEX, 1, ACCOUNT), 14: Cell(1000, 0, INDEX, 1, ACCOUNT)}
INITIAL = {"rule_a": "initial", "rule_b": "initial"}


def alone(leg: str, place: int, case: Case) -> Case:
    """The transition with one of its legs taken away."""
    return Sheet(case).blank(place, "b" if leg == "a" else "a").case()


def half(leg: str, kind: str, *legs: int, **stated: object) -> Case:
    """One leg of a step at no price."""
    stated = {"cash": 0, **stated}
    return alone(leg, 0, acted(kind, *legs, cells=PAIR, **stated))


add("trade_pair", partial(half, "a", "trade", 13, 14, size=1, **INITIAL))
add("liquidate_pair", partial(half, "a", "liquidate", 13, 14, size=1, **INITIAL))
add("deleverage_pair", partial(half, "a", "deleverage", 5, 4, size=50, **INITIAL))
add("transfer_pair", partial(half, "b", "transfer", 2, 3, size=25, rule_a="initial"))
add("cover_pair", partial(half, "b", "cover", INSURANCE_CELL, 9, size=1))
add("collect_pair", lambda: alone("a", LAST, collected(FEE_CELL, INSURANCE_CELL)))


@breaks("single_kind")
def a_touch_on_the_second_row() -> Case:
    return Sheet(acted("touch", 12)).swap(0).case()


@breaks("exchanged")
def a_transfer_of_nothing() -> Case:
    return acted("transfer", 2, 3, size=0, rule_a="initial")


@breaks("exchanged_b")
def cash_beyond_64_bits() -> Case:
    """A pays 2^63, all of it borrowed against its position."""
    cells = {13: Cell(1 << 62, 1 << 56, 0, 0, ACCOUNT), 14: Cell(-(1 << 62), kind=ACCOUNT)}
    return acted("transfer", 13, 14, size=1 << 63, rule_a="initial", cells=cells)


@breaks("one_size")
def two_units_bought_of_one_that_is_sold() -> Case:
    case = acted("trade", 13, 14, size=2, cash=1, cells=PAIR, after_b={"position": -1}, **INITIAL)
    return Sheet(case).write(0, size_b=1).case()


@breaks("one_cash")
def more_received_than_paid() -> Case:
    case = acted("transfer", 2, 3, size=25, rule_a="initial", after_b={"collateral": 1_001_000})
    return Sheet(case).write(0, cash_b=-1000).case()


@breaks("one_direction")
def two_buyers() -> Case:
    case = acted("trade", 13, 14, size=1, cash=0, cells=PAIR, after_b={"position": 1}, **INITIAL)
    return Sheet(case).write(0, sells_b=0).case()


@breaks("cover_system")
def a_cover_out_of_an_account() -> Case:
    case = acted("cover", 2, 9, size=50, after_a={"kind": ACCOUNT})
    return Sheet(case).write(0, system_a=0, price_a=PRICE, oracle_index_a=0).case()


@breaks("collect_system")
def fees_collected_by_an_account() -> Case:
    case = collected(14, INSURANCE_CELL, cells={14: Cell(kind=ACCOUNT)}, after_a={"kind": ACCOUNT})
    return Sheet(case).write(LAST, system_a=0, price_a=PRICE, oracle_index_a=0).case()


@breaks("queue_first")
def an_operation_left_out() -> Case:
    """The counter begins at 1, where the statement says 0."""
    forged = Sheet(acted("touch", 2))
    for place in range(LAST + 1):
        forged.write(place, queue=1)
    return forged.case()


@breaks("queue_next")
def operations_in_another_order() -> Case:
    """The third before the second: a withdrawal is refused before the deposit that would have paid it."""
    forge = begin()
    forge.act("deposit", 3, amount=1, queue=0)
    forge.act("refuse", 2, amount=CELLS[2].collateral + 500, queue=2)
    forge.act("deposit", 2, amount=500, queue=1)
    forged = Sheet(forge.case())
    for place, queue in ((1, 2), (2, 1)):
        forged.transitions["queue"][2 * place] = queue
    listed = tuple(sorted(forged.base.statement.l1, key=lambda row: row.queue))
    return forged.case(l1=listed)
