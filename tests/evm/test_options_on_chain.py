"""European options on the chain: scenarios under the oracles' signatures, settlement at expiry, and the way out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import pytest
from eth_account.signers.local import LocalAccount

from circuits.margin.cell import GROUP_MAX, unpack
from circuits.margin.modules import CROSS, PORTFOLIO
from circuits.margin.parameters import Market, Parameters, Shape
from circuits.margin.portfolio import Instrument, Option, Portfolio
from circuits.margin.statement import Statement
from circuits.margin.tiers import build_tiers
from tests.circuits.margin.groups_story import SCENARIOS, STEPS, shocks
from tests.evm.test_groups_on_chain import GroupVenue, stop
from tests.evm.test_rollup_contract import GENESIS, PRICE, rules
from tests.evm.venue import UNIT, address_of
from zkmargin.evm.chain import CHAIN_ID, Reverted
from zkmargin.evm.oracle import entry
from zkmargin.transactions import Join, Settle, Tick, Trade

SHAPE = Shape(32, 128, 8, True, 8, groups=64, scenarios=128, sweep=True)
EXPIRY = GENESIS + 5000
P_CALL, STRIKE = 5 << 16, 110 << 16
CHANGES = tuple(max(step * 65536 // 4, -P_CALL) for step in STEPS)
HEAD, BTC, CALL, BOB = GROUP_MAX, GROUP_MAX + 1, GROUP_MAX + 2, 2
Scenarios = tuple[tuple[int, ...], ...]


def parameters() -> Parameters:
    """Calls at 110 on the market, which is at 100."""
    made, addons = rules(), build_tiers([(0, 66, 131)], cap=1 << 68)
    [market] = made.markets
    call = Option(0, True, STRIKE, EXPIRY, 6554)
    portfolio = Portfolio(SCENARIOS, 81920, (Instrument(shocks(100), addons, None), Instrument((), addons, call)))
    markets = market, Market("BTC-CALL-110", 0, market.tiers, P_CALL, 0)
    return replace(made, markets=markets, portfolio=portfolio)


class OptionVenue(GroupVenue):
    """Alice is short calls that she covers, in a portfolio; Bob is on the other side in accounts."""

    def tick_at(self, price: int, mark: int, changes: tuple[int, ...] = CHANGES) -> Tick:
        """changes: of the call's price in each scenario, while it has not expired."""
        self.chain.wait(60)
        return Tick(self.chain.time, ((price, 0), (mark, 0)), ((), changes if self.chain.time < EXPIRY else ()))

    def held(self, cell: int) -> tuple[int, int]:
        digits = unpack(self.state.cells[cell])
        return digits.collateral, digits.position


@cache
def begun() -> tuple[OptionVenue, Callable[[], None]]:
    venue = OptionVenue(parameters(), SHAPE)
    venue.rollup.transact(venue.owner("alice"), "open_group", 1, 4, PORTFOLIO.id, 100 * UNIT, [])
    for cell, market in ((BOB, 0), (BOB + 1, 1)):
        venue.rollup.transact(venue.owner("bob"), "open_account", cell, market, 200 * UNIT)
    form, deposit, *others = venue.queued()
    trades = Trade(BTC, BOB, 2 * UNIT, 1, 200 * UNIT, 0, 0), Trade(CALL, BOB + 1, 2 * UNIT, -1, -10 * UNIT, 0, 0)
    venue.advance(venue.tick_at(PRICE, P_CALL), form, Join(HEAD, 0), Join(HEAD, 1), deposit, *others, *trades)
    return venue, venue.keep()


@pytest.fixture
def venue() -> OptionVenue:
    made, back = begun()
    back()
    return made


def signed(venue: OptionVenue, statement: Statement, *said: tuple[LocalAccount, Scenarios | None]) -> bytes:
    """Entries for a statement of one tick, by signers in their order, each of whom signed these scenarios."""
    rows, home = statement.oracle, (CHAIN_ID, venue.rollup.address)
    ordered = sorted(said, key=lambda pair: int(pair[0].address, 16))
    return b"".join(entry(signer, rows[0].time, rows, *home, scenarios) for signer, scenarios in ordered)


