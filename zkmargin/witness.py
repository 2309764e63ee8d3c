"""From a batch of the state machine to the columns of the margin circuit.

What a row states freely is filled in here; whatever the circuit defines by an expression (margin registers, room
under a cap) is evaluated from that very expression, so the witness cannot drift from the law.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import numpy as np

from circuits.circuit import Assignment, Circuit
from circuits.margin.cell import EMPTY_CELL, Cell
from circuits.margin.kinds import ASSET_KINDS, EVERY_KIND, GROUP_PAIR_KINDS, L1_CODES, PAIR_KINDS
from circuits.margin.leg import SIGN_BIAS, TIER_PARTS
from circuits.margin.modules import FUNDING_FRACTION, PRICE_FRACTION
from circuits.margin.parameters import Parameters
from circuits.margin.publics import public_columns, public_scalars, scenario_vectors
from circuits.margin.statement import Statement
from circuits.table import Table
from prover.backend import Backend
from prover.words import Words
from zkmargin.columns import WitnessError, book_columns, columns_of, fill_columns, lookup_columns, scenario_columns
from zkmargin.recorder import Recorder, Values
from zkmargin.state import CHANGES_POSITION, Leg, Step
from zkmargin.witness_dues import dues, sample_rows
from zkmargin.witness_fills import fill_rows
from zkmargin.witness_groups import grouped, required, unused_pass

NO_TIER = (0, 0, 0, 0)
MOVES_CASH = {"trade", "transfer", "liquidate", "deleverage", "cover"}


def build_assignment(
    circuit: Circuit,
    parameters: Parameters,
    statement: Statement,
    steps: Sequence[Step],
    old: Mapping[int, int],
    new: Mapping[int, int],
    backend: Backend | None = None,
) -> Assignment:
    """All witness, state and public columns of a batch, as arrays: of integers, or `Words`.

    steps: in order, without the padding after the last; a `collect`, being last, is put in the table's last pair of
    rows. old, new: the non-zero cells before and after, packed. backend: evaluates the registers that expressions
    define, whole columns at a time; without one they are evaluated row by row.
    """
    table = circuit.table("transitions")
    keys = [(row.tick, row.market) for row in statement.oracle]
    told: Sequence[tuple[int, ...]] = ()
    if parameters.portfolio is not None and statement.scenarios:
        told = scenario_vectors(statement.oracle, statement.scenarios, parameters.portfolio)
    recorder = Recorder(parameters, dict(zip(keys, statement.oracle, strict=True)), dict(zip(keys, told)))  # noqa: B905
    kinds = [kind for kind in EVERY_KIND if kind in table.columns]
    listed = public_columns(statement, parameters.portfolio, *_sizes(circuit))
    limbs: dict[str, dict[str, Sequence[int]]] = {}
    scalars = public_scalars(statement)
    if statement.checks is not None:
        addresses, samples = listed["samples", "address"], circuit.table("samples")
        sampled = sample_rows(addresses, old, statement.last_oracle[0].time, recorder)
        limbs["samples"] = columns_of(samples, sampled, scalars, backend)
    filled = (
        row
        for place, step in _place(steps, table.size // 2, statement.oracle[0].tick, _sizes(circuit)[0])
        for row in _pair(place, step, kinds, recorder)
    )
    limbs["transitions"] = columns_of(table, _counted(filled, scalars["next_queue"]), scalars, backend)
    if "join" in kinds:
        groups = circuit.table("groups")
        passed = chain(recorder.passes, repeat(unused_pass(recorder), groups.size - len(recorder.passes)))
        limbs["groups"] = columns_of(groups, passed, scalars, backend)
    if "fills" in {table.name for table in circuit.tables}:
        limbs["fills"] = fill_columns(circuit, recorder, scalars, backend)
    if statement.sweep is not None:
        limbs["book"] = book_columns(
            circuit, statement.oracle[-len(parameters.markets) :], new, recorder, scalars, backend
        )
    if statement.scenarios:
        limbs["scenarios"] = scenario_columns(circuit, recorder, scalars, backend)
    lookups = lookup_columns(circuit, parameters, listed, limbs, recorder)
    if statement.checks is not None:
        limbs["samples"]["address"] = listed["samples", "address"]
    return limbs | {"cells": _cell_columns(circuit.table("cells"), old, new, recorder), "lookups": lookups}


def _sizes(circuit: Circuit) -> tuple[int, int]:
    """Of the sample, 0 in a key without, and of the state."""
    sizes = {table.name: table.size for table in circuit.tables}
    return sizes.get("samples", 0), sizes["cells"]


def _place(steps: Sequence[Step], size: int, first_tick: int, start: int) -> Iterable[tuple[int, Step]]:
    """Every place of the table, counted from `start`, with its step: padding between the last step and a final
    `collect`, or up to the end."""
    if len(steps) > size:
        raise WitnessError(f"{len(steps)} steps for a table of {size} transitions")
    tail = list(steps[-1:]) if steps and steps[-1].kind == "collect" else []
    body = list(steps[: len(steps) - len(tail)])
    tick = body[-1].tick if body else (tail[0].tick if tail else first_tick)
    padding = [Step("pad", tick, None, None)] * (size - len(body) - len(tail))
    return enumerate([*body, *padding, *tail], start)


def _counted(filled: Iterator[Values], queue: int) -> Iterator[Values]:
    """The rows with the index of the next L1 operation, `queue` in the first one."""
    for row in filled:
        yield row | {"queue": queue}
        queue += sum(row.get(kind, 0) for kind in L1_CODES)


def _pair(
    place: int,
    step: Step,
    kinds: Sequence[str],
    recorder: Recorder,
) -> tuple[Values, Values]:
    """The two rows of a transition: the `place`-th, leg a on the first and leg b on the second; kinds: of the key."""
    shared: Values = dict.fromkeys(kinds, 0) | {"tick": step.tick}
    first, second = dict(shared), dict(shared)
    if step.kind != "pad":
        first[step.kind] = 1
    if step.kind in (*PAIR_KINDS, *GROUP_PAIR_KINDS) or (step.kind == "check" and step.b is not None):
        second[step.kind] = 1
    a = claimed(step, step.a)
    for row, sign, leg in ((first, 1, a), (second, -1, step.b)):
        price = _settle(row, step, leg, recorder)
        _exchange(row, step, sign)
        _leg(row, leg, place, price, recorder)
        if "join" in kinds:
            row |= grouped(leg, place, step, recorder)
        if "settle" in kinds:
            row |= _settlement(step, leg, price, recorder)
        if "supply" in kinds:
            row |= _asset(step, step.a if row is first else leg)
        if "check" in kinds:
            row |= dues(step, leg, recorder)
    recorder.fills += fill_rows(place, step, recorder)
    first |= {"amount": step.amount, "oversized": int(step.oversized), "market_change": _market_change(step)}
    second |= {"amount": 0, "oversized": 0, "market_change": 0}
    collects = step.kind == "collect"
    first |= {"system": int(step.system or collects or step.kind == "cover"), "fresh": int(step.fresh_a)}
    second |= {"system": int(collects), "fresh": int(step.fresh_b)}
    first["fee"], second["fee"] = step.fee_a, step.fee_b
    judged = step.kind in ("refuse", "refuse_redeem")
    refused = judged and not (step.system or step.oversized or step.overdrawn)
    grows = step.kind in CHANGES_POSITION
    checks = step.kind == "check"
    _tiers(first, a, step.rule_a, refused, grows, recorder, checks=checks)
    _tiers(second, step.b, step.rule_b, False, grows, recorder, step.closeout, checks)
    return first | required(first, a, recorder), second | required(second, step.b, recorder)


def claimed(step: Step, leg: Leg | None) -> Leg | None:
    """The leg as the rules judge it: of a refused redemption, as if it had been paid."""
    if leg is None or step.kind != "refuse_redeem":
        return leg
    return replace(leg, after=replace(leg.after, position=leg.after.position - step.amount))


def _asset(step: Step, leg: Leg | None) -> Values:
    """What an asset's leg writes, and of which market it is, in a key with assets."""
    moved = leg is not None and step.kind in ASSET_KINDS
    return {
        "position_written": 0 if leg is None else leg.after.position,
        "asset": leg.before.market if moved and leg is not None else 0,
        "overdrawn": int(leg is not None and step.overdrawn),
        "closeout": int(leg is not None and leg is step.b and step.closeout),
    }


