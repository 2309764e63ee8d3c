"""Options, scenarios and what a sweep leaves of them: the contract says what Python says of the same bytes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

from circuits.margin.statement import InvalidStatement, OracleRow, Statement
from circuits.margin.statement_rules import check_statement
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.circuits.margin.groups_story import (
    BTC,
    CALL,
    CALL_EXPIRY,
    CALLS,
    ETH,
    P_CALL,
    P_ETH,
    P_PUT,
    PUT,
    PUT_EXPIRY,
    SCENARIOS,
    SHAPE,
    parameters,
    tell,
)
from tests.evm.margin_arbiter import Arbiter, accepted_by_python
from tests.evm.test_verifier_contract import THE_PROOF, changed_word, resized, swapped_words
from tests.verifier.cases import stream
from verifier.key import VerifyingKey
from verifier.margin import MarginStatement
from zkmargin.proving import batch_assignment, batch_statement, commit_cells, layout_of, margin_key

SWEPT = replace(SHAPE, sweep=True, packing=8)
MARKETS = 4
STRIKE = 12 << 16  # of the put


@cache
def arbiter() -> tuple[Arbiter, VerifyingKey, Statement, bytes]:
    """The story of portfolios and options, with a sweep at its end."""
    backend, batch = get_backend("cpu"), tell(sweep=True).batch
    key = margin_key(
        parameters(), SWEPT, insecure_srs(backend, layout_of(parameters(), SWEPT).powers, b"options"), backend
    )
    old = commit_cells(key.srs, backend, SWEPT.cells, batch.old)
    statement = batch_statement(batch, old, key.srs, backend, SWEPT)
    assignment = batch_assignment(key.circuit, parameters(), statement, batch, backend)
    proof = prove(key, MarginStatement.under(key.verifying, statement), assignment, backend, stream(3))
    return Arbiter(key.verifying), key.verifying, statement, proof


def verdicts_agree(told: Statement) -> bool:
    """Whether Python's rules allow the statement; where they do not, the contract has another reason than the proof."""
    judge, _, statement, proof = arbiter()
    refusal = judge.refusal(told.encode(), proof)
    try:
        check_statement(told, parameters(), SWEPT)
    except InvalidStatement:
        assert refusal not in (None, THE_PROOF)
        return False
    assert refusal == (None if told == statement else THE_PROOF)
    return True


def test_a_batch_with_portfolios_and_options_is_accepted() -> None:
    _, key, statement, proof = arbiter()
    assert statement.sweep is not None and statement.sweep.unsettled[PUT] != 0
    assert verdicts_agree(statement) and accepted_by_python(key, statement, proof)


def with_scenarios(place: int, row: tuple[int, ...]) -> Statement:
    rows = list(arbiter()[2].scenarios)
    rows[place] = row
    return replace(arbiter()[2], scenarios=tuple(rows))


def test_what_scenarios_may_change() -> None:
    """A price under a scenario is at least zero and below the largest."""
    for scenario in (0, SCENARIOS - 1):
        for change, right in ((-P_CALL, True), (-P_CALL - 1, False), ((1 << 48) - 1 - P_CALL, True)):
            row = (*CALLS[:scenario], change, *CALLS[scenario + 1 :])
            assert verdicts_agree(with_scenarios(CALL, row)) == right
        for change in ((1 << 48) - P_CALL, 1 << 255, -(1 << 255)):
            row = (*CALLS[:scenario], change, *CALLS[scenario + 1 :])
            assert not verdicts_agree(with_scenarios(CALL, row))


@pytest.mark.parametrize(
    ("place", "row"),
    [
        (BTC, CALLS),
        (CALL, ()),
        (CALL, CALLS[:-1]),
        (CALL, (*CALLS, 0)),
        (MARKETS + PUT, CALLS),
        (MARKETS + PUT, (0,)),
        (MARKETS + CALL, ()),
        (ETH, (0,)),
    ],
)
def test_who_has_scenarios(place: int, row: tuple[int, ...]) -> None:
    """Options that have not expired, and they alone."""
    assert not verdicts_agree(with_scenarios(place, row))


