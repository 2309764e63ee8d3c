"""Orders on the chain: the contract of the rules says what `verify` says, and no order counts but its owner's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from circuits.margin.orders import ORDER_TYPE, ORDER_WORDS
from circuits.margin.parameters import Shape
from circuits.margin.statement import InvalidStatement, Statement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.orders_story import SHAPE as STORY_SHAPE
from tests.circuits.margin.orders_story import SLOT, TIME, tell
from tests.circuits.margin.story import PARAMETERS
from tests.circuits.margin.test_orders import EDGES
from tests.evm.margin_arbiter import Arbiter, accepted_by_python
from tests.evm.test_rollup_contract import PRICE, rules
from tests.evm.test_verifier_contract import THE_PROOF, changed_word, resized, swapped_words
from tests.evm.venue import UNIT, Venue
from tests.test_orders_proofs import proven
from zkmargin.evm.chain import CHAIN_ID, Receipt, Reverted
from zkmargin.evm.orders import signatures_of, signed
from zkmargin.transactions import Order, Trade

ALICE, BOB = 2, 3
SHAPE = Shape(32, 32, 8, True, 8, orders=8, slots=8)


@cache
def arbiter() -> Arbiter:
    return Arbiter(proven(1, True, False)[0].verifying)


def test_a_true_batch_is_accepted() -> None:
    _, _, statement, proof = proven(1, True, False)
    assert arbiter().refusal(statement.encode(), proof) is None


@pytest.mark.parametrize("name", EDGES)
def test_the_numbers_of_an_order(name: str) -> None:
    """At the edges of what is accepted, and one beyond, as in Python."""
    _, _, statement, proof = proven(1, True, False)
    first, *others = statement.orders
    least, most = EDGES[name]
    for value in (least, most, least - 1, most + 1):
        told = replace(statement, orders=(replace(first, **{name: value}), *others))
        refusal = arbiter().refusal(told.encode(), proof)
        right = least <= value <= most and told != statement
        assert refusal == THE_PROOF if right else refusal != THE_PROOF and (refusal is None) == (told == statement)


Change = Callable[[Statement], Statement]
OTHERS: dict[str, Change] = {
    "no orders": lambda s: replace(s, orders=()),
    "one order less": lambda s: replace(s, orders=s.orders[1:]),
    "an order twice": lambda s: replace(s, orders=s.orders + s.orders[:1]),
    "expired": lambda s: replace(s, orders=(replace(s.orders[0], expiry=TIME - 1), *s.orders[1:])),
    "opens a slot": lambda s: replace(s, l1=(replace(s.l1[0], cell=SLOT), *s.l1[1:])),
    "scenarios": lambda s: replace(s, scenarios=((),) * len(s.oracle)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_statements(name: str) -> None:
    _, _, statement, proof = proven(1, True, False)
    told = OTHERS[name](statement)
    try:
        check_statement(told, PARAMETERS, STORY_SHAPE)
    except InvalidStatement:
        assert arbiter().refusal(told.encode(), proof) not in (None, THE_PROOF)
    else:
        assert arbiter().refusal(told.encode(), proof) == THE_PROOF


def test_words_that_say_nothing() -> None:
    """Neither scenarios nor a sweep nor orders: it is told by nothing, so that statements have one encoding."""
    _, _, statement, proof = proven(1, True, False)
    told = replace(statement, orders=()).encode() + bytes(64)
    with pytest.raises(InvalidStatement, match="say nothing"):
        Statement.decode(told)
    assert arbiter().refusal(told, proof) not in (None, THE_PROOF)


def test_mutated_pairs() -> None:
    rng = Random(5)
    key, _, statement, proof = proven(1, True, False)
    honest = statement.encode()
    for _ in range(40):
        data, other = honest, proof
        if rng.random() < 0.8:
            tail = len(honest) - 32 * (3 + ORDER_WORDS * len(statement.orders))
            change = rng.choices((changed_word, swapped_words, resized), (10, 2, 1))[0]
            data = honest[:tail] + change(rng, honest[tail:])
        else:
            other = changed_word(rng, proof)
        if (data, other) == (honest, proof):
            continue
        assert arbiter().refusal(data, other) is not None, (data.hex(), other.hex())
        try:
            assert not accepted_by_python(key.verifying, Statement.decode(data), other)
        except InvalidStatement:
            continue


@dataclass
class Market:
    """A venue whose two owners have traded nothing yet; back: takes it there."""

    venue: Venue
    back: Callable[[], None]

    def owner(self, cell: int) -> LocalAccount:
        return self.venue.owner({ALICE: "alice", BOB: "bob"}[cell])

    def order(self, cell: int, sells: bool, signer: LocalAccount | None = None, **changes: Any) -> Order:
        """Signed by the cell's owner, or another."""
        terms = {"market": 0, "size": 4 * UNIT, "limit": PRICE, "fee": 655, "expiry": self.venue.chain.time + 86_400}
        made = Order(cell, sells=sells, slot=SHAPE.accounts + cell, id=1, **(terms | changes))
        return signed(made, signer or self.owner(cell), CHAIN_ID, self.venue.rollup.address)

    def trade(self, filled: int = UNIT, **changes: Any) -> Trade:
        orders = self.order(ALICE, False, **changes), self.order(BOB, True, **changes)
        return Trade(ALICE, BOB, filled, 1, filled * 100, 0, 0, orders)

    def submit(self, *trades: Trade, signatures: bytes | None = None) -> Receipt:
        """A batch of trades."""
        batch = self.venue.batch(self.venue.tick((PRICE, 0)), *self.venue.queued(), *trades)
        statement, proof = self.venue.prove(batch)
        told = signatures_of(batch.signatures) if signatures is None else signatures
        receipt = self.venue.send(statement, proof, self.venue.entries(statement) + told)
        self.venue.root = statement.new
        return receipt


