"""Groups under portfolio margin and under a venue's own modules on the chain: scenarios in statements, openings, and
the way out."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest

from circuits.margin.cell import GROUP_MAX, ROOM_UNIT, head_kind, unpack
from circuits.margin.modules import CROSS, PORTFOLIO, Module
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.portfolio import Instrument, Portfolio
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.groups_story import SCENARIOS, shocks
from tests.circuits.margin.venue_modules import Directional, Stressed
from tests.evm.margin_arbiter import Arbiter, accepted_by_python
from tests.evm.test_groups_on_chain import GroupVenue, stop
from tests.evm.test_groups_on_chain import parameters as cross_parameters
from tests.evm.test_rollup_contract import PRICE
from tests.evm.test_verifier_contract import THE_PROOF, changed_word, resized, swapped_words
from tests.evm.venue import UNIT, address_of
from zkmargin.evm.chain import Reverted
from zkmargin.transactions import Form, Join, Trade, Transaction

SHAPE = Shape(32, 512, 8, True, 8, groups=64, scenarios=64)
MOST_SCANNED = 59  # cells of a group that 64 rows judge before and after
DIRECTIONAL, STRESSED = Directional(300, 2), Stressed(70_000)
BLOCKS: dict[Module, int] = {PORTFOLIO: 1, DIRECTIONAL: 2, STRESSED: 3}
BOB = 2


def parameters() -> Parameters:
    """Two markets that the scenarios move alike, and a market's own."""
    addons = build_tiers([(0, 66, 131)], cap=1 << 68)
    instruments = Instrument(shocks(100), addons, None), Instrument(shocks(80), addons, None)
    portfolio = Portfolio(SCENARIOS, 81920, instruments)
    return replace(cross_parameters(), portfolio=portfolio, modules=(DIRECTIONAL, STRESSED))


def owner_name(module: Module) -> str:
    return f"who is under {module.name}"


@cache
def begun() -> tuple[GroupVenue, Callable[[], None]]:
    """A group under each module, long the one market and short the other, Bob on the other side."""
    venue, trades, joins = GroupVenue(parameters(), SHAPE), [], []
    for cell, market in ((BOB, 0), (BOB + 1, 1)):
        venue.rollup.transact(venue.owner("bob"), "open_account", cell, market, 1000 * UNIT)
    for module, block in BLOCKS.items():
        venue.rollup.transact(venue.owner(owner_name(module)), "open_group", block, 4, module.id, 100 * UNIT, [])
        head = block * GROUP_MAX
        joins += [Join(head, 0), Join(head, 1)]
        trades.append(Trade(head + 1, BOB, UNIT, 1, 100 * UNIT, 0, 0))
    queued = venue.queued()
    forms = queued[4::2]
    venue.advance(venue.tick_of(PRICE, PRICE), *queued[:4], *with_joins(forms, joins, queued[5::2]), *trades)
    others = [Trade(block * GROUP_MAX + 2, BOB + 1, UNIT, -1, -100 * UNIT, 0, 0) for block in BLOCKS.values()]
    venue.advance(venue.tick_of(PRICE, PRICE), *others)
    return venue, venue.keep()


def with_joins(forms: list, joins: list, deposits: list) -> list:  # type: ignore[type-arg]
    """Each group's members before its first deposit."""
    result = []
    for number, (form, deposit) in enumerate(zip(forms, deposits, strict=True)):
        result += [form, *joins[2 * number : 2 * number + 2], deposit]
    return result


@pytest.fixture
def venue() -> GroupVenue:
    made, back = begun()
    back()
    return made


@pytest.mark.parametrize("module", BLOCKS)
def test_a_group_is_what_its_owner_asked_for(venue: GroupVenue, module: Module) -> None:
    head = BLOCKS[module] * GROUP_MAX
    held = [unpack(venue.state.cells[head + i]) for i in range(3)]
    assert held[0].kind == head_kind(module) and [cell.position for cell in held[1:]] == [UNIT, -UNIT]
    owner = "0x" + address_of(venue.owner(owner_name(module))).hex()
    assert venue.rollup.call("blocks", BLOCKS[module]) == (owner, 4, 0)


