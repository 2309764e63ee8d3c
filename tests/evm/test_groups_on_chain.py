"""Groups under cross margin on the chain: opened, funded, traded and withdrawn from, and left by whole groups."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from circuits.margin.cell import GROUP_MAX, ROOM_UNIT, unpack
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from tests.evm.margin_arbiter import Arbiter
from tests.evm.test_rollup_contract import PRICE, rules
from tests.evm.test_verifier_contract import THE_PROOF
from tests.evm.venue import INSURANCE_CELL, UNIT, Venue, address_of
from zkmargin.evm.chain import Receipt, Reverted
from zkmargin.transactions import Form, Join, Tick, Trade

SHAPE = Shape(32, 256, 8, True, 8, groups=64)
BLOCK = 1
HEAD = BLOCK * GROUP_MAX
BTC, ETH = HEAD + 1, HEAD + 2
BOB, ROOM = 2, 4


def parameters() -> Parameters:
    """Two markets of one price."""
    made = rules()
    [market] = made.markets
    return replace(made, markets=(market, replace(market, name="ETH")))


class GroupVenue(Venue):
    """Alice has a group with a member in either market, Bob an account in each."""

    def tick_of(self, *prices: int) -> Tick:
        self.chain.wait(60)
        return self.tick(*((price, 0) for price in prices))

    def leave(self, contents: list[int] | None = None, cells: range = range(HEAD, HEAD + 3)) -> Receipt:
        """Claims the group, by a stranger; contents: others than the state's."""
        openings = [self.opening(cell) for cell in cells]
        told = contents or [opening.content for opening in openings]
        proofs = [opening.proof or (0, 0) for opening in openings]
        stranger = self.chain.account("stranger")
        return self.rollup.transact(stranger, "escape_group", cells.start // GROUP_MAX, told, proofs, self.rows())


@cache
def begun() -> tuple[GroupVenue, Callable[[], None]]:
    venue = GroupVenue(parameters(), SHAPE)
    venue.rollup.transact(venue.owner("alice"), "open_group", BLOCK, ROOM, 1, 100 * UNIT, [])
    for cell, market in ((BOB, 0), (BOB + 1, 1)):
        venue.rollup.transact(venue.owner("bob"), "open_account", cell, market, 100 * UNIT)
    form, deposit, *others = venue.queued()
    joins = Join(HEAD, 0), Join(HEAD, 1)
    trades = Trade(BTC, BOB, 3 * UNIT, 1, 300 * UNIT, 7, 0), Trade(ETH, BOB + 1, 2 * UNIT, -1, -200 * UNIT, 0, 0)
    venue.advance(venue.tick_of(PRICE, PRICE), form, *joins, deposit, *others, *trades)
    return venue, venue.keep()


@pytest.fixture
def venue() -> GroupVenue:
    made, back = begun()
    back()
    return made


def test_a_group_is_opened_with_its_first_deposit(venue: GroupVenue) -> None:
    held = [unpack(venue.state.cells[cell]) for cell in (HEAD, BTC, ETH)]
    assert held[0].is_head and (held[0].collateral, held[0].position) == (ROOM, 3)
    assert [cell.position for cell in held[1:]] == [3 * UNIT, -2 * UNIT]
    assert venue.rollup.call("blocks", BLOCK) == ("0x" + address_of(venue.owner("alice")).hex(), ROOM, 0)


def test_members_are_funded_and_withdrawn_from(venue: GroupVenue) -> None:
    """One of them lends to the other; what the group as a whole does not bear is refused with proof."""
    alice = venue.owner("alice")
    venue.rollup.transact(alice, "deposit", ETH, 5 * UNIT)
    venue.rollup.transact(alice, "request_withdrawal", ETH, 90 * UNIT)
    venue.rollup.transact(alice, "request_withdrawal", BTC, 90 * UNIT)
    venue.advance(venue.tick_of(PRICE, PRICE), *venue.queued())
    assert [row.outcome for row in venue.statements[-1].l1] == [1, 1, 0]
    assert venue.rollup.call("payable_to", address_of(alice)) == 90 * UNIT


def test_a_member_that_is_not_there_yet(venue: GroupVenue) -> None:
    """The operator lets it join, in whatever market, and the queue goes on."""
    alice = venue.owner("alice")
    venue.rollup.transact(alice, "deposit", HEAD + 3, UNIT)
    venue.rollup.transact(alice, "request_withdrawal", HEAD + 3, 10**6 * UNIT)
    venue.advance(venue.tick_of(PRICE, PRICE), Join(HEAD, 0), *venue.queued())
    assert [row.outcome for row in venue.statements[-1].l1] == [1, 0]


def refused(venue: GroupVenue, reason: str, owner: str, name: str, *arguments: object) -> None:
    with pytest.raises(Reverted, match=reason):
        venue.rollup.transact(venue.owner(owner), name, *arguments)


def test_whose_cells_they_are(venue: GroupVenue) -> None:
    for cell in (HEAD, HEAD + ROOM, HEAD + GROUP_MAX - 1):
        refused(venue, "not the owner", "alice", "deposit", cell, UNIT)
    for name in ("deposit", "request_withdrawal"):
        refused(venue, "not the owner", "bob", name, BTC, UNIT)
    for cell in (HEAD, BTC):
        refused(venue, "not the owner", "alice", "request_close", cell)
    for cell in (HEAD, BTC, HEAD + ROOM):
        refused(venue, "the cell is in use", "bob", "open_account", cell, 0, UNIT)
    refused(venue, "the cell is in use", "bob", "open_group", BLOCK, 4, 1, UNIT, [])


def test_where_groups_may_be(venue: GroupVenue) -> None:
    refused(venue, "no such cell", "bob", "open_group", 0, 4, 1, UNIT, [])
    refused(venue, "no such cell", "bob", "open_group", 4, 4, 1, UNIT, [])
    refused(venue, "room", "bob", "open_group", 2, 1, 1, UNIT, [])
    refused(venue, "room", "bob", "open_group", 2, 65, 1, UNIT, [])
    refused(venue, "too small a deposit", "bob", "open_group", 2, 4, 1, 1, [])
    venue.rollup.transact(venue.owner("bob"), "open_account", 130, 0, UNIT)
    refused(venue, "the cell is in use", "bob", "open_group", 2, 4, 1, UNIT, [])


def test_a_block_is_free_when_its_accounts_are_closed(venue: GroupVenue) -> None:
    carol = venue.owner("carol")
    venue.rollup.transact(carol, "open_account", 130, 0, UNIT)
    venue.rollup.transact(carol, "request_withdrawal", 130, UNIT)
    venue.rollup.transact(carol, "request_close", 130)
    venue.advance(venue.tick_of(PRICE, PRICE), *venue.queued())
    assert venue.rollup.call("owners", 130) == "0x" + "00" * 20
    venue.rollup.transact(carol, "open_group", 2, GROUP_MAX, 1, UNIT, [])


def stop(venue: GroupVenue) -> None:
    venue.rollup.transact(venue.owner("bob"), "request_withdrawal", BOB, 1)
    venue.chain.wait(venue.terms.queue + 1)
    venue.rollup.transact(venue.owner("stranger"), "freeze")


def test_a_group_escapes_as_one_account(venue: GroupVenue) -> None:
    """What one member owes the others pay: bitcoin has fallen, ether too, of which it is short."""
    venue.advance(venue.tick_of(PRICE * 9 // 10, PRICE * 8 // 10))
    vault = venue.rollup.call("vault")
    stop(venue)
    worth = 100 * UNIT - 7 - 30 * UNIT + 40 * UNIT
    receipt = venue.leave()
    [told] = venue.rollup.events(receipt, "Escaped")
    assert told["claim"] in (worth, worth - 1) and told["cell"] == HEAD
    for cell in (BOB, BOB + 1):
        venue.escape(cell)
    venue.chain.wait(venue.terms.claims + 1)
    before = {name: venue.holds(address_of(venue.owner(name))) for name in ("alice", "bob")}
    for name in before:
        for action in ("settle", "withdraw"):
            venue.rollup.transact(venue.operator, action, address_of(venue.owner(name)))
    paid = {name: venue.holds(address_of(venue.owner(name))) - held for name, held in before.items()}
    assert paid["alice"] == told["claim"] and 0 <= vault - sum(paid.values()) - 7 <= 4


def test_who_owes_more_than_he_has_claims_nothing(venue: GroupVenue) -> None:
    venue.advance(venue.tick_of(PRICE // 2, PRICE * 2))
    stop(venue)
    assert venue.rollup.events(venue.leave(), "Escaped")[0]["claim"] == 0


def test_ways_to_claim_more(venue: GroupVenue) -> None:
    """A member left out, one that is not its own, one twice; a group as an account, and a second time."""
    stop(venue)
    with pytest.raises(Reverted, match="not the whole group"):
        venue.leave(cells=range(HEAD, HEAD + 2))
    with pytest.raises(Reverted, match="not the whole group"):
        venue.leave(cells=range(HEAD, HEAD + 4))
    with pytest.raises(Reverted, match="not the whole group"):
        venue.leave(cells=range(HEAD, HEAD))
    contents = [venue.state.cells[cell] for cell in (HEAD, BTC, ETH)]
    for other in ([contents[0], contents[1], contents[1]], [contents[0], contents[2], contents[1]]):
        with pytest.raises(Reverted, match="not what the cell holds"):
            venue.leave(other)
    with pytest.raises(Reverted, match="no account"):
        venue.escape(BTC)
    with pytest.raises(Reverted, match="no account"):
        venue.escape(HEAD)
    venue.leave()
    with pytest.raises(Reverted, match="escaped"):
        venue.leave()


OPENINGS = {
    "a group": (HEAD * 2, 4 * ROOM_UNIT, True),
    "the largest": (HEAD * 2, 64 * ROOM_UNIT, True),
    "up to the last cell": (192, 64 * ROOM_UNIT, True),
    "larger than any": (HEAD * 2, 65 * ROOM_UNIT, False),
    "beyond the state": (193, 64 * ROOM_UNIT, False),
    "without members": (HEAD * 2, ROOM_UNIT, False),
    "a portfolio": (HEAD * 2, 4 * ROOM_UNIT + 1, False),
    "over a system cell": (0, 4 * ROOM_UNIT, False),
    "behind them": (INSURANCE_CELL + 1, 4 * ROOM_UNIT, True),
    "an account": (HEAD * 2, 2, True),
    "of no market": (HEAD * 2, 3, False),
}


@cache
def arbiter() -> tuple[Arbiter, Statement, bytes]:
    venue, back = begun()
    back()
    venue.rollup.transact(venue.owner("bob"), "open_group", 2, 4, 1, UNIT, [])
    form, deposit = venue.queued()
    assert isinstance(form, Form)
    pair = venue.prove(venue.batch(venue.tick_of(PRICE, PRICE), form, Join(form.cell, 0), deposit))
    back()
    return Arbiter(venue.key.verifying), *pair


@pytest.mark.parametrize("name", OPENINGS)
def test_what_may_be_opened(name: str) -> None:
    """The contract admits what Python admits."""
    judge, statement, proof = arbiter()
    cell, amount, right = OPENINGS[name]
    told = replace(statement, l1=(replace(statement.l1[0], cell=cell, amount=amount), *statement.l1[1:]))
    refusal = judge.refusal(told.encode(), proof)
    try:
        check_statement(told, parameters(), SHAPE)
    except InvalidStatement:
        assert not right and refusal not in (None, THE_PROOF)
    else:
        assert right and refusal == (None if told == statement else THE_PROOF)
