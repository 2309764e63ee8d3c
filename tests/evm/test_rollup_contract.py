"""The rollup contract: what it lets in and out, and each way to cheat it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from circuits.field import MODULUS
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.statement import Statement
from circuits.margin.tiers import build_tiers
from tests.evm.venue import FEE_CELL, INSURANCE_CELL, UNIT, Venue, address_of
from zkmargin.evm.chain import CHAIN_ID, Reverted
from zkmargin.evm.deploy import DAY, Terms, verify_calldata
from zkmargin.evm.oracle import entries, entry
from zkmargin.transactions import Tick, Trade

ALICE, BOB = 2, 3
GENESIS, PRICE = 1_700_000_000, 100 << 16
SHAPE = Shape(32, 16, 8, True, 8)
HOSTILE = Path(__file__).with_name("hostile.vy")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1


def rules() -> Parameters:
    """One market at 100 quote units a base unit."""
    tiers = build_tiers([(0, 655, 1311)], cap=1 << 68)
    markets = (Market("BTC", 1 << 20, tiers, PRICE, 0),)
    return Parameters(markets, FEE_CELL, INSURANCE_CELL, 3277, 1 << 14, 655, 3277, GENESIS)


@dataclass(frozen=True)
class Stage:
    """A venue with a first batch, which opens two accounts; waiting, live: take it back to before and behind it."""

    venue: Venue
    statement: Statement
    proof: bytes
    waiting: Callable[[], None]
    live: Callable[[], None]


@cache
def stage() -> Stage:
    venue = Venue(rules(), SHAPE)
    for cell, name in ((ALICE, "alice"), (BOB, "bob")):
        venue.rollup.transact(venue.owner(name), "open_account", cell, 0, 100 * UNIT)
    venue.owner("governor")
    venue.rollup.transact(venue.governor, "deposit", INSURANCE_CELL, 10 * UNIT)
    untouched = venue.keep()
    statement, proof = venue.prove(venue.batch(venue.tick((PRICE, 0)), *venue.queued()))
    proven = venue.state
    untouched()
    waiting = venue.keep()
    venue.send(statement, proof)
    venue.state, venue.root = proven, statement.new
    venue.statements.append(statement)
    return Stage(venue, statement, proof, waiting, venue.keep())


@pytest.fixture
def waiting() -> Stage:
    """Before the first batch."""
    stage().waiting()
    return stage()


@pytest.fixture
def live() -> Venue:
    """Behind the first batch."""
    stage().live()
    return stage().venue


@pytest.fixture
def frozen(live: Venue) -> Venue:
    """Frozen since the operator left a withdrawal of Alice's unanswered."""
    live.rollup.transact(live.owner("alice"), "request_withdrawal", ALICE, UNIT)
    live.chain.wait(live.terms.queue + 1)
    live.rollup.transact(live.owner("stranger"), "freeze")
    return live


def refused(reason: str, venue: Venue, sender: LocalAccount, name: str, *arguments: Any) -> None:
    """The contract refuses for this reason, and nothing but the sender's gas is gone."""
    with pytest.raises(Reverted) as caught:
        venue.rollup.transact(sender, name, *arguments)
    assert caught.value.reason == reason


def submission_refused(reason: str, stage: Stage, statement: Statement, told: bytes | None = None) -> None:
    with pytest.raises(Reverted) as caught:
        stage.venue.send(statement, stage.proof, told)
    assert caught.value.reason == reason


