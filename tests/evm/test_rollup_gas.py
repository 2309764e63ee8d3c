"""What the rollup contract costs its people, with and without published differences, in a committed file:
`python -m tests.evm.test_rollup_gas` writes it anew."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from circuits.margin.parameters import Shape
from circuits.margin.statement import InvalidStatement
from tests.evm.test_assets_on_chain import CAROL, ETH
from tests.evm.test_assets_on_chain import begun as assets
from tests.evm.test_groups_on_chain import begun, stop
from tests.evm.test_options_on_chain import P_CALL
from tests.evm.test_options_on_chain import begun as options
from tests.evm.test_rollup_contract import PRICE, rules
from tests.evm.test_signed_orders import order_market
from tests.evm.venue import UNIT, Venue, address_of
from zkmargin.evm.chain import Receipt
from zkmargin.evm.exit import rebuild
from zkmargin.transactions import Tick, Touch, Trade

PATH = Path(__file__).with_name("rollup_gas.json")
MODES = {"validium": False, "published": True}
ACCOUNTS = range(2, 8)
FIRST, LAST = ACCOUNTS[0], ACCOUNTS[-1]


class Costs:
    """A venue from its first deposit to the last payment, and the gas of each step."""

    def __init__(self, published: bool) -> None:
        self.venue = Venue(rules(), Shape(32, 16, 16, published, 8))
        self.gas = {"deployment": self.venue.rollup.gas}

    def run(self) -> None:
        self._live()
        self._stop()
        self._leave()

    def _live(self) -> None:
        """Two rows of the queue for each account, positions; then batches that change one cell or all of them."""
        venue = self.venue
        for cell in ACCOUNTS:
            self._spend("open_account", venue.rollup.transact(self._owner(cell), "open_account", cell, 0, 100 * UNIT))
        trades = [Trade(cell, cell + 1, UNIT, 1, 100 * UNIT, 0, 0) for cell in ACCOUNTS[::2]]
        self._spend("first batch: 12 L1 rows, 6 cells", venue.advance(self._tick(0), *venue.queued(), *trades))
        self._spend("batch of 1 cell", venue.advance(self._tick(1 << 16), Touch(FIRST)))
        self._spend("batch of 6 cells", venue.advance(self._tick(1 << 17), *map(Touch, ACCOUNTS)))
        for cell in ACCOUNTS:
            self._spend("deposit", venue.rollup.transact(self._owner(cell), "deposit", cell, UNIT))
        self._spend("batch of 6 deposits, 6 cells", venue.advance(self._tick(1 << 18), *venue.queued()))
        self._ask("request_withdrawal", UNIT)
        self._spend("batch of 1 withdrawal, 1 cell", venue.advance(self._tick(1 << 18), *venue.queued()))
        self._spend("withdraw", venue.rollup.transact(venue.operator, "withdraw", address_of(self._owner(FIRST))))

    def _stop(self) -> None:
        venue = self.venue
        index = venue.state.queue
        self._ask("deposit", UNIT)
        venue.chain.wait(venue.terms.queue + 1)
        self._spend("freeze", venue.rollup.transact(venue.operator, "freeze"))
        self._spend("refund", venue.rollup.transact(venue.operator, "refund", index))

    def _leave(self) -> None:
        venue = self.venue
        for cell in ACCOUNTS:
            self._spend("escape", venue.escape(cell))
        venue.chain.wait(venue.terms.claims + 1)
        for cell in ACCOUNTS:
            owner = address_of(self._owner(cell))
            self._spend("settle", venue.rollup.transact(venue.operator, "settle", owner))
            venue.rollup.transact(venue.operator, "withdraw", owner)

    def _owner(self, cell: int) -> LocalAccount:
        return self.venue.owner(f"owner of {cell}")

    def _tick(self, index: int) -> Tick:
        self.venue.chain.wait(3600)
        return self.venue.tick((PRICE, index))

    def _ask(self, name: str, *arguments: int) -> None:
        self._spend(name, self.venue.rollup.transact(self._owner(FIRST), name, FIRST, *arguments))

    def _spend(self, name: str, receipt: Receipt) -> None:
        """The last of its kind counts: the first one writes what the others change."""
        self.gas[name] = receipt.gas


@cache
def costs(mode: str) -> Costs:
    made = Costs(MODES[mode])
    made.run()
    return made


@cache
def order_costs() -> dict[str, int]:
    """Of batches whose trades fill two orders each, every one of the orders another."""
    market, gas = order_market(16), {}
    market.back()
    gas["deployment"] = market.venue.rollup.gas
    market.submit()
    for trades in (0, 1, 4):
        market.venue.chain.wait(3600)
        made = [market.trade(UNIT, size=(4 + i) * UNIT) for i in range(trades)]
        gas[f"batch of {2 * trades} orders, {4 if trades else 0} cells"] = market.submit(*made).gas
    return gas


def test_gas_of_orders_is_what_the_committed_file_says() -> None:
    assert order_costs() == json.loads(PATH.read_text())["orders"]


@cache
def group_costs() -> dict[str, int]:
    """Of a group's opening, and of its way out; 8-bit limbs, so no batches."""
    venue, back = begun()
    back()
    gas = {"deployment": venue.rollup.gas}
    gas["open_group"] = venue.rollup.transact(venue.owner("bob"), "open_group", 2, 4, 1, UNIT, []).gas
    stop(venue)
    gas["escape_group of 3 cells"] = venue.leave().gas
    return gas


