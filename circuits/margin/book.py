"""The book: every cell of a committed state, settled and judged at one tick's oracle rows.

Each account, a cell or a group of them, is healthy (TV*2^16 >= MM), thin (0 <= TV, TV*2^16 < MM), under (TV < 0), or
oversized (TV >= 0 and a notional that no tier holds). What the classes have and lack is summed up in the statement, and
the positions of each market are shown to sum to zero, or for an option that has expired to what is left to settle.
"""

from dataclasses import dataclass

from circuits.expression import Expression, lagrange, lift, public, query, total
from circuits.margin import modules
from circuits.margin.cell import (
    ACCOUNT,
    COLLATERAL_BITS,
    DUE_BITS,
    DUE_UNIT,
    HEAD,
    INDEX_BITS,
    INDEX_SHIFT,
    KIND_SHIFT,
    MARKET_BITS,
    MARKET_SHIFT,
    MEMBER,
    MODULE_UNIT,
    OFFSET_UNIT,
    ORDER,
    POSITION_BITS,
    POSITION_SHIFT,
    SYSTEM,
)
from circuits.margin.formulas import Flags, add_flags, chosen, module_id, required_of
from circuits.margin.leg import NOTIONAL_BITS, SIGN_BIAS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.tiers import NOTIONAL_LIMIT
from circuits.margin.transitions import ADDONS, MAINTENANCE
from circuits.table import Table

CLASSES = ("healthy", "thin", "under", "oversized")
PAY_BITS = 112  # |q*(I - i)| < 2^128, so |pay| <= 2^96
PAY_BIAS = 1 << 111
DISTANCE_BITS = 144  # |TV| < 2^114, MM < 2^96
EQUITY_BITS = 128
TOTALS = (
    "accounts", "thin", "under", "oversized", "equity", "shortfall", "deficit", "collateral", "unsettled_funding",
)  # fmt: skip
"""Public sums over the book: numbers of accounts, then amounts (see `Totals` of circuits.margin.solvency_statement)."""


@dataclass(frozen=True)
class _Row:
    """What the cell of a row is: selectors of degree 1.

    kind: of CLASSES, in the row where an account ends, and `system`; order: the cell counts fills. head, grouped: of a
    group, its first cell and the others; inner: of the others, all but the last; untiered: of those, one whose notional
    no tier holds. portfolio: the group is one;
    flags: of the venue's own modules, which one judges it.
    """

    kind: dict[str, Expression]
    order: Expression
    head: Expression
    grouped: Expression
    inner: Expression
    untiered: Expression
    portfolio: Expression
    flags: Flags

    @property
    def ended(self) -> Expression:
        return total([self.kind[name] for name in CLASSES])

    @property
    def account(self) -> Expression:
        """The cell is an account's, alone or in a group."""
        return self.ended + self.inner

    @property
    def money(self) -> Expression:
        """What the cell holds is collateral and a position, not a count."""
        return 1 - self.head - self.order

    @property
    def tiered(self) -> Expression:
        """Its maintenance counts."""
        return self.kind["healthy"] + self.kind["thin"] + self.inner - self.untiered