def test_deposits_go_in_and_withdrawals_out(live: Venue) -> None:
    alice = live.owner("alice")
    assert live.rollup.call("vault") == 210 * UNIT and live.rollup.call("queued_deposits") == 0
    live.rollup.transact(alice, "request_withdrawal", ALICE, 30 * UNIT)
    live.rollup.transact(alice, "deposit", ALICE, 5 * UNIT)
    live.rollup.transact(live.owner("bob"), "request_withdrawal", BOB, 1000 * UNIT)
    receipt = live.advance(live.tick((PRICE, 0)), *live.queued())
    assert [event["outcome"] for event in live.rollup.events(receipt, "Consumed")] == [1, 1, 0]
    assert live.rollup.call("vault") == 185 * UNIT
    before = live.holds(address_of(alice))
    live.rollup.transact(live.owner("stranger"), "withdraw", address_of(alice))
    assert live.holds(address_of(alice)) == before + 30 * UNIT
    live.rollup.transact(live.owner("stranger"), "withdraw", address_of(alice))
    assert live.holds(address_of(alice)) == before + 30 * UNIT
    assert live.holds(live.rollup.address) == 185 * UNIT


def test_fees_are_the_governors(live: Venue) -> None:
    """A withdrawal from the fee cell before anything was collected is refused with proof: the queue goes on."""
    live.rollup.transact(live.governor, "request_withdrawal", FEE_CELL, 1)
    trade = Trade(ALICE, BOB, UNIT, 1, 100 * UNIT, 12_345, 678)
    live.advance(live.tick((PRICE, 0)), *live.queued(), trade)
    live.rollup.transact(live.governor, "request_withdrawal", FEE_CELL, 12_345 + 678)
    live.rollup.transact(live.governor, "request_withdrawal", FEE_CELL, 1)
    receipt = live.advance(live.tick((PRICE, 0)), *live.queued())
    assert [row.outcome for row in live.statements[-2].l1] == [0]
    assert [event["outcome"] for event in live.rollup.events(receipt, "Consumed")] == [1, 0]
    assert live.rollup.call("payable_to", address_of(live.governor)) == 12_345 + 678


def test_closing_an_account_frees_its_cell(live: Venue) -> None:
    alice, bob = live.owner("alice"), live.owner("bob")
    live.rollup.transact(alice, "request_close", ALICE)
    refused("closing", live, alice, "deposit", ALICE, UNIT)
    live.advance(live.tick((PRICE, 0)), *live.queued())  # refused: there is collateral in it
    live.rollup.transact(alice, "request_withdrawal", ALICE, 100 * UNIT)
    live.rollup.transact(alice, "request_close", ALICE)
    refused("the cell is in use", live, bob, "open_account", ALICE, 0, 5 * UNIT)
    live.advance(live.tick((PRICE, 0)), *live.queued())
    live.rollup.transact(bob, "open_account", ALICE, 0, 5 * UNIT)
    refused("not the owner", live, alice, "deposit", ALICE, UNIT)


@pytest.mark.parametrize(
    ("reason", "name", "call", "arguments"),
    [
        ("no such cell", "alice", "open_account", (16, 0, 5 * UNIT)),
        ("no such cell", "alice", "open_account", (FEE_CELL, 0, 5 * UNIT)),
        ("no such cell", "alice", "open_account", (INSURANCE_CELL, 0, 5 * UNIT)),
        ("the cell is in use", "bob", "open_account", (ALICE, 0, 5 * UNIT)),
        ("no such market", "alice", "open_account", (5, 1, 5 * UNIT)),
        ("too small a deposit", "alice", "open_account", (5, 0, UNIT - 1)),
        ("amount", "alice", "open_account", (5, 0, 1 << 56)),
        ("not the owner", "bob", "deposit", (ALICE, UNIT)),
        ("not the owner", "alice", "deposit", (5, UNIT)),
        ("not the owner", "alice", "deposit", (FEE_CELL, UNIT)),
        ("not the governor", "alice", "deposit", (INSURANCE_CELL, UNIT)),
        ("amount", "alice", "deposit", (ALICE, 0)),
        ("amount", "alice", "deposit", (ALICE, 1 << 56)),
        ("not the owner", "bob", "request_withdrawal", (ALICE, UNIT)),
        ("not the owner", "governor", "request_withdrawal", (INSURANCE_CELL, UNIT)),
        ("not the governor", "alice", "request_withdrawal", (FEE_CELL, UNIT)),
        ("amount", "alice", "request_withdrawal", (ALICE, 0)),
        ("amount", "alice", "request_withdrawal", (ALICE, 1 << 56)),
        ("not the owner", "bob", "request_close", (ALICE,)),
        ("not the owner", "governor", "request_close", (FEE_CELL,)),
        ("nothing is due", "bob", "freeze", ()),
        ("not frozen", "bob", "refund", (0,)),
        ("claims are still open", "bob", "settle", (bytes(20),)),
        ("not the governor", "bob", "propose", (bytes(20), [], 0)),
        ("notice", "bob", "adopt", ()),
    ],
)
def test_requests_that_are_refused(reason: str, name: str, call: str, arguments: tuple[Any, ...], live: Venue) -> None:
    refused(reason, live, live.owner(name), call, *arguments)


