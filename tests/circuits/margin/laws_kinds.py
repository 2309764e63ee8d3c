"""Tampers with selectors, flags and ticks: a row that is less than nothing and one thing more, half a flag.

A selector of -1 beside one of 1 leaves `one_kind` and most of the row content: what it undoes is the other's rule.
"""

from functools import partial

from circuits.field import inverse
from circuits.margin.cell import ACCOUNT, Cell
from tests.circuits.margin.forge import Case
from tests.circuits.margin.laws import add, breaks
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, FEE_CELL, INSURANCE_CELL, LAST, NEAR, PRICE, WIDE, begin, sheet, tell

BIAS = 1 << 63
HALF = inverse(2)


def written(name: str, **values: int) -> Case:
    """A row of the story with these columns."""
    return sheet().write(tell()[name], **values).case()


SETTLED_PAD = {"price": PRICE, "oracle_index": 1 << 30, "index_after_a": 1 << 30}
add("one_kind", partial(written, "deposit", touch=1), "bus.memory")
add("open_boolean", partial(written, "pad", open=-1, deposit=1, market_change=1))
add("deposit_boolean", partial(written, "pad", open=1, deposit=-1, market_change=-1))
add("close_boolean", partial(written, "pad", close=-1, deposit=1, **SETTLED_PAD))
add("refuse_close_boolean", partial(written, "pad", refuse_close=-1, deposit=1, **SETTLED_PAD))
add("refuse_boolean", partial(written, "trade_reducing_a", deposit=1, refuse=-1))
add("liquidate_boolean", partial(written, "pad", liquidate=-1, trade=1, initial_b=0, reducing_b=0))
add("deleverage_boolean", partial(written, "pad", deleverage=-1, trade=1))
add("system_kind", lambda: _act("touch", FEE_CELL, system=True))
add("negative_a_boolean", partial(written, "touch", negative_a=2))
add("negative_after_a_boolean", partial(written, "touch", negative_after_a=2))
add("negative_b_boolean", partial(written, "cover", negative_b=2))
add("negative_after_b_boolean", partial(written, "cover", negative_after_b=2))
add("sells_boolean", partial(written, "pad", sells_a=2))
add("open_tier_rule", partial(written, "touch", open_tier_a=1))


def _act(kind: str, a: int, b: int | None = None, **stated: object) -> Case:
    forge = begin()
    forge.act(kind, a, b, **stated)
    return forge.case()


@breaks("withdraw_boolean")
def a_transfer_that_asks_for_no_margin() -> Case:
    """The withdrawal of -1 takes the sender's rule away; the deposit of nothing takes its L1 row away."""
    forge = begin()
    forge.act("transfer", 12, 2, size=1 << 40)
    return Sheet(forge.case()).write(0, deposit=1, withdraw=-1).case()


@breaks("touch_boolean")
def a_transfer_from_nobody() -> Case:
    """The receiver's cell is written, the sender's is not read."""
    forge = begin()
    forge.act("transfer", 3, 2, size=25, rule_a="initial")
    forged = Sheet(forge.case()).write(0, touch=-1)
    forged.cells["touched"][3], forged.cells["new"][3] = 0, forged.cells["old"][3]
    return forged.case()


@breaks("trade_boolean")
def a_trade_of_minus_one() -> Case:
    in_debt = dict.fromkeys(("collateral_b", "collateral_after_b"), BIAS - 1)
    return written("pad", trade=-1, liquidate=1, settled_collateral_b=-1, **in_debt)


LISTED_B = {"price_b": PRICE, "oracle_index_b": 1 << 30}


@breaks("transfer_boolean")
def a_transfer_of_minus_one() -> Case:
    row = tell()["pad"]
    forged = sheet().write(row, transfer=-1, trade=1, initial_b=1, open_tier_b=1, sells_b=1)
    return forged.write(row, **LISTED_B, index_after_b=1 << 30).tier(row, "tier_after_b", NEAR[0], True).case()


@breaks("cover_boolean", "cover_system")
def a_cover_of_minus_one() -> Case:
    row = tell()["pad"]
    flush = dict.fromkeys(("collateral_b", "collateral_after_b"), BIAS + 1)
    forged = sheet().write(row, **LISTED_B, index_after_b=-(1 << 30))
    forged.write(
        row, cover=-1, transfer=1, initial_a=1, open_tier_a=1, address_a=INSURANCE_CELL, settled_collateral_b=1, **flush
    )
    return forged.tier(row, "tier_after_a", NEAR[0], True).case()


