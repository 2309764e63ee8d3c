"""When accounts have to be checked again, in a rollup whose key has a cadence: checks, and what other transitions do to
the date."""

from collections.abc import Sequence
from dataclasses import replace

from circuits.margin.cadence import Checks, sample
from circuits.margin.cell import ACCOUNT, NEVER, unpack
from zkmargin.context import Context
from zkmargin.rules import MARGIN_BITS, Refused, require, require_register
from zkmargin.state import Leg, Rule, State, Step
from zkmargin.transactions import Check


def check(context: Context, transaction: Check) -> Step:
    """One account or two, not of one group: each is above maintenance, and due anew by how far."""
    cells = transaction.cells
    require(context.parameters.cadence is not None, "cadence", "this rollup's key has no cadence")
    require(1 <= len(cells) <= 2, "cells", f"one or two cells are needed, not {len(cells)}")
    if len(cells) == 2:
        context.require_two(*cells)
    legs = [_checked(context, cell) for cell in cells]
    return Step("check", context.state.tick, legs[0], legs[1] if len(legs) == 2 else None)


def _checked(context: Context, address: int) -> Leg:
    account, cadence = context.judged(address), context.parameters.cadence
    equity, maintenance = account.equity, account.maintenance()
    band = None if cadence is None else cadence.band(equity, maintenance)
    if band is None:
        raise Refused("margin", f"cell {address} is below its maintenance margin")
    if not maintenance:
        return account.moved(0)
    require_register("room in a band", band.room(equity, maintenance), MARGIN_BITS)
    return replace(account.moved(0), band=band)


def dated(context: Context, step: Step) -> Step:
    """The step with the dates of its accounts: where initial margin was met, or a check was made, anew."""
    if context.parameters.cadence is None:
        return step
    return replace(step, a=_dated(context, step, step.a, step.rule_a), b=_dated(context, step, step.b, step.rule_b))


def _dated(context: Context, step: Step, leg: Leg | None, rule: Rule | None) -> Leg | None:
    if leg is None:
        return None
    if step.kind in ("open", "form"):
        return replace(leg, after=replace(leg.after, due=NEVER))
    if leg.group is None and leg.before.kind != ACCOUNT:
        return leg
    due = leg.before.due if leg.group is None else leg.group.cells[0].due
    after, time = due, context.state.time
    if rule == "initial":
        after = time + context.parameters.renewal
    elif step.kind == "check":
        after = NEVER if leg.band is None else time + leg.band.interval
    cell = replace(leg.after, due=after) if leg.after.kind == ACCOUNT else leg.after
    return replace(leg, after=cell, due=(due, after), late=leg.settled and due < time)


def checks_of(seed: int, steps: list[Step], old: dict[int, int], size: int, cells: int, time: int) -> Checks:
    """What a batch of these steps says of its cadence. old: the cells that it starts from, at that time; size: of the
    sample."""
    late = sum(leg.late for step in steps for leg in step.legs)
    found = [unpack(old.get(address, 0)) for address in sample(seed, size, cells)]
    accounts = [cell for cell in found if cell.is_dated]
    return Checks(seed, late, len(accounts), sum(cell.due < time for cell in accounts))


def due_by(state: State, time: int) -> list[tuple[int, int]]:
    """(when, cell) of every account that is due by a time, the first first: of a group its first member, by which it is
    checked; its head where all have left, which a sample counts too, until somebody joins and is checked."""
    found = []
    for address, cell in state.occupied():
        if cell.is_dated and cell.due <= time:
            found.append((cell.due, address + int(cell.is_head and cell.position > 1)))
    return sorted(found)


def checks_for(cells: Sequence[int]) -> list[Check]:
    """Two accounts a transition, since each takes one row of a pair."""
    return [Check(tuple(cells[i : i + 2])) for i in range(0, len(cells), 2)]