def test_only_the_operator_submits_and_only_calls_of_verify(waiting: Stage) -> None:
    venue, statement, proof = waiting.venue, waiting.statement, waiting.proof
    call, told = verify_calldata(statement.encode(), proof), venue.entries(statement)
    refused("not the operator", venue, venue.owner("alice"), "submit_batch", call, told)
    refused("encoding", venue, venue.operator, "submit_batch", b"\0\0\0\0" + call[4:], told)
    submission_refused("proof", replace(waiting, proof=proof[:-32] + bytes(32)), statement)
    venue.send(statement, proof)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("of another rollup", {"chain": 1}),
        ("of another rollup", {"contract": 1}),
        ("not the next batch", {"batch": 1}),
        ("not from this state", {"old": (1, 2)}),
        ("not the next of the queue", {"next_queue": 1}),
        ("proof", {"new": (1, 2)}),
        ("proof", {"l1": ()}),
        ("proof", {"diff": ()}),
    ],
)
def test_statements_of_something_else(reason: str, change: dict[str, Any], waiting: Stage) -> None:
    submission_refused(reason, waiting, replace(waiting.statement, **change))


def test_replay(live: Venue) -> None:
    submission_refused("not the next batch", stage(), stage().statement)
    again = replace(stage().statement, batch=1)
    submission_refused("not from this state", stage(), again)
    again = replace(again, old=again.new)
    submission_refused("last oracle rows", stage(), again)


def test_the_queue_as_it_is(waiting: Stage) -> None:
    """Skipped, listed twice, reordered, another kind, cell or amount, beyond its end."""
    rows = waiting.statement.l1
    others = [
        (rows[1], rows[0], *rows[2:]),
        (rows[0], rows[1], rows[1], *rows[3:]),
        rows[1:],
        (*rows[:1], replace(rows[1], amount=200 * UNIT), *rows[2:]),
        (*rows[:1], replace(rows[1], cell=BOB), *rows[2:]),
        (*rows[:1], replace(rows[1], kind=4), *rows[2:]),
        (*rows[:1], replace(rows[1], kind=3 + (1 << 8)), *rows[2:]),
        (*rows[:1], replace(rows[1], amount=100 * UNIT + (1 << 64)), *rows[2:]),
    ]
    for other in others:
        submission_refused("not what was queued", waiting, replace(waiting.statement, l1=other))
    submission_refused("beyond the queue", waiting, replace(waiting.statement, l1=(*rows, *rows)))
    refusal = (*rows[:1], replace(rows[1], outcome=0), *rows[2:])
    submission_refused("outcome", waiting, replace(waiting.statement, l1=refusal))


