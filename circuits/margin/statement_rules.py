"""The rules of a statement that no circuit checks: both arbiters check them in plain integers."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby, pairwise

from circuits.field import MODULUS
from circuits.margin.assets import asset_of, cap_of, check_assets, supplied_after
from circuits.margin.cadence import CLOCK_LIMIT
from circuits.margin.cell import GROUP_MAX, ROOM_UNIT
from circuits.margin.modules import CROSS
from circuits.margin.orders import ID_SHIFT
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Portfolio
from circuits.margin.publics import scenario_vectors
from circuits.margin.scenarios import block_rows
from circuits.margin.statement import (
    ASSET_UNIT,
    L1_KINDS,
    VERSION,
    InvalidStatement,
    L1Row,
    OracleRow,
    Statement,
    require,
)
from circuits.margin.totals import COUNTS, SIGNED, Totals

REFUSABLE = tuple(L1_KINDS[name] for name in ("close", "withdraw", "redeem"))
AMOUNT_LIMIT, TIME_LIMIT, PRICE_LIMIT, INDEX_LIMIT = 1 << 56, 1 << 40, 1 << 48, 1 << 63


def check_statement(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    """Raises InvalidStatement unless every rule that both arbiters check in integers holds."""
    if statement.version != VERSION:
        raise InvalidStatement(f"version {statement.version}: this verifier knows version {VERSION}")
    for name, value in (("batch", statement.batch), ("chain", statement.chain), ("next_queue", statement.next_queue)):
        require(0 <= value < 1 << 64, f"{name} {value} is outside 64 bits")
    require(0 <= statement.contract < 1 << 160, "contract is no address")
    _check_genesis(statement, parameters)
    _check_oracle(statement, parameters, shape)
    _check_l1(statement, parameters, shape)
    check_assets(statement, parameters)
    _check_diff(statement, shape)
    _check_sweep(statement, parameters, shape)
    _check_orders(statement, parameters, shape)
    _check_checks(statement, shape)


def _check_genesis(statement: Statement, parameters: Parameters) -> None:
    """Batch 0 starts where the key says; where a later one starts, the arbiter knows from the batch before."""
    if statement.batch == 0:
        require(statement.old is None, "batch 0 starts from the empty state")
        require(statement.last_oracle == genesis_rows(parameters), "batch 0 starts from the oracle rows of the key")
        require(statement.next_queue == 0, "batch 0 starts with L1 operation 0")


def genesis_rows(parameters: Parameters) -> tuple[OracleRow, ...]:
    """Tick 0: the prices and indices that the key fixes."""
    rows = enumerate(parameters.markets)
    return tuple(OracleRow(0, parameters.genesis_time, i, market.price, market.index) for i, market in rows)


def _check_oracle(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    rows, markets = statement.oracle, len(parameters.markets)
    require(bool(rows), "no oracle tick")
    require(len(rows) <= 1 << shape.limb_bits, f"{len(rows)} oracle rows for a table of {1 << shape.limb_bits}")
    ticks = [list(group) for _, group in groupby(statement.last_oracle + rows, key=lambda row: row.tick)]
    for group in ticks:
        tick = group[0].tick
        require(
            [row.market for row in group] == list(range(markets)),
            f"tick {tick} does not list every market once, in order",
        )
        require(len({row.time for row in group}) == 1, f"tick {tick} has several times")
        for row in group:
            check_row(row)
    require(len(statement.last_oracle) == markets, "the last oracle rows are not one tick")
    for before, after in pairwise(ticks):
        _check_step(before, after, parameters)
    _check_scenarios(statement, parameters, shape)


def check_row(row: OracleRow) -> None:
    """InvalidStatement unless tick, time, price and index are in their ranges."""
    name = f"tick {row.tick}, market {row.market}"
    require(0 <= row.tick < TIME_LIMIT, f"tick {row.tick} is outside 40 bits")
    require(0 <= row.time < TIME_LIMIT, f"{name}: time {row.time} is outside 40 bits")
    require(1 <= row.price < PRICE_LIMIT, f"{name}: price {row.price} is outside 1..2^48-1")
    require(abs(row.index) < INDEX_LIMIT, f"{name}: index {row.index} is outside 63 bits")


def _check_step(before: Sequence[OracleRow], after: Sequence[OracleRow], parameters: Parameters) -> None:
    tick, elapsed = after[0].tick, after[0].time - before[0].time
    require(tick == before[0].tick + 1, f"tick {tick} does not follow tick {before[0].tick}")
    require(elapsed >= 0, f"tick {tick}: time goes back")
    for old, new, market in zip(before, after, parameters.markets, strict=True):
        moved = abs(new.index - old.index) << 16
        cap = market.funding_cap * new.price * elapsed
        require(moved <= cap, f"tick {tick}, market {new.market}: the funding index moves beyond its cap")
        if parameters.portfolio is not None:
            last, now = ((rows[0].time, [row.price for row in rows]) for rows in (before, after))
            price = parameters.portfolio.settlement(new.market, last, now)
            require(price in (None, new.price), f"tick {tick}, market {new.market}: not the settlement price")


def _check_scenarios(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    if not shape.scenarios or parameters.portfolio is None:
        require(not statement.scenarios, "scenarios: the key has no portfolios")
        return
    scenario_vectors(statement.oracle, statement.scenarios, parameters.portfolio)


def _check_l1(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    system = {parameters.fee_cell, parameters.insurance_cell}
    for position, row in enumerate(statement.l1):
        name = f"L1 row {row.queue}"
        require(
            row.queue == statement.next_queue + position,
            f"{name}: the queue's next index is {statement.next_queue + position}",
        )
        asset = asset_of(row.kind)
        known = row.kind in L1_KINDS.values() if asset is None else asset in parameters.assets
        require(known, f"{name}: no such kind {row.kind}")
        require(
            row.outcome == 1 or (row.outcome == 0 and row.kind % ASSET_UNIT in REFUSABLE),
            f"{name}: outcome {row.outcome}",
        )
        require(1 <= row.amount < AMOUNT_LIMIT, f"{name}: amount {row.amount} is outside 1..2^56-1")
        require(0 <= row.cell < shape.cells, f"{name}: no cell {row.cell}")
        require(row.kind != L1_KINDS["open"] or row.cell not in system, f"{name}: opens a system cell")
        require(row.kind != L1_KINDS["open"] or row.cell < shape.accounts, f"{name}: opens a slot of orders")
        require(row.kind != L1_KINDS["close"] or row.amount == 1, f"{name}: the amount of a close is 1")
        if row.kind == L1_KINDS["open"]:
            _check_open(row, name, parameters, shape)


def most_room(portfolio: Portfolio | None, groups: int, scenarios: int, sweep: bool) -> int:
    """Cells of the largest group that tables of so many rows can pass, and judge before and after where it is a
    portfolio, and once more where the batch ends with a sweep: with a larger one, a withdrawal could be neither paid
    nor refused. 1 where there is no room for a portfolio with members."""
    if portfolio is None:
        return min(GROUP_MAX, groups)
    fixed = block_rows(0, portfolio.scenarios, True, True)
    swept = block_rows(0, portfolio.scenarios, False, False) if sweep else 0
    members = 2 * ((scenarios - fixed - swept) // (2 if sweep else 1))
    return min(GROUP_MAX, groups, 1 + max(members, 0))


def _check_open(row: L1Row, name: str, parameters: Parameters, shape: Shape) -> None:
    """An account of a market, or where the key has groups, one with room for so many cells and no system cell."""
    room, rest = divmod(row.amount, ROOM_UNIT)
    modules = {module.id - CROSS.id: module for module in parameters.group_modules(shape.scenarios > 0)}
    if not shape.groups or rest not in modules or room < 2:
        require(row.amount <= len(parameters.markets), f"{name}: no such market")
        return
    portfolio = parameters.portfolio if modules[rest].scans else None
    most = most_room(portfolio, shape.groups, shape.scenarios, shape.sweep)
    require(room <= most, f"{name}: a group has at most {most} cells")
    cells = range(row.cell, row.cell + room)
    require(cells[-1] < shape.accounts, f"{name}: the group reaches beyond the cells of accounts")
    inside = {parameters.fee_cell, parameters.insurance_cell} & set(cells)
    require(not inside, f"{name}: a system cell is inside the group")


def check_totals(totals: Totals, unsettled: tuple[int, ...], parameters: Parameters, shape: Shape, time: int) -> None:
    """InvalidStatement unless sums over a book are in their ranges and nothing is left but of expired options and, up
    to their caps, of assets."""
    for name, value in asdict(totals).items():
        limit = shape.cells if name in COUNTS else 1 << 192
        require((-limit if name in SIGNED else 0) <= value <= limit, f"totals: {name} {value} is out of range")
    portfolio = parameters.portfolio
    if not parameters.has_options and not parameters.assets:
        require(not unsettled, "unsettled: the key has neither options nor assets")
        return
    require(len(unsettled) == len(parameters.markets), "unsettled: a number for each market is needed")
    for market, left in enumerate(unsettled):
        if market in parameters.assets:
            most = cap_of(parameters, market)
            require(0 <= left <= most, f"unsettled: {left} of market {market} is outside 0..{most}")
            continue
        require(abs(left) < 1 << 100, f"unsettled: {left} is out of range")
        expired = portfolio is not None and portfolio.expired(market, time)
        require(left == 0 or expired, f"unsettled: market {market} has not expired")


def _check_sweep(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    told = statement.sweep
    require((told is not None) == shape.sweep, "sweep: the key asks for " + ("one" if shape.sweep else "none"))
    if told is not None:
        check_totals(told.totals, told.unsettled, parameters, shape, statement.oracle[-1].time)
        held = tuple(told.unsettled[market] for market in parameters.assets)
        supplied = supplied_after(statement.supplied, statement.l1, parameters)
        require(held == supplied, f"sweep: accounts hold {held} of the assets, and {supplied} is supplied")


def _check_checks(statement: Statement, shape: Shape) -> None:
    """Counts in their ranges; of times, that those at which accounts are due have room behind them."""
    told = statement.checks
    require((told is not None) == (shape.samples > 0), f"checks: the key has {'a' if shape.samples else 'no'} cadence")
    if told is None:
        return
    require(0 <= told.seed < 1 << 256, "checks: the seed is outside 256 bits")
    require(0 <= told.late <= 2 * shape.transitions, f"checks: {told.late} legs cannot have been late")
    require(0 <= told.overdue <= told.sampled <= shape.samples, "checks: more are overdue than a sample has accounts")
    time = statement.oracle[-1].time
    require(time < CLOCK_LIMIT, f"checks: time {time} leaves no room for when accounts are due")


def _check_orders(statement: Statement, parameters: Parameters, shape: Shape) -> None:
    """Digits inside their budget, slots where no account can be, and none that has expired."""
    require(shape.orders > 0 or not statement.orders, "orders: the key knows none")
    for place, row in enumerate(statement.orders):
        require(1 <= row.fills <= shape.orders, f"order {place}: {row.fills} fills in a table of {shape.orders}")
        for name, least, end in order_bounds(len(parameters.markets), shape.accounts, shape.cells):
            value = getattr(row, name)
            require(least <= value < end, f"order {place}: {name} {value} is outside {least}..{end - 1}")
        time = statement.oracle[-1].time
        require(row.expiry >= time, f"order {place}: it expired at {row.expiry}")
        require(row.id >> ID_SHIFT <= time, f"order {place}: id {row.id} is of the future")


def order_bounds(markets: int, accounts: int, cells: int) -> tuple[tuple[str, int, int], ...]:
    """(field, least, end) of an order's numbers, where the cells from `accounts` on are slots: no wider than what the
    circuit compares them with."""
    return (
        ("cell", 0, accounts),
        ("market", 0, markets),
        ("sells", 0, 2),
        ("size", 1, 1 << 64),
        ("limit", 0, PRICE_LIMIT),
        ("fee", 0, 1 << 16),
        ("expiry", 0, TIME_LIMIT),
        ("slot", accounts, cells),
        ("id", 1, 1 << 63),
    )


def _check_diff(statement: Statement, shape: Shape) -> None:
    require(
        (statement.diff is not None) == shape.published_diff,
        "the key asks for the diff of the state to be " + ("" if shape.published_diff else "un") + "published",
    )
    diff = statement.diff or ()
    cells = [cell for cell, _ in diff]
    require(all(a < b for a, b in pairwise(cells)), "diff indices do not increase strictly")
    require(all(0 <= cell < shape.cells for cell in cells), "diff names a cell outside the state")
    require(all(0 <= delta < MODULUS for _, delta in diff), "a diff is not reduced mod r")
