"""A book as rows and sums: every cell judged at one tick's oracle rows, in integers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from circuits.margin.book import CLASSES, PAY_BIAS
from circuits.margin.cell import EMPTY, ORDER, SYSTEM, unpack
from circuits.margin.leg import SIGN_BIAS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION
from circuits.margin.parameters import Parameters
from circuits.margin.portfolio import Vector
from circuits.margin.statement import OracleRow
from circuits.margin.tiers import NOTIONAL_LIMIT
from circuits.margin.totals import Totals
from zkmargin.recorder import Recorder, Values
from zkmargin.solvency_groups import UNGROUPED, group_rows
from zkmargin.witness_groups import flags_of

NO_TIER = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell at the oracle's row.

    kind: of CLASSES, `system`, `order` or `empty`. equity in quote * 2^-16, maintenance in quote * 2^-32; tier: market,
    lower.
    """

    kind: str
    values: Values
    equity: int
    maintenance: int
    tier: tuple[int, int] | None


def judge(content: int, parameters: Parameters, rows: Sequence[OracleRow]) -> Judged:
    """Settles a cell at its market's row, the account paying funding's ceiling, and says what it is."""
    cell = unpack(content)
    values = dict.fromkeys((*CLASSES, "system", "order"), 0)
    values |= {
        "collateral": cell.collateral + SIGN_BIAS,
        "magnitude": abs(cell.position),
        "negative": int(cell.position < 0),
        "position": cell.position,
        "market": cell.market,
        "settled_index": cell.index + SIGN_BIAS,
        "due": cell.due,
    }
    if not cell.holds_money:
        kind = {EMPTY: "empty", SYSTEM: "system", ORDER: "order"}[cell.kind]
        values |= {"price": 0, "index": 0, "pay": PAY_BIAS, "dust": 0, "notional": 0} | _tier_values(NO_TIER)
        values |= {"system": int(kind == "system"), "order": int(kind == "order")}
        return Judged(kind, values, 0, 0, None)
    row, market = rows[cell.market], parameters.markets[cell.market]
    owed = cell.position * (row.index - cell.index)
    pay = -(-owed >> FUNDING_FRACTION)
    equity = (cell.collateral - pay << PRICE_FRACTION) + cell.position * row.price
    notional = abs(cell.position) * row.price
    tier = market.tier(notional) if notional < NOTIONAL_LIMIT else None
    maintenance = tier.requirement(notional, "maintenance") if tier else 0
    if equity < 0:
        kind, tier = "under", None
    elif tier is None:
        kind = "oversized"
    else:
        kind = "healthy" if equity << PRICE_FRACTION >= maintenance else "thin"
    values |= {"price": row.price, "index": row.index, "pay": pay + PAY_BIAS, "notional": notional, kind: 1}
    values["dust"] = (pay << FUNDING_FRACTION) - owed
    told = (tier.lower, tier.upper, tier.maintenance_rate, tier.maintenance_deduction) if tier else NO_TIER
    values |= _tier_values(told)
    return Judged(kind, values, equity, maintenance, (cell.market, tier.lower) if tier else None)


def book_totals(
    cells: Mapping[int, int], parameters: Parameters, rows: Sequence[OracleRow], vectors: Sequence[Vector] = ()
) -> Totals:
    """The sums over the book, in integers. vectors: of each market's scenarios, where portfolios are judged by them."""
    counts: Counter[str] = Counter()
    recorder = recorder_of(parameters, rows, vectors)
    for address, content in cells.items():
        cell = unpack(content)
        if cell.is_head:
            _, kind, equity, maintenance = group_rows(address, _group(cells, address), rows[0].tick, recorder)
        else:
            counts["collateral"] += cell.collateral if cell.kind != ORDER else 0
            counts["unsettled_funding"] += cell.position * cell.index if cell.holds_money else 0
            if cell.is_member:
                continue
            judged = judge(content, parameters, rows)
            kind, equity, maintenance = judged.kind, judged.equity, judged.maintenance
        if kind in CLASSES:
            counts["accounts"] += 1
            counts[kind] += 1
            counts["deficit" if kind == "under" else "equity"] += abs(equity)
        if kind == "thin":
            counts["shortfall"] += maintenance - (equity << PRICE_FRACTION)
    system = {name: unpack(cells.get(address, 0)).collateral for name, address in _system(parameters)}
    names = ("accounts", "thin", "under", "oversized", "equity", "shortfall", "deficit")
    sums = {name: counts[name] for name in (*names, "collateral", "unsettled_funding")}
    return Totals(**sums, **system)


def filled_rows(size: int, rows: Sequence[OracleRow], cells: Mapping[int, int], recorder: Recorder) -> Iterator[Values]:
    """The rows of the book of `size` cells, their lookups counted."""
    parameters = recorder.parameters
    nothing = dict.fromkeys(("equity_sum", "maintenance_sum"), 0)
    empty = UNGROUPED | nothing | flags_of(None, recorder) | judge(0, parameters, rows).values
    address = 0
    while address < size:
        content = cells.get(address, 0)
        if content and unpack(content).is_head:
            contents = _group(cells, address)
            grouped, *_ = group_rows(address, contents, rows[0].tick, recorder)
            yield from (empty | row for row in grouped)
            address += len(contents)
            continue
        if not content:
            yield empty
        else:
            yield empty | _alone(content, parameters, rows, recorder)
        address += 1


def _alone(content: int, parameters: Parameters, rows: Sequence[OracleRow], recorder: Recorder) -> Values:
    """The row of a cell that is no group's."""
    judged = judge(content, parameters, rows)
    values, market = judged.values, judged.values["market"]
    if judged.kind in CLASSES:
        recorder.look_up(rows[0].tick, market)
    if judged.tier is not None:
        recorder.maintenance(market, values["notional"])
    sums = {"equity_sum": judged.equity, "maintenance_sum": judged.maintenance if judged.tier is not None else 0}
    return values | sums | {"short": values["negative"] * values["magnitude"]}


def _group(cells: Mapping[int, int], head: int) -> list[int]:
    return [cells[head + i] for i in range(unpack(cells[head]).position)]


def recorder_of(parameters: Parameters, rows: Sequence[OracleRow], vectors: Sequence[Vector]) -> Recorder:
    keys = [(row.tick, row.market) for row in rows]
    return Recorder(parameters, dict(zip(keys, rows, strict=True)), dict(zip(keys, vectors, strict=False)))


def _tier_values(tier: tuple[int, int, int, int]) -> Values:
    return dict(zip(("tier_lower", "tier_upper", "tier_rate", "tier_deduction"), tier, strict=True))


def _system(parameters: Parameters) -> list[tuple[str, int]]:
    return [("fees", parameters.fee_cell), ("insurance", parameters.insurance_cell)]


def unsettled(cells: Mapping[int, int], parameters: Parameters) -> tuple[int, ...]:
    """What the positions of each market sum to, in a key with options or assets; empty without, where that is zero."""
    if not parameters.has_options and not parameters.assets:
        return ()
    found = [cell for cell in map(unpack, cells.values()) if cell.holds_money]
    return tuple(sum(c.position for c in found if c.market == market) for market in range(len(parameters.markets)))
