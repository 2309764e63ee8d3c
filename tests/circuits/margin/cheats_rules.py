"""Cheats with what a row claims to be: the time and price it holds at, L1 operations, kinds of cells, margin rules."""

from dataclasses import replace
from functools import partial

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from circuits.margin.statement import L1Row
from tests.circuits.margin.cheats import CHEATS, INITIAL, acted, as_cheat, caught_by
from tests.circuits.margin.forge import Case, Forge
from tests.circuits.margin.laws import tamper_of
from tests.circuits.margin.laws_rules import TAMPERS
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import CELLS, FEE_CELL, INSURANCE_CELL, NEAR, PARAMETERS, PRICE, begin

LIQUIDATION = {"rule_a": "initial", "rule_b": "reducing"}
HIGH = ((2 * PRICE, 0), (1 << 16, -5 << 32))  # the price of market 0 doubles


def simple(name: str, laws: str | tuple[str, ...], kind: str, *legs: int, **stated: object) -> None:
    """A forged step that one law stops, or several."""
    expected = (laws,) if isinstance(laws, str) else laws
    CHEATS[name] = lambda: as_cheat(acted(kind, *legs, **stated), *expected)


# Time and prices.


def risen() -> Forge:
    """The price doubles at tick 2."""
    forge = begin()
    forge.act("pad")
    forge.tick(60, *HIGH)
    return forge


@caught_by("bus.oracle")
def tomorrows_price_today() -> Case:
    """Row 0 is at tick 1, and sells at the price of tick 2."""
    forge = risen()
    forge.act("trade", 2, 3, size=10, cash=2000, **INITIAL)
    return Sheet(forge.case()).write(0, tick=1).write(1, tick=1).case()


@caught_by("tick_step")
def back_to_yesterday() -> Case:
    forge = risen()
    forge.act("touch", 2)
    forge.act("trade", 2, 3, size=10, cash=1000, tick=1, **INITIAL)
    return forge.case()


@caught_by("first_tick")
def across_the_wrap() -> Case:
    """The last row is at tick 1 and the first at tick 2: the step between them is not one of the table's."""
    forge = begin()
    forge.tick(60, *HIGH)
    forge.act("trade", 2, 3, size=10, cash=2000, **INITIAL)
    forged = Sheet(forge.case())
    assert forged.read(31, "tick") == 2
    return forged.case()


@caught_by("first_tick", "tick_step")
def the_first_row_at_the_last_tick() -> Case:
    """As above, with all other rows at tick 1."""
    forge = begin()
    forge.tick(60, *HIGH)
    forge.act("trade", 2, 3, size=10, cash=2000, **INITIAL)
    forged = Sheet(forge.case())
    for row in range(1, 32):
        forged.write(row, tick=1)
    return forged.case()


@caught_by("bus.oracle", "bus.range")
def a_limb_as_an_oracle_row() -> Case:
    """(tick 1, market 0, price 0, index 0) and the limb 1 differ in nothing but the channel: an account for nothing."""
    forged = Sheet(acted("touch", 12)).write(0, price=0)
    for when in ("", "_after"):
        forged.write(0, **{f"notional{when}_a": 0})
    case = forged.case()
    case.assignment["lookups"]["range_count"][1] += 1  # type: ignore[index]
    return case


@caught_by("bus.oracle")
def the_other_markets_price() -> Case:
    """An account of market 0 with the price of market 1 in its row."""
    forged = Sheet(acted("touch", 2)).write(0, price=1 << 16)
    return forged.case()


@caught_by("bus.oracle")
def an_account_of_another_market() -> Case:
    forged = Sheet(acted("touch", 7, after_a={"index": 0})).write(0, price=PRICE, oracle_index=0)
    return forged.case()


simple("a_quote_off_the_market", "band_a", "trade", 2, 3, size=10, cash=500_000, **INITIAL)


# L1 operations: each once, by the cell and amount it names.


def with_l1(case: Case, *rows: L1Row) -> Case:
    return replace(case, statement=replace(case.statement, l1=rows))


@caught_by("bus.l1")
def a_deposit_credited_twice() -> Case:
    forge = begin()
    for _ in range(2):
        forge.act("deposit", 2, amount=500, queue=0)
    case = forge.case()
    return with_l1(case, case.statement.l1[0])


