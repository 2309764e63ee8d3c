"""One small batch with every kind of transition, every rule and every flag, to be tampered with."""

from functools import lru_cache
from typing import Any

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.forge import Case, Forge
from tests.circuits.margin.sheet import Sheet
from zkmargin.state import Step

FEE_CELL, INSURANCE_CELL = 0, 1
SHAPE = Shape(transitions=32, cells=16, limb_bits=8, published_diff=True)
LAST = SHAPE.transitions - 1
PRICE = 100 << 16  # of market 0; one unit is worth 100 quote
NEAR = build_tiers([(0, 3277, 6554), (1 << 36, 6554, 13108)], 1 << 40)
WIDE = build_tiers([(0, 655, 1311), (1, 655, 1311), (2, 655, 1311), (1 << 60, 3277, 6554)], 1 << 70)
PARAMETERS = Parameters(
    (Market("NEAR", 1 << 20, NEAR, PRICE, 0), Market("WIDE", 1 << 24, WIDE, 1 << 16, -5 << 32)),
    FEE_CELL,
    INSURANCE_CELL,
    trade_band=3277,
    liquidation_band=1 << 14,
    trade_fee_cap=655,
    liquidation_fee_cap=3277,
    genesis_time=1000,
)

CELLS = {
    FEE_CELL: Cell(100, kind=SYSTEM),
    INSURANCE_CELL: Cell(1000, kind=SYSTEM),
    2: Cell(1_000_000, kind=ACCOUNT),
    3: Cell(1_000_000, kind=ACCOUNT),
    4: Cell(-10_100, 100, kind=ACCOUNT),  # bankrupt
    5: Cell(30_000, -200, kind=ACCOUNT),
    6: Cell(-9_700, 100, kind=ACCOUNT),  # below maintenance
    7: Cell(index=-7 << 32, market=1, kind=ACCOUNT),  # flat
    9: Cell(-50, kind=ACCOUNT),  # flat with a deficit
    10: Cell(0, 1 << 63, -5 << 32, 1, ACCOUNT),  # beyond the last tier
    11: Cell(7, 3, -6 << 32, 1, ACCOUNT),
    12: Cell(-94_000, 1000, kind=ACCOUNT),  # between maintenance and initial margin
}


def begin(cells: dict[int, Cell] | None = None) -> Forge:
    """The story's state, or another one, with the first tick listed."""
    return Forge(PARAMETERS, SHAPE, dict(CELLS if cells is None else cells))


def funded() -> Forge:
    """The story's state at its second tick: longs of market 0 owe a quarter of a quote a unit."""
    forge = begin()
    forge.act("pad")
    forge.tick(60, (PRICE, 1 << 30), (1 << 16, -5 << 32))
    return forge


def tell() -> dict[str, int]:
    """The rows of the story by name."""
    return _told()[1]


def steps() -> dict[str, Step]:
    """The steps of the story by name."""
    forge, names = _told()[2], tell()
    return {name: forge.steps[min(row, len(forge.steps) - 1)] for name, row in names.items() if name != "pad"}


def sheet() -> Sheet:
    """The story's columns, to write on."""
    return Sheet(_told()[0])


@lru_cache(maxsize=1)
def _told() -> tuple[Case, dict[str, int], Forge]:
    forge, names = begin(), {}

    def act(name: str, *arguments: Any, **stated: Any) -> None:
        names[name] = len(forge.steps)
        forge.act(*arguments, **stated)

    act("open", "open", 8, amount=1)
    act("close", "close", 7, amount=1)
    act("deposit", "deposit", 2, amount=500)
    act("deposit_system", "deposit", INSURANCE_CELL, amount=300, system=True)
    act("withdraw", "withdraw", 2, amount=200, rule_a="initial")
    act("withdraw_system", "withdraw", FEE_CELL, amount=40, system=True)
    act("refuse_close", "refuse_close", 3, amount=1)
    act("refuse", "refuse", 3, amount=10_000_000)
    act("refuse_system", "refuse", FEE_CELL, amount=1 << 40, system=True)
    act("refuse_oversized", "refuse", 10, amount=1, oversized=True)
    forge.tick(60, (PRICE, 1 << 30), (1 << 16, -5 << 32))
    act("touch", "touch", 2)
    act("trade", "trade", 2, 3, size=10, cash=1000, fee_a=3, fee_b=4, rule_a="initial", rule_b="initial")
    act(
        "trade_reducing_a",
        "trade",
        12,
        2,
        size=100,
        delta=-100,
        cash=-10_000,
        fee_a=5,
        rule_a="reducing",
        rule_b="initial",
    )
    act("trade_reducing_b", "trade", 3, 12, size=100, cash=10_000, rule_a="initial", rule_b="reducing")
    act("transfer", "transfer", 2, 11, size=25, rule_a="initial")
    act("liquidate", "liquidate", 2, 6, size=50, cash=4_900, fee_b=20, rule_a="initial", rule_b="reducing")
    act("deleverage", "deleverage", 5, 4, size=50, cash=5_063, rule_a="initial", rule_b="reducing")
    act("cover", "cover", INSURANCE_CELL, 9, size=50)
    names["pad"] = len(forge.steps)
    names["collect"] = LAST
    forge.collect()
    return forge.case(), names, forge