@breaks("collect_boolean", "collect_system")
def a_collect_of_minus_one() -> Case:
    """Beside a trade that nobody takes part in."""
    forge = begin()
    forge.act("pad")
    forge.tick(60, (1 << 16, 0), (1 << 16, -5 << 32))
    for _ in range(1, LAST):
        forge.act("pad")
    forge.act("trade", 2, 3, size=1, cash=0, rule_a="initial", rule_b="initial")
    forged = Sheet(forge.case()).write(LAST, collect=-1, address_a=FEE_CELL, address_b=INSURANCE_CELL)
    for address in (2, 3):
        forged.cells["touched"][address], forged.cells["new"][address] = 0, forged.cells["old"][address]
    return forged.case()


@breaks("system_boolean")
def a_deposit_that_makes_a_cell_of_no_kind() -> Case:
    """system = -1: kind 1 + system of nothing at all, before and after."""
    forge = begin({})
    forge.act("deposit", INSURANCE_CELL, amount=300, system=True, fresh_a=True)
    forged = Sheet(forge.case()).write(0, system=-1, fresh_a=0, price=PRICE)
    forged.cells["new"][INSURANCE_CELL] = 300
    return forged.case()


@breaks("oversized_boolean")
def a_refusal_by_two_reasons_less_one() -> Case:
    forge = begin()
    forge.act("refuse", 3, amount=1)
    return Sheet(forge.case()).write(0, oversized=-1).case()


@breaks("fresh_a_boolean")
def half_fresh_on_deposit() -> Case:
    """An account of kind 1 read as half of a system cell."""
    forge = begin({INSURANCE_CELL: Cell(kind=ACCOUNT)})
    forge.act("deposit", INSURANCE_CELL, amount=300, system=True)
    return Sheet(forge.case()).write(0, fresh_a=HALF).case()


@breaks("fresh_b_boolean")
def half_fresh_on_collect() -> Case:
    forge = begin({INSURANCE_CELL: Cell(kind=ACCOUNT)})
    forge.collect()
    return Sheet(forge.case()).write(LAST, fresh_b=HALF).case()


@breaks("open_tier_a_boolean")
def initial_margin_of_the_maintenance_class() -> Case:
    """A withdrawal down to maintenance margin: class 1 - 1."""
    forge = begin()
    forge.act("withdraw", 12, amount=500, rule_a="initial")
    return Sheet(forge.case()).write(0, open_tier_a=-1).tier(0, "tier_after_a", NEAR[0], False).case()


@breaks("initial_a_boolean", "reducing_a_boolean", "open_tier_needed")
def twice_the_initial_rule() -> Case:
    """Both booleans follow from rule_a, reducing_kind_a and the open tier's laws: none of them is broken alone."""
    return _two_rules()


@breaks("reducing_a_boolean", "initial_a_boolean", "open_tier_needed")
def less_than_no_reducing_rule() -> Case:
    return _two_rules()


def _two_rules() -> Case:
    index = -5 << 32
    forge = begin({address: Cell(1 << 40, side, index, 1, ACCOUNT) for address, side in ((2, 1), (3, -1))})
    forge.act("pad")
    forge.tick(0, (PRICE, 0), (1, index))
    forge.act("trade", 2, 3, size=1, delta=-1, cash=0, rule_a="reducing", rule_b="initial")
    forged = Sheet(forge.case()).write(1, initial_a=2, reducing_a=-1)
    return forged.tier(1, "tier_after_a", WIDE[0], True).case()


@breaks("tick_step")
def two_ticks_in_one_row() -> Case:
    forge = begin()
    forge.act("touch", 2)
    for _ in range(2):
        forge.tick(1, (PRICE, 0), (1 << 16, -5 << 32))
    forge.act("touch", 3)
    return forge.case()


@breaks("first_tick")
def the_first_tick_left_out() -> Case:
    forge = begin()
    forge.tick(1, (PRICE, 0), (1 << 16, -5 << 32))
    forge.act("touch", 2)
    return forge.case()


@breaks("cells.touched_boolean")
def a_cell_touched_twice() -> Case:
    forged = sheet()
    forged.cells["touched"][15] = 2
    return forged.case()


@breaks("cells.untouched")
def an_untouched_cell_changed() -> Case:
    forged = sheet()
    forged.cells["new"][15] = CELLS[2].pack()
    return forged.case()