@caught_by("statement", "bus.l1")
def a_deposit_listed_twice() -> Case:
    forge = begin()
    for _ in range(2):
        forge.act("deposit", 2, amount=500, queue=0)
    return forge.case()


@caught_by("bus.l1")
def an_operation_skipped() -> Case:
    return with_l1(acted("touch", 2), L1Row(0, 4, 2, 100, 1))


@caught_by("bus.l1")
def a_deposit_to_someone_else() -> Case:
    case = acted("deposit", 2, amount=500)
    return with_l1(case, replace(case.statement.l1[0], cell=3))


@caught_by("bus.l1")
def more_than_was_deposited() -> Case:
    case = acted("deposit", 2, amount=500)
    return with_l1(case, replace(case.statement.l1[0], amount=1))


@caught_by("bus.l1")
def a_withdrawal_consumed_as_a_deposit() -> Case:
    case = acted("deposit", 2, amount=500)
    return with_l1(case, replace(case.statement.l1[0], kind=4))


@caught_by("bus.l1")
def a_withdrawal_paid_and_called_refused() -> Case:
    case = acted("withdraw", 2, amount=500, rule_a="initial")
    return with_l1(case, replace(case.statement.l1[0], outcome=0))


@caught_by("bus.l1")
def an_account_closed_without_its_owner() -> Case:
    return with_l1(acted("close", 7, amount=1))


simple("a_fair_withdrawal_refused", "margin_a", "refuse", 2, amount=500)
simple("a_fair_withdrawal_called_oversized", "margin_a", "refuse", 2, amount=500, oversized=True)
simple("a_flat_account_kept_open", "margin_a", "refuse_close", 7, amount=1)
simple("fees_withheld", "margin_a", "refuse", FEE_CELL, amount=100, system=True)
simple("more_fees_than_there_are", "margin_a", "withdraw", FEE_CELL, amount=101, system=True)
simple("the_insurance_withdrawn", "system_address", "withdraw", INSURANCE_CELL, amount=100, system=True)
simple("an_account_closed_with_its_money", "empty_collateral", "close", 2, amount=1, after_a={"collateral": 1_000_000})


@caught_by("bus.memory")
def an_account_opened_over_its_debts() -> Case:
    forge = begin()
    del forge.cells[6]
    return acted("open", 6, amount=1, forge=forge)


# Kinds of cells.

simple("an_empty_cell_as_an_account", "bus.memory", "deposit", 8, amount=500)
simple("the_insurance_cell_trades", "bus.memory", "trade", INSURANCE_CELL, 2, size=1, cash=100, **INITIAL)
simple("a_transfer_to_a_system_cell", "bus.memory", "transfer", 2, FEE_CELL, size=25, rule_a="initial")
simple("a_transfer_from_the_insurance_cell", "bus.memory", "transfer", INSURANCE_CELL, 2, size=25, rule_a="initial")


@caught_by("bus.memory", "system_address")
def an_account_as_the_fee_cell() -> Case:
    return acted("withdraw", 2, amount=500, system=True)


@caught_by("bus.memory")
def the_fee_cell_covered() -> Case:
    return acted("cover", INSURANCE_CELL, FEE_CELL, size=1, forge=begin(CELLS | {FEE_CELL: Cell(-100, kind=SYSTEM)}))


@caught_by("bus.memory")
def the_insurance_cell_liquidated() -> Case:
    """Read as an account with a deficit of requirement: its kind is in its value."""
    forged = Sheet(acted("liquidate", 2, INSURANCE_CELL, size=1, cash=100, **LIQUIDATION))
    after = Cell(1100, -1, kind=ACCOUNT)
    assert forged.cells["new"][INSURANCE_CELL] == after.pack()
    short = {"magnitude": 1, "negative": 0, "position": 1, "notional": PRICE, "collateral": (1 << 63) - 99}
    forged.write(0, **{f"{name}_b": value for name, value in short.items()}, settled_collateral_b=-99)
    flat = {"magnitude": 0, "negative": 0, "position": 0, "notional": 0, "collateral": (1 << 63) + 1}
    forged.write(0, **{f"{name}_after_b": value for name, value in flat.items()})
    forged.cells["new"][INSURANCE_CELL] = Cell(1, kind=ACCOUNT).pack()
    return forged.case()


# Margin rules.

