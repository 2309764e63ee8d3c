"""The groups table: what the other cells of a group are worth while one of them takes part in a transition.

A group is a head cell and the members behind it, at consecutive addresses; its head states how many cells it has. Where
a leg's margin rule speaks of a member, its group is *passed*: a row a cell, from the head to the last member, all read
and written back unchanged at the transition's one time. The leg's own cell has a row too, but its access is the leg's.
The sums over the others go to the leg, which adds its own cell to them before and after.
"""

from dataclasses import dataclass

from circuits.expression import Expression, lift, query
from circuits.margin import modules
from circuits.margin.cell import (
    COLLATERAL_BITS,
    HEAD,
    INDEX_BITS,
    MARKET_BITS,
    MEMBER,
    MODULE_UNIT,
    OFFSET_UNIT,
    POSITION_BITS,
    packed,
)
from circuits.margin.formulas import Flags, add_flags, module_id, required_of
from circuits.margin.leg import NOTIONAL_BITS, SIGN_BIAS, TIME_BITS
from circuits.margin.modules import FUNDING_FRACTION
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.tiers import NOTIONAL_LIMIT
from circuits.margin.transitions import ADDONS, INITIAL, INITIAL_OPEN, MAINTENANCE
from circuits.table import Table

SETTLED_BITS = 64  # signed: what the leg of a member could write


@dataclass(frozen=True)
class _Row:
    """The cell of a row: what kind of cell it is, and its digits."""

    head: Expression
    member: Expression
    own: Expression
    address: Expression
    offset: Expression
    time: Expression
    tick: Expression
    collateral: Expression
    magnitude: Expression
    position: Expression
    index: Expression
    market: Expression

    @property
    def counted(self) -> Expression:
        """Whether the cell adds to the sums."""
        return self.member - self.own


def groups_table(parameters: Parameters, shape: Shape) -> Table:
    """The table of `shape.groups` rows; a pass of a group of n cells takes n of them.

    With a table for scenarios, the positions of a portfolio's pass go there.
    """
    table = Table("groups", shape.groups, shape.limb_bits)
    row = _add_cell(table)
    _add_pass(table, row)
    portfolio = _add_module(table, row) if shape.scenarios else lift(0)
    flags = add_flags(table, parameters.modules, portfolio)
    for flag in flags.values():
        name = flag.arguments[0]
        table.require(f"{name}_follows", row.member * (flag - flag.at(-1)))
    dues = _add_dues(table, row) if parameters.cadence is not None else []
    _add_memory(table, row, module_id(portfolio, flags))
    sums = [*_add_sums(table, row, ADDONS * portfolio, flags), query("beyond")]
    group = row.address - row.offset
    table.receive("own", "own", row.own, row.time, row.address, group)
    if portfolio.constant == 0:
        table.receive("sums", "sums", query("last"), row.time, group, row.tick, *sums, *flags.values(), *dues)
        return table
    table.receive("sums", "sums", query("last"), row.time, group, row.tick, *sums, portfolio, *flags.values(), *dues)
    scanned, short = table.witness("scanned"), table.witness("short")
    table.require("scanned", scanned - row.counted * portfolio)
    table.require("short", short - query("negative") * row.magnitude)
    table.send("position", "position", scanned, row.time, group, row.market, row.position, short)
    return table


def _add_module(table: Table, row: _Row) -> Expression:
    """1 in the pass of a portfolio, by what its head says."""
    portfolio = table.boolean("portfolio")
    table.require("portfolio_follows", row.member * (portfolio - portfolio.at(-1)))
    return portfolio


def _add_cell(table: Table) -> _Row:
    head, member, own = (table.boolean(name) for name in ("head", "member", "own"))
    address, offset, time, tick = (table.witness(name) for name in ("address", "offset", "time", "tick"))
    collateral = table.register("collateral", COLLATERAL_BITS) - SIGN_BIAS
    magnitude, negative = table.register("magnitude", POSITION_BITS), table.boolean("negative")
    position = table.witness("position")
    table.require("position", position - (1 - 2 * negative) * magnitude)
    index = table.register("index", INDEX_BITS) - SIGN_BIAS
    market = table.register("market", MARKET_BITS)
    return _Row(head, member, own, address, offset, time, tick, collateral, magnitude, position, index, market)