def test_gas_of_groups_is_what_the_committed_file_says() -> None:
    assert group_costs() == json.loads(PATH.read_text())["groups"]


@cache
def option_costs() -> dict[str, int]:
    """Of ticks that list the sixteen scenarios of an option, under two signatures; 8-bit limbs, so what counts is what
    two ticks more cost."""
    venue, back = options()
    gas = {"deployment": venue.rollup.gas}
    for count in (1, 3):
        back()
        ticks = [venue.tick_at(PRICE, P_CALL) for _ in range(count)]
        gas[f"batch of {count} ticks, 2 markets"] = venue.advance(*ticks).gas
    return gas


@cache
def asset_costs() -> dict[str, int]:
    """Of what owners of assets ask for, and of a group's way out that has debts beside them."""
    venue, back = assets()
    back()
    gas, (carol, alice) = {"deployment": venue.rollup.gas}, (venue.owner("carol"), address_of(venue.owner("alice")))
    gas["supply"] = venue.rollup.transact(carol, "supply", CAROL, UNIT).gas
    gas["request_redemption"] = venue.rollup.transact(carol, "request_redemption", CAROL, UNIT).gas
    stop(venue)
    gas["escape_group of 3 cells"] = venue.leave().gas
    gas["withdraw_asset"] = venue.rollup.transact(carol, "withdraw_asset", ETH, alice).gas
    return gas


@pytest.mark.parametrize(("name", "measured"), [("options", option_costs), ("assets", asset_costs)])
def test_gas_of_instruments_is_what_the_committed_file_says(name: str, measured: Callable[[], dict[str, int]]) -> None:
    assert measured() == json.loads(PATH.read_text())[name]


@pytest.mark.parametrize("mode", MODES)
def test_gas_is_what_the_committed_file_says(mode: str) -> None:
    assert costs(mode).gas == json.loads(PATH.read_text())[mode]


@pytest.mark.parametrize("mode", MODES)
def test_everyone_has_what_he_put_in(mode: str) -> None:
    """Funding went from the longs to the shorts; fractions of a unit stay."""
    venue = costs(mode).venue
    held = [venue.holds(address_of(venue.owner(f"owner of {cell}"))) - 10**6 * UNIT for cell in ACCOUNTS]
    left = venue.holds(venue.rollup.address)
    assert sum(held) + left == 0 and 0 <= left <= 2 * len(ACCOUNTS)
    assert all(paid < 0 < received for paid, received in zip(held[::2], held[1::2], strict=True))


def test_without_published_differences_the_operator_alone_knows_the_state() -> None:
    assert rebuild(costs("published").venue.statements) == costs("published").venue.state.cells
    with pytest.raises(InvalidStatement, match="publishes no difference"):
        rebuild(costs("validium").venue.statements)


if __name__ == "__main__":
    told = {mode: costs(mode).gas for mode in MODES} | {"orders": order_costs(), "groups": group_costs()}
    told |= {"options": option_costs(), "assets": asset_costs()}
    PATH.write_text(json.dumps(told, indent=1) + "\n")
