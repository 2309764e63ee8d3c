"""The scenarios table: the worst that the committed scenarios do to a portfolio, before a transition and after it.

A block of rows judges one leg. First a row for every two positions: it adds what each scenario takes from them to a
register of sums, one a column. Then the register turns: with every row the sums move by one column, the one that falls
out at the end is held against `worst`, and after as many rows as columns each sum is back in its place. No sum exceeds
`worst` and one equals it, so it is the maximum. Where the leg changes its position, one more row adds the change: under
rule (A) before the register turns, since nobody asks what the worst was before, and under rule (B) behind a first turn,
and it turns again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.expression import Expression, query
from circuits.margin.modules import taken
from circuits.margin.parameters import Shape
from circuits.table import Table

LOSS_BITS = 128  # of 64 cells: |q| < 2^64 and changes below 2^48 make less than 2^118


@dataclass(frozen=True)
class _Row:
    """position: adds one, with `twin` two; change: adds what the leg changes; turn: turns the register."""

    position: Expression
    twin: Expression
    change: Expression
    turn: Expression
    start: Expression

    @property
    def adds(self) -> Expression:
        return self.position + self.change

    @property
    def used(self) -> Expression:
        return self.adds + self.turn

    @property
    def goes_on(self) -> Expression:
        """The row belongs to the block of the row before it."""
        return self.used - self.start


def block_rows(positions: int, scenarios: int, changes: bool, reducing: bool) -> int:
    """Rows of the block that judges a leg of a portfolio with so many positions; reducing: under rule (B)."""
    return -(-positions // 2) + changes + (scenarios + 1) * (1 + reducing)


def scenarios_table(shape: Shape, scenarios: int) -> Table:
    """The table of `shape.scenarios` rows for a key with this number of scenarios; the sums are one more, since the
    charges on short options are held against the worst scenario like another one."""
    table = Table("scenarios", shape.scenarios, shape.limb_bits)
    row = _Row(*(table.boolean(name) for name in ("position", "twin", "change", "turn", "start")))
    same = [table.witness(name) for name in ("time", "group", "tick")]
    time, group, tick = same
    entry = table.witness("entry")
    first, second = _Instrument.added(table, scenarios, ""), _Instrument.added(table, scenarios, "_twin")
    sums = [table.witness(f"sum_{i}") for i in range(scenarios + 1)]
    judged = _add_block(table, row, entry, scenarios)
    for instrument, used in ((first, row.adds), (second, row.twin)):
        name = "vector" if instrument is first else "vector_twin"
        table.send(name, "vector", used, tick, instrument.market, *instrument.vector)
    table.receive("position", "position", row.position, time, group, *first.position)
    table.receive("position_twin", "position", row.twin, time, group, *second.position)
    table.receive("change", "change", row.change, time, group, *first.position)
    _add_register(table, row, first, second, sums)
    before, after = _add_worst(table, row, sums[-1])
    table.send("worst", "worst", query("last"), time, group, tick, judged, before, after)
    return table


@dataclass(frozen=True)
class _Instrument:
    """A position, or a change of one, and what the scenarios do to its price."""

    market: Expression
    size: Expression
    short: Expression
    vector: Sequence[Expression]

    @classmethod
    def added(cls, table: Table, scenarios: int, suffix: str) -> "_Instrument":
        market, size, short = (table.witness(f"{name}{suffix}") for name in ("market", "size", "short"))
        return cls(market, size, short, [table.witness(f"vector{suffix}_{i}") for i in range(scenarios + 1)])

    @property
    def position(self) -> tuple[Expression, ...]:
        return self.market, self.size, self.short

    def taken(self) -> Sequence[Expression]:
        return taken(self.size, self.short, self.vector)


def _add_block(table: Table, row: _Row, entry: Expression, scenarios: int) -> Expression:
    """Positions, then whole turns: one behind all that is added, and one before a change that is judged by what was
    before. Returns 1 where there is such a change."""
    table.require("one_role", row.used * (row.used - 1))
    table.require("twin_position", row.twin * (1 - row.position))
    table.require("start_adds", row.start * (1 - row.position))
    before = {name: query(name).at(-1) for name in ("position", "change", "turn")}
    used_before = before["position"] + before["change"] + before["turn"]
    table.require("goes_on", row.goes_on * (1 - used_before))
    for name in ("time", "group", "tick"):
        table.require(f"{name}_same", row.goes_on * (query(name) - query(name).at(-1)))
    table.require("turn_begins", row.turn * (before["position"] + before["change"]) * entry)
    table.require("turn_goes_on", row.turn * before["turn"] * (entry - entry.at(-1) - 1))
    table.require("whole_turn", (before["turn"] - row.turn * before["turn"]) * (entry.at(-1) - scenarios))
    table.require("positions_first", (row.position - row.start) * (1 - before["position"]))
    changed, judged = table.witness("changed"), table.witness("judged")
    table.require("changed", changed - row.goes_on * changed.at(-1) - row.change)
    table.require("one_change", row.change * changed.at(-1))
    table.require("judged", judged - row.goes_on * judged.at(-1) - row.change * before["turn"])
    last, start = table.boolean("last"), query("start")
    used_after = query("position").at(1) + query("change").at(1) + query("turn").at(1)
    table.require("last", last - row.used * (1 - used_after + start.at(1)))
    table.require("ends_turned", last * (1 - row.turn))
    return judged


def _add_register(table: Table, row: _Row, first: _Instrument, second: _Instrument, sums: Sequence[Expression]) -> None:
    """What each scenario takes from the positions so far: the charge on what is short, else minus the change in
    value."""
    kept = row.adds - row.start
    for i, (column, one, other) in enumerate(zip(sums, first.taken(), second.taken(), strict=True)):
        turned = sums[(i + 1) % len(sums)].at(-1)
        added = row.adds * one + row.twin * other
        table.require(f"sum_{i}", column - kept * column.at(-1) - added - row.turn * turned)


def _add_worst(table: Table, row: _Row, judged: Expression) -> tuple[Expression, Expression]:
    """(before, after): the largest sum of the first of two turns, and of the last one; without a change both are one,
    without a first turn nobody says what was before."""
    worst, hit, found = table.witness("worst"), table.boolean("hit"), table.witness("found")
    turned, turn_before = query("turn"), query("turn").at(-1)
    table.require("same_worst", turned * turn_before * (worst - worst.at(-1)))
    table.register("slack", LOSS_BITS, row.turn * (worst - judged))
    table.require("hit", hit * (worst - judged))
    table.require("found", found - row.turn * (turn_before * found.at(-1) + hit))
    table.require("found_one", (turn_before - turned * turn_before) * (1 - found.at(-1)))
    before, changed = table.witness("before"), query("changed")
    table.require("before", before - (1 - changed) * worst - changed * before.at(-1))
    return before, worst