def _add_pass(table: Table, row: _Row) -> None:
    """From the head, one cell after the other, to as many as the head states; one time and one tick."""
    used, length, last = row.head + row.member, table.witness("length"), table.boolean("last")
    table.require("one_role", row.head * row.member)
    table.require("own_member", row.own * (1 - row.member))
    table.require("follows", row.member * (1 - row.head.at(-1) - row.member.at(-1)))
    for name, step in (("address", 1), ("offset", 1), ("time", 0), ("tick", 0), ("length", 0)):
        column = query(name)
        table.require(f"{name}_follows", row.member * (column - column.at(-1) - step))
    table.require("head_offset", row.head * row.offset)
    table.require("head_length", row.head * (length - row.position))
    table.require("last", last - used * (1 - row.member.at(1)))
    table.require("whole_group", last * (length - 1 - row.offset))


def _add_memory(table: Table, row: _Row, module: Expression) -> None:
    """Each cell but the leg's own is read, and written as it was; of the head's, when the group is due may change."""
    kind, gap = table.witness("kind"), table.register("gap", TIME_BITS)
    head, member = HEAD + MODULE_UNIT * module, MEMBER + OFFSET_UNIT * row.offset
    table.require("kind", kind - row.head * head - row.member * member)
    value = packed(row.collateral, row.position, row.index, row.market, kind)
    accessed = row.head + row.counted
    table.receive("read", "memory", accessed, row.address, value, row.time - 1 - gap)
    if "due" in table.columns:
        value = packed(row.collateral, row.position, query("index_written"), row.market, kind)
    table.send("write", "memory", accessed, row.address, value, row.time)


def _add_dues(table: Table, row: _Row) -> list[Expression]:
    """When the group is due, before and after, as its head states it in the place of an index; the whole pass agrees on
    both, and its last row tells the leg."""
    dues = [table.witness(name) for name in ("due", "due_after")]
    for name, column in zip(("due", "due_after"), dues, strict=True):
        table.require(f"{name}_follows", row.member * (column - column.at(-1)))
    due, after = dues
    table.require("due", row.head * (due - row.index))
    written = table.witness("index_written")
    table.require("index_written", written - row.index - row.head * (after - due))
    return dues


def _add_sums(table: Table, row: _Row, addons: Expression, flags: Flags) -> list[Expression]:
    """Equity, maintenance and initial requirement of the cells counted so far, each settled at the oracle's row.

    addons: what the requirement classes of a portfolio are beyond those of others.
    """
    price, oracle_index = table.witness("price"), table.witness("oracle_index")
    table.send("oracle", "oracle", row.counted, row.tick, row.market, price, oracle_index)
    settled = table.register("settled", SETTLED_BITS) - SIGN_BIAS
    dust = table.register("funding_dust", FUNDING_FRACTION)
    owed = row.position * (oracle_index - row.index)
    table.require("funding", row.counted * ((row.collateral - settled) * (1 << FUNDING_FRACTION) - owed - dust))
    notional, open_tier = table.witness("notional"), table.boolean("open_tier")
    table.require("notional", notional - row.magnitude * price)
    lower, upper = table.witness("lower"), table.witness("upper")
    untiered = _add_beyond(table, row)
    tiered = row.counted - untiered
    # n - 2^79 has 80 bits above `lower`, where there is no tier: |q|*P < 2^112
    excess = notional - NOTIONAL_LIMIT - (1 << NOTIONAL_BITS) * lower
    table.register("above", NOTIONAL_BITS, tiered * (notional - lower) + untiered * excess)
    table.register("below", NOTIONAL_BITS, tiered * (upper - 1 - notional) + untiered * lower)
    requirements = []
    for name, requirement in (
        ("maintenance", MAINTENANCE),
        ("initial", INITIAL + (INITIAL_OPEN - INITIAL) * open_tier),
    ):
        rate, deduction = table.witness(f"{name}_rate"), table.witness(f"{name}_deduction")
        table.send(name, "tier", tiered, row.market, requirement + addons, lower, upper, rate, deduction)
        required = required_of(flags, rate, deduction, notional, query("negative"))
        requirements.append(tiered * required)
    terms = (row.counted * modules.equity(settled, row.position, price), *requirements)
    sums = []
    for name, term in zip(("equity", "maintenance", "initial"), terms, strict=True):
        column = table.witness(f"{name}_sum")
        table.require(f"{name}_sum", column - row.member * column.at(-1) - term)
        sums.append(column)
    return sums


def _add_beyond(table: Table, row: _Row) -> Expression:
    """1 where a counted cell has a notional that no tier holds; `beyond` says whether one did so far, of which a
    refusal is the reason and nothing else has a proof."""
    untiered, beyond = table.boolean("untiered"), table.witness("beyond")
    table.require("untiered_counted", untiered * (1 - row.counted))
    before = row.member * beyond.at(-1)
    table.require("beyond", beyond - before - untiered + before * untiered)
    return untiered
