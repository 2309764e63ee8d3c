"""The transitions table: one transition a row, two legs, every rule of the margin engine as a constraint.

The rules in words are in docs/margin.md, the identifiers in docs/protocol.md. Kinds are selectors; a row without one
is padding.
"""

from circuits.expression import Expression, lagrange, public, query, total
from circuits.margin.cell import ACCOUNT, SYSTEM
from circuits.margin.leg import PRICE_FRACTION, SIGN_BIAS, Leg, add_funding, add_leg, add_memory, add_tier_lookup
from circuits.margin.parameters import Parameters, Shape
from circuits.table import Table

KINDS = (
    "open", "close", "refuse_close", "deposit", "withdraw", "refuse", "touch",
    "trade", "transfer", "liquidate", "deleverage", "cover", "collect",
)  # fmt: skip
L1_CODES = {"open": 1, "close": 2, "refuse_close": 2, "deposit": 3, "withdraw": 4, "refuse": 4}
MAINTENANCE, INITIAL, INITIAL_OPEN = 0, 1, 2  # requirement classes of the tier channel
OVERSIZED = 1 << 79  # from this notional on there is no tier

SIZE_BITS, CASH_BITS, FEE_BITS = 64, 64, 48
PRODUCT_BITS = 128  # band*size*P and cap*size*P
MARGIN_BITS = 176  # E < 2^176, hence D as well
STRICT_BITS = 112  # MM - TV*2^16 < 2^98
DUST_BAND = 1 << 32  # one unit of quote: without it the last unit of a position could not be closed


def transitions_table(parameters: Parameters, shape: Shape) -> Table:
    """The table for these parameters; `shape.rows` transitions."""
    table = Table("transitions", shape.rows, shape.limb_bits)
    row = table.fixed("row", range(shape.rows))
    kind = {name: table.boolean(name) for name in KINDS}
    active = total(list(kind.values()))
    table.require("one_kind", active * (active - 1))
    for name in ("tick", "market", "price", "index", "queue", "amount"):
        table.witness(name)
    flags = {name: table.boolean(name) for name in ("system", "oversized", "fresh_a", "fresh_b")}
    a, b = add_leg(table, "a"), add_leg(table, "b")
    row_kinds = RowKinds(kind, flags)
    _add_oracle(table, row_kinds)
    _add_cells(table, row_kinds, a, b, row)
    _add_l1(table, row_kinds, a)
    _add_system(table, row_kinds, a, b, parameters)
    _add_exchange(table, row_kinds, a, b)
    _add_prices(table, row_kinds, b, parameters)
    _add_rules(table, row_kinds, a, b)
    _add_tiers(table, row_kinds, a, b)
    _add_margin(table, row_kinds, a, b)
    return table


class RowKinds:
    """Sums of selectors that several rules share; all of degree 1."""

    def __init__(self, kind: dict[str, Expression], flags: dict[str, Expression]) -> None:
        self.kind, self.flags = kind, flags
        self.system, self.oversized = flags["system"], flags["oversized"]
        self.refused = self.of("refuse", "refuse_close")
        self.l1 = self.of("open", "close", "deposit", "withdraw") + self.refused
        self.positions_change = self.of("trade", "liquidate", "deleverage")
        self.two_accounts = self.positions_change + self.of("transfer")
        self.moves_cash = self.two_accounts + kind["cover"]
        self.account_a = self.l1 - self.system + kind["touch"] + self.two_accounts
        self.system_a = self.system + self.of("cover", "collect")
        self.settled_a = self.account_a - self.of("close", "refuse_close")
        self.account_b = self.moves_cash
        self.settled_b = self.positions_change + kind["cover"]
        self.active_a = total(list(kind.values()))
        self.active_b = self.moves_cash + kind["collect"]

    def of(self, *names: str) -> Expression:
        return total([self.kind[name] for name in names])


def _add_oracle(table: Table, kinds: RowKinds) -> None:
    tick = query("tick")
    step = tick.at(1) - tick
    table.require("tick_step", (1 - lagrange(-1)) * step * (step - 1))
    table.require("first_tick", lagrange(0) * (tick - public("first_tick")))
    used = kinds.settled_a + kinds.kind["cover"]
    table.send("oracle", "oracle", used, tick, query("market"), query("price"), query("index"))


