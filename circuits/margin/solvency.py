"""The solvency of a whole book: every cell of a committed state, settled and judged at one tick's oracle rows.

Each account is healthy (TV*2^16 >= MM), thin (0 <= TV, TV*2^16 < MM), under (TV < 0), or oversized (TV >= 0 and a
notional that no tier holds). What the classes have and lack is summed up in the statement, and the positions of each
market are shown to sum to zero.
"""

from circuits.circuit import Circuit
from circuits.expression import Expression, lagrange, public, total
from circuits.margin.cell import (
    ACCOUNT,
    COLLATERAL_BITS,
    INDEX_BITS,
    INDEX_SHIFT,
    KIND_SHIFT,
    MARKET_BITS,
    MARKET_SHIFT,
    POSITION_BITS,
    POSITION_SHIFT,
    SYSTEM,
)
from circuits.margin.circuit import lookups_table
from circuits.margin.leg import FUNDING_FRACTION, NOTIONAL_BITS, PRICE_FRACTION, SIGN_BIAS
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.tiers import NOTIONAL_LIMIT, ParameterError
from circuits.margin.transitions import MAINTENANCE
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


def solvency_circuit(parameters: Parameters, shape: Shape) -> Circuit:
    """The circuit for a state of `shape.cells` cells, with limbs of `shape.limb_bits`; nothing else of it matters."""
    if shape.groups:
        raise ParameterError("groups", "the solvency of groups of cells is not proven yet")
    return Circuit([book_table(parameters, shape), lookups_table(parameters, shape)])


def book_table(parameters: Parameters, shape: Shape) -> Table:
    """One cell a row."""
    table = Table("book", shape.cells, shape.limb_bits)
    content = table.state("content")
    kinds = {name: table.boolean(name) for name in (*CLASSES, "system")}
    account = total([kinds[name] for name in CLASSES])
    used = account + kinds["system"]
    table.require("one_class", used * (used - 1))

    # The digits are unique, so they say what kind of cell it is
    collateral = table.register("collateral", COLLATERAL_BITS) - SIGN_BIAS
    magnitude, negative = table.register("magnitude", POSITION_BITS), table.boolean("negative")
    position, market = table.witness("position"), table.register("market", MARKET_BITS)
    table.require("position", position - (1 - 2 * negative) * magnitude)
    settled_index = table.register("settled_index", INDEX_BITS) - SIGN_BIAS
    low = collateral + position * (1 << POSITION_SHIFT) + settled_index * (1 << INDEX_SHIFT)
    kind = ACCOUNT * account + SYSTEM * kinds["system"]
    table.require("content", content - low - market * (1 << MARKET_SHIFT) - kind * (1 << KIND_SHIFT))

    price, index = table.witness("price"), table.witness("index")
    table.send("oracle", "oracle", account, public("tick"), market, price, index)
    pay = table.register("pay", PAY_BITS) - PAY_BIAS
    dust = table.register("dust", FUNDING_FRACTION)
    owed = position * (index - settled_index)
    table.require("funding", account * (pay * (1 << FUNDING_FRACTION) - owed - dust))
    notional = table.witness("notional")
    table.require("notional", notional - magnitude * price)
    equity = (collateral - pay) * (1 << PRICE_FRACTION) + position * price
    maintenance = _maintenance(table, kinds["healthy"] + kinds["thin"], market, notional)
    _add_classes(table, kinds, equity, maintenance, notional)

    table.send("positions", "positions", position, market)  # nobody receives them: each market's sum is zero
    sums = {
        "accounts": account,
        **{name: kinds[name] for name in ("thin", "under", "oversized")},
        "equity": (account - kinds["under"]) * equity,
        "shortfall": kinds["thin"] * (maintenance - equity * (1 << PRICE_FRACTION)),
        "deficit": -kinds["under"] * equity,
        "collateral": collateral,
        "unsettled_funding": account * position * settled_index,
    }
    for name in TOTALS:
        table.add_to_sum(name, sums[name] - lagrange(0) * public(name))
    for name, cell in (("fees", parameters.fee_cell), ("insurance", parameters.insurance_cell)):
        table.require(name, lagrange(cell) * (collateral - public(name)))
    return table


def _maintenance(table: Table, used: Expression, market: Expression, notional: Expression) -> Expression:
    """MM by the tier with lower <= n < upper."""
    lower, upper, rate, deduction = (table.witness(f"tier_{name}") for name in ("lower", "upper", "rate", "deduction"))
    table.send("tier", "tier", used, market, MAINTENANCE, lower, upper, rate, deduction)
    table.register("tier_above", NOTIONAL_BITS, used * (notional - lower))
    table.register("tier_below", NOTIONAL_BITS, used * (upper - 1 - notional))
    return rate * notional - deduction


def _add_classes(
    table: Table, kinds: dict[str, Expression], equity: Expression, maintenance: Expression, notional: Expression
) -> None:
    """What must not be negative in each class: one distance, and the equity where that does not say it."""
    room = equity * (1 << PRICE_FRACTION) - maintenance
    distance = (
        kinds["healthy"] * room
        - kinds["thin"] * (room + 1)
        - kinds["under"] * (equity + 1)
        + kinds["oversized"] * (notional - NOTIONAL_LIMIT)
    )
    table.register("distance", DISTANCE_BITS, distance)
    table.register("solvent_equity", EQUITY_BITS, (kinds["thin"] + kinds["oversized"]) * equity)
