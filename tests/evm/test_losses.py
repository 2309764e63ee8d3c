"""Keys whose batches end with a sweep: the contract reads the sums over the book, and shares what is lost."""

from dataclasses import asdict, replace
from fractions import Fraction
from functools import cache
from random import Random

import pytest

from circuits.margin.cell import unpack
from circuits.margin.parameters import Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from circuits.margin.totals import COUNTS, SIGNED, Totals
from tests.evm.margin_arbiter import Arbiter, accepted_by_python
from tests.evm.test_end_to_end import OWNERS, everyone_leaves, stop, value_of
from tests.evm.test_rollup_contract import ALICE, BOB, PRICE, rules
from tests.evm.test_verifier_contract import THE_PROOF, changed_word, resized, swapped_words
from tests.evm.venue import FEE_CELL, INSURANCE_CELL, UNIT, Venue, address_of
from verifier.evm.contracts import rollup_sources
from zkmargin.evm.chain import CHAIN_ID, Reverted
from zkmargin.evm.deploy import deploy_rollup
from zkmargin.state import State
from zkmargin.transactions import Tick, Trade

SHAPE = Shape(32, 16, 8, True, 8, sweep=True)
WHOLE = 1 << 32
CAROL = 4


@cache
def begun() -> tuple[Venue, object]:
    """Three accounts; Bob is short four units, and has collateral for half of what he owes when the price doubles."""
    venue = Venue(rules(), SHAPE)
    for cell, name in OWNERS.items():
        venue.rollup.transact(venue.owner(name), "open_account", cell, 0, (200 if cell == BOB else 300) * UNIT)
    venue.owner("governor")
    venue.rollup.transact(venue.governor, "deposit", INSURANCE_CELL, 20 * UNIT)
    trades = Trade(ALICE, BOB, 3 * UNIT, 1, 300 * UNIT, 5, 5), Trade(CAROL, BOB, UNIT, 1, 100 * UNIT, 0, 0)
    venue.advance(tick(venue, PRICE), *venue.queued(), *trades)
    return venue, venue.keep()


@pytest.fixture
def venue() -> Venue:
    made, back = begun()
    back()  # type: ignore[operator]
    return made


def tick(venue: Venue, price: int) -> Tick:
    venue.chain.wait(3600)
    return venue.tick((price, 0))


def statement_of(venue: Venue) -> tuple[Statement, bytes]:
    restore = venue.keep()
    pair = venue.prove(venue.batch(tick(venue, PRICE)))
    restore()
    return pair


@cache
def arbiter() -> tuple[Arbiter, Venue, Statement, bytes]:
    made, back = begun()
    back()  # type: ignore[operator]
    return Arbiter(made.key.verifying), made, *statement_of(made)


def test_the_contract_reads_sweeps() -> None:
    judge, _, statement, proof = arbiter()
    assert statement.sweep is not None and judge.refusal(statement.encode(), proof) is None


@pytest.mark.parametrize("name", asdict(Totals(*[0] * 11)))
def test_sums_at_their_edges(name: str) -> None:
    """The contract refuses the sums that Python refuses, and all others but the true ones by the proof."""
    judge, made, statement, proof = arbiter()
    assert statement.sweep is not None
    most = SHAPE.cells if name in COUNTS else 1 << 192
    least = -most if name in SIGNED else 0
    for value in (least, most, least - 1, most + 1, getattr(statement.sweep.totals, name) + 1):
        sweep = replace(statement.sweep, totals=replace(statement.sweep.totals, **{name: value}))
        told = replace(statement, sweep=sweep)
        refusal = judge.refusal(told.encode(), proof)
        if least <= value <= most:
            assert told == statement or refusal == THE_PROOF
        else:
            assert refusal not in (None, THE_PROOF)
            with pytest.raises(InvalidStatement):
                check_statement(told, made.parameters, SHAPE)


@pytest.mark.parametrize("changes", [{"sweep": None}, {"unsettled": (0,)}, {"scenarios": ((),)}])
def test_other_sections(changes: dict[str, object]) -> None:
    judge, made, statement, proof = arbiter()
    assert statement.sweep is not None
    if "unsettled" in changes:
        changes = {"sweep": replace(statement.sweep, unsettled=(0,))}
    told = replace(statement, **changes)  # type: ignore[arg-type]
    assert judge.refusal(told.encode(), proof) not in (None, THE_PROOF)
    with pytest.raises(InvalidStatement):
        check_statement(told, made.parameters, SHAPE)


def test_mutated_sections() -> None:
    rng, (judge, made, statement, proof) = Random(3), arbiter()
    honest = statement.encode()
    tail = len(honest) - 32 * 14
    for _ in range(30):
        change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
        data = honest[:tail] + change(rng, honest[tail:])
        if data == honest:
            continue
        assert judge.refusal(data, proof) is not None, data.hex()
        try:
            assert not accepted_by_python(made.key.verifying, Statement.decode(data), proof)
        except InvalidStatement:
            continue


def test_nothing_is_lost_where_the_insurance_pays(venue: Venue) -> None:
    """Bob's deficit is less than the insurance holds: others' units are whole."""
    price = PRICE * 3 // 2 + (2 << 16)  # he owes 208, has 200, and the insurance 20
    venue.advance(tick(venue, price))
    assert value_of(venue, BOB) < 0 and venue.rollup.call("factor") == WHOLE


def in_ratios(venue: Venue, vault: int, withdrawn: int) -> Fraction:
    """What a unit is worth, from the rules' words."""
    owed = sum((max(value_of(venue, cell), Fraction(0)) for cell in OWNERS), Fraction(0))
    return Fraction(vault) / (owed + unpack(venue.state.cells[FEE_CELL]).collateral + withdrawn)


