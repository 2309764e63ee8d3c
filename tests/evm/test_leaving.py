"""The code for leaving, in a contract of its own: it acts for the rollup, and for nobody else."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from tests.evm.test_rollup_contract import ALICE, HOSTILE, PRICE, SHAPE, rules
from tests.evm.venue import UNIT, Venue, address_of
from verifier.evm.contracts import rollup_sources
from zkmargin.evm.chain import Reverted
from zkmargin.evm.compile import compile_rollup
from zkmargin.evm.contract import Contract


@cache
def begun() -> tuple[Venue, Callable[[], None]]:
    """Frozen, with a deposit that was never consumed."""
    venue = Venue(rules(), SHAPE)
    venue.rollup.transact(venue.owner("alice"), "open_account", ALICE, 0, 100 * UNIT)
    venue.advance(venue.tick((PRICE, 0)), *venue.queued())
    venue.rollup.transact(venue.owner("alice"), "deposit", ALICE, 5 * UNIT)
    venue.chain.wait(venue.terms.queue + 1)
    venue.rollup.transact(venue.owner("alice"), "freeze")
    return venue, venue.keep()


@pytest.fixture
def venue() -> Venue:
    made, back = begun()
    back()
    return made


def leaving_of(venue: Venue) -> Contract:
    """The contract of the code, called by itself."""
    return replace(venue.rollup, address=bytes.fromhex(venue.rollup.call("LEAVING")[2:]))


def test_by_itself_it_does_nothing(venue: Venue) -> None:
    opening, stranger, code = venue.opening(ALICE), venue.owner("stranger"), leaving_of(venue)
    calls = {
        "refund": (2,),
        "escape": (ALICE, opening.content, opening.proof, venue.rows()),
        "escape_group": (1, [opening.content], [opening.proof], venue.rows()),
        "settle": (address_of(venue.owner("alice")),),
    }
    for name, arguments in calls.items():
        with pytest.raises(Reverted, match=r"not frozen|claims are still open"):
            code.transact(stranger, name, *arguments)


def test_the_rollup_runs_it_on_its_own_storage(venue: Venue) -> None:
    venue.escape(ALICE)
    venue.rollup.transact(venue.owner("stranger"), "refund", 2)
    alice, code = address_of(venue.owner("alice")), leaving_of(venue)
    assert venue.rollup.call("claims", alice) == 100 * UNIT and venue.rollup.call("escaped", ALICE)
    assert venue.rollup.call("payable_to", alice) == 5 * UNIT and venue.rollup.call("queued_deposits") == 0
    assert code.call("claims", alice) == 0 and not code.call("escaped", ALICE)


def test_nothing_else_is_handed_on_to_it(venue: Venue) -> None:
    """What neither of the two knows, and ether."""
    for data in (b"", b"\0", b"\xde\xad\xbe\xef", b"\xde\xad\xbe\xef" + bytes(64)):
        with pytest.raises(Reverted):
            venue.chain.transact(venue.owner("stranger"), venue.rollup.address, data)


def test_it_is_a_contract(venue: Venue) -> None:
    arguments = venue.terms.arguments(venue.verifier, bytes(20))
    with pytest.raises(Reverted):
        Contract.deploy(venue.chain, venue.operator, compile_rollup(rollup_sources(venue.key.verifying))[0], *arguments)


def test_the_lock_is_one() -> None:
    """A token that calls the handed-on code while the rollup pays."""
    venue = Venue(rules(), SHAPE, HOSTILE.read_text().replace("withdraw", "settle"))
    mallory = venue.owner("mallory")
    for name, *arguments in (("open_account", ALICE, 0, 5 * UNIT), ("request_withdrawal", ALICE, UNIT)):
        venue.rollup.transact(mallory, name, *arguments)
    venue.advance(venue.tick((PRICE, 0)), *venue.queued())
    venue.rollup.transact(mallory, "request_withdrawal", ALICE, UNIT)
    venue.chain.wait(venue.terms.queue + 1)
    venue.rollup.transact(mallory, "freeze")
    venue.chain.wait(venue.terms.claims + 1)
    venue.rollup.transact(mallory, "settle", address_of(mallory))
    venue.token.transact(mallory, "turn", True, 0)
    with pytest.raises(Reverted):
        venue.rollup.transact(mallory, "withdraw", address_of(mallory))
    venue.token.transact(mallory, "turn", False, 0)
    venue.rollup.transact(mallory, "withdraw", address_of(mallory))
    assert venue.holds(venue.rollup.address) == 4 * UNIT