@cache
def order_market(limb_bits: int = 8, sweep: bool = False) -> Market:
    """Kept between tests: `back` first."""
    venue = Venue(rules(), replace(SHAPE, limb_bits=limb_bits, sweep=sweep))
    for cell, name in ((ALICE, "alice"), (BOB, "bob")):
        venue.rollup.transact(venue.owner(name), "open_account", cell, 0, 1000 * UNIT)
    return Market(venue, venue.keep())


@pytest.fixture
def market() -> Market:
    made = order_market()
    made.back()
    return made


def test_orders_of_both_owners(market: Market) -> None:
    """In two batches, until they are filled."""
    market.submit(market.trade(UNIT), market.trade(UNIT))
    market.venue.chain.wait(60)
    market.submit(market.trade(2 * UNIT))
    assert market.venue.state.cell(SHAPE.accounts + ALICE).position == 4 * UNIT
    assert market.venue.rollup.call("batches") == 2


def test_orders_behind_a_sweep() -> None:
    """Both sections of a statement, and the first alone; the sweep's sums are those that share losses."""
    market = order_market(sweep=True)
    market.submit(market.trade(UNIT))
    market.venue.chain.wait(60)
    market.submit()
    assert market.venue.rollup.call("factor") == 1 << 32
    market.venue.chain.wait(60)
    with pytest.raises(Reverted, match="orders: not the owner's"):
        market.submit(forgeries(market)["signed by somebody"])