def _settle(values: Values, step: Step, leg: Leg | None, recorder: Recorder) -> int:
    """Writes the oracle row that the leg is settled at, and returns its price: 0 where there is none."""
    if leg is None or not leg.settled:
        values["price"] = values["oracle_index"] = 0
        return 0
    row = recorder.look_up(step.tick, leg.after.market)
    values["price"], values["oracle_index"] = row.price, row.index
    return row.price


def _settlement(step: Step, leg: Leg | None, price: int, recorder: Recorder) -> Values:
    """What an expired option pays for its position, in a key with options."""
    if leg is None or step.kind != "settle":
        return {"settlement": 0, "settlement_dust": 0}
    recorder.expire(step.tick, leg.before.market)
    value, dust = divmod(leg.before.position * price, 1 << PRICE_FRACTION)
    return {"settlement": value, "settlement_dust": dust}


def _exchange(values: Values, step: Step, sign: int) -> None:
    """What the legs have in common: size, cash that this one pays, and whether it sells."""
    moves, changes = step.kind in MOVES_CASH, step.kind in CHANGES_POSITION
    values["size"] = step.size if moves else 0
    values["cash"] = sign * step.cash
    values["sells"] = int(changes and sign * step.delta < 0)


def _market_change(step: Step) -> int:
    if step.a is None or step.kind not in ("open", "close", "join", "leave"):
        return 0
    return step.a.after.market - step.a.before.market