def test_what_is_lost_is_shared_in_the_batch_that_shows_it(venue: Venue) -> None:
    """By those who withdraw in it too: more than the vault holds is no reason for a freeze."""
    vault, asked = venue.rollup.call("vault"), {"alice": 500 * UNIT, "carol": 390 * UNIT}
    for cell, name in ((ALICE, "alice"), (CAROL, "carol")):
        venue.rollup.transact(venue.owner(name), "request_withdrawal", cell, asked[name])
    receipt = venue.advance(tick(venue, 2 * PRICE), *venue.queued())
    factor, units = venue.rollup.call("factor"), sum(asked.values())
    assert [row.outcome for row in venue.statements[-1].l1] == [1, 1] and units > vault
    assert factor == int(in_ratios(venue, vault, units) * WHOLE) < WHOLE
    sweep = venue.statements[-1].sweep
    assert sweep is not None and factor == sweep.totals.loss_factor(WHOLE, vault, units)
    assert venue.rollup.events(receipt, "LossShared") == [{"batch": 1, "factor": factor}]
    paid = {name: units * factor // WHOLE for name, units in asked.items()}
    assert {name: venue.rollup.call("payable_to", address_of(venue.owner(name))) for name in asked} == paid
    assert venue.rollup.call("vault") == vault - sum(paid.values()) > 0


def test_the_factor_never_rises(venue: Venue) -> None:
    venue.advance(tick(venue, 2 * PRICE))
    factor = venue.rollup.call("factor")
    venue.advance(tick(venue, PRICE))
    assert value_of(venue, BOB) > 0 and venue.rollup.call("factor") == factor < WHOLE


def test_a_newcomer_pays_for_no_old_losses(venue: Venue) -> None:
    """His tokens are more units, and come back to a unit; the others' share does not change."""
    venue.advance(tick(venue, 2 * PRICE))
    factor, vault, tokens = venue.rollup.call("factor"), venue.rollup.call("vault"), 50 * UNIT + 7
    dave = venue.owner("dave")
    before = venue.holds(address_of(dave))
    venue.rollup.transact(dave, "open_account", 5, 0, tokens)
    venue.advance(tick(venue, 2 * PRICE), *venue.queued())
    units = unpack(venue.state.cells[5]).collateral
    assert units == tokens * WHOLE // factor > tokens and venue.rollup.call("factor") in (factor, factor - 1)
    venue.rollup.transact(dave, "request_withdrawal", 5, units)
    venue.advance(tick(venue, 2 * PRICE), *venue.queued())
    venue.rollup.transact(dave, "withdraw", address_of(dave))
    assert 0 <= before - venue.holds(address_of(dave)) <= 2 and venue.rollup.call("vault") - vault in (0, 1, 2)


def test_an_operator_who_credits_other_units_is_refused(venue: Venue) -> None:
    venue.advance(tick(venue, 2 * PRICE))
    venue.rollup.transact(venue.owner("alice"), "deposit", ALICE, UNIT)
    [request] = venue.queued()
    wrong = type(request)(request.cell, request.amount + 1, request.queue)  # type: ignore[call-arg, union-attr]
    statement, proof = venue.prove(venue.batch(tick(venue, 2 * PRICE), wrong))
    with pytest.raises(Reverted, match="not what was queued"):
        venue.send(statement, proof)


def test_a_refund_is_of_what_was_paid_in(venue: Venue) -> None:
    venue.advance(tick(venue, 2 * PRICE))
    alice = venue.owner("alice")
    before, index = venue.holds(address_of(alice)), venue.rollup.call("queue_end")
    venue.rollup.transact(alice, "deposit", ALICE, UNIT)
    venue.chain.wait(venue.terms.queue + 1)
    venue.rollup.transact(alice, "freeze")
    venue.rollup.transact(alice, "refund", index)
    venue.rollup.transact(alice, "withdraw", address_of(alice))
    assert venue.holds(address_of(alice)) == before


def test_everyone_escapes_with_his_share(venue: Venue) -> None:
    """Of what the last proven state says, and the vault ends with fractions of units."""
    venue.advance(tick(venue, 2 * PRICE))
    factor, vault = venue.rollup.call("factor"), venue.rollup.call("vault")
    stop(venue)
    values = {cell: int(max(value_of(venue, cell), 0)) for cell in OWNERS}
    assert everyone_leaves(venue) == {cell: value * factor // WHOLE for cell, value in values.items()}
    left = venue.holds(venue.rollup.address)
    assert 0 <= left <= 20 + vault * 2 // WHOLE


def test_who_has_next_to_nothing_left_is_frozen(venue: Venue) -> None:
    """Below 2^24 of 2^32 units would be too many for the state's digits."""
    venue.advance(tick(venue, 600 * PRICE))
    assert venue.rollup.call("factor") < 1 << 24 and venue.rollup.call("frozen_at") == venue.chain.time


def test_a_verifier_without_sweeps_is_none_for_this_rollup(venue: Venue) -> None:
    """What is read as sums would be bytes of the proof."""
    other = Venue(rules(), replace(SHAPE, sweep=False))
    sources = rollup_sources(venue.key.verifying)
    other.rollup = deploy_rollup(other.chain, other.operator, sources, other.verifier, other.terms)
    other.state = State.genesis(other.parameters, CHAIN_ID, int.from_bytes(other.rollup.address, "big"))
    statement, proof = other.prove(other.batch(other.tick((PRICE, 0))))
    with pytest.raises(Reverted, match="no sweep"):
        other.send(statement, proof)
