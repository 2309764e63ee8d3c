"""From deposits on the chain to the last escape: the vault ends at what the state says, to the unit."""

from fractions import Fraction

import pytest

from circuits.margin.cell import ACCOUNT, unpack
from circuits.margin.statement import InvalidStatement
from tests.evm.test_rollup_contract import ALICE, BOB, PRICE, SHAPE, rules
from tests.evm.venue import FEE_CELL, INSURANCE_CELL, UNIT, Venue, address_of
from zkmargin.evm.chain import Reverted
from zkmargin.evm.exit import open_cell, rebuild
from zkmargin.transactions import Trade

CAROL = 4
OWNERS = {ALICE: "alice", BOB: "bob", CAROL: "carol"}


def traded_venue() -> Venue:
    """Three accounts, positions of several sizes, fees and funding; every owner has a request that nobody answers."""
    venue = Venue(rules(), SHAPE)
    for cell, name in OWNERS.items():
        venue.rollup.transact(venue.owner(name), "open_account", cell, 0, 100 * UNIT + cell)
    venue.owner("governor")
    venue.rollup.transact(venue.governor, "deposit", INSURANCE_CELL, 2 * UNIT)
    venue.advance(
        venue.tick((PRICE, 0)),
        *venue.queued(),
        Trade(ALICE, BOB, 4 * UNIT, 1, 400 * UNIT, 12_345, 678),
        Trade(CAROL, BOB, 1 * UNIT, -1, -100 * UNIT, 1, 0),
    )
    venue.chain.wait(3600)
    venue.rollup.transact(venue.owner("carol"), "request_withdrawal", CAROL, 10 * UNIT)
    venue.advance(venue.tick((PRICE + 321, 54_321)), *venue.queued())
    venue.rollup.transact(venue.owner("carol"), "withdraw", address_of(venue.owner("carol")))
    return venue


def value_of(venue: Venue, address: int) -> Fraction:
    """What an account is worth at the last rows, by the rules in fractions: funding's ceiling is paid."""
    cell, (price, index) = unpack(venue.state.cells[address]), venue.state.rows[0]
    funding = -(-cell.position * (index - cell.index) // 2**32)
    return cell.collateral - funding + Fraction(cell.position * price, 2**16)


def stop(venue: Venue) -> None:
    """The operator stops; somebody freezes the rollup."""
    venue.rollup.transact(venue.owner("bob"), "request_withdrawal", BOB, 1)
    venue.chain.wait(venue.terms.queue + 1)
    venue.rollup.transact(venue.owner("stranger"), "freeze")


def everyone_leaves(venue: Venue) -> dict[int, int]:
    """Escapes from public data alone, settlements and withdrawals; what each account was paid."""
    cells = rebuild(venue.statements)
    assert cells == venue.state.cells
    stranger, paid = venue.chain.account("stranger"), {}
    for cell in OWNERS:
        opening = open_cell(cells, cell, SHAPE.cells, venue.srs, venue.backend)
        arguments = (cell, opening.content, opening.proof or (0, 0), venue.rows())
        venue.rollup.transact(stranger, "escape", *arguments)
    venue.chain.wait(venue.terms.claims + 1)
    for cell, name in OWNERS.items():
        owner = address_of(venue.owner(name))
        before = venue.holds(owner)
        venue.rollup.transact(stranger, "settle", owner)
        venue.rollup.transact(stranger, "settle", owner)
        venue.rollup.transact(stranger, "withdraw", owner)
        paid[cell] = venue.holds(owner) - before
    venue.chain.wait(venue.terms.claims + 1)
    for cell in (FEE_CELL, INSURANCE_CELL):
        venue.escape(cell)
    venue.rollup.transact(stranger, "withdraw", address_of(venue.governor))
    return paid


def test_the_operator_stops_and_everyone_leaves() -> None:
    venue = traded_venue()
    vault = venue.rollup.call("vault")
    assert vault == 292 * UNIT + sum(OWNERS) == venue.holds(venue.rollup.address)
    stop(venue)
    governor = venue.holds(address_of(venue.governor))
    paid = everyone_leaves(venue)
    values = {cell: value_of(venue, cell) for cell in OWNERS}
    assert paid == {cell: int(value) for cell, value in values.items()} and min(values.values()) > 0
    system = sum(unpack(venue.state.cells[cell]).collateral for cell in (FEE_CELL, INSURANCE_CELL))
    assert venue.holds(address_of(venue.governor)) == governor + system
    left = venue.holds(venue.rollup.address)
    assert left == vault - system - sum(paid.values())
    assert 0 <= left <= 2 * len(OWNERS)  # fractions of a unit: of each account's value and of its funding


def test_where_there_is_bad_debt_claims_share_what_is_left() -> None:
    """The price doubles: Bob, who is short, owes more than he has, and more than the insurance and the fees hold."""
    venue = traded_venue()
    venue.chain.wait(3600)
    venue.advance(venue.tick((2 * PRICE, 54_321)))
    vault = venue.rollup.call("vault")
    stop(venue)
    values = {cell: value_of(venue, cell) for cell in OWNERS}
    claims = {cell: int(max(value, 0)) for cell, value in values.items()}
    assert values[BOB] < 0 and sum(claims.values()) > vault
    governor = venue.holds(address_of(venue.governor))
    paid = everyone_leaves(venue)
    assert paid == {cell: claim * vault // sum(claims.values()) for cell, claim in claims.items()}
    assert paid[BOB] == 0 and venue.holds(address_of(venue.governor)) == governor
    assert 0 <= venue.holds(venue.rollup.address) <= len(OWNERS)


def test_a_withdrawal_that_the_vault_does_not_hold_ends_in_a_freeze() -> None:
    """Alice's gain is Bob's bad debt: the rules let her withdraw it, and the vault does not have it."""
    venue = traded_venue()
    venue.chain.wait(3600)
    vault = venue.rollup.call("vault")
    venue.rollup.transact(venue.owner("alice"), "request_withdrawal", ALICE, vault + 1)
    statement, proof = venue.prove(venue.batch(venue.tick((2 * PRICE, 54_321)), *venue.queued()))
    assert [row.outcome for row in statement.l1] == [1]
    with pytest.raises(Reverted, match="the vault does not hold it"):
        venue.send(statement, proof)
    venue.chain.wait(venue.terms.queue)
    venue.rollup.transact(venue.owner("bob"), "freeze")
    assert venue.rollup.call("vault") == vault


def test_a_late_claim_has_what_is_left() -> None:
    venue = traded_venue()
    stop(venue)
    venue.escape(ALICE)
    venue.chain.wait(venue.terms.claims + 1)
    venue.escape(BOB)
    bob, before = address_of(venue.owner("bob")), venue.holds(address_of(venue.owner("bob")))
    venue.rollup.transact(venue.owner("bob"), "withdraw", bob)
    assert venue.holds(bob) - before == int(value_of(venue, BOB))


def test_without_every_published_difference_nobody_rebuilds_the_state() -> None:
    venue = traded_venue()
    with pytest.raises(InvalidStatement, match="batch 0 is missing"):
        rebuild(venue.statements[1:])
    assert [unpack(content).kind for cell, content in rebuild(venue.statements).items() if cell in OWNERS] == [
        ACCOUNT
    ] * 3
