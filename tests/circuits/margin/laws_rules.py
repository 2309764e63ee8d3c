"""Tampers with prices, fees, margin rules and tiers: each step would be a profit for someone."""

from functools import partial

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Tier
from tests.circuits.margin.forge import Case
from tests.circuits.margin.laws import TAMPERS, add, breaks
from tests.circuits.margin.laws_cells import acted
from tests.circuits.margin.sheet import Sheet
from tests.circuits.margin.story import NEAR, begin

__all__ = ["TAMPERS"]

RICH = 10**9
trade = partial(acted, "trade", 2, 3, size=10)
initial = {"rule_a": "initial", "rule_b": "initial"}
liquidation = {"rule_a": "initial", "rule_b": "reducing"}


def with_fees(**fees: int) -> Case:
    """A trade of 1000 quote, where 9 are the most that a side may pay, with its fees collected."""
    forge = begin()
    forge.act("trade", 2, 3, size=10, cash=1000, **initial, **fees)
    forge.collect()
    return forge.case()


# fee_room holds fees where no fee is due at 0 as well.


@breaks("fee_kind_a", "fee_room_a")
def a_fee_of_the_liquidator() -> Case:
    forge = begin()
    forge.act("liquidate", 2, 6, size=50, cash=4_900, fee_a=1, **liquidation)
    forge.collect()
    return forge.case()


add("fee_kind_b", partial(acted, "deleverage", 5, 4, size=50, cash=5_051, fee_b=1, **liquidation), "fee_room_b")
for side in "ab":
    add(f"fee_room_{side}", partial(with_fees, **{f"fee_{side}": 10}))
add("band_a", partial(trade, cash=1052, **initial))
add("band_b", partial(trade, cash=948, **initial))
add("rule_a", partial(acted, "transfer", 12, 2, size=5000))
add("rule_b", partial(trade, cash=1000, rule_a="initial"))
add("margin_a", partial(acted, "transfer", 12, 2, size=5000, rule_a="initial"))
add("margin_b", partial(acted, "trade", 2, 12, size=10, cash=-1000, delta=-10, **initial))
add("strict", partial(acted, "liquidate", 2, 12, size=100, cash=10_000, **liquidation))
add("counterparty_reduces", partial(acted, "deleverage", 2, 4, size=50, cash=5_050, **liquidation))
add(
    "reduces_a",
    partial(acted, "trade", 12, 2, size=1500, delta=-1500, cash=-150_000, rule_a="reducing", rule_b="initial"),
)
add("reduces_b", partial(acted, "trade", 2, 12, size=1500, cash=150_000, rule_a="initial", rule_b="reducing"))
# A flat account keeps its share of no requirement whatever it pays out.
add("reducing_kind_a", partial(acted, "withdraw", 2, amount=2_000_000, rule_a="reducing"))


@breaks("victim_reduces")
def a_healthy_victim() -> Case:
    """Without the reducing rule the requirement before is nobody's: any account is below it."""
    forge = begin()
    forge.act("liquidate", 2, 12, size=1000, cash=94_001, **initial)
    return Sheet(forge.case()).write(0, tier_before_b_deduction=-(1 << 60)).case()


@breaks("oversized_kind")
def a_withdrawal_beyond_the_last_tier() -> Case:
    """The refusal's flag takes the tier's lookup away, and with it the requirement."""
    forge = begin()
    forge.act("withdraw", 2, amount=50_000_000, rule_a="initial", oversized=True)
    return Sheet(forge.case()).write(0, tier_after_a_deduction=1 << 90).case()


@breaks("open_tier_needed")
def growth_beyond_the_cap() -> Case:
    held = 170_000
    cells = {13: Cell(RICH, kind=ACCOUNT), 14: Cell(RICH, held, kind=ACCOUNT)}
    return acted("trade", 13, 14, size=held, cash=held * 100, **initial, cells=cells)


@breaks("bus.tier")
def a_tier_claimed_to_be_open() -> Case:
    return Sheet(growth_beyond_the_cap_on_leg_b()).write(0, open_tier_b=1).case()


@breaks("open_tier_needed_b")
def growth_beyond_the_cap_on_leg_b() -> Case:
    held = 170_000
    cells = {13: Cell(RICH, kind=ACCOUNT), 14: Cell(RICH, held, kind=ACCOUNT)}
    return acted("trade", 14, 13, size=held, delta=-held, cash=-held * 100, **initial, cells=cells)


def other_tier(name: str, tier: Tier, is_initial: bool, case: Case) -> Case:
    return Sheet(case).tier(0, name, tier, is_initial).case()


def reducing(bankrupt_leg: str) -> Case:
    """A bankrupt account sells at a fair price: it keeps its debt on a smaller position."""
    if bankrupt_leg == "a":
        return acted("trade", 4, 2, size=10, delta=-10, cash=-1000, rule_a="reducing", rule_b="initial")
    return acted("trade", 2, 4, size=10, cash=1000, rule_a="initial", rule_b="reducing")


def closing(leg: str) -> Case:
    """All of a position that reaches into the second tier is sold."""
    size = 20_972
    cells = {13: Cell(-1_900_000, size, kind=ACCOUNT)}
    if leg == "a":
        return acted(
            "trade", 13, 3, size=size, delta=-size, cash=-size * 100, rule_a="reducing", rule_b="initial", cells=cells
        )
    return acted("trade", 3, 13, size=size, cash=size * 100, rule_a="initial", rule_b="reducing", cells=cells)


def growing(leg: str) -> Case:
    """A new position in the second tier, with margin for the first."""
    size, direction = 20_000, 1 if leg == "a" else -1
    legs = (2, 13) if leg == "a" else (13, 2)
    cells = {2: Cell(250_000, kind=ACCOUNT), 13: Cell(RICH, kind=ACCOUNT)}
    return acted("trade", *legs, size=size, delta=direction * size, cash=direction * size * 100, **initial, cells=cells)


def small(leg: str) -> Case:
    """A new position without the margin for it; higher tiers ask for less of a small notional."""
    legs = (13, 2) if leg == "a" else (2, 13)
    cells = {13: Cell(1, kind=ACCOUNT)}
    direction = 1 if leg == "a" else -1
    return acted("trade", *legs, size=10, delta=direction * 10, cash=direction * 1000, **initial, cells=cells)


for leg in "ab":
    add(f"tier_before_{leg}_above", lambda leg=leg: other_tier(f"tier_before_{leg}", NEAR[1], False, reducing(leg)))
    add(f"tier_before_{leg}_below", lambda leg=leg: other_tier(f"tier_before_{leg}", NEAR[0], False, closing(leg)))
    add(f"tier_after_{leg}_above", lambda leg=leg: other_tier(f"tier_after_{leg}", NEAR[1], True, small(leg)))
    add(f"tier_after_{leg}_below", lambda leg=leg: other_tier(f"tier_after_{leg}", NEAR[0], True, growing(leg)))