def test_withdrawals_by_the_rules_of_the_module(venue: GroupVenue) -> None:
    """The hedge frees collateral in the portfolio: what it may have, others are refused."""
    asked = 95 * UNIT
    for module in (PORTFOLIO, DIRECTIONAL):
        venue.rollup.transact(
            venue.owner(owner_name(module)), "request_withdrawal", BLOCKS[module] * GROUP_MAX + 1, asked
        )
    venue.advance(venue.tick_of(PRICE, PRICE), *venue.queued())
    assert [row.outcome for row in venue.statements[-1].l1] == [1, 0]
    assert venue.rollup.call("payable_to", address_of(venue.owner(owner_name(PORTFOLIO)))) == asked


@pytest.mark.parametrize(
    ("room", "module"),
    [
        (4, 0),
        (4, 3),
        (4, STRESSED.id + 1),
        (4, (1 << 16) + 1),
        (4, (1 << 16) + 2),
        (1, 2),
        (0, 1),
        (65, CROSS.id),
        (MOST_SCANNED + 1, PORTFOLIO.id),
        (MOST_SCANNED + 1, STRESSED.id),
        (65, DIRECTIONAL.id),
        (1 << 240 | 4, CROSS.id),
        ((1 << 256) - 1, 1 << 16),
    ],
)
def test_groups_that_the_key_does_not_know(venue: GroupVenue, room: int, module: int) -> None:
    with pytest.raises(Reverted):
        venue.rollup.transact(venue.owner("carol"), "open_group", 1, room, module, UNIT, [])


def test_a_group_of_another_module_than_was_asked_for(venue: GroupVenue) -> None:
    """The operator's proof is good, and not of what is queued."""
    venue.rollup.transact(venue.owner("carol"), "open_group", 4, 4, PORTFOLIO.id, UNIT, [])
    form, deposit = venue.queued()
    assert isinstance(form, Form) and form.module == "portfolio"
    restore = venue.keep()
    for other in ({"module": "cross"}, {"module": "stressed"}, {"room": 3}, {"room": 5}, {"cell": 5 * GROUP_MAX}):
        told = replace_form(form, **other)
        join, moved = Join(told.cell, 0), replace_deposit(deposit, told.cell + 1)
        statement, proof = venue.prove(venue.batch(venue.tick_of(PRICE, PRICE), told, join, moved))
        with pytest.raises(Reverted, match="not what was queued"):
            venue.send(statement, proof)
        restore()
    venue.advance(venue.tick_of(PRICE, PRICE), form, Join(form.cell, 0), deposit)


def replace_form(form: Form, **changes: Any) -> Form:
    return msgspec.structs.replace(form, **changes)


def replace_deposit(deposit: Transaction, cell: int) -> Transaction:
    return msgspec.structs.replace(deposit, cell=cell)


@cache
def arbiter() -> tuple[Arbiter, GroupVenue, Statement, bytes]:
    """The contract of the rules, and a batch that opens one more group and withdraws from a portfolio."""
    venue, back = begun()
    back()
    venue.rollup.transact(venue.owner("carol"), "open_group", 4, 4, STRESSED.id, UNIT, [])
    venue.rollup.transact(venue.owner(owner_name(PORTFOLIO)), "request_withdrawal", GROUP_MAX + 1, 5 * UNIT)
    form, *others = venue.queued()
    ticks = venue.tick_of(PRICE, PRICE), venue.tick_of(PRICE + 5, PRICE - 5)
    pair = venue.prove(venue.batch(ticks[0], form, Join(4 * GROUP_MAX, 0), ticks[1], *others))
    back()
    return Arbiter(venue.key.verifying), venue, *pair


def test_the_contract_reads_scenarios() -> None:
    judge, _, statement, proof = arbiter()
    assert statement.scenarios == ((),) * 4 and judge.refusal(statement.encode(), proof) is None


def verdicts_agree(told: Statement) -> str | None:
    """Where Python's rules refuse the statement, the contract names another reason than the proof; returned is what it
    names."""
    judge, venue, statement, proof = arbiter()
    refusal = judge.refusal(told.encode(), proof)
    try:
        check_statement(told, venue.parameters, venue.shape)
    except InvalidStatement:
        assert refusal not in (None, THE_PROOF)
    else:
        assert refusal == (None if told == statement else THE_PROOF)
    return refusal


SECTIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": (),
    "one less": ((),) * 3,
    "one more": ((),) * 5,
    "something of a linear instrument": ((), (0,) * SCENARIOS, (), ()),
    "a word of one": ((1,), (), (), ()),
    "a long one": ((), (), (), (0,) * (SCENARIOS + 1)),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_of_scenarios(name: str) -> None:
    assert verdicts_agree(replace(arbiter()[2], scenarios=SECTIONS[name])) not in (None, THE_PROOF)


OPENINGS = [
    *((room, module) for module in (CROSS, PORTFOLIO, DIRECTIONAL, STRESSED) for room in (0, 1, 2, 4)),
    *((MOST_SCANNED + more, module) for module in (PORTFOLIO, STRESSED) for more in (0, 1)),
    *((GROUP_MAX + more, module) for module in (CROSS, DIRECTIONAL) for more in (0, 1)),
]


@pytest.mark.parametrize(("room", "module"), OPENINGS)
def test_what_may_be_opened(room: int, module: Module) -> None:
    """Of each module at its edge, and what no module is, as Python says."""
    statement = arbiter()[2]
    first, *others = statement.l1
    for near in (-1, 0, 1):
        amount = room * ROOM_UNIT + module.id - 1 + near
        verdicts_agree(replace(statement, l1=(replace(first, amount=amount), *others)))


def test_mutated_pairs() -> None:
    judge, venue, statement, proof = arbiter()
    rng = Random(11)
    data = statement.encode()
    for _ in range(40):
        change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
        told = change(rng, data[-32 * 12 :]) if rng.random() < 0.5 else None
        other = data[: -32 * 12] + told if told is not None else change(rng, data)
        if other == data:
            continue
        assert judge.refusal(other, proof) is not None, other.hex()
        try:
            assert not accepted_by_python(venue.key.verifying, Statement.decode(other), proof), other.hex()
        except InvalidStatement:
            continue


@pytest.mark.parametrize("module", BLOCKS)
def test_a_group_leaves_with_what_its_members_are_worth(venue: GroupVenue, module: Module) -> None:
    """The sum of all, under whatever module: 10 gained on the one side, 4 lost on the other."""
    venue.advance(venue.tick_of(PRICE * 11 // 10, PRICE * 104 // 100))
    stop(venue)
    head = BLOCKS[module] * GROUP_MAX
    receipt = venue.leave(cells=range(head, head + 3))
    [told] = venue.rollup.events(receipt, "Escaped")
    assert told["claim"] == 106 * UNIT and told["owner"] == "0x" + address_of(venue.owner(owner_name(module))).hex()
    with pytest.raises(Reverted, match="escaped"):
        venue.leave(cells=range(head, head + 3))


def test_ways_to_claim_more(venue: GroupVenue) -> None:
    """A losing member left out; another module's group in its place; a member as an account."""
    venue.advance(venue.tick_of(PRICE * 11 // 10, PRICE * 12 // 10))
    stop(venue)
    portfolio, stressed = (BLOCKS[module] * GROUP_MAX for module in (PORTFOLIO, STRESSED))
    with pytest.raises(Reverted, match="not the whole group"):
        venue.leave(cells=range(portfolio, portfolio + 2))
    contents = [venue.state.cells[portfolio + i] for i in range(3)]
    other = [venue.state.cells[stressed], *contents[1:]]
    for false in (other, [contents[1], contents[1], contents[2]], [*contents[:2], contents[1]]):
        with pytest.raises(Reverted, match="not what the cell holds"):
            venue.leave(false, range(portfolio, portfolio + 3))
    with pytest.raises(Reverted, match="no account"):
        venue.escape(portfolio + 1)
    with pytest.raises(Reverted, match="no group"):
        venue.leave(cells=range(0, 1))
    with pytest.raises(Reverted, match="no group"):
        venue.leave(cells=range(4 * GROUP_MAX, 4 * GROUP_MAX + 1))