def attested(venue: Venue, statement: Statement) -> dict[str, tuple[str, bytes]]:
    """Entries that are not what they should be, and the reason."""
    rows, home = statement.oracle, (CHAIN_ID, venue.rollup.address)
    a, b = sorted(venue.oracles[:2], key=lambda signer: int(signer.address, 16))
    stranger, time = venue.chain.account("stranger"), rows[0].time
    higher = [replace(row, price=row.price + 1) for row in rows]
    moved = [replace(row, index=row.index - 1) for row in rows]
    good_a, good_b = (entry(signer, time, rows, *home) for signer in (a, b))
    s, v = int.from_bytes(good_a[32:64], "big"), good_a[95]
    flipped = good_a[:32] + (ORDER - s).to_bytes(32, "big") + bytes(31) + bytes([55 - v]) + good_a[96:]
    unknown, disorder = "attestations: not a signer", "attestations: a signer twice, or out of order"
    return {
        "too few": ("attestations: length", good_a),
        "too many": ("attestations: length", good_a + good_b + good_b),
        "twice": (disorder, good_a + good_a),
        "out of order": (disorder, good_b + good_a),
        "a stranger": (unknown, entry(stranger, time, rows, *home) + good_b),
        "another time": (unknown, entry(a, time + 1, rows, *home) + good_b),
        "another chain": (unknown, entry(a, time, rows, 1, home[1]) + good_b),
        "another contract": (unknown, entry(a, time, rows, CHAIN_ID, bytes(20)) + good_b),
        "other rows": (unknown, good_a[:96] + entry(a, time, higher, *home)[96:] + good_b),
        "no signature": (unknown, bytes(96) + good_a[96:] + good_b),
        "a flipped signature": ("attestations: signature", flipped + good_b),
        "all saw a higher price": ("attestations: not the median", entries(higher, [a, b], *home)),
        "all saw a lower index": ("attestations: not the median", entries(moved, [a, b], *home)),
    }


ATTESTED = (
    "too few", "too many", "twice", "out of order", "a stranger", "another time", "another chain", "another contract",
    "other rows", "no signature", "a flipped signature", "all saw a higher price", "all saw a lower index",
)  # fmt: skip


@pytest.mark.parametrize("name", ATTESTED)
def test_oracle_rows_that_no_quorum_signed(name: str, waiting: Stage) -> None:
    reason, told = attested(waiting.venue, waiting.statement)[name]
    submission_refused(reason, waiting, waiting.statement, told)


def test_a_median_between_two_signers(waiting: Stage) -> None:
    venue, rows, home = waiting.venue, waiting.statement.oracle, (CHAIN_ID, waiting.venue.rollup.address)
    a, b = sorted(venue.oracles[:2], key=lambda signer: int(signer.address, 16))
    lower, higher = ([replace(row, price=row.price + by) for row in rows] for by in (-5, 7))
    told = entry(a, rows[0].time, lower, *home) + entry(b, rows[0].time, higher, *home)
    venue.send(waiting.statement, waiting.proof, told)


def test_oracle_rows_of_another_time(waiting: Stage) -> None:
    venue = waiting.venue
    venue.chain.wait(venue.terms.fresh + 60)
    submission_refused("stale oracle rows", waiting, waiting.statement)
    venue.chain.time = waiting.statement.oracle[0].time - 1000
    submission_refused("oracle rows of the future", waiting, waiting.statement)


def test_nobody_is_judged_by_a_price_of_long_ago(live: Venue) -> None:
    """Which an operator who waited knows to have been the lowest."""
    live.chain.wait(live.terms.fresh + 60)
    restore, long_ago = live.keep(), Tick(live.state.time + 1, ((PRICE - 1, 0),))
    statement, proof = live.prove(live.batch(long_ago, live.tick((PRICE, 0))))
    with pytest.raises(Reverted, match="stale oracle rows"):
        live.send(statement, proof)
    restore()
    live.send(*live.prove(live.batch(live.tick((PRICE, 0)))))


def test_a_tick_of_the_same_time_repeats_the_rows(live: Venue) -> None:
    """Oracles who sign two prices of one second do not let the operator choose between them, or go back and forth."""
    restore = live.keep()
    statement, proof = live.prove(live.batch(Tick(live.state.time, ((PRICE + 1, 0),))))
    with pytest.raises(Reverted, match="another row of the same time"):
        live.send(statement, proof)
    restore()
    later = live.tick((PRICE + 1, 0))
    statement, proof = live.prove(live.batch(Tick(live.state.time, ((PRICE, 0),)), later, later))
    live.send(statement, proof)


