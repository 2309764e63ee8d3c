"""The scenarios table: the worst that the committed scenarios do to a portfolio, before a transition and after it.

A block of rows judges one leg. First a row for each position: it adds what each scenario takes from the position to a
register of sums, one a column. Then the register turns: with every row the sums move by one column, the one that falls
out at the end is held against `worst`, and after as many rows as columns each sum is back in its place. Where the leg
changes its position, one more row adds the change, and the register turns again. No sum exceeds `worst` and one equals
it, so it is the maximum.
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
    """position: adds one; change: adds what the leg changes, in the middle of a block; turn: turns the register."""

    position: Expression
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


def scenarios_table(shape: Shape, scenarios: int) -> Table:
    """The table of `shape.scenarios` rows for a key with this number of scenarios; the sums are one more, since the
    charges on short options are held against the worst scenario like another one.

    A block over n positions takes n + scenarios + 1 rows, and scenarios + 2 more where the position changes.
    """
    table = Table("scenarios", shape.scenarios, shape.limb_bits)
    position, change, turn, start = (table.boolean(name) for name in ("position", "change", "turn", "start"))
    row = _Row(position, change, turn, start)
    time, group, tick = (table.witness(name) for name in ("time", "group", "tick"))
    entry, market, size, short = (table.witness(name) for name in ("entry", "market", "size", "short"))
    vector = [table.witness(f"vector_{i}") for i in range(scenarios + 1)]
    sums = [table.witness(f"sum_{i}") for i in range(scenarios + 1)]
    _add_block(table, row, entry, scenarios)
    table.send("vector", "vector", row.adds, tick, market, *vector)
    table.receive("position", "position", row.position, time, group, market, size, short)
    table.receive("change", "change", row.change, time, group, market, size, short)
    _add_register(table, row, vector, sums, size, short)
    before, after = _add_worst(table, row, sums[-1])
    table.send("worst", "worst", query("last"), time, group, tick, before, after)
    return table


def _add_block(table: Table, row: _Row, entry: Expression, scenarios: int) -> None:
    """Positions, a whole turn, and if there is a change it and one more whole turn."""
    table.require("one_role", row.used * (row.used - 1))
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
    table.require("turn_before_change", row.change * (1 - before["turn"]))
    changed = table.witness("changed")
    table.require("changed", changed - row.goes_on * changed.at(-1) - row.change)
    table.require("one_change", row.change * changed.at(-1))
    last, start = table.boolean("last"), query("start")
    used_after = query("position").at(1) + query("change").at(1) + query("turn").at(1)
    table.require("last", last - row.used * (1 - used_after + start.at(1)))
    table.require("ends_turned", last * (1 - row.turn))


def _add_register(
    table: Table,
    row: _Row,
    vector: Sequence[Expression],
    sums: Sequence[Expression],
    size: Expression,
    short: Expression,
) -> None:
    """What each scenario takes from the positions so far: the charge on what is short, else minus the change in
    value."""
    kept = row.adds - row.start
    for i, (column, more) in enumerate(zip(sums, taken(size, short, vector), strict=True)):
        turned = sums[(i + 1) % len(sums)].at(-1)
        table.require(f"sum_{i}", column - kept * column.at(-1) - row.adds * more - row.turn * turned)


def _add_worst(table: Table, row: _Row, judged: Expression) -> tuple[Expression, Expression]:
    """(before, after): the largest sum of the first turn and of the last one."""
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