def _leg(values: Values, leg: Leg | None, place: int, price: int, recorder: Recorder) -> None:
    before, after = (EMPTY_CELL, EMPTY_CELL) if leg is None else (leg.before, leg.after)
    owed = before.position * (values["oracle_index"] - before.index) if leg is not None and leg.settled else 0
    pay = -(-owed >> FUNDING_FRACTION)
    values |= {
        "address": 0 if leg is None else leg.address,
        "market": before.market,
        "gap": 0 if leg is None else recorder.access(leg.address, place),
        "settled_collateral": before.collateral - pay,
        "funding_dust": (pay << FUNDING_FRACTION) - owed,
        "index": before.index_digit + SIGN_BIAS,
        "index_after": after.index_digit,
    }
    _half(values, "", before, price)
    _half(values, "_after", after, price)


def _half(values: Values, when: str, cell: Cell, price: int) -> None:
    magnitude = abs(cell.position)
    values[f"collateral{when}"] = cell.collateral + SIGN_BIAS
    values[f"magnitude{when}"] = magnitude
    values[f"negative{when}"] = int(cell.position < 0)
    values[f"position{when}"] = cell.position
    values[f"notional{when}"] = magnitude * price


def _tiers(
    values: Values,
    leg: Leg | None,
    rule: str | None,
    refused: bool,
    grows: bool,
    recorder: Recorder,
    closeout: bool = False,
    checks: bool = False,
) -> None:
    """The leg's rule and the tiers that it looks up. refused: a withdrawal or redemption, for want of initial margin;
    grows: the position may; checks: the account is checked."""
    values |= {"initial": int(rule == "initial"), "reducing": int(rule == "reducing"), "open_tier": 0, "long": 0}
    before = after = None
    if leg is not None:
        market, portfolio = leg.before.market, leg.group is not None and leg.group.is_portfolio
        if rule == "reducing":
            before = recorder.maintenance(market, values["notional"], portfolio)
            after = recorder.maintenance(market, values["notional_after"], portfolio, closeout)
        elif checks:
            after = recorder.maintenance(market, values["notional_after"], portfolio)
        elif rule == "initial" or refused:
            after, is_open = recorder.initial(market, values["notional_after"], portfolio, grows)
            values["open_tier"] = int(is_open)
            values["long"] = int(is_open and recorder.parameters.markets[market].is_asset)
    for when, tier_values in (("before", before), ("after", after)):
        for part, value in zip(TIER_PARTS, tier_values or NO_TIER, strict=True):
            values[f"tier_{when}_{part}"] = value


def _cell_columns(
    table: Table, old: Mapping[int, int], new: Mapping[int, int], recorder: Recorder
) -> dict[str, Sequence[int]]:
    touched, last = np.zeros(table.size, np.uint8), np.zeros(table.size, np.uint32)
    for address, time in recorder.last_access.items():
        touched[address], last[address] = 1, time
    states = {name: Words.sparse(table.size, cells) for name, cells in (("old", old), ("new", new))}
    columns: dict[str, Any] = {"touched": touched, "last": last, **states}
    return columns