simple("a_withdrawal_below_initial_margin", "margin_a", "withdraw", 12, amount=500, rule_a="initial")
simple("a_transfer_of_a_deficit", "cash_is_size", "transfer", 2, 3, size=1, cash=-(1 << 40), rule_a="initial")
simple("a_healthy_account_liquidated", "strict", "liquidate", 2, 12, size=100, cash=10_000, **LIQUIDATION)
simple("a_victim_turned_over", "reduces_b", "liquidate", 2, 6, size=150, cash=15_000, **LIQUIDATION)
simple("a_solvent_account_deleveraged", "strict", "deleverage", 5, 6, size=50, cash=4_850, **LIQUIDATION)
simple("a_deleverage_one_unit_dear", "band_a", "deleverage", 5, 4, size=50, cash=5_051, **LIQUIDATION)
simple("a_deleverage_one_unit_cheap", ("margin_b", "band_b"), "deleverage", 5, 4, size=50, cash=5_049, **LIQUIDATION)
simple("a_deleverage_of_the_same_side", "counterparty_reduces", "deleverage", 2, 4, size=50, cash=5_050, **LIQUIDATION)
simple("a_cover_beyond_the_deficit", "strict", "cover", INSURANCE_CELL, 9, size=51)
simple("a_cover_of_the_solvent", "strict", "cover", INSURANCE_CELL, 2, size=1)


@caught_by("margin_b", "sum.liquidation_fees")
def a_fee_out_of_the_victims_share() -> Case:
    return acted("liquidate", 2, 6, size=50, cash=4_850, fee_b=1, **LIQUIDATION)


@caught_by("margin_a")
def a_cover_beyond_the_fund() -> Case:
    forge = begin(CELLS | {9: Cell(-1001, kind=ACCOUNT)})
    return acted("cover", INSURANCE_CELL, 9, size=1001, forge=forge)


# Fees.


@caught_by("sum.trade_fees", "sum.liquidation_fees")
def trade_fees_to_the_insurance_cell() -> Case:
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, fee_a=3, **INITIAL)
    fee, insurance = CELLS[FEE_CELL].collateral, CELLS[INSURANCE_CELL].collateral
    forge.collect(after_a={"collateral": fee}, after_b={"collateral": insurance + 3})
    return forge.case()


@caught_by("collect_last", "sum.trade_fees")
def fees_lent_in_the_middle() -> Case:
    """A first `collect` takes a million, the one at the end should give it back."""
    forge = begin()
    million = 10**6
    forge.collect(after_a={"collateral": million})
    forge.act("withdraw", FEE_CELL, amount=million, system=True)
    forge.collect(after_a={"collateral": 100})
    return forge.case()


@caught_by("system_address")
def fees_collected_by_the_wrong_cells() -> Case:
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, fee_a=3, **INITIAL)
    forge.act("collect", INSURANCE_CELL, FEE_CELL)
    return forge.case()


# Tiers.


def other_market_tier() -> Case:
    """The tier of market 1 asks for less."""
    tier = PARAMETERS.markets[1].tiers[2]
    case = acted("trade", 2, 13, size=100, cash=10_000, **INITIAL, forge=begin(CELLS | {13: Cell(300, kind=ACCOUNT)}))
    return Sheet(case).tier(0, "tier_after_b", tier, True).case()


CHEATS["a_tier_of_another_market"] = lambda: as_cheat(other_market_tier(), "bus.tier")


@caught_by("bus.tier")
def maintenance_margin_for_an_opening() -> Case:
    case = acted("trade", 2, 13, size=100, cash=10_000, **INITIAL, forge=begin(CELLS | {13: Cell(600, kind=ACCOUNT)}))
    return Sheet(case).tier(0, "tier_after_b", NEAR[0], False).case()


@caught_by("bus.tier")
def a_tier_of_ones_own() -> Case:
    forged = Sheet(acted("withdraw", 12, amount=5_500, rule_a="initial"))
    return forged.write(0, tier_after_a_rate=1).case()


for name in ("tier_after_a_below", "tier_after_b_below", "tier_after_a_above", "tier_before_a_above", "oversized_kind"):
    tamper, expected = TAMPERS[tamper_of(name)]
    CHEATS[f"law_{name}"] = partial(lambda tamper, expected: as_cheat(tamper(), *expected), tamper, expected)
