"""How far an honest witness may move: a direction is free where every law and every tuple stays what it is, to first
order. All columns of a transition move together, with its pass and its block of scenarios, so a pair of columns whose
changes cancel is found too.

Digits that are read stay: they are unique. What moves a cell that is written, or a sum over the book, may only be a
payment's rounding, which is in limbs beside an amount in limbs: there is no fraction of it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import pytest

from circuits.circuit import Circuit
from circuits.expression import Expression, evaluate
from circuits.field import MODULUS, inverse
from circuits.margin.kinds import EVERY_KIND
from circuits.table import Kind, Table
from tests.circuits.margin import assets_story, orders_story, test_own_modules
from tests.circuits.margin.paper import Paper

Place = tuple[str, int]  # table, row
Name = tuple[str, int, str]  # table, row, column; of a register, its lowest limb
Direction = dict[Name, int]
READ = {"collateral_0", "magnitude_0", "negative", "position", "index_0", "settled_index_0", "market_0"}
CHOSEN = {"size", "cash", "fee_0", "amount", "tick", "queue"}  # what a transition is of
FILL = {"id_before_0", "filled_before_0", "size", "cash", "fee"}
LISTED = {"tier", "oracle", "vector", "expired", "l1", "order", "positions", "memory"}
ROUNDED = (
    {"funding_dust_0", "settled_collateral", "collateral_after_0"},
    {"settlement_dust_0", "settlement", "collateral_after_0"},
    {"dust_0", "pay_0"},
)


class Slope(NamedTuple):
    """A value, and how it changes with each column."""

    value: int
    of: Direction


class Slopes:
    """Expressions as slopes in a row; columns: by name; moving: those that may."""

    def __init__(self, table: Table, columns: Any, scalars: Any, row: int, moving: set[Name]) -> None:
        self.table, self.columns, self.scalars, self.row, self.moving = table, columns, scalars, row, moving

    def leaf(self, node: Expression) -> Slope:
        argument = node.arguments[0]
        if node.operator == "query":
            at = (self.row + node.arguments[1]) % self.table.size
            name = self.table.name, at, argument
            return Slope(int(self.columns[argument][at]) % MODULUS, {name: 1} if name in self.moving else {})
        values = {"constant": lambda: argument, "public": lambda: self.scalars[argument]}
        return Slope(values.get(node.operator, lambda: int(argument % self.table.size == self.row))() % MODULUS, {})

    def add(self, a: Slope, b: Slope) -> Slope:
        return Slope((a.value + b.value) % MODULUS, combined((a.of, 1), (b.of, 1)))

    def sub(self, a: Slope, b: Slope) -> Slope:
        return Slope((a.value - b.value) % MODULUS, combined((a.of, 1), (b.of, -1)))

    def mul(self, a: Slope, b: Slope) -> Slope:
        return Slope(a.value * b.value % MODULUS, combined((a.of, b.value), (b.of, a.value)))


def combined(*parts: tuple[Direction, int]) -> Direction:
    result: Direction = {}
    for direction, times in parts:
        for name, slope in direction.items() if times else ():
            result[name] = (result.get(name, 0) + times * slope) % MODULUS
    return {name: slope for name, slope in result.items() if slope}


def along(slopes: Direction, direction: Direction) -> int:
    return sum(slopes.get(name, 0) * step for name, step in direction.items()) % MODULUS


def free(equations: Iterable[Direction], names: Iterable[Name]) -> list[Direction]:
    """A basis of the directions in which none of the equations changes."""
    solved: dict[Name, Direction] = {}
    for equation in equations:
        rest = dict(equation)
        while (known := next((name for name in rest if name in solved), None)) is not None:
            rest = combined((rest, 1), (solved[known], -rest[known]))
        if not rest:
            continue
        lead, slope = next(iter(rest.items()))
        rest = combined((rest, inverse(slope)))
        solved = {name: combined((row, 1), (rest, -row.get(lead, 0))) for name, row in solved.items()} | {lead: rest}
    loose = [name for name in sorted(names) if name not in solved]
    return [{name: 1} | {lead: -row[name] % MODULUS for lead, row in solved.items() if name in row} for name in loose]


class Freedom:
    """Of the rows at some places of a paper: `written` and `summed` are slopes of what comes out of them."""

    def __init__(self, paper: Paper, places: Sequence[Place], fixed: Callable[[str, int, str], bool]) -> None:
        self.paper, self.circuit = paper, paper.circuit
        self.moving = {name for place in places for name in self._columns(*place) if not fixed(*name)}
        self.equations: list[Direction] = []
        self.written: list[Direction] = []
        self.summed: list[Direction] = []
        self.tuples: dict[Any, list[Sequence[Direction]]] = defaultdict(list)
        for name in sorted({table for table, _ in places}):
            rows = {row for table, row in places if table == name}
            self._table(self.circuit.table(name), rows)
        for ends in self.tuples.values():  # one end of a tuple moves as the other
            first, *others = ends if len(ends) > 1 else [*ends, [{}] * len(ends[0])]
            for other in others:
                self.equations += [combined((a, 1), (b, -1)) for a, b in zip(first, other, strict=True)]

    def directions(self) -> list[Direction]:
        return free(self.equations, self.moving)

    def _columns(self, table: str, row: int) -> list[Name]:
        form = self.circuit.table(table)
        higher = {limb.arguments[0] for register in form.registers for limb in form.limbs(register)[1:]}
        return [(table, row, name) for name in form.of_kind(Kind.WITNESS) if name not in higher | {"bus_mask"}]

    def _slopes(self, table: Table, row: int, roots: Sequence[Expression]) -> list[Slope]:
        columns = {**table.fixed_values, **self.paper.columns[table.name]}
        return evaluate(roots, Slopes(table, columns, self.paper.scalars, row, self.moving))

    def _table(self, table: Table, rows: set[int]) -> None:
        laws = [law.expression for law in self.circuit.base_constraints[table.name]]
        for row in {(row + step) % table.size for row in rows for step in (-1, 0, 1)}:
            self.equations += [slope.of for slope in self._slopes(table, row, laws)]
        for row in sorted(rows):
            for term in self.circuit.base_terms[table.name]:
                if term.channel != "range":
                    self._term(table, row, term)
            self.summed += [slope.of for slope in self._slopes(table, row, [sum_ for _, sum_ in table.sums])]

    def _term(self, table: Table, row: int, term: Any) -> None:
        times, *fields = self._slopes(table, row, [term.multiplicity, *term.fields])
        self.equations.append(times.of)
        if not times.value:
            return
        slopes = [field.of for field in fields]
        if term.name == "write" and table.name in ("transitions", "fills"):
            self.written.append(slopes.pop(1))
        if term.channel in LISTED:
            self.equations += slopes
        else:
            self.tuples[term.channel, tuple(field.value for field in fields)].append(slopes)


# With modules of a venue's own: cross and portfolio margin, and options, as well
STORIES: dict[str, Callable[[], Any]] = {
    "assets": lambda: assets_story.tell(True),
    "orders": lambda: orders_story.tell(True),
    "modules": test_own_modules.story,
}


def rounds(direction: Direction) -> bool:
    """It moves a rounding by a fraction of an amount that is in limbs."""
    moved = {column for _, _, column in direction}
    return any(kind <= moved for kind in ROUNDED)


def of_step(circuit: Circuit, paper: Paper, place: int) -> list[Place]:
    """The rows of a transition: its active legs, their passes, blocks and fills."""
    columns = paper.columns
    kinds = [kind for kind in EVERY_KIND if kind in columns["transitions"]]
    legs = [row for row in (2 * place, 2 * place + 1) if any(columns["transitions"][kind][row] for kind in kinds)]
    others = [table.name for table in circuit.tables if table.name in ("groups", "scenarios", "fills")]
    return [("transitions", row) for row in legs] + [
        (table, row)
        for table in others
        for row in range(circuit.table(table).size)
        if columns[table]["time"][row] == place + 1
    ]


@pytest.mark.parametrize("name", STORIES)
def test_what_a_transition_writes_is_determined(name: str) -> None:
    story = STORIES[name]()
    columns = story.paper.columns

    def fixed(table: str, row: int, column: str) -> bool:
        if table == "groups":
            return column in READ and not columns[table]["own"][row]
        return column in {"transitions": READ | CHOSEN, "fills": FILL}.get(table, ())

    seen: Counter[str] = Counter()
    for step, place in story.places.items():
        if not step or "tick" in step:
            continue
        freedom = Freedom(story.paper, of_step(story.circuit, story.paper, place), fixed)
        freedom.equations += freedom.summed  # what `collect` credits is what was charged
        for direction in freedom.directions():
            if any(along(slopes, direction) for slopes in freedom.written):
                assert rounds(direction), (step, direction)
        seen["written"] += len(freedom.written)
    assert seen["written"] > len(story.places)


@pytest.mark.parametrize("name", STORIES)
def test_what_a_sweep_says_of_an_account_is_determined(name: str) -> None:
    story = STORIES[name]()
    columns = story.paper.columns
    book, size = columns["book"], story.circuit.table("book").size
    row = 0
    while row < size:
        cells = max(book["position"][row], 1) if book.get("head", [0] * size)[row] else 1
        places = [("book", row + i) for i in range(cells)]
        if "scenarios" in columns:
            block = columns["scenarios"]
            used = (i for i in range(len(block["time"])) if block["position"][i] or block["turn"][i])
            places += [("scenarios", i) for i in used if (block["time"][i], block["group"][i]) == (0, row)]
        freedom = Freedom(story.paper, places, lambda table, _, column: table == "book" and column in READ)
        for direction in freedom.directions():
            if any(along(slopes, direction) for slopes in freedom.summed):
                assert rounds(direction), (row, direction)
        row += cells


def test_a_law_that_is_left_out_is_missed() -> None:
    """Without it a cell may be written otherwise."""
    for name, step, law in (
        ("assets", "redeem", "position_moves"),
        ("assets", "redeem_refused", "position_written"),
        ("modules", "leave", "index_after"),
        ("orders", "trade", "collateral_moves"),
    ):
        story = STORIES[name]()
        paper = story.paper.copy()
        laws = story.circuit.base_constraints
        paper.circuit = without(story.circuit, "transitions", law)
        assert len(paper.circuit.base_constraints["transitions"]) == len(laws["transitions"]) - 1
        places = of_step(story.circuit, paper, story.places[step])
        fixed = READ | CHOSEN
        freedom = Freedom(paper, places, lambda _, __, column, fixed=fixed: column in fixed)  # type: ignore[misc]
        freedom.equations += freedom.summed
        moved = [d for d in freedom.directions() if any(along(slopes, d) for slopes in freedom.written)]
        assert not all(map(rounds, moved)), law


def without(circuit: Circuit, table: str, law: str) -> Circuit:
    """The same circuit but for one law."""
    fewer = object.__new__(Circuit)
    fewer.__dict__ |= circuit.__dict__
    kept = tuple(known for known in circuit.base_constraints[table] if known.name != law)
    fewer.base_constraints = circuit.base_constraints | {table: kept}
    return fewer
