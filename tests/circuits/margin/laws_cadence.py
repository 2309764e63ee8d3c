"""A tamper for every law that a cadence adds to the circuit, with all the laws that it breaks."""

from collections.abc import Callable

from circuits.field import MODULUS, inverse
from circuits.margin.cell import ACCOUNT, DUE_UNIT, HEAD, NEVER, packed
from circuits.margin.leg import SIGN_BIAS
from tests.circuits.margin.cadence_story import BANDS, tell
from tests.circuits.margin.paper import Paper

Tamper = Callable[[Paper], object]
CADENCE_TAMPERS: dict[str, tuple[Tamper, frozenset[str]]] = {}
HALF = inverse(2)
T, G, C, S = "transitions", "groups", "cells", "samples"
PAD = 2 * 50


def breaks(name: str, *also: str) -> Callable[[Tamper], Tamper]:
    """Registers a tamper for a law, with what it cannot help breaking beside it."""

    def register(tamper: Tamper) -> Tamper:
        assert name not in CADENCE_TAMPERS, name
        CADENCE_TAMPERS[name] = tamper, frozenset((name, *also))
        return tamper

    return register


def leg(step: str, second: int = 0) -> int:
    """The row of a leg of a named step."""
    return 2 * tell().places[step] + second


def a_pass(step: str, place: int) -> int:
    """A row of the pass of a named step."""
    paper, time = tell().paper, tell().paper.circuit.table(T).fixed_values["time"][leg(step)]
    columns = (paper.columns[G][name] for name in ("time", "head", "member"))
    return [row for row, (at, *role) in enumerate(zip(*columns, strict=True)) if at == time and any(role)][place]


def drawn(kind: str) -> int:
    """The first row of the sample that is of a kind: `account`, `head`, or `other` for neither."""
    columns = tell().paper.columns[S]
    if kind == "other":
        return next(row for row, other in enumerate(columns["other"]) if other)
    return columns[kind].index(1)


def untouched() -> int:
    """A row of the sample whose account nothing else of the batch touches, due later."""
    columns, last = tell().paper.columns[S], tell().paper.columns[C]["last"]
    rows = range(len(columns["address"]))
    found = (row for row in rows if columns["account"][row] and last[columns["address"][row]] == row + 1)
    return next(row for row in found if not columns["late"][row])


def write_due(paper: Paper, row: int, due: int) -> None:
    """Another date in a leg's cell after it, down to the state."""
    more = due - paper.read(T, row, "due_after")
    address = paper.read(T, row, "address")
    paper.add(T, row, due_after=more, kind_after=DUE_UNIT * more)
    new = paper.columns[C]["new"]
    new[address] = (new[address] + (DUE_UNIT * more << 210)) % MODULUS


@breaks(
    "transitions.check_boolean",
    "bus.band",
    "bus.memory",
    "bus.oracle",
    "bus.tier",
    "transitions.dated",
    "transitions.kind",
    "transitions.kind_after",
    "transitions.one_kind",
    "transitions.tier_after_below",
)
def half_a_check(p: Paper) -> None:
    p.write(T, PAD, check=HALF)


@breaks("transitions.late_boolean", "transitions.late_dated")
def half_late(p: Paper) -> None:
    p.write(T, PAD, late=HALF, clock=HALF)
    p.scalars["late"] += HALF


@breaks("transitions.never_boolean")
def half_never(p: Paper) -> None:
    row, band = leg("check_flat"), BANDS[0]
    p.write(T, row, never=HALF, buffer=band.buffer, interval=band.interval)
    write_due(p, row, HALF * (p.read(T, row, "clock") + band.interval + NEVER))


@breaks("transitions.dated")
def an_account_that_is_not_asked_when_it_was_due(p: Paper) -> None:
    p.write(T, leg("check"), dated=0)


@breaks("transitions.late_dated")
def a_row_without_an_account_is_late(p: Paper) -> None:
    p.write(T, PAD, late=1, clock=1)
    p.scalars["late"] += 1


@breaks("transitions.time_left")
def late_and_not_said_to_be(p: Paper) -> None:
    p.write(T, leg("check_pair"), late=0)
    p.scalars["late"] -= 1


@breaks("transitions.never_kind")
def nobody_looks_again_without_a_check(p: Paper) -> None:
    """A touch that takes a use of a band back."""
    row, band = leg("touch_portfolio"), BANDS[0]
    p.write(T, row, never=1, buffer=band.buffer, interval=band.interval, due_after=NEVER - band.interval)


@breaks("transitions.never_flat")
def never_with_a_position(p: Paper) -> None:
    row = leg("check")
    p.write(T, row, never=1, buffer=0, interval=0)
    write_due(p, row, NEVER)


@breaks("transitions.due_after")
def a_date_of_ones_own(p: Paper) -> None:
    row = leg("check")
    write_due(p, row, p.read(T, row, "due_after") + 1)


@breaks("groups.due", "groups.index_written")
def a_group_that_was_due_later_than_it_says(p: Paper) -> None:
    p.write(T, leg("withdraw"), due=1 << 20, late=0)
    p.scalars["late"] -= 1
    for place in range(3):
        p.write(G, a_pass("withdraw", place), due=1 << 20)