def submission_refused(venue: OptionVenue, reason: str, pair: tuple[Statement, bytes], told: bytes) -> None:
    with pytest.raises(Reverted, match=reason):
        venue.send(*pair, told)


def test_scenarios_that_a_quorum_signed(venue: OptionVenue) -> None:
    """Whichever quorum."""
    statement, proof = venue.prove(venue.batch(venue.tick_at(PRICE, P_CALL)))
    _, b, c = venue.oracles
    venue.send(statement, proof, signed(venue, statement, (b, statement.scenarios), (c, statement.scenarios)))


KINDER = tuple(change // 2 for change in CHANGES)


def test_scenarios_that_no_quorum_signed(venue: OptionVenue) -> None:
    """The operator's own, with a proof; one signer's own; what was signed without any, or for another market."""
    restore = venue.keep()
    pair = venue.prove(venue.batch(venue.tick_at(PRICE, P_CALL, KINDER)))
    told, honest = pair[0].scenarios, ((), CHANGES)
    (a, b, _), unknown = venue.oracles, "attestations: not a signer"
    others: Sequence[tuple[Scenarios | None, Scenarios | None]] = (
        (honest, honest),
        (told, honest),
        (honest, told),
        (None, None),
        (((), ()), ((), ())),
        ((KINDER, ()), (KINDER, ())),
        (((), KINDER[::-1]), ((), KINDER[::-1])),
    )
    for first, second in others:
        submission_refused(venue, unknown, pair, signed(venue, pair[0], (a, first), (b, second)))
    venue.send(*pair, signed(venue, pair[0], (a, told), (b, told)))
    restore()


def test_scenarios_of_another_tick(venue: OptionVenue) -> None:
    """Two ticks, each with its own: exchanged, both are proven and neither is attested."""
    first, second = venue.tick_at(PRICE, P_CALL, KINDER), venue.tick_at(PRICE, P_CALL)
    statement, proof = venue.prove(venue.batch(first, second))
    signers = sorted(venue.oracles[:2], key=lambda signer: int(signer.address, 16))
    home = CHAIN_ID, venue.rollup.address

    def told(*scenarios: Scenarios) -> bytes:
        rows = statement.oracle[:2], statement.oracle[2:]
        return b"".join(
            entry(signer, tick[0].time, tick, *home, said)
            for tick, said in zip(rows, scenarios, strict=True)
            for signer in signers
        )

    submission_refused(
        venue, "not a signer", (statement, proof), told(statement.scenarios[2:], statement.scenarios[:2])
    )
    venue.send(statement, proof, told(statement.scenarios[:2], statement.scenarios[2:]))


def test_no_two_ticks_are_of_one_time(venue: OptionVenue) -> None:
    """Or whoever signs twice would let the operator choose scenarios for each of them."""
    restore = venue.keep()
    rows = ((PRICE, 0), (P_CALL, 0))
    now = venue.tick_at(PRICE, P_CALL)
    for ticks in ((Tick(venue.state.time, rows, ((), KINDER)), now), (now, Tick(now.time, rows, ((), KINDER)))):
        pair = venue.prove(venue.batch(*ticks))
        submission_refused(venue, "attestations: a time twice", pair, venue.entries(pair[0]))
        restore()


def expire(venue: OptionVenue, price: int) -> Tick:
    """The first tick behind the expiry."""
    venue.chain.wait(EXPIRY - venue.chain.time)
    return venue.tick_at(price, max(price - STRIKE, 1))


def test_from_the_sale_to_the_settlement(venue: OptionVenue) -> None:
    """At 120 a call is worth 10; Bob is paid for his at expiry, Alice pays in the batch after, and both withdraw."""
    venue.advance(venue.tick_at(PRICE, P_CALL))
    venue.advance(expire(venue, 120 << 16), Settle(BOB + 1))
    sweep = venue.statements[-1].sweep
    assert sweep is not None and sweep.unsettled == (0, -2 * UNIT)
    assert venue.held(BOB + 1) == ((200 - 10 + 20) * UNIT, 0)
    venue.rollup.transact(venue.owner("bob"), "request_withdrawal", BOB + 1, 210 * UNIT)
    venue.advance(venue.tick_at(120 << 16, 10 << 16), Settle(CALL), *venue.queued())
    assert venue.statements[-1].l1[0].outcome == 1 and venue.held(CALL) == ((10 - 20) * UNIT, 0)
    assert venue.rollup.call("payable_to", address_of(venue.owner("bob"))) == 210 * UNIT
    assert venue.rollup.call("factor") == 1 << 32


def claim_of(venue: OptionVenue, cell: int) -> int:
    receipt = venue.leave(cells=range(HEAD, HEAD + 3)) if cell == HEAD else venue.escape(cell)
    return int(venue.rollup.events(receipt, "Escaped")[0]["claim"])


@pytest.mark.parametrize(
    ("expired", "price", "mark", "settled"),
    [
        (False, 100, 5, False),
        (False, 104, 7, False),
        (True, 120, 10, False),
        (True, 120, 10, True),
        (True, 90, 0, False),
    ],
)
def test_an_option_leaves_at_its_last_price(
    venue: OptionVenue, expired: bool, price: int, mark: int, settled: bool
) -> None:
    """At its mark, and from the expiry on at what it settles at; everyone together has the vault."""
    if expired:
        venue.advance(expire(venue, price << 16), *([Settle(BOB + 1)] if settled else []))
    else:
        venue.advance(venue.tick_at(price << 16, mark << 16))
    stop(venue)
    vault = venue.rollup.call("vault")
    least = 0 if mark or settled else 1  # 2^-16 of the currency a unit, so less than all its units
    claims = claim_of(venue, HEAD), claim_of(venue, BOB), claim_of(venue, BOB + 1)
    gained = 2 * (price - 100), 2 * (mark - 5)
    assert claims[1] == (200 - gained[0]) * UNIT
    assert 0 <= claims[2] - (200 + gained[1]) * UNIT <= least * 2 * UNIT >> 16 or not least
    assert abs(claims[0] - (100 + gained[0] - gained[1]) * UNIT) <= least * 2 * UNIT
    assert vault - 2 <= sum(claims) <= vault


def test_no_more_portfolios_than_a_sweep_has_room_for() -> None:
    """Each asks for a member to be there, and every batch sweeps all of them: with more, none would have a proof."""
    venue = OptionVenue(parameters(), replace(SHAPE, cells=512))
    alice = venue.owner("alice")
    with pytest.raises(Reverted, match="no room in a sweep"):
        for number in range(1, 8):
            venue.rollup.transact(alice, "open_group", number, 3, PORTFOLIO.id, UNIT, [])
    venue.rollup.transact(alice, "open_group", 6, 3, CROSS.id, UNIT, [])  # which has no scenarios
    first, heads = venue.tick_at(PRICE, P_CALL), [number * GROUP_MAX for number in range(1, 7)]
    rows = zip(heads, venue.queued()[::2], venue.queued()[1::2], strict=True)
    batch = venue.batch(
        first, *(step for head, *row in rows for step in (row[0], Join(head, 0), Join(head, 1), row[1]))
    )
    assert len(batch.l1) == 12
    for _ in range(2):
        venue.rollup.transact(alice, "request_withdrawal", heads[4] + 1, UNIT)
    for request, outcome in zip(venue.queued(), (1, 0), strict=True):
        assert venue.batch(venue.tick_at(PRICE, P_CALL), request).l1[0].outcome == outcome


def test_a_settlement_that_the_operator_would_like(venue: OptionVenue) -> None:
    """Attested by everyone: the verifier has its own rule."""
    statement, proof = venue.prove(venue.batch(expire(venue, 120 << 16)))
    for price in (9 << 16, 11 << 16, P_CALL, 1):
        first, call = statement.oracle
        told = replace(statement, oracle=(first, replace(call, price=price)))
        submission_refused(venue, "settlement price", (told, proof), venue.entries(told))
    venue.send(statement, proof)