def _add_cells(table: Table, kinds: RowKinds, a: Leg, b: Leg, row: Expression) -> None:
    """What is read and written: funding, indices, markets, kinds of cells."""
    kind, flags, market, index = kinds.kind, kinds.flags, query("market"), query("index")
    change = table.witness("market_change")  # `open` gives the cell its market, `close` takes it away
    table.require("market_change", change - kind["open"] * market + kind["close"] * a.market)
    table.require("market_a", kinds.settled_a * (a.market + change - market))
    table.require("market_b", kinds.settled_b * (b.market - market))
    carried = 1 - kinds.settled_a - kind["close"]
    table.require("index_after_a", a.after.index - kinds.settled_a * index - carried * a.before.index)
    table.require("index_after_b", b.after.index - kinds.settled_b * index - (1 - kinds.settled_b) * b.before.index)
    add_funding(table, a, kinds.settled_a, index)
    add_funding(table, b, kinds.settled_b, index)
    for part, expression in (("collateral", a.before.collateral), ("position", a.before.position)):
        table.require(f"empty_{part}", kinds.of("open", "close") * expression)
    table.require("open_index", kind["open"] * a.before.index)
    table.require("open_market", kind["open"] * a.market)
    system_a, system_b = SYSTEM * kinds.system_a, SYSTEM * kind["collect"]
    before_a = ACCOUNT * (kinds.account_a - kind["open"]) + system_a - SYSTEM * flags["fresh_a"]
    after_a = ACCOUNT * (kinds.account_a - kind["close"]) + system_a
    account_b = ACCOUNT * kinds.account_b + system_b
    add_memory(table, a, kinds.active_a, row, (before_a, after_a), a.market + change)
    add_memory(table, b, kinds.active_b, row, (account_b - SYSTEM * flags["fresh_b"], account_b), b.market)


def _add_l1(table: Table, kinds: RowKinds, a: Leg) -> None:
    """Consumes the L1 row of this operation, with its cell and amount."""
    code = total([kinds.kind[name] * number for name, number in L1_CODES.items()])
    amount = query("amount")
    table.receive("l1", "l1", kinds.l1, query("queue"), code, a.address, amount, 1 - kinds.refused)
    table.require("open_amount", kinds.kind["open"] * (amount - query("market") - 1))


def _add_system(table: Table, kinds: RowKinds, a: Leg, b: Leg, parameters: Parameters) -> None:
    """The fee and insurance cells: fixed addresses, no position, index or market; their first write finds the empty
    cell."""
    kind, flags = kinds.kind, kinds.flags
    fee, insurance = parameters.fee_cell, parameters.insurance_cell
    table.require("system_kind", kinds.system * (1 - kinds.of("deposit", "withdraw", "refuse")))
    target = kind["deposit"] * insurance + kinds.of("withdraw", "refuse") * fee
    table.require("system_address", kinds.system * (a.address - target))
    table.require("cover_address", kind["cover"] * (a.address - insurance))
    table.require("collect_address_a", kind["collect"] * (a.address - fee))
    table.require("collect_address_b", kind["collect"] * (b.address - insurance))
    table.require("collect_last", kind["collect"] * (1 - lagrange(-1)))
    for leg, system in ((a, kinds.system_a), (b, kind["collect"])):
        fresh = flags[f"fresh_{leg.suffix}"]
        for part, expression in (
            ("position", leg.before.position),
            ("index", leg.before.index),
            ("market", leg.market),
        ):
            table.require(f"system_{part}_{leg.suffix}", system * expression)
        table.require(f"fresh_kind_{leg.suffix}", fresh * (1 - system))
        table.require(f"fresh_collateral_{leg.suffix}", fresh * leg.before.collateral)


def _add_exchange(table: Table, kinds: RowKinds, a: Leg, b: Leg) -> None:
    """One signed position change and one signed cash amount between the legs, and the fees."""
    kind, amount = kinds.kind, query("amount")
    table.register("size", SIZE_BITS)
    size = _size(table, kinds)
    delta, reverse = table.witness("delta"), table.boolean("reverse")
    table.require("delta", delta - kinds.positions_change * (1 - 2 * reverse) * size)
    cash = table.register("cash", CASH_BITS) - SIGN_BIAS
    table.require("no_cash", (1 - kinds.moves_cash) * cash)
    table.require("cash_is_size", kinds.of("transfer", "cover") * (cash - size))
    fee_a, fee_b = table.register("fee_a", FEE_BITS), table.register("fee_b", FEE_BITS)
    table.require("fee_kind_a", (1 - kind["trade"]) * fee_a)
    table.require("fee_kind_b", (1 - kinds.of("trade", "liquidate")) * fee_b)
    table.require("position_moves_a", a.after.position - a.before.position - delta)
    table.require("position_moves_b", b.after.position - b.before.position + delta)
    l1_amount = (kind["deposit"] - kind["withdraw"]) * amount
    moved_a = a.after.collateral - a.settled_collateral + cash + fee_a - l1_amount
    moved_b = b.after.collateral - b.settled_collateral - cash + fee_b
    table.require("collateral_moves_a", (1 - kind["collect"]) * moved_a)
    table.require("collateral_moves_b", (1 - kind["collect"]) * moved_b)
    collected = [kind["collect"] * (leg.after.collateral - leg.before.collateral) for leg in (a, b)]
    table.add_to_sum("trade_fees", kind["trade"] * (fee_a + fee_b) - collected[0])
    table.add_to_sum("liquidation_fees", kind["liquidate"] * fee_b - collected[1])


