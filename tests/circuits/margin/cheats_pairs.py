"""Cheats with the pair of rows of a transition: a leg that nobody stands behind, legs exchanged, pairs shifted."""

from tests.circuits.margin.cheats import INITIAL, acted, caught_by
from tests.circuits.margin.cheats_rules import LIQUIDATION
from tests.circuits.margin.forge import Case
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import begin


@caught_by("transfer_pair", "no_cash", "collateral_moves")
def money_from_nobody() -> Case:
    """The second row of a transfer alone."""
    return Sheet(acted("transfer", 2, 3, size=1000, rule_a="initial")).blank(0, "a").case()


@caught_by("trade_pair", "no_cash", "collateral_moves")
def a_position_sold_to_nobody() -> Case:
    return Sheet(acted("trade", 2, 3, size=10, delta=-10, cash=-1000, **INITIAL)).blank(0, "b").case()


@caught_by("trade_pair", "transfer_pair")
def a_sale_that_the_buyer_calls_a_transfer() -> Case:
    """A buys what the other side does not give up, and pays it no more than a deposit would."""
    case = acted("trade", 2, 3, size=10, cash=1000, after_b={"position": 0}, rule_a="initial")
    return Sheet(case).write(0, trade_b=0, transfer_b=1).case()


@caught_by("single_kind", "trade_pair", "no_cash")
def a_touch_as_the_second_leg() -> Case:
    """Leg b calls itself a touch: its cash moves, its position does not."""
    case = acted("trade", 2, 3, size=10, cash=1000, after_b={"position": 0}, rule_a="initial")
    return Sheet(case).write(0, trade_b=0, touch_b=1).case()


@caught_by("strict", "victim_reduces")
def a_liquidator_liquidated() -> Case:
    """The rows of a liquidation exchanged: the healthy account stands where the victim should."""
    return Sheet(acted("liquidate", 2, 6, size=50, cash=4_900, **LIQUIDATION)).swap(0).case()


@caught_by("tick_step")
def legs_at_two_ticks() -> Case:
    """Leg b is settled at the index of the next tick."""
    forge = begin()
    forge.tick(60, (100 << 16, 1 << 30), (1 << 16, -5 << 32))
    forge.act("trade", 2, 3, size=10, cash=1000, tick=1, after_b={"index": 1 << 30}, **INITIAL)
    forged = Sheet(forge.case()).write(0, oracle_index_b=1 << 30)
    for row in range(1, len(forged.transitions["tick"])):
        forged.write_row(row, "tick", 2)
    return forged.case()


@caught_by("trade_pair", "one_size", "one_cash")
def a_pair_shifted_by_a_row() -> Case:
    """Leg a on the second row of one pair, leg b on the first of the next: at two times, so with one account."""
    forged = Sheet(acted("trade", 2, 3, size=10, cash=1000, **INITIAL))
    for name, column in forged.transitions.items():
        if name not in ("tick", "queue"):
            column[0:3] = [column[2], column[0], column[1]]
    forged.write(1, gap_a=1).cells["last"][3] = 2
    return forged.case()