@pytest.mark.parametrize("count", [0, 1, 4, 7, 9])
def test_there_are_scenarios_for_each_row(count: int) -> None:
    rows = (arbiter()[2].scenarios * 2)[:count]
    assert not verdicts_agree(replace(arbiter()[2], scenarios=rows))


Prices = dict[int, int]
Ticks = tuple[tuple[int, Prices], tuple[int, Prices], tuple[int, Prices]]


def with_ticks(*ticks: tuple[int, Prices]) -> Statement:
    """Time of the tick before the batch and of its two ticks, and prices other than those that there are."""
    statement = arbiter()[2]
    rows: list[OracleRow] = list(statement.last_oracle + statement.oracle)
    given: list[tuple[int, ...]] = []
    for number, (time, prices) in enumerate(ticks):
        for market in range(MARKETS):
            place = number * MARKETS + market
            rows[place] = replace(
                rows[place], time=time, price=prices.get(market, rows[place].price), index=rows[0].index
            )
        if number:
            expiries = {CALL: CALL_EXPIRY, PUT: PUT_EXPIRY}
            given += [
                (0,) * SCENARIOS if market in expiries and time < expiries[market] else () for market in range(MARKETS)
            ]
    told = statement if ticks[-1][0] >= PUT_EXPIRY else with_left(0, 0, 0, 0)
    return replace(told, last_oracle=tuple(rows[:MARKETS]), oracle=tuple(rows[MARKETS:]), scenarios=tuple(given))


IN_MONEY, OUT_OF_MONEY, AT_MONEY = 5 << 16, 20 << 16, STRIKE
SETTLEMENTS: dict[str, tuple[bool, Ticks]] = {
    "as it was": (True, ((1000, {}), (1060, {}), (6000, {}))),
    "before the expiry anything": (True, ((1000, {}), (1060, {PUT: 7}), (PUT_EXPIRY - 1, {PUT: 9}))),
    "in the second of the expiry": (True, ((1000, {}), (1060, {}), (PUT_EXPIRY, {PUT: STRIKE - P_ETH}))),
    "one more": (False, ((1000, {}), (1060, {}), (PUT_EXPIRY, {PUT: STRIKE - P_ETH + 1}))),
    "one less": (False, ((1000, {}), (1060, {}), (PUT_EXPIRY, {PUT: STRIKE - P_ETH - 1}))),
    "the mark before": (False, ((1000, {}), (1060, {PUT: 1 << 16}), (PUT_EXPIRY, {PUT: 1 << 16}))),
    "in the money": (True, ((1000, {}), (1060, {}), (6000, {ETH: IN_MONEY, PUT: STRIKE - IN_MONEY}))),
    "of another underlying": (False, ((1000, {}), (1060, {}), (6000, {BTC: IN_MONEY, PUT: STRIKE - IN_MONEY}))),
    "of the price before": (False, ((1000, {}), (1060, {ETH: IN_MONEY}), (6000, {PUT: STRIKE - IN_MONEY}))),
    "out of the money": (True, ((1000, {}), (1060, {}), (6000, {ETH: OUT_OF_MONEY, PUT: 1}))),
    "at the money": (True, ((1000, {}), (1060, {}), (6000, {ETH: AT_MONEY, PUT: 1}))),
    "out of the money, not the least": (False, ((1000, {}), (1060, {}), (6000, {ETH: OUT_OF_MONEY, PUT: 2}))),
    "as a call": (False, ((1000, {}), (1060, {}), (6000, {ETH: OUT_OF_MONEY, PUT: OUT_OF_MONEY - STRIKE}))),
    "it stays": (True, ((1000, {}), (5500, {PUT: P_PUT}), (6000, {ETH: IN_MONEY, PUT: P_PUT}))),
    "it moves on": (False, ((1000, {}), (5500, {PUT: P_PUT}), (6000, {ETH: IN_MONEY, PUT: STRIKE - IN_MONEY}))),
    "it moved before": (False, ((1000, {}), (5500, {PUT: P_PUT + 1}), (6000, {PUT: P_PUT + 1}))),
    "since the batch before": (True, ((5500, {PUT: 77}), (5600, {PUT: 77}), (6000, {PUT: 77}))),
    "not that of the batch before": (False, ((5500, {PUT: 77}), (5600, {PUT: P_PUT}), (6000, {PUT: P_PUT}))),
    "a call in the money": (True, ((1000, {}), (1060, {}), (CALL_EXPIRY, {BTC: 115 << 16, CALL: 5 << 16}))),
    "a call out of the money": (True, ((1000, {}), (1060, {}), (CALL_EXPIRY, {CALL: 1}))),
    "a call at its mark": (False, ((1000, {}), (1060, {}), (CALL_EXPIRY, {}))),
    "both at the last second": (False, ((1000, {}), (1060, {}), (CALL_EXPIRY - 1, {PUT: 3}))),
}