def _register(table: Table, name: str, bits: int) -> Expression:
    """The value of a register that the table already has."""
    return total([query(f"{name}_{i}") * (1 << i * table.limb_bits) for i in range(bits // table.limb_bits)])


def _size(table: Table, kinds: RowKinds) -> Expression:
    """The limbs hold size - 1, so that a size is at least 1."""
    return kinds.moves_cash + _register(table, "size", SIZE_BITS)


def _add_prices(table: Table, kinds: RowKinds, b: Leg, parameters: Parameters) -> None:
    """Fees within their caps, and the price of a trade within its band; a deleverage has the one price at which E <
    2^16*MM."""
    trade, liquidate, price = kinds.kind["trade"], kinds.kind["liquidate"], query("price")
    value = _size(table, kinds) * price
    fees = [_register(table, f"fee_{leg}", FEE_BITS) * (1 << 32) for leg in "ab"]
    cap = trade * parameters.trade_fee_cap
    table.register("fee_room_a", PRODUCT_BITS, cap * value - fees[0])
    table.register("fee_room_b", PRODUCT_BITS, (cap + liquidate * parameters.liquidation_fee_cap) * value - fees[1])
    cash = _register(table, "cash", CASH_BITS) - SIGN_BIAS
    banded = trade + liquidate
    band = trade * parameters.trade_band + liquidate * parameters.liquidation_band
    bound = band * value + banded * DUST_BAND
    off = banded * (cash * (1 << PRICE_FRACTION) - query("delta") * price) * (1 << PRICE_FRACTION)
    unique = kinds.kind["deleverage"] * ((1 << PRICE_FRACTION) * b.maintenance_before() - 1 - b.share_kept(price))
    table.register("band_above", PRODUCT_BITS, bound - off + unique)
    table.register("band_below", PRODUCT_BITS, bound + off)


def _add_rules(table: Table, kinds: RowKinds, a: Leg, b: Leg) -> None:
    """Which margin rule each leg claims, and what the reducing one asks of its position."""
    kind = kinds.kind
    table.require("rule_a", a.initial + a.reducing - kinds.two_accounts - kind["withdraw"] * (1 - kinds.system))
    table.require("rule_b", b.initial + b.reducing - kinds.positions_change)
    table.require("reducing_kind_a", a.reducing * (1 - kinds.positions_change))
    table.require("victim_reduces", b.initial * kinds.of("liquidate", "deleverage"))
    for leg in (a, b):
        smaller = leg.after.magnitude + _size(table, kinds) - leg.before.magnitude
        table.require(f"reduces_{leg.suffix}", leg.reducing * smaller)
    table.require(
        "counterparty_reduces", kind["deleverage"] * (a.after.magnitude + _size(table, kinds) - a.before.magnitude)
    )
    table.require("oversized_kind", kinds.oversized * (1 - kind["refuse"] + kinds.system))


def _add_tiers(table: Table, kinds: RowKinds, a: Leg, b: Leg) -> None:
    """Maintenance before where equity may fall by a share; after, the requirement of the rule that is claimed."""
    refuse = kinds.kind["refuse"]
    open_a = table.boolean("open_tier_a")
    table.require("open_tier_rule", open_a * (1 - a.initial - refuse))
    table.require("open_tier_needed", a.initial * kinds.positions_change * (1 - open_a))
    for leg in (a, b):
        add_tier_lookup(table, leg, "before", leg.reducing, leg.reducing * MAINTENANCE)
    after_a = a.initial + a.reducing + refuse * (1 - kinds.system) - kinds.oversized
    add_tier_lookup(table, a, "after", after_a, INITIAL * (a.initial + refuse) + (INITIAL_OPEN - INITIAL) * open_a)
    add_tier_lookup(table, b, "after", b.initial + b.reducing, INITIAL_OPEN * b.initial)


def _add_margin(table: Table, kinds: RowKinds, a: Leg, b: Leg) -> None:
    """One register a leg for the inequality of its rule, and one for what must hold strictly before."""
    kind, price, amount, system = kinds.kind, query("price"), query("amount"), kinds.system
    one = 1 << PRICE_FRACTION
    left = a.after.collateral
    short = a.requirement_after() - 1 - (a.equity_after(price) - amount * one) * one
    not_flat = left * left + a.after.magnitude - 1  # collateral squared, since it has a sign
    margin_a = (
        a.initial * a.initial_room(price)
        + a.reducing * a.share_kept(price)
        + (kind["cover"] + kind["withdraw"] * system) * left
        + kind["refuse"] * system * (amount - 1 - left)
        + kind["refuse_close"] * not_flat
        + (kind["refuse"] * (1 - system) - kinds.oversized) * short
        + kinds.oversized * (a.after.notional - OVERSIZED)
    )
    table.register("margin_a", MARGIN_BITS, margin_a)
    table.register("margin_b", MARGIN_BITS, b.initial * b.initial_room(price) + b.reducing * b.share_kept(price))
    unhealthy = b.maintenance_before() - b.equity_before(price) * one - 1
    bankrupt = -1 - b.equity_before(price)
    covered = one - 1 - b.equity_after(price)
    strict = kind["liquidate"] * unhealthy + kind["deleverage"] * bankrupt + kind["cover"] * covered
    table.register("strict", STRICT_BITS, strict)
