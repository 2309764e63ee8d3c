"""Small circuits that use every feature of the argument, with random witnesses and their statements.

`ledger`: a book of 32 cells changed by up to 16 steps. A deposit consumes a public row, a charge takes at most the
tick's price, the last row pays all charges to one cell. Memory, range and oracle lookups, public columns and rows, a
linear sum, next rows, Lagrange polynomials.
`plain`: one table without a bus, with `X` and a public column of which a constraint asks for the next row.
`twins`: two tables of one size that pass each other values over the bus.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circuits.circuit import Assignment, Circuit, PublicTerm
from circuits.expression import X, lagrange, public
from circuits.field import MODULUS, root_of_unity
from circuits.table import Kind, Table
from verifier.curve import Point
from verifier.statement import ColumnKey, StateDifference

ROWS, CELLS, LIMB_BITS, AMOUNT_BITS = 16, 32, 4, 8


@dataclass(frozen=True)
class ToyStatement:
    """A statement of plain parts; `encode` writes them with `repr`, which tells all of them apart.

    note: bound by the transcript alone.
    """

    first_tick: int = 0
    oracle: tuple[tuple[int, int], ...] = ()  # (tick, price)
    deposits: tuple[tuple[int, int], ...] = ()  # (cell, amount)
    old: Point = None
    new: Point = None
    difference: Mapping[int, int] | None = None
    extra_columns: Mapping[ColumnKey, Mapping[int, int]] | None = None
    name: str = "ledger"
    note: int = 0

    def check(self) -> None:
        if any(not 1 <= amount < 1 << AMOUNT_BITS for _, amount in self.deposits):
            raise ValueError("a deposit out of range")

    def encode(self) -> bytes:
        return repr((self, sorted((self.difference or {}).items()))).encode()

    def scalars(self) -> dict[str, int]:
        return {"first_tick": self.first_tick}

    def public_columns(self) -> Mapping[ColumnKey, Mapping[int, int] | Sequence[int]]:
        if self.extra_columns is not None:
            return self.extra_columns
        ticks, prices = zip(*self.oracle, strict=True) if self.oracle else ((), ())
        return {("lookups", "tick"): list(ticks), ("lookups", "price"): dict(enumerate(prices))}

    def public_terms(self) -> list[PublicTerm]:
        return [PublicTerm("l1", 1, row) for row in self.deposits]

    def state_commitments(self) -> dict[ColumnKey, Point]:
        return {} if self.name != "ledger" else {("cells", "old"): self.old, ("cells", "new"): self.new}

    def state_differences(self) -> list[StateDifference]:
        return [] if self.name != "ledger" else [StateDifference("cells", "old", "new", self.difference)]


def ledger() -> Circuit:
    return Circuit([_steps(), _cells(), _lookups()])


def _steps() -> Table:
    table = Table("steps", ROWS, LIMB_BITS)
    time = table.fixed("time", range(1, ROWS + 1))
    last_row = table.fixed("last_row", [0] * (ROWS - 1) + [1])
    deposit, charge, collect = (table.boolean(name) for name in ("deposit", "charge", "collect"))
    address, before, after, tick, price = (
        table.witness(name) for name in ("address", "before", "after", "tick", "price")
    )
    active = deposit + charge + collect
    table.require("one_kind", active * (active - 1))
    amount = table.register("amount", AMOUNT_BITS)
    table.require("deposit_effect", deposit * (after - before - amount))
    table.require("charge_effect", charge * (before - after - amount))
    table.require("collect_last", collect * (1 - last_row))
    read = table.witness("read")
    table.register("order", LIMB_BITS, active * (time - 1 - read))
    table.register("cap", AMOUNT_BITS, charge * (price - amount))
    table.receive("read", "memory", active, address, before, read)
    table.send("write", "memory", active, address, after, time)
    table.send("oracle", "oracle", active, tick, price)
    table.receive("l1", "l1", deposit, address, amount)
    table.add_to_sum("charges", charge * amount - collect * (after - before))
    step = tick.at(1) - tick
    table.require("tick_step", (1 - last_row) * step * (step - 1))
    table.require("first_tick", lagrange(0) * (tick - public("first_tick")))
    return table


def _cells() -> Table:
    table = Table("cells", CELLS, LIMB_BITS, max_degree=2)
    address = table.fixed("address", range(CELLS))
    old, new = table.state("old"), table.state("new")
    touched, last = table.boolean("touched"), table.witness("last")
    table.require("untouched", (1 - touched) * (new - old))
    table.send("old", "memory", touched, address, old, 0)
    table.receive("new", "memory", touched, address, new, last)
    return table


def _lookups() -> Table:
    table = Table("lookups", 1 << LIMB_BITS, LIMB_BITS, max_degree=4)
    value = table.fixed("value", range(1 << LIMB_BITS))
    used, oracle_used = table.witness("used"), table.witness("oracle_used")
    table.receive("range", "range", used, value)
    table.receive("oracle", "oracle", oracle_used, table.public("tick"), table.public("price"))
    return table


@dataclass(frozen=True)
class Ledger:
    """A witness of the ledger: its assignment, and the statement still without commitments."""

    assignment: Assignment
    statement: ToyStatement

    @property
    def states(self) -> tuple[list[int], list[int]]:
        cells = self.assignment["cells"]
        return list(cells["old"]), list(cells["new"])


def random_ledger(seed: int, steps: int = ROWS - 1, published: bool = True, empty: bool = False) -> Ledger:
    """Random deposits and charges on random cells, and a collect in the last row.

    No steps: nothing but oracle rows. empty: the book starts with zeros in all cells.
    """
    source = random.Random(seed)
    old = [source.randrange(1 << 200) if source.random() < 0.7 and not empty else 0 for _ in range(CELLS)]
    builder = _Builder(list(old), source)
    for row in range(ROWS - 1):
        builder.step(row, "pad" if row >= steps else source.choice(["deposit", "charge"]))
    builder.step(ROWS - 1, "collect" if builder.charges else "pad")
    columns = builder.columns
    difference = {i: (b - a) % MODULUS for i, (a, b) in enumerate(zip(old, builder.state, strict=True)) if a != b}
    cells = {
        "old": old,
        "new": builder.state,
        "touched": [int(i in builder.times) for i in range(CELLS)],
        "last": [builder.times.get(i, 0) for i in range(CELLS)],
    }
    limbs = [
        value for name, column in columns.items() if name.startswith(("amount_", "order_", "cap_")) for value in column
    ]
    lookups = {
        "used": [limbs.count(value) for value in range(1 << LIMB_BITS)],
        "oracle_used": [builder.used_ticks.count(tick) for tick, _ in builder.oracle]
        + [0] * ((1 << LIMB_BITS) - len(builder.oracle)),
    }
    statement = ToyStatement(
        builder.oracle[0][0],
        tuple(builder.oracle),
        tuple(builder.deposits),
        difference=difference if published else None,
    )
    return Ledger({"steps": columns, "cells": cells, "lookups": lookups}, statement)


class _Builder:
    """Fills the steps table row by row."""

    def __init__(self, state: list[int], source: random.Random) -> None:
        self.state, self.source = state, source
        self.times: dict[int, int] = {}
        self.charges = 0
        self.deposits: list[tuple[int, int]] = []
        self.used_ticks: list[int] = []
        self.oracle = [(source.randrange(1, 1000), source.randrange(16, 256))]
        self.columns: dict[str, list[int]] = {name: [] for name in _steps().of_kind(Kind.WITNESS)}

    def step(self, row: int, kind: str) -> None:
        """Appends a row: `deposit`, `charge` or `collect` on a random cell, or `pad`."""
        if row and self.source.random() < 0.3:
            self.oracle.append((self.oracle[-1][0] + 1, self.source.randrange(16, 256)))
        values = {"tick": self.oracle[-1][0]}
        if kind != "pad":
            values |= self._effect(row, kind)
        for name, column in self.columns.items():
            column.append(values.get(name, 0))

    def _effect(self, row: int, kind: str) -> dict[str, int]:
        """What an active row holds beside its tick; applies it to the book."""
        tick, price = self.oracle[-1]
        cell = self.source.randrange(CELLS)
        amount = {"deposit": self.source.randrange(1, 256), "charge": self.source.randrange(1, price + 1)}.get(kind, 0)
        before, read = self.state[cell], self.times.get(cell, 0)
        after = before + {"deposit": amount, "charge": -amount, "collect": self.charges}[kind]
        self.state[cell], self.times[cell] = after % MODULUS, row + 1
        self.used_ticks.append(tick)
        if kind == "deposit":
            self.deposits.append((cell, amount))
        self.charges += amount if kind == "charge" else 0
        values = {kind: 1, "address": cell, "before": before, "after": after, "price": price, "read": read}
        registers = {"amount": amount, "order": row - read, "cap": price - amount if kind == "charge" else 0}
        limbs = {f"{name}_{i}": value >> LIMB_BITS * i & 15 for name, value in registers.items() for i in range(2)}
        return values | limbs


def plain() -> Circuit:
    """`node` are the domain's points, `value` moves by the public column's next entry, not across the wrap."""
    table = Table("plain", 8)
    node = table.fixed("node", [pow(root_of_unity(8), row, MODULUS) for row in range(8)])
    value, change = table.witness("value"), table.public("change")
    table.require("node", node - X)
    table.require("move", (1 - lagrange(-1)) * (value.at(1) - value - change.at(1)) * node)
    table.require("start", lagrange(0) * (value - public("first_tick") - change))
    return Circuit([table])


def random_plain(seed: int) -> tuple[Assignment, ToyStatement]:
    source = random.Random(seed)
    changes = {row: source.randrange(MODULUS) for row in source.sample(range(8), 3)}
    values, start = [], source.randrange(1000)
    for row in range(8):
        values.append(((values[-1] if values else start) + changes.get(row, 0)) % MODULUS)
    statement = ToyStatement(first_tick=start, extra_columns={("plain", "change"): changes}, name="plain")
    return {"plain": {"value": values}}, statement


def twins(rows: int = 8) -> Circuit:
    """Each table sends `value` to the other, which receives it in the row where it likes; `zero` is zero everywhere."""
    tables = []
    for name, channels in (("left", ("there", "back")), ("right", ("back", "there"))):
        table = Table(name, rows)
        table.require("zero", table.witness("zero"))
        table.send("sent", channels[0], 1, table.witness("sent"))
        table.receive("received", channels[1], 1, table.witness("received"))
        tables.append(table)
    return Circuit(tables)


def random_twins(seed: int, rows: int = 8) -> tuple[Assignment, ToyStatement]:
    source = random.Random(seed)
    left, right = ([source.randrange(MODULUS) for _ in range(rows)] for _ in range(2))
    shuffled = [source.sample(column, rows) for column in (left, right)]
    zero = [0] * rows
    assignment: Assignment = {
        "left": {"zero": zero, "sent": left, "received": shuffled[1]},
        "right": {"zero": zero, "sent": right, "received": shuffled[0]},
    }
    return assignment, ToyStatement(extra_columns={}, name="twins")
