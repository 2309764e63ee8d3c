"""Groups of cells in a solvency proof: the rows of a group, judged in its last one."""

from collections.abc import Sequence

from circuits.margin.book import PAY_BIAS
from circuits.margin.cell import Cell, unpack
from circuits.margin.leg import NOTIONAL_BITS, SIGN_BIAS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION, Module, equity
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.recorder import Recorder, Values
from zkmargin.rules import funding_payment
from zkmargin.witness_groups import flags_of
from zkmargin.witness_scenarios import hold

UNGROUPED: Values = dict.fromkeys(
    (
        "head",
        "grouped",
        "inner",
        "untiered",
        "beyond",
        "portfolio",
        "offset",
        "length",
        "scanned",
        "closes",
        "short",
        "worst",
    ),
    0,
)


def group_class(worth: int, required: int, beyond: bool) -> str:
    """beyond: a cell of the group has left the tiers."""
    if worth < 0:
        return "under"
    if beyond:
        return "oversized"
    return "healthy" if worth << PRICE_FRACTION >= required else "thin"


def group_rows(head: int, contents: Sequence[int], tick: int, recorder: Recorder) -> tuple[list[Values], str, int, int]:
    """The rows of a group's cells, head first, with its class, equity and maintenance: `none` where it has no members;
    what those that have left the tiers require is not counted."""
    cells = [unpack(content) for content in contents]
    module = recorder.parameters.module(cells[0].module.id)
    portfolio = module.scans
    common = {"length": len(cells), "portfolio": int(portfolio)} | flags_of(cells[0], recorder)
    rows = [_digits(cells[0]) | common | {"head": 1, "equity_sum": 0, "maintenance_sum": 0}]
    if len(cells) == 1:
        return rows, "none", 0, 0
    values, requirements = [], []
    for offset, cell in enumerate(cells[1:], 1):
        row, worth = _member(cell, tick, recorder)
        row |= {"grouped": 1, "inner": int(offset < len(cells) - 1), "offset": offset, "scanned": int(portfolio)}
        rows.append(row | common)
        values.append(worth)
        requirements.append(_required(cell, row["notional"], module, recorder))
    worst = hold(head, cells[1:], tick, recorder) if portfolio else 0
    total = sum(values)
    factor = _factor(recorder) if portfolio else 0
    required = module.conclude(total, sum(each or 0 for each in requirements), 0, worst, factor).maintenance
    kind = group_class(total, required, None in requirements)
    if kind in ("under", "oversized"):  # its last cell needs no tier
        requirements[-1] = 0
    equity = maintenance = beyond = 0
    for row, cell, worth, needed in zip(rows[1:], cells[1:], values, requirements, strict=True):
        beyond |= int(needed is None)
        if row["inner"] or kind in ("healthy", "thin"):
            row |= _tiered(cell, row["notional"], portfolio, recorder)
        equity, maintenance = equity + worth, maintenance + (needed or 0)
        row |= {"equity_sum": equity, "maintenance_sum": maintenance, "beyond": beyond}
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
        "settled_index": cell.index_digit + SIGN_BIAS,
        "due": 0,
        "short": negative * abs(cell.position),
    }


def _member(cell: Cell, tick: int, recorder: Recorder) -> tuple[Values, int]:
    """A member's row, as far as no tier is asked, and its equity."""
    listed = recorder.look_up(tick, cell.market)
    pay = funding_payment(cell.position, listed.index - cell.index)
    notional = abs(cell.position) * listed.price
    row = _digits(cell) | {"price": listed.price, "index": listed.index, "pay": pay + PAY_BIAS, "notional": notional}
    row |= {"dust": (pay << FUNDING_FRACTION) - cell.position * (listed.index - cell.index)}
    row |= dict.fromkeys(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), 0)
    return row, equity(cell.collateral - pay, cell.position, listed.price)


def _required(cell: Cell, notional: int, module: Module, recorder: Recorder) -> int | None:
    """None where no tier says it."""
    if notional >= NOTIONAL_LIMIT:
        return None
    terms = recorder.markets(module.scans)[cell.market].tier(notional).terms("maintenance")
    return int(module.requirement(*terms, notional, int(cell.position < 0)))


def _tiered(cell: Cell, notional: int, portfolio: bool, recorder: Recorder) -> Values:
    """The tier that a member's row points at, or that there is none."""
    if notional >= NOTIONAL_LIMIT:
        return {"untiered": 1, "tier_lower": notional - NOTIONAL_LIMIT >> NOTIONAL_BITS}
    lower, upper, rate, deduction = recorder.maintenance(cell.market, notional, portfolio)
    return {"tier_lower": lower, "tier_upper": upper, "tier_rate": rate, "tier_deduction": deduction}
