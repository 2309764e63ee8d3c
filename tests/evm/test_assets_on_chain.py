"""Collateral assets on the chain: tokens of their own go in and out, and leave after a freeze as they are."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from circuits.margin.cell import GROUP_MAX
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.statement import Statement
from circuits.margin.tiers import build_tiers
from tests.evm.test_groups_on_chain import GroupVenue, stop
from tests.evm.test_rollup_contract import PRICE, rules
from tests.evm.venue import UNIT, address_of
from zkmargin.evm.chain import Reverted
from zkmargin.transactions import Join, Trade

SHAPE = Shape(32, 256, 8, True, 8, groups=64)
BTC, ETH, P_ETH = 0, 1, 10 << 16
CAP = 1000 * UNIT
HEAD = GROUP_MAX
PERP, ETHER = HEAD + 1, HEAD + 2
BOB, CAROL = 2, 3
ETHER_MEMBERS = [BTC + 1, ETH + 1]


def parameters() -> Parameters:
    made = rules()
    haircut = build_tiers([(0, 6554, 13107)], 1 << 68)
    return replace(made, markets=(*made.markets, Market("ETH", 0, haircut, P_ETH, 0, CAP)))


class AssetVenue(GroupVenue):
    def ask(self, name: str, call: str, *arguments: object) -> None:
        self.rollup.transact(self.owner(name), call, *arguments)

    def tokens(self, name: str) -> int:
        """Of the asset, that an owner holds after what he may have is paid."""
        address = address_of(self.owner(name))
        self.rollup.transact(self.operator, "withdraw_asset", ETH, address)
        return int(self.assets[ETH].call("balanceOf", address)) - 10**6 * UNIT

    def money(self, name: str) -> int:
        address = address_of(self.owner(name))
        if self.rollup.call("frozen_at") == 0:
            self.rollup.transact(self.operator, "pay_waiting", address)
        self.rollup.transact(self.operator, "withdraw", address)
        return self.holds(address) - 10**6 * UNIT


@cache
def begun() -> tuple[AssetVenue, Callable[[], None]]:
    """Alice has 50 of the asset, worth 500, in a group and has borrowed 300; Bob 400 in the currency, Carol 20 of the
    asset alone."""
    venue = AssetVenue(parameters(), SHAPE)
    venue.ask("bob", "open_account", BOB, BTC, 400 * UNIT)
    venue.ask("alice", "open_group", 1, 4, 1, UNIT, ETHER_MEMBERS)
    venue.ask("alice", "supply", ETHER, 50 * UNIT)
    venue.ask("carol", "open_account", CAROL, ETH, UNIT)
    venue.ask("carol", "supply", CAROL, 20 * UNIT)
    venue.ask("alice", "request_withdrawal", ETHER, 301 * UNIT)
    opened, paid, form, *others = venue.queued()
    venue.advance(venue.tick_of(PRICE, P_ETH), opened, paid, form, Join(HEAD, BTC), Join(HEAD, ETH), *others)
    return venue, venue.keep()


@pytest.fixture
def venue() -> AssetVenue:
    made, back = begun()
    back()
    return made


def refused(venue: AssetVenue, reason: str, name: str, call: str, *arguments: object) -> None:
    with pytest.raises(Reverted, match=reason):
        venue.rollup.transact(venue.owner(name), call, *arguments)


def test_assets_are_supplied_borrowed_against_and_redeemed(venue: AssetVenue) -> None:
    assert venue.rollup.call("supplied", ETH) == 70 * UNIT and venue.rollup.call("vault") == (402 - 301) * UNIT
    assert venue.money("alice") == 300 * UNIT and venue.tokens("alice") == -50 * UNIT
    venue.ask("alice", "request_redemption", ETHER, 5 * UNIT)
    venue.ask("alice", "request_redemption", ETHER, 30 * UNIT)
    venue.ask("carol", "request_redemption", CAROL, 21 * UNIT)
    venue.ask("carol", "request_redemption", CAROL, 20 * UNIT)
    venue.ask("bob", "deposit", BOB, UNIT)
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())
    assert [row.outcome for row in venue.statements[-1].l1] == [1, 0, 0, 1, 1]
    assert venue.statements[-1].supplied == (70 * UNIT,)
    assert venue.tokens("alice") == -45 * UNIT and venue.tokens("carol") == 0
    assert venue.tokens("alice") == -45 * UNIT  # once
    assert venue.rollup.call("supplied", ETH) == 45 * UNIT
    assert venue.assets[ETH].call("balanceOf", venue.rollup.address) == 45 * UNIT


def test_requests_that_have_no_proof_are_not_admitted(venue: AssetVenue) -> None:
    """Beyond the cap, what is queued included; of a cell of another market, or of none that is known; of a stranger."""
    refused(venue, "beyond the cap", "carol", "supply", CAROL, CAP - 70 * UNIT + 1)
    venue.ask("carol", "supply", CAROL, CAP - 80 * UNIT)
    refused(venue, "beyond the cap", "alice", "supply", ETHER, 10 * UNIT + 1)
    for call in ("supply", "request_redemption"):
        refused(venue, "no asset", "bob", call, BOB, UNIT)
        refused(venue, "no asset", "alice", call, PERP, UNIT)
        refused(venue, "no asset", "alice", call, HEAD + 3, UNIT)
        refused(venue, "not the owner", "alice", call, HEAD, UNIT)
        refused(venue, "not the owner", "bob", call, ETHER, UNIT)
        refused(venue, "amount", "alice", call, ETHER, 0)
        refused(venue, "amount|cap", "alice", call, ETHER, 1 << 56)
    refused(venue, "members", "dave", "open_group", 2, 3, 1, UNIT, [1, 2, 2])
    refused(venue, "no such market", "dave", "open_group", 2, 4, 1, UNIT, [3])
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())


def test_a_cell_that_was_of_the_asset_is_not_of_it_for_ever(venue: AssetVenue) -> None:
    """Closed, and opened in another market, or inside a group."""
    venue.ask("dave", "open_account", 130, ETH, UNIT)
    venue.ask("dave", "request_withdrawal", 130, UNIT)
    venue.ask("dave", "request_close", 130)
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())
    venue.ask("dave", "open_group", 2, 4, 1, UNIT, [])
    refused(venue, "no asset", "dave", "supply", 130, UNIT)


def test_a_withdrawal_of_what_others_have_borrowed_waits(venue: AssetVenue) -> None:
    """Bob's 400 are in his account, so his withdrawal cannot be refused, and 101 in the vault: he has those at once,
    and the rest before whoever withdraws later, of what is paid in."""
    venue.money("alice")
    bob, carol = owner(venue, "bob"), owner(venue, "carol")
    before = venue.money("bob")
    venue.ask("bob", "request_withdrawal", BOB, 400 * UNIT)
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())
    assert venue.statements[-1].l1[0].outcome == 1
    assert venue.money("bob") == before + 101 * UNIT and venue.rollup.call("vault") == 0
    assert venue.rollup.call("claims", bob) == venue.rollup.call("claims_in_all") == 299 * UNIT
    venue.ask("alice", "deposit", ETHER, 100 * UNIT)
    venue.ask("carol", "request_withdrawal", CAROL, UNIT)
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())
    assert venue.rollup.call("payable_to", carol) == 0 and venue.rollup.call("claims", carol) == UNIT
    assert venue.money("bob") == before + 201 * UNIT and venue.money("bob") == before + 201 * UNIT
    venue.ask("alice", "deposit", ETHER, 50 * UNIT)  # not consumed, so it is hers
    assert venue.money("bob") == before + 201 * UNIT and venue.holds(venue.rollup.address) == 50 * UNIT
    stop(venue)
    refused(venue, "frozen", "bob", "pay_waiting", bob)
    assert venue.money("bob") == before + 201 * UNIT
    venue.rollup.transact(venue.operator, "refund", venue.state.queue)
    leave_all(venue)
    assert venue.rollup.call("claims_in_all") == (199 + 1) * UNIT
    assert venue.rollup.call("forfeited", ETH) == 20 * UNIT  # of her 50: she still owes 200
    tokens = venue.tokens("bob")
    settle(venue)
    assert abs(venue.tokens("bob") - tokens - 20 * UNIT * 199 // 200) <= 1 and venue.money("bob") == before + 201 * UNIT


Change = Callable[[Statement], Statement]


def with_row(place: int, **changes: int) -> Change:
    def change(statement: Statement) -> Statement:
        rows = list(statement.l1)
        rows[place] = replace(rows[place], **changes)
        return replace(statement, l1=tuple(rows))

    return change


CHEATS: dict[str, tuple[str, Change]] = {
    "more was there before": ("not what is supplied", lambda s: replace(s, supplied=(71 * UNIT,))),
    "less was there before": ("not what is supplied", lambda s: replace(s, supplied=(0,))),
    "more is redeemed": ("not what was queued", with_row(0, amount=2 * UNIT)),
    "another's": ("not what was queued", with_row(0, cell=CAROL)),
    "a withdrawal instead": ("not what was queued", with_row(0, kind=4)),
    "a supply instead": ("not what was queued", with_row(0, kind=5 + 16)),
    "of another market": ("not what was queued", with_row(0, kind=6)),
    "a refusal": ("proof", with_row(0, outcome=0)),
    "a supply refused": ("outcome", with_row(1, outcome=0)),
    "without what is supplied": ("Revert|supplied", lambda s: replace(s, supplied=())),
}


@pytest.mark.parametrize("name", CHEATS)
def test_what_the_operator_may_not_say(venue: AssetVenue, name: str) -> None:
    reason, change = CHEATS[name]
    venue.ask("alice", "request_redemption", ETHER, UNIT)
    venue.ask("carol", "supply", CAROL, UNIT)
    statement, proof = venue.prove(venue.batch(venue.tick_of(PRICE, P_ETH), *venue.queued()))
    with pytest.raises(Reverted, match=reason):
        venue.send(change(statement), proof)
    venue.send(statement, proof)


def leave_all(venue: AssetVenue) -> None:
    venue.escape(BOB)
    venue.escape(CAROL)
    venue.leave(cells=range(HEAD, HEAD + 3))


def settle(venue: AssetVenue) -> None:
    venue.chain.wait(venue.terms.claims + 1)
    for name in ("alice", "bob", "carol"):
        venue.rollup.transact(venue.operator, "settle", address_of(venue.owner(name)))


def test_assets_leave_as_they_are(venue: AssetVenue) -> None:
    """Alice is worth 200 and takes 20 of her 50 along; the 30 that she owes for are Bob's, who lent her his money."""
    before = {name: (venue.money(name), venue.tokens(name)) for name in ("alice", "bob", "carol")}
    stop(venue)
    leave_all(venue)
    assert venue.tokens("carol") == before["carol"][1] + 20 * UNIT
    assert venue.tokens("alice") == before["alice"][1] + 20 * UNIT
    assert (
        venue.rollup.call("forfeited", ETH) == 30 * UNIT
        and venue.rollup.call("claims", owner(venue, "bob")) == 400 * UNIT
    )
    settle(venue)
    left = venue.rollup.call("vault")
    assert left == 101 * UNIT
    bob, carol = (venue.money(name) - before[name][0] for name in ("bob", "carol"))
    assert (bob + carol) in (left, left - 1) and venue.money("alice") == before["alice"][0]
    assert venue.tokens("bob") - before["bob"][1] in range(30 * UNIT * 400 // 401 - 1, 30 * UNIT + 1)
    assert venue.tokens("carol") - before["carol"][1] - 20 * UNIT in range(30 * UNIT // 401 - 1, 30 * UNIT // 401 + 1)
    assert venue.assets[ETH].call("balanceOf", venue.rollup.address) <= 1


def owner(venue: AssetVenue, name: str) -> bytes:
    return address_of(venue.owner(name))


def test_who_owes_more_than_he_holds_takes_nothing(venue: AssetVenue) -> None:
    """At a price of 5 her 50 are worth 250, and she owes 300: all of them are for those who lent."""
    venue.advance(venue.tick_of(PRICE, 5 << 16))
    tokens = venue.tokens("alice")
    stop(venue)
    leave_all(venue)
    assert venue.tokens("alice") == tokens and venue.rollup.call("forfeited", ETH) == 50 * UNIT
    settle(venue)
    assert venue.tokens("bob") > 49 * UNIT


def test_nobody_is_paid_more_than_his_claim(venue: AssetVenue) -> None:
    """Where Bob's claim is short by less than what was left behind is worth, he has that much of it: Carol's loan to
    Alice was repaid by nobody."""
    venue.ask("carol", "deposit", CAROL, 250 * UNIT)
    venue.advance(venue.tick_of(PRICE, P_ETH), *venue.queued())
    stop(venue)
    venue.escape(BOB)
    venue.leave(cells=range(HEAD, HEAD + 3))
    venue.chain.wait(venue.terms.claims + 1)
    bob = owner(venue, "bob")
    venue.rollup.transact(venue.operator, "settle", bob)
    short = 400 - 351
    assert venue.rollup.call("payable_to", bob) == 351 * UNIT
    assert abs(venue.rollup.call("payable_of", ETH, bob) - short * UNIT // 10) <= 1


def test_claims_of_assets_once_and_late(venue: AssetVenue) -> None:
    """What an account can take along it can take along later too."""
    tokens = venue.tokens("carol")
    stop(venue)
    venue.chain.wait(venue.terms.claims + 60)
    venue.escape(CAROL)
    with pytest.raises(Reverted, match="escaped"):
        venue.escape(CAROL)
    assert venue.tokens("carol") == tokens + 20 * UNIT
    venue.leave(cells=range(HEAD, HEAD + 3))
    assert venue.rollup.call("forfeited", ETH) == 0


def test_a_supply_that_was_not_consumed_comes_back_once(venue: AssetVenue) -> None:
    tokens = venue.tokens("carol")
    venue.ask("carol", "supply", CAROL, 7 * UNIT)
    venue.ask("carol", "request_redemption", CAROL, 7 * UNIT)
    index = venue.state.queue
    venue.chain.wait(venue.terms.queue + 1)
    venue.ask("bob", "freeze")
    refused(venue, "no deposit, or refunded", "bob", "refund", index + 1)
    venue.ask("bob", "refund", index)
    refused(venue, "no deposit, or refunded", "bob", "refund", index)
    assert venue.tokens("carol") == tokens and venue.rollup.call("queued_supplies", ETH) == 0


def test_traded_assets_are_their_buyers(venue: AssetVenue) -> None:
    """Carol sells half of hers to Alice, who pays by more debt."""
    venue.advance(venue.tick_of(PRICE, P_ETH), Trade(ETHER, CAROL, 10 * UNIT, 1, 100 * UNIT, 0, 0))
    tokens = venue.tokens("carol")
    stop(venue)
    leave_all(venue)
    assert venue.tokens("carol") == tokens + 10 * UNIT
    assert venue.rollup.call("claims", owner(venue, "carol")) == 101 * UNIT
    assert venue.rollup.call("forfeited", ETH) == 40 * UNIT