def test_a_token_that_calls_back() -> None:
    venue = Venue(rules(), SHAPE, HOSTILE.read_text())
    mallory = venue.owner("mallory")
    venue.token.transact(mallory, "turn", False, 1)
    refused("transfer", venue, mallory, "open_account", ALICE, 0, 5 * UNIT)
    venue.token.transact(mallory, "turn", False, 0)
    venue.rollup.transact(mallory, "open_account", ALICE, 0, 5 * UNIT)
    venue.rollup.transact(mallory, "request_withdrawal", ALICE, UNIT)
    venue.advance(venue.tick((PRICE, 0)), *venue.queued())
    venue.token.transact(mallory, "turn", True, 0)
    with pytest.raises(Reverted):
        venue.rollup.transact(mallory, "withdraw", address_of(mallory))
    venue.token.transact(mallory, "turn", False, 0)
    venue.rollup.transact(mallory, "withdraw", address_of(mallory))
    assert venue.holds(venue.rollup.address) == 4 * UNIT


def test_nothing_moves_after_a_freeze(frozen: Venue) -> None:
    alice = frozen.owner("alice")
    statement, proof = frozen.prove(frozen.batch(frozen.tick((PRICE, 0)), *frozen.queued()))
    with pytest.raises(Reverted, match="frozen"):
        frozen.send(statement, proof)
    for call, arguments in (
        ("freeze", ()),
        ("deposit", (ALICE, UNIT)),
        ("request_withdrawal", (ALICE, UNIT)),
        ("open_account", (5, 0, 5 * UNIT)),
    ):
        refused("frozen", frozen, alice, call, *arguments)
    refused("frozen", frozen, frozen.governor, "propose", frozen.verifier, [], 0)
    refused("frozen", frozen, frozen.governor, "adopt")


def test_a_freeze_waits_for_the_deadline(live: Venue) -> None:
    live.rollup.transact(live.owner("alice"), "request_withdrawal", ALICE, UNIT)
    live.chain.wait(live.terms.queue - 30)
    refused("nothing is due", live, live.owner("bob"), "freeze")
    live.chain.wait(30)
    live.rollup.transact(live.owner("bob"), "freeze")


def test_many_requests_at_once_are_due_one_after_the_other(live: Venue) -> None:
    """Whoever fills the queue puts off his own deadlines: the operator has time for each item."""
    alice, first = live.owner("alice"), live.rollup.call("queue_end")
    for _ in range(4):
        live.rollup.transact(alice, "request_withdrawal", ALICE, UNIT)
        live.chain.time -= 12  # all in one second
    deadlines = [live.rollup.call("request", first + i)[3] for i in range(4)]
    assert [later - deadlines[0] for later in deadlines] == [0, 5, 10, 15]
    live.chain.wait(60)
    live.rollup.transact(alice, "request_withdrawal", ALICE, UNIT)
    assert live.rollup.call("request", first + 4)[3] == live.chain.time + live.terms.queue


def test_deposits_that_were_not_consumed_come_back_once(live: Venue) -> None:
    alice = live.owner("alice")
    live.rollup.transact(alice, "deposit", ALICE, 7 * UNIT)
    live.rollup.transact(alice, "request_withdrawal", ALICE, UNIT)
    index = live.state.queue
    live.chain.wait(live.terms.queue + 1)
    live.rollup.transact(alice, "freeze")
    refused("not in the queue", live, alice, "refund", index - 1)
    refused("not in the queue", live, alice, "refund", index + 2)
    refused("no deposit, or refunded", live, alice, "refund", index + 1)
    before = live.holds(address_of(alice))
    live.rollup.transact(alice, "refund", index)
    refused("no deposit, or refunded", live, alice, "refund", index)
    live.rollup.transact(alice, "withdraw", address_of(alice))
    assert live.holds(address_of(alice)) == before + 7 * UNIT and live.rollup.call("queued_deposits") == 0