@pytest.mark.parametrize("name", SETTLEMENTS)
def test_the_price_at_which_an_option_settles(name: str) -> None:
    right, ticks = SETTLEMENTS[name]
    assert verdicts_agree(with_ticks(*ticks)) == right


def with_left(*left: int) -> Statement:
    statement = arbiter()[2]
    assert statement.sweep is not None
    return replace(statement, sweep=replace(statement.sweep, unsettled=left))


@pytest.mark.parametrize(
    ("right", "left"),
    [
        (True, (0, 0, 0, 0)),
        (True, (0, 0, 0, 1)),
        (True, (0, 0, 0, 1 - (1 << 100))),
        (True, (0, 0, 0, (1 << 100) - 1)),
        (False, (0, 0, 0, 1 << 100)),
        (False, (0, 0, 0, -(1 << 100))),
        (False, (0, 0, 0, -(1 << 255))),
        (False, (0, 0, 1, 0)),
        (False, (1, 0, 0, 0)),
        (False, (0, -1, 0, 0)),
        (False, ()),
        (False, (0, 0, 0)),
        (False, (0, 0, 0, 0, 0)),
    ],
)
def test_what_a_sweep_leaves(right: bool, left: tuple[int, ...]) -> None:
    """Of an expired option anything, which the proof then says; of all else nothing."""
    assert verdicts_agree(with_left(*left)) == right


Change = Callable[[Statement], dict[str, Any]]
CHEATS: dict[str, Change] = {
    "kinder scenarios": lambda s: {"scenarios": (*s.scenarios[:CALL], (0,) * SCENARIOS, *s.scenarios[CALL + 1 :])},
    "of one tick in the other": lambda s: {
        "scenarios": (*s.scenarios[:MARKETS], *s.scenarios[MARKETS : MARKETS + CALL], (1,) * SCENARIOS, ())
    },
    "another sum of what is left": lambda s: {"sweep": replace(s.sweep, unsettled=(0, 0, 0, 0))},  # type: ignore[type-var]
}


@pytest.mark.parametrize("name", CHEATS)
def test_what_the_rules_allow_and_the_proof_does_not(name: str) -> None:
    _, key, statement, proof = arbiter()
    told = replace(statement, **CHEATS[name](statement))
    assert verdicts_agree(told) and not accepted_by_python(key, told, proof)


def refuse(rng: Random) -> None:
    """Both arbiters refuse a mutated pair."""
    judge, key, statement, proof = arbiter()
    good = (statement.encode(), proof)
    data, given = good
    while (data, given) == good:
        for _ in range(rng.choice((1, 1, 2))):
            change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
            if rng.random() < 0.8:
                data = change(rng, data)
            else:
                given = change(rng, given)
    assert judge.refusal(data, given) is not None, (data.hex(), given.hex())
    try:
        assert not accepted_by_python(key, Statement.decode(data), given), (data.hex(), given.hex())
    except InvalidStatement:
        return


def test_mutated_pairs() -> None:
    rng = Random(5)
    for _ in range(40):
        refuse(rng)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_mutated_pairs(part: int) -> None:
    rng = Random(50 + part)
    for _ in range(1000):
        refuse(rng)
