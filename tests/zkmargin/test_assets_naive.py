"""Collateral assets in the machine: against the naive model, what is conserved, and the lines of a file."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.circuits.margin.assets_story import BTC, ETH, P_BTC, P_ETH, P_SOL, PARAMETERS, SOL
from tests.zkmargin.naive import Naive
from tests.zkmargin.test_naive import compare, end_batch
from zkmargin.machine import Machine, Refused
from zkmargin.risk import risk_actions
from zkmargin.state import State
from zkmargin.transactions import (
    Close,
    Deposit,
    InputError,
    Liquidate,
    Open,
    Redeem,
    Settle,
    Supply,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
    encode,
    parse,
)
from zkmargin.watch_state import accounts_below

ALONE = replace(PARAMETERS, portfolio=None)
SIZE, FIRST_CELL = 16, 2
MARKET_OF = {cell: cell % 3 for cell in range(FIRST_CELL, SIZE)}


def proposal(rng: Random, machine: Machine) -> Transaction:
    """Mostly near the edges of what cells hold; sometimes of another market, or nothing that is allowed."""
    state = machine.state
    a, b = rng.sample(range(SIZE), 2)
    if rng.random() < 0.8:
        b = FIRST_CELL + (a - FIRST_CELL + 3 * rng.randrange(1, 4)) % (SIZE - FIRST_CELL)
    cell, queue = state.cell(a), state.queue
    market = cell.market if rng.random() < 0.95 else rng.randrange(3)
    price = state.rows[market][0]
    held = max(1, abs(cell.position) + rng.choice((-1, 0, 1, rng.randrange(-200, 200))))
    size, side = rng.choice((held, rng.randrange(1, 500))), rng.choice((1, -1))
    cash = side * (size * price >> 16) + rng.randrange(-2, 3)
    spare = max(1, cell.collateral + (cell.position * price >> 16) + rng.randrange(-50, 50))
    match rng.randrange(12):
        case 0:
            moved = [P_BTC * rng.randrange(60, 140) // 100, P_ETH * rng.randrange(60, 140) // 100, P_SOL]
            return Tick(state.time + 60, tuple((one, 0) for one in moved))
        case 1 | 2:
            return Supply(a, market, rng.choice((size, 9_000)), queue)
        case 3 | 4:
            return Redeem(a, market, rng.choice((held, size)), queue)
        case 5:
            return Withdraw(a, rng.choice((spare, spare * 4 // 5, 100)), queue)
        case 6:
            return Deposit(a, rng.randrange(1, 20_000), queue)
        case 7:
            return Liquidate(b, a, min(size, held), cash if cell.position > 0 else -abs(cash), rng.randrange(3))
        case 8:
            return rng.choice([Touch(a), Transfer(a, b, rng.randrange(1, 1_000)), Close(a, queue)])
    return Trade(a, b, size, side, cash, 0, 0)


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_the_naive_model(seed: int) -> None:
    """And no asset is ever owed, and what accounts hold of each is what came less what went."""
    rng, machine = Random(seed), Machine(State.genesis(ALONE), ALONE, SIZE)
    naive = Naive(ALONE, SIZE)
    seen = {compare(machine, naive, Tick(1060, ((P_BTC, 0), (P_ETH, 0), (P_SOL, 0))))}
    for cell, market in MARKET_OF.items():
        compare(machine, naive, Open(cell, market, machine.state.queue))
        compare(machine, naive, Deposit(cell, 30_000, machine.state.queue))
    supplied = {ETH: 0, SOL: 0}
    for i in range(400):
        transaction = proposal(rng, machine)
        kind = compare(machine, naive, transaction)
        seen.add(kind)
        if isinstance(transaction, Supply | Redeem) and kind in ("supply", "redeem"):
            supplied[transaction.market] += transaction.amount * (1 if kind == "supply" else -1)
        cells = [cell for _, cell in machine.state.accounts()]
        if kind == "tick":
            assert accounts_below(machine) == [[address] for address in sorted(naive.cells) if below(naive, address)]
        for market, amount in supplied.items():
            positions = [cell.position for cell in cells if cell.market == market]
            assert min(positions) >= 0 and sum(positions) == amount == machine.state.supplied(market)
        assert sum(cell.position for cell in cells if cell.market == BTC) == 0
        if i % 37 == 36:
            end_batch(machine, naive)
    assert {"supply", "redeem", "refuse_redeem", "trade", "refused", "tick"} <= seen


def below(naive: Naive, address: int) -> bool:
    """Whether an account is below maintenance, in fractions."""
    if naive.cells[address].kind == "system":
        return False
    holding = naive._funded(address)
    return naive._equity(holding) < naive._margin(holding, "maintenance")


def test_a_venue_sells_the_asset_of_a_debtor() -> None:
    """The smallest part that restores health with the buffer; nothing is deleveraged."""
    perpetual, ether, other = ALONE.markets
    rules = replace(ALONE, markets=(perpetual, replace(ether, supply_cap=10**7), other))
    machine = Machine(State.genesis(rules), rules, SIZE)
    queue = iter(range(20))
    for transaction in (
        Tick(1060, ((P_BTC, 0), (P_ETH, 0), (P_SOL, 0))),
        Open(2, ETH, next(queue)),
        Open(3, ETH, next(queue)),
        Supply(2, ETH, 1_000_000, next(queue)),
        Deposit(3, 100_000_000, next(queue)),
        Withdraw(2, 5_000_000, next(queue)),
        Tick(1120, ((P_BTC, 0), (P_ETH * 13 // 20, 0), (P_SOL, 0))),
    ):
        machine.apply(transaction)
    actions = []
    for action in risk_actions(machine, accounts_below(machine), [3]):
        machine.apply(action)
        actions.append(action)
    assert [type(action) for action in actions] == [Liquidate]
    debtor = machine.context.judged(2)
    assert 0 < debtor.before.position < 1_000_000
    assert debtor.equity << 16 >= debtor.maintenance() * 5 // 4


def test_a_venue_sells_what_a_bankrupt_account_holds() -> None:
    """All of it, at the oracle's price: what it owes stays, and does not grow with the asset's price any more."""
    machine = Machine(State.genesis(ALONE), ALONE, SIZE)
    for transaction in (
        Tick(1060, ((P_BTC, 0), (P_ETH, 0), (P_SOL, 0))),
        Open(2, ETH, 0),
        Open(3, ETH, 1),
        Supply(2, ETH, 1_000, 2),
        Deposit(3, 100_000, 3),
        Withdraw(2, 7_900, 4),
        Tick(1120, ((P_BTC, 0), (P_ETH // 2, 0), (P_SOL, 0))),
    ):
        machine.apply(transaction)
    actions = []
    for action in risk_actions(machine, accounts_below(machine), [3]):
        machine.apply(action)
        actions.append(action)
    assert actions == [Liquidate(3, 2, 1_000, 5_000, 0)]
    assert (machine.state.cell(2).collateral, machine.state.cell(2).position) == (-2_900, 0)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b'{"type":"supply","cell":2,"amount":5,"queue":0}', "market"),
        (b'{"type":"supply","cell":2,"market":1,"amount":5.0,"queue":0}', "amount"),
        (b'{"type":"redeem","cell":2,"market":1,"amount":"5","queue":0}', "amount"),
        (b'{"type":"redeem","cell":2,"market":1,"amount":5,"queue":0,"asset":1}', "asset"),
    ],
)
def test_lines(tmp_path: Path, line: bytes, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(line, tmp_path / "day.jsonl", 7)
    assert str(caught.value).startswith(f"{tmp_path / 'day.jsonl'}, line 7, field {field}: ")
    for transaction in (Supply(2, 1, 5, 0), Redeem(2, 1, 5, 0)):
        assert parse(encode(transaction)) == transaction


def test_what_is_no_option_does_not_settle() -> None:
    machine = Machine(State.genesis(PARAMETERS), PARAMETERS, SIZE)
    machine.apply(Tick(1060, ((P_BTC, 0), (P_ETH, 0), (P_SOL, 0))))
    machine.apply(Open(2, ETH, 0))
    with pytest.raises(Refused, match="expiry"):
        machine.transition(Settle(2))
