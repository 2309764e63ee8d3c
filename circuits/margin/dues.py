"""The laws of a cadence: when a leg's account is due, before and after; and the table that samples the state.

Nothing of it is in a key without a cadence (`circuits.margin.cadence`).
"""

from circuits.expression import Expression, lagrange, lift, public, query
from circuits.margin.cadence import ONE
from circuits.margin.cell import (
    ACCOUNT,
    COLLATERAL_BITS,
    DUE_BITS,
    DUE_UNIT,
    HEAD,
    INDEX_BITS,
    MARKET_BITS,
    MEMBER,
    NEVER,
    ORDER,
    POSITION_BITS,
    SYSTEM,
    packed,
)
from circuits.margin.kinds import Row
from circuits.margin.leg import SIGN_BIAS, TIME_BITS, Leg
from circuits.margin.parameters import Parameters, Shape
from circuits.table import Table

UPPER_BITS = 32  # above the low bits of a kind: when an account is due, a module or an offset


def add_due(table: Table) -> None:
    """The columns of what a leg knows of its account: when it was due, and when it is."""
    table.register("due", DUE_BITS)
    table.witness("due_after")


def due_of(table: Table) -> tuple[Expression, Expression] | None:
    """When the leg's account is due, before and after; None in a key without a cadence."""
    return (table.composed(table.limbs("due")), query("due_after")) if "due_after" in table.columns else None


def due_columns(table: Table) -> list[Expression]:
    """The same as fields of a tuple, where there are any."""
    return list(due_of(table) or ())


def add_cadence(table: Table, row: Row, leg: Leg, parameters: Parameters) -> None:
    """An account that is judged or settled alone is late if it was due before the tick; who meets the initial margin,
    or is checked, is due anew, everyone else when he was."""
    dues = due_of(table)
    if dues is None:
        return
    due, after = dues
    kind, clock = row.kind, table.witness("clock")
    dated, late = table.witness("dated"), table.boolean("late")
    linked = lift(0) if row.member.constant == 0 else query("linked")
    table.require("dated", dated - row.settled * (row.alone - kind["open"]) - linked)
    table.send("clock", "clock", dated, query("tick"), clock)
    table.require("late_dated", late * (1 - dated))
    table.register("time_left", DUE_BITS, dated * (due - clock) - late * (2 * (due - clock) + 1))
    table.add_to_sum("late", late - lagrange(0) * public("late"))

    never, buffer, interval = table.boolean("never"), table.witness("buffer"), table.witness("interval")
    checked = kind["check"] - never
    table.require("never_kind", never * (1 - kind["check"]))
    table.require("never_flat", never * leg.maintenance_after())
    table.send("band", "band", checked, buffer, interval)
    renewed = leg.initial * (clock + parameters.renewal - due) + checked * (clock + interval - due)
    table.require("due_after", after - due - renewed - (never + kind["open"]) * (NEVER - due))


def checked_room(row: Row, leg: Leg, price: Expression) -> Expression:
    """What the account of a check has beyond the lower end of its band; not asked for in a key without."""
    check = row.kind["check"]
    if check.constant == 0:
        return check
    return check * (leg.equity_after(price) * (1 << 32) - leg.maintenance_after() * (ONE + query("buffer")))


def add_lookups(table: Table, parameters: Parameters) -> None:
    """The bands, and what each tick's time is."""
    if parameters.cadence is None:
        return
    rows = [(1, band.buffer, band.interval) for band in parameters.cadence.bands]
    names = ("listed", "buffer", "interval")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    listed, *band = [table.fixed(f"band_{name}", values) for name, values in columns]
    table.receive("band", "band", listed * table.witness("band_count"), *band)
    listed, *clock = [table.public(f"clock_{name}") for name in CLOCK_COLUMNS]
    table.receive("clock", "clock", listed * table.witness("clock_count"), *clock)


CLOCK_COLUMNS = ("listed", "tick", "time")


def samples_table(shape: Shape) -> Table:
    """A cell a row, as the batch finds it: read before any transition, and written back. An account that was due
    before the tick that the batch starts from is overdue."""
    table = Table("samples", shape.samples, shape.limb_bits)
    address, time = table.public("address"), table.fixed("time", range(1, table.size + 1))
    account, head, other = table.boolean("account"), table.boolean("head"), table.witness("other")
    dated = account + head
    table.require("one_kind", account * head)
    table.require("other_kind", dated * other)
    table.require("known_kind", other * (other - SYSTEM) * (other - ORDER) * (other - MEMBER))

    collateral = table.register("collateral", COLLATERAL_BITS) - SIGN_BIAS
    magnitude, negative = table.register("magnitude", POSITION_BITS), table.boolean("negative")
    position = (1 - 2 * negative) * magnitude
    index, market = table.register("index", INDEX_BITS) - SIGN_BIAS, table.register("market", MARKET_BITS)
    upper = table.register("upper", UPPER_BITS)
    kind = ACCOUNT * account + HEAD * head + other + DUE_UNIT * upper
    value = table.witness("value")
    table.require("value", value - packed(collateral, position, index, market, kind))
    gap = table.register("gap", TIME_BITS)
    table.receive("read", "memory", 1, address, value, time - 1 - gap)
    table.send("write", "memory", 1, address, value, time)

    left, late = account * upper + head * index - public("sample_clock"), table.boolean("late")
    table.require("late_dated", late * (1 - dated))
    table.register("time_left", DUE_BITS, dated * left - late * (2 * left + 1))
    for name, counted in (("sampled", dated), ("overdue", late)):
        table.add_to_sum(name, counted - lagrange(0) * public(name))
    return table
