"""Statements with every section at once: the rollup contract finds each where the verifier reads it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from tests.evm.test_assets_on_chain import P_ETH
from tests.evm.test_assets_on_chain import parameters as asset_parameters
from tests.evm.test_options_on_chain import CHANGES, P_CALL
from tests.evm.test_options_on_chain import parameters as option_parameters
from tests.evm.test_rollup_contract import PRICE
from tests.evm.test_signed_orders import ALICE, BOB, SHAPE, Market, forgeries
from tests.evm.venue import UNIT, Venue
from zkmargin.evm.chain import Receipt, Reverted
from zkmargin.evm.orders import signatures_of
from zkmargin.transactions import Tick, Trade

TABLES = replace(SHAPE, groups=64, scenarios=128)


@dataclass
class Everything(Market):
    """tick: of the venue's markets."""

    tick: Callable[[], Tick]

    def submit(self, *trades: Trade, signatures: bytes | None = None) -> Receipt:
        batch = self.venue.batch(self.tick(), *self.venue.queued(), *trades)
        statement, proof = self.venue.prove(batch)
        told = signatures_of(batch.signatures) if signatures is None else signatures
        receipt = self.venue.send(statement, proof, self.venue.entries(statement) + told)
        self.venue.root = statement.new
        return receipt


@cache
def begun(kind: str) -> Everything:
    if kind == "options":
        venue = Venue(option_parameters(), replace(TABLES, sweep=True))
    else:
        venue = Venue(asset_parameters(), replace(TABLES, scenarios=0))

    def tick() -> Tick:
        venue.chain.wait(60)
        time = venue.chain.time
        if kind == "options":
            return Tick(time, ((PRICE, 0), (P_CALL, 0)), ((), CHANGES))
        return Tick(time, ((PRICE, 0), (P_ETH, 0)))

    for cell, name in ((ALICE, "alice"), (BOB, "bob")):
        venue.rollup.transact(venue.owner(name), "open_account", cell, 0, 1000 * UNIT)
    return Everything(venue, venue.keep(), tick)


@pytest.mark.parametrize("kind", ["options", "assets"])
def test_orders_behind_everything_else(kind: str) -> None:
    """With some, and with none; a forged one is not the owner's."""
    market = begun(kind)
    market.back()
    if kind == "assets":
        market.venue.rollup.transact(market.venue.owner("carol"), "open_account", 4, 1, UNIT)
        market.venue.rollup.transact(market.venue.owner("carol"), "supply", 4, 7)
    market.submit(market.trade(UNIT), market.trade(UNIT))
    market.submit()
    restore = market.venue.keep()
    with pytest.raises(Reverted, match="orders: not the owner's"):
        market.submit(forgeries(market)["signed by the operator"])
    restore()
    if kind == "assets":
        market.venue.rollup.transact(market.venue.owner("carol"), "request_redemption", 4, 3)
    market.submit(market.trade(2 * UNIT))
    assert market.venue.rollup.call("batches") == 3 and market.venue.rollup.call("factor") == 1 << 32
    assert market.venue.rollup.call("supplied", 1) == (4 if kind == "assets" else 0)
