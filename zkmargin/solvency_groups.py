"""Groups of cells in a solvency proof: the rows of a group, judged in its last one."""

from collections.abc import Sequence
from itertools import accumulate

from circuits.margin.book import PAY_BIAS
from circuits.margin.cell import Cell, unpack
from circuits.margin.leg import SIGN_BIAS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION, Module, equity
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.recorder import Recorder, Values
from zkmargin.rules import Refused, funding_payment
from zkmargin.witness_groups import flags_of
from zkmargin.witness_scenarios import hold

UNGROUPED: Values = dict.fromkeys(
    ("head", "grouped", "inner", "portfolio", "offset", "length", "scanned", "closes", "short", "worst"), 0
)


def group_classes(worth: int, required: int) -> str:
    """The class of an account whose every cell has a tier."""
    if worth < 0:
        return "under"
    return "healthy" if worth << PRICE_FRACTION >= required else "thin"


def group_rows(head: int, contents: Sequence[int], tick: int, recorder: Recorder) -> tuple[list[Values], str, int, int]:
    """The rows of a group's cells, head first, with its class, equity and maintenance: `none` where it has no members.

    Refused (code group) where a member has left the tiers: such a book has no proof.
    """
    cells = [unpack(content) for content in contents]
    module = recorder.parameters.module(cells[0].module.id)
    portfolio = module.scans
    common = {"length": len(cells), "portfolio": int(portfolio)} | flags_of(cells[0], recorder)
    rows = [_digits(cells[0]) | common | {"head": 1, "equity_sum": 0, "maintenance_sum": 0}]
    if len(cells) == 1:
        return rows, "none", 0, 0
    values, requirements = [], []
    for offset, cell in enumerate(cells[1:], 1):
        row, worth, required = _member(cell, head + offset, tick, module, recorder)
        row |= {"grouped": 1, "inner": int(offset < len(cells) - 1), "offset": offset, "scanned": int(portfolio)}
        rows.append(row | common)
        values.append(worth)
        requirements.append(required)
    worst = hold(head, cells[1:], tick, recorder) if portfolio else 0
    total = sum(values)
    required = module.conclude(total, sum(requirements), 0, worst, _factor(recorder) if portfolio else 0).maintenance
    kind = group_classes(total, required)
    if kind == "under":  # its last cell needs no tier
        requirements[-1] = 0
        rows[-1] |= dict.fromkeys(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), 0)
        recorder.forget_maintenance(cells[-1].market, rows[-1]["notional"], portfolio)
    for row, worth, needed in zip(rows[1:], accumulate(values), accumulate(requirements), strict=True):
        row |= {"equity_sum": worth, "maintenance_sum": needed}
    rows[-1] |= {kind: 1, "closes": int(portfolio), "worst": worst}
    return rows, kind, total, required


def _factor(recorder: Recorder) -> int:
    """What the initial requirement takes of the worst scenario, over 2^16."""
    portfolio = recorder.parameters.portfolio
    return 0 if portfolio is None else portfolio.initial_factor


def _digits(cell: Cell) -> Values:
    negative = int(cell.position < 0)
    return UNGROUPED | {
        "collateral": cell.collateral + SIGN_BIAS,
        "magnitude": abs(cell.position),
        "negative": negative,
        "position": cell.position,
        "market": cell.market,
        "settled_index": cell.index + SIGN_BIAS,
        "short": negative * abs(cell.position),
    }


def _member(cell: Cell, address: int, tick: int, module: Module, recorder: Recorder) -> tuple[Values, int, int]:
    """A member's row, its equity and its maintenance."""
    listed = recorder.look_up(tick, cell.market)
    pay = funding_payment(cell.position, listed.index - cell.index)
    notional = abs(cell.position) * listed.price
    if notional >= NOTIONAL_LIMIT:
        raise Refused("group", f"cell {address} is beyond the last tier, and its group has no requirement")
    lower, upper, rate, deduction = recorder.maintenance(cell.market, notional, module.scans)
    row = _digits(cell) | {"price": listed.price, "index": listed.index, "pay": pay + PAY_BIAS, "notional": notional}
    row["dust"] = (pay << FUNDING_FRACTION) - cell.position * (listed.index - cell.index)
    row |= {"tier_lower": lower, "tier_upper": upper, "tier_rate": rate, "tier_deduction": deduction}
    required = module.requirement(rate, deduction, notional, int(cell.position < 0))
    return row, equity(cell.collateral - pay, cell.position, listed.price), required