def book_table(parameters: Parameters, shape: Shape) -> Table:
    """One cell a row; an account of several cells is judged in its last one, by sums over them."""
    table = Table("book", shape.cells, shape.limb_bits)
    content = table.state("content")
    kinds = {name: table.boolean(name) for name in (*CLASSES, "system")}
    places = ("head", "grouped", "inner", "untiered")
    head, grouped, inner, untiered = (table.boolean(name) if shape.groups else lift(0) for name in places)
    order = table.boolean("order") if shape.orders else lift(0)
    portfolio = table.boolean("portfolio") if shape.scenarios else lift(0)
    row = _Row(kinds, order, head, grouped, inner, untiered, portfolio, add_flags(table, parameters.modules, portfolio))
    used = row.account + kinds["system"] + row.head + row.order
    table.require("one_class", used * (used - 1))

    # The digits are unique, so they say what kind of cell it is
    collateral = table.register("collateral", COLLATERAL_BITS) - SIGN_BIAS
    magnitude, negative = table.register("magnitude", POSITION_BITS), table.boolean("negative")
    position, market = table.witness("position"), table.register("market", MARKET_BITS)
    table.require("position", position - (1 - 2 * negative) * magnitude)
    settled_index = table.register("settled_index", INDEX_BITS) - SIGN_BIAS
    low = collateral + position * (1 << POSITION_SHIFT) + settled_index * (1 << INDEX_SHIFT)
    kind = ACCOUNT * (row.account - row.grouped) + SYSTEM * kinds["system"] + ORDER * row.order
    kind = kind + _add_places(table, row, position)
    if parameters.cadence is not None:
        kind = kind + DUE_UNIT * table.register("due", DUE_BITS) * (row.account - row.grouped)
    table.require("content", content - low - market * (1 << MARKET_SHIFT) - kind * (1 << KIND_SHIFT))

    price, index = table.witness("price"), table.witness("index")
    table.send("oracle", "oracle", row.account, public("tick"), market, price, index)
    pay = table.register("pay", PAY_BITS) - PAY_BIAS
    dust = table.register("dust", FUNDING_FRACTION)
    owed = position * (index - settled_index)
    table.require("funding", row.account * (pay * (1 << FUNDING_FRACTION) - owed - dust))
    notional = table.witness("notional")
    table.require("notional", notional - magnitude * price)
    equity = modules.equity(collateral - pay, position, price)
    required = _required(table, row, market, notional)
    equity = _summed(table, row, "equity", row.account, equity)
    required = _summed(table, row, "maintenance", row.tiered, required)
    worst = _add_scan(table, row, market, position) if shape.scenarios else lift(0)
    factor = parameters.portfolio.initial_factor if shape.scenarios and parameters.portfolio is not None else 0
    sums = equity, required, 0, worst, factor
    usual = modules.conclude(*sums).maintenance
    maintenance = chosen(row.flags, usual, lambda module: module.conclude(*sums).maintenance)
    _add_classes(table, kinds, equity, maintenance, (1 - _add_beyond(table, row)) * (notional - NOTIONAL_LIMIT))

    # What markets have left are their public terms: nothing, but of options that have expired
    table.send("positions", "positions", row.money * position, market)
    totals = {
        "accounts": row.ended,
        **{name: kinds[name] for name in ("thin", "under", "oversized")},
        "equity": (row.ended - kinds["under"]) * equity,
        "shortfall": kinds["thin"] * (maintenance - equity * (1 << PRICE_FRACTION)),
        "deficit": -kinds["under"] * equity,
        "collateral": row.money * collateral,
        "unsettled_funding": row.account * position * settled_index,
    }
    for name in TOTALS:
        table.add_to_sum(name, totals[name] - lagrange(0) * public(name))
    for name, cell in (("fees", parameters.fee_cell), ("insurance", parameters.insurance_cell)):
        table.require(name, lagrange(cell) * (collateral - public(name)))
    return table


def _add_places(table: Table, row: _Row, position: Expression) -> Expression:
    """A group is its head and as many cells as it states behind it, its class in the last. Returns their kinds."""
    if row.head.constant == 0:
        return row.head
    offset, length = table.witness("offset"), table.witness("length")
    grouped_next = query("grouped").at(1)
    table.require("inner_grouped", row.inner * (1 - row.grouped))
    table.require("grouped_account", row.grouped * (1 - row.account))
    table.require("grouped_follows", row.grouped * (1 - query("head").at(-1) - query("grouped").at(-1)))
    table.require("offset_follows", row.grouped * (offset - offset.at(-1) - 1))
    table.require("length_follows", row.grouped * (length - length.at(-1)))
    table.require("head_offset", row.head * offset)
    table.require("head_length", row.head * (length - position))
    table.require("whole_group", (row.grouped - row.inner) * (length - 1 - offset))
    table.require("inner_goes_on", row.inner * (1 - grouped_next))
    table.require("head_goes_on", row.head * (length - 1) * (1 - grouped_next))
    if row.portfolio.constant is None:
        table.require("portfolio_group", row.portfolio * (1 - row.head - row.grouped))
        table.require("portfolio_follows", row.grouped * (row.portfolio - query("portfolio").at(-1)))
    for flag in row.flags.values():
        name = flag.arguments[0]
        table.require(f"{name}_group", flag * (1 - row.head - row.grouped))
        table.require(f"{name}_follows", row.grouped * (flag - flag.at(-1)))
    head = HEAD + MODULE_UNIT * module_id(row.portfolio, row.flags)
    return row.head * head + row.grouped * (MEMBER + OFFSET_UNIT * offset)