def forgeries(market: Market) -> dict[str, Trade]:
    """Trades that the proof allows."""
    mallory = market.venue.chain.account("mallory")
    alice, bob = market.order(ALICE, False), market.order(BOB, True)
    elsewhere = signed(bob, market.owner(BOB), CHAIN_ID, bytes(20))
    other_chain = signed(bob, market.owner(BOB), 1, market.venue.rollup.address)
    larger = replace_order(bob, size=bob.size + 1)
    swapped = replace_order(bob, signature=alice.signature)
    found = {
        "signed by somebody": market.order(BOB, True, signer=mallory),
        "signed by the operator": market.order(BOB, True, signer=market.venue.operator),
        "signed for another contract": elsewhere,
        "signed for another chain": other_chain,
        "other words than were signed": larger,
        "the signature of another": swapped,
        "no signature": replace_order(bob, signature="0x" + "00" * 96),
        "a later expiry": replace_order(bob, expiry=bob.expiry + 1),
    }
    return {name: Trade(ALICE, BOB, UNIT, 1, 100 * UNIT, 0, 0, (alice, order)) for name, order in found.items()}


def replace_order(order: Order, **changes: Any) -> Order:
    return Order(**{name: getattr(order, name) for name in order.__struct_fields__} | changes)


@pytest.mark.parametrize("name", [
    "signed by somebody", "signed by the operator", "signed for another contract", "signed for another chain",
    "other words than were signed", "the signature of another", "no signature", "a later expiry",
])  # fmt: skip
def test_forged_orders(market: Market, name: str) -> None:
    with pytest.raises(Reverted, match="orders: not the owner's"):
        market.submit(forgeries(market)[name])


def test_the_signatures_are_as_many_as_the_orders(market: Market) -> None:
    told = signatures_of([order.signature for order in market.trade().orders])
    for signatures in (b"", told[:96], told + bytes(96), told[96:] + told[:96]):
        market.back()
        with pytest.raises(Reverted, match=r"orders|attestations"):
            market.submit(market.trade(), signatures=signatures)


def test_a_signature_has_one_form(market: Market) -> None:
    """With s beyond half of the group's order, the same order would have a second one."""
    trade = market.trade()
    r, s, v = (int(trade.orders[1].signature[2 + 64 * i : 66 + 64 * i], 16) for i in range(3))
    group = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    other = "0x" + "".join(f"{word:064x}" for word in (r, group - s, 55 - v))
    orders = trade.orders[0], replace_order(trade.orders[1], signature=other)
    with pytest.raises(Reverted, match="orders: signature"):
        market.submit(Trade(ALICE, BOB, UNIT, 1, 100 * UNIT, 0, 0, orders))


def test_an_account_that_was_closed_takes_its_orders_along(market: Market) -> None:
    """Carol's cell is Dave's later: what Carol signed is nothing then."""
    venue, cell = market.venue, 4
    carol, dave = venue.owner("carol"), venue.owner("dave")
    venue.rollup.transact(carol, "open_account", cell, 0, UNIT)
    market.submit()
    venue.rollup.transact(carol, "request_withdrawal", cell, UNIT)
    venue.rollup.transact(carol, "request_close", cell)
    venue.chain.wait(60)
    market.submit()
    venue.rollup.transact(dave, "open_account", cell, 0, 100 * UNIT)
    venue.chain.wait(60)
    order = market.order(cell, True, signer=carol)
    trade = Trade(ALICE, cell, UNIT, 1, 100 * UNIT, 0, 0, (market.order(ALICE, False), order))
    keep = venue.keep()
    with pytest.raises(Reverted, match="orders: not the owner's"):
        market.submit(trade)
    keep()
    order = market.order(cell, True, signer=dave)
    market.submit(Trade(ALICE, cell, UNIT, 1, 100 * UNIT, 0, 0, (market.order(ALICE, False), order)))


def test_a_slot_is_nobodys_to_open(market: Market) -> None:
    venue = market.venue
    with pytest.raises(Reverted, match="no such cell"):
        venue.rollup.transact(venue.owner("carol"), "open_account", SHAPE.accounts, 0, UNIT)


def test_what_owners_sign_is_what_a_row_says() -> None:
    """The words of a row behind `fills`, in the order of the type."""
    names = [part.split(" ")[1] for part in ORDER_TYPE[len("Order(") : -1].split(",")]
    row = tell().statement.orders[0]
    assert [getattr(row, name) for name in names] == list(row.words()[1:])