def test_an_escape_is_for_what_the_cell_holds_once(frozen: Venue) -> None:
    alice, opening, other = frozen.owner("alice"), frozen.opening(ALICE), frozen.opening(BOB)
    assert opening.proof is not None and other.proof is not None
    false = "not what the cell holds"
    rows = frozen.rows()
    for cell, content, proof in (
        (ALICE, opening.content + 1, opening.proof),
        (ALICE, other.content, other.proof),
        (BOB, opening.content, opening.proof),
        (ALICE, opening.content, (0, 0)),
        (5, opening.content, opening.proof),
    ):
        refused(false, frozen, alice, "escape", cell, content, proof, rows)
    refused("cell or content", frozen, alice, "escape", ALICE, opening.content + MODULUS, opening.proof, rows)
    refused("cell or content", frozen, alice, "escape", 16, opening.content, opening.proof, rows)
    refused("oracle rows", frozen, alice, "escape", ALICE, opening.content, opening.proof, bytes(len(rows)))
    empty = frozen.opening(5)
    refused("no account", frozen, alice, "escape", 5, empty.content, empty.proof or (0, 0), rows)
    frozen.escape(ALICE)
    refused("escaped", frozen, alice, "escape", ALICE, opening.content, opening.proof, rows)
    refused("claims are still open", frozen, alice, "settle", address_of(alice))
    system = frozen.opening(INSURANCE_CELL)
    reason = "the owners of accounts come first"
    refused(reason, frozen, alice, "escape", INSURANCE_CELL, system.content, system.proof or (0, 0), rows)


def test_an_escape_asks_for_a_freeze(live: Venue) -> None:
    opening = live.opening(ALICE)
    refused(
        "not frozen", live, live.owner("alice"), "escape", ALICE, opening.content, opening.proof or (0, 0), live.rows()
    )


def test_another_verifier_after_its_notice(live: Venue) -> None:
    governor, signers = live.governor, [address_of(live.chain.account("new oracle"))]
    refused("no contract", live, governor, "propose", bytes(20), signers, 1)
    twice, nobody = sorted([signers[0], signers[0]]), [bytes(20), *signers]
    for wrong, threshold, why in (
        (twice, 2, "signers"),
        (nobody, 2, "signers"),
        (signers, 2, "threshold"),
        ([], 0, "threshold"),
    ):
        refused(why, live, governor, "propose", live.verifier, wrong, threshold)
    live.rollup.transact(governor, "propose", live.verifier, signers, 1)
    told = live.rollup.call("proposal")
    assert told[0] == "0x" + live.verifier.hex() and told[1] == ("0x" + signers[0].hex(),) and told[2] == 1
    live.chain.wait(live.terms.notice - 60)
    refused("notice", live, governor, "adopt")
    live.chain.wait(60)
    receipt = live.rollup.transact(live.owner("stranger"), "adopt")
    [event] = live.rollup.events(receipt, "Adopted")
    assert event["key"] == live.key.verifying.digest
    refused("notice", live, governor, "adopt")
    assert live.rollup.call("signers", signers[0]) and not live.rollup.call("signers", address_of(live.oracles[0]))


def test_what_is_not_adopted_lapses(live: Venue) -> None:
    signers = [address_of(live.chain.account("new oracle"))]
    live.rollup.transact(live.governor, "propose", live.verifier, signers, 1)
    live.chain.wait(2 * live.terms.notice + 60)
    refused("lapsed", live, live.governor, "adopt")
    live.rollup.transact(live.governor, "propose", live.verifier, signers, 1)
    live.chain.wait(live.terms.notice + 60)
    live.rollup.transact(live.governor, "adopt")


@pytest.mark.parametrize(
    "terms",
    [
        {"notice": 6 * DAY - 1},
        {"threshold": 1},
        {"threshold": 4},
        {"signers": (bytes(20), b"\1" * 20, b"\2" * 20)},
        {"signers": (b"\1" * 20, b"\1" * 20)},
        {"least_deposit": 0},
    ],
)
def test_terms_that_no_contract_is_made_of(terms: dict[str, Any], live: Venue) -> None:
    made: Terms = replace(live.terms, **terms)
    with pytest.raises(Reverted):
        live.deploy(made)