def _summed(table: Table, row: _Row, name: str, counted: Expression, amount: Expression) -> Expression:
    """The sum over the account's cells so far; without groups the amount of its one cell."""
    if row.head.constant == 0:
        return amount
    column = table.witness(f"{name}_sum")
    table.require(f"{name}_sum", column - row.grouped * column.at(-1) - counted * amount)
    return column


def _add_scan(table: Table, row: _Row, market: Expression, position: Expression) -> Expression:
    """What the worst scenario takes from a portfolio that ends in this row: its positions go to the scenarios' table,
    at time 0 and with no change."""
    scanned, closes, short, worst = (table.witness(name) for name in ("scanned", "closes", "short", "worst"))
    table.require("scanned", scanned - row.grouped * row.portfolio)
    table.require("closes", closes - (row.grouped - row.inner) * row.portfolio)
    table.require("short", short - query("negative") * table.composed(table.limbs("magnitude")))
    table.require("unscanned", worst * (1 - closes))
    group = table.fixed("address", range(table.size)) - query("offset")
    table.send("position", "position", scanned, 0, group, market, position, short)
    table.receive("worst", "worst", closes, 0, group, public("tick"), 0, worst, worst)
    return worst


def _required(table: Table, row: _Row, market: Expression, notional: Expression) -> Expression:
    """What maintenance asks of the cell, by the tier with lower <= n < upper."""
    used, requirement = row.tiered, MAINTENANCE + ADDONS * row.portfolio
    lower, upper, rate, deduction = (table.witness(f"tier_{name}") for name in ("lower", "upper", "rate", "deduction"))
    table.send("tier", "tier", used, market, requirement, lower, upper, rate, deduction)
    # n - 2^79 has 80 bits above `lower`, where there is no tier: |q|*P < 2^112
    excess = notional - NOTIONAL_LIMIT - (1 << NOTIONAL_BITS) * lower
    table.register("tier_above", NOTIONAL_BITS, used * (notional - lower) + row.untiered * excess)
    table.register("tier_below", NOTIONAL_BITS, used * (upper - 1 - notional) + row.untiered * lower)
    return required_of(row.flags, rate, deduction, notional, query("negative"))


def _add_beyond(table: Table, row: _Row) -> Expression:
    """1 where an inner cell so far has left the tiers: the account is neither healthy nor thin, since no tier says what
    it requires."""
    if row.untiered.constant == 0:
        return row.untiered
    beyond = table.witness("beyond")
    table.require("untiered_inner", row.untiered * (1 - row.inner))
    before = row.grouped * beyond.at(-1)
    table.require("beyond", beyond - before - row.untiered + before * row.untiered)
    table.require("beyond_class", beyond * (row.kind["healthy"] + row.kind["thin"]))
    return beyond


def _add_classes(
    table: Table, kinds: dict[str, Expression], equity: Expression, maintenance: Expression, excess: Expression
) -> None:
    """What must not be negative in each class: one distance, and the equity where that does not say it."""
    room = equity * (1 << PRICE_FRACTION) - maintenance
    distance = (
        kinds["healthy"] * room
        - kinds["thin"] * (room + 1)
        - kinds["under"] * (equity + 1)
        + kinds["oversized"] * excess
    )
    table.register("distance", DISTANCE_BITS, distance)
    table.register("solvent_equity", EQUITY_BITS, (kinds["thin"] + kinds["oversized"]) * equity)