@breaks("groups.due_follows")
def a_pass_that_says_two_dates(p: Paper) -> None:
    p.add(G, a_pass("withdraw", 1), due=1)


@breaks("groups.due_after_follows")
def a_pass_that_tells_the_leg_another_date(p: Paper) -> None:
    p.add(G, a_pass("withdraw", 1), due_after=1)


@breaks("groups.index_written")
def a_head_that_keeps_its_date(p: Paper) -> None:
    row, new = a_pass("check_group", 0), p.columns[C]["new"]
    p.add(G, row, index_written=1)
    new[p.read(G, row, "address")] += 1 << 130


def redraw(p: Paper, row: int, **digits: int) -> None:
    """Another cell in the state, before and after, and so in this row of the sample."""
    p.write(S, row, **digits)
    account, head, other, upper = (p.read(S, row, name) for name in ("account", "head", "other", "upper"))
    kind = ACCOUNT * account + HEAD * head + other + DUE_UNIT * upper
    collateral, index = (p.read(S, row, name) - SIGN_BIAS for name in ("collateral", "index"))
    position = p.read(S, row, "magnitude") * (1 - 2 * p.read(S, row, "negative"))
    value = packed(collateral, position, index, p.read(S, row, "market"), kind) % MODULUS
    p.write(S, row, value=value)
    for state in ("old", "new"):
        p.columns[C][state][p.read(S, row, "address")] = value


CLOCK = 1000  # of the tick before the batch


@breaks("samples.account_boolean")
def half_an_account(p: Paper) -> None:
    redraw(p, untouched(), account=HALF, upper=2 * CLOCK + 4)
    p.scalars["sampled"] += HALF - 1


@breaks("samples.head_boolean")
def half_a_head(p: Paper) -> None:
    redraw(p, untouched(), account=0, head=HALF, index=2 * CLOCK + 4 + SIGN_BIAS)
    p.scalars["sampled"] += HALF - 1


@breaks("samples.negative_boolean")
def half_a_sign(p: Paper) -> None:
    redraw(p, untouched(), negative=HALF)


@breaks("samples.late_boolean")
def twice_overdue(p: Paper) -> None:
    redraw(p, untouched(), late=2, upper=CLOCK - 1)
    p.scalars["overdue"] += 2


@breaks("samples.one_kind")
def an_account_that_is_a_head_as_well(p: Paper) -> None:
    redraw(p, untouched(), head=1)
    p.scalars["sampled"] += 1


@breaks("samples.other_kind")
def an_account_and_something_else(p: Paper) -> None:
    redraw(p, untouched(), other=2)


@breaks("samples.known_kind")
def an_account_that_is_called_something_else(p: Paper) -> None:
    """1 is nobody's kind but an account's, and an account is asked when it was due."""
    p.write(S, untouched(), account=0, other=1)
    p.scalars["sampled"] -= 1


@breaks("samples.value")
def another_date_than_the_cells(p: Paper) -> None:
    p.add(S, drawn("account"), upper=1)


@breaks("samples.late_dated")
def a_cell_without_an_account_is_overdue(p: Paper) -> None:
    p.write(S, drawn("other"), late=1)
    p.scalars["overdue"] += 1


@breaks("samples.time_left")
def overdue_and_not_said_to_be(p: Paper) -> None:
    row = p.columns[S]["late"].index(1)
    p.write(S, row, late=0)
    p.scalars["overdue"] -= 1


@breaks("bus.band")
def an_interval_that_no_band_has(p: Paper) -> None:
    row, more = leg("check"), 1
    p.add(T, row, interval=more)
    write_due(p, row, p.read(T, row, "due_after") + more)


@breaks("bus.clock")
def another_time_than_the_ticks(p: Paper) -> None:
    row = leg("check_pair")
    p.add(T, row, clock=-6000, late=-1)
    p.scalars["late"] -= 1
    write_due(p, row, BANDS[-1].interval)


@breaks("sum.late")
def fewer_were_late(p: Paper) -> None:
    p.scalars["late"] -= 1


@breaks("sum.sampled")
def more_were_drawn(p: Paper) -> None:
    p.scalars["sampled"] += 1


@breaks("sum.overdue")
def fewer_are_overdue(p: Paper) -> None:
    p.scalars["overdue"] -= 1


@breaks("bus.sums")
def another_date_than_that_of_the_pass(p: Paper) -> None:
    p.write(T, leg("withdraw"), due=1 << 20, late=0)
    p.scalars["late"] -= 1


@breaks("transitions.margin")
def a_band_that_the_account_is_not_in(p: Paper) -> None:
    """An account between maintenance and initial margin, in the furthest band."""
    row = leg("check_near")
    p.write(T, row, buffer=BANDS[-1].buffer, interval=BANDS[-1].interval)
    write_due(p, row, 6000 + BANDS[-1].interval)


@breaks("transitions.index_after", "bus.memory")
def a_group_that_is_formed_overdue(p: Paper) -> None:
    row = leg("form")
    p.write(T, row, index_after=0)
