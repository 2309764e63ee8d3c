"""Tampers with what cells hold before and after: digits, markets, indices, funding, L1 rows, system cells."""

from dataclasses import replace
from functools import partial
from typing import Any

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from tests.circuits.margin.forge import Case
from tests.circuits.margin.laws import add, breaks
from tests.circuits.margin.laws_kinds import BIAS, written
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, FEE_CELL, INSURANCE_CELL, PRICE, begin, funded, sheet, tell


def acted(kind: str, *legs: int, cells: dict[int, Cell] | None = None, **stated: Any) -> Case:
    """One forged step on the story's cells, some of them changed."""
    forge = begin(CELLS | (cells or {}))
    forge.act(kind, *legs, **stated)
    return forge.case()


def collected(*legs: int, cells: dict[int, Cell] | None = None, **stated: Any) -> Case:
    """A batch of nothing but a forged `collect`."""
    return acted("collect", *legs, cells=cells, **stated)


for side, row in (("a", "touch"), ("after_a", "touch"), ("b", "cover"), ("after_b", "cover")):
    # A flat account that claims a position of no effect: the digit itself stays.
    add(f"position_{side}", partial(written, row, **{f"magnitude_{side}": 1, f"notional_{side}": PRICE}))
    add(f"notional_{side}", partial(written, row, **{f"notional_{side}": 1}))

add("index_after_a", partial(acted, "touch", 2, after_a={"index": 5}))
add("index_after_b", partial(acted, "cover", INSURANCE_CELL, 9, size=50, after_b={"index": 5}))
add("empty_collateral", partial(acted, "open", 8, amount=1, cells={8: Cell(5)}))
add(
    "empty_position",
    partial(acted, "close", 7, amount=1, cells={7: Cell(0, 1, market=1, kind=ACCOUNT)}, after_a={"position": 1}),
)
add("open_index", partial(acted, "open", 8, amount=1, cells={8: Cell(index=5)}))
add("system_address", partial(acted, "deposit", FEE_CELL, amount=300, system=True))
for part, cell in (
    ("position", Cell(0, 3, kind=SYSTEM)),
    ("index", Cell(index=3, kind=SYSTEM)),
    ("market", Cell(market=1, kind=SYSTEM)),
):
    deposit = partial(acted, "deposit", INSURANCE_CELL, amount=300, system=True)
    add(f"system_{part}_a", partial(deposit, cells={INSURANCE_CELL: cell}))
    add(f"system_{part}_b", partial(collected, FEE_CELL, INSURANCE_CELL, cells={INSURANCE_CELL: cell}))
add(
    "fresh_collateral_a",
    partial(acted, "deposit", INSURANCE_CELL, amount=300, system=True, fresh_a=True, cells={INSURANCE_CELL: Cell(5)}),
)
add("fresh_collateral_b", partial(collected, FEE_CELL, INSURANCE_CELL, fresh_b=True, cells={INSURANCE_CELL: Cell(5)}))
add("fresh_kind_a", partial(acted, "touch", 8, fresh_a=True, cells={8: Cell(kind=ACCOUNT - SYSTEM)}))
add(
    "fresh_kind_b",
    partial(acted, "transfer", 2, 8, size=5, rule_a="initial", fresh_b=True, cells={8: Cell(kind=ACCOUNT - SYSTEM)}),
)
add("position_moves_a", partial(acted, "touch", 2, after_a={"position": 1}))
add("position_moves_b", partial(acted, "cover", INSURANCE_CELL, 9, size=49, after_b={"position": -1}))
add("collateral_moves_a", partial(acted, "touch", 2, after_a={"collateral": 1_000_001}))
add("collateral_moves_b", partial(acted, "transfer", 2, 3, size=5, rule_a="initial", after_b={"collateral": 1_000_006}))


@breaks("one_market")
def a_deleverage_across_markets() -> Case:
    """The bankrupt account gives up units of one market, its counterparty gets as many of a dearer one."""
    cells = {13: Cell(-10_100, 100, -5 << 32, 1, ACCOUNT)}
    return acted("deleverage", 5, 13, size=50, cash=5_050, rule_a="initial", rule_b="reducing", cells=cells)


@breaks("open_market")
def a_cell_of_kind_zero_with_a_market() -> Case:
    forge = begin(CELLS | {8: Cell(market=1)})
    forge.act("open", 8, amount=1, after_a={"index": -5 << 32, "market": 1})
    row = {"oracle_index": -5 << 32, "price": 1 << 16, "market_change": 0}
    return Sheet(forge.case()).write(0, **row).case()


@breaks("market_change")
def another_market_than_the_owner_asked_for() -> Case:
    forged = sheet().write(tell()["open"], amount=2)
    first, *others = forged.base.statement.l1
    return forged.case(l1=(replace(first, amount=2), *others))


@breaks("funding_a")
def funding_paid_short_by_a() -> Case:
    forge = funded()
    forge.act("touch", 12, after_a={"collateral": -94_249})
    return Sheet(forge.case()).write(1, settled_collateral_a=-94_249).case()


@breaks("funding_b")
def funding_paid_short_by_b() -> Case:
    forge = funded()
    forge.act("cover", INSURANCE_CELL, 4, size=1, after_b={"collateral": -10_123})
    return Sheet(forge.case()).write(1, settled_collateral_b=-10_124).case()


@breaks("collect_last")
def fees_collected_in_the_middle() -> Case:
    forge = begin()
    forge.collect()
    forge.act("pad")
    return forge.case()


@breaks("no_cash")
def cash_in_a_transition_without_cash() -> Case:
    return written("pad", cash=1, collateral_after_a=BIAS - 1, collateral_after_b=BIAS + 1)


@breaks("cash_is_size")
def a_transfer_that_takes() -> Case:
    return acted("transfer", 2, 3, size=25, cash=-1000, rule_a="initial")


@breaks("bus.memory")
def a_stale_balance() -> Case:
    """The second touch reads what the first one read."""
    forge = begin()
    forge.act("touch", 3)
    forge.act("deposit", 2, amount=5)
    forge.cells[2] = CELLS[2]
    forge.act("deposit", 2, amount=7)
    return forge.case()


@breaks("bus.range")
def a_limb_of_nine_bits() -> Case:
    row = tell()["pad"]
    return sheet().write(row, gap_a_0=256).case()


@breaks("bus.oracle")
def a_price_that_was_not_listed() -> Case:
    return written("touch", price=PRICE + 1)


@breaks("bus.l1")
def an_operation_nobody_asked_for() -> Case:
    forged = sheet()
    return forged.case(l1=forged.base.statement.l1[:-1])


@breaks("sum.trade_fees")
def trade_fees_lost() -> Case:
    return acted("trade", 2, 3, size=10, cash=1000, fee_a=3, rule_a="initial", rule_b="initial")


@breaks("sum.liquidation_fees")
def liquidation_fees_lost() -> Case:
    return acted("liquidate", 2, 6, size=50, cash=4_900, fee_b=20, rule_a="initial", rule_b="reducing")
