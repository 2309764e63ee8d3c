"""Machines in a chosen state, for tests of single rules."""

from collections.abc import Mapping

import pytest

from circuits.margin.cell import ACCOUNT, SYSTEM, Cell
from circuits.margin.parameters import Market, Parameters
from circuits.margin.tiers import Tier, build_tiers
from zkmargin.machine import Machine, Refused, State, Step
from zkmargin.transactions import Transaction

FEE, INSURANCE = 0, 1
ONE = 1 << 16  # the price of one quote unit
INDEX = 1 << 32  # an index of one quote unit
CAP = 1 << 70
SIMPLE = build_tiers([(0, 4096, 8192)], CAP)  # maintenance 1/16, initial 1/8


def parameters(tiers: tuple[Tier, ...] = SIMPLE, band: int = 3277, fee_cap: int = 655) -> Parameters:
    """Two markets with these tiers; liquidations have the same band and a fee cap of five times as much."""
    markets = tuple(Market(name, 1 << 20, tiers, ONE, 0) for name in ("A", "B"))
    return Parameters(markets, FEE, INSURANCE, band, band, fee_cap, min(5 * fee_cap, 65535), 1000)


def account(collateral: int, position: int = 0, index: int = 0, market: int = 0) -> Cell:
    return Cell(collateral, position, index, market, ACCOUNT)


def system(collateral: int) -> Cell:
    return Cell(collateral, kind=SYSTEM)


def machine(
    cells: Mapping[int, Cell], price: int = ONE, index: int = 0, rules: Parameters | None = None, size: int = 16
) -> Machine:
    """Both markets at this price and index."""
    rules = rules or parameters()
    state = State({address: cell.pack() for address, cell in cells.items()}, ((price, index),) * 2, 1, 1000)
    return Machine(state, rules, size)


def accepted(made: Machine, transaction: Transaction) -> Step:
    """The step, applied."""
    step = made.apply(transaction)
    assert step is not None
    return step


def refused(made: Machine, transaction: Transaction, code: str) -> None:
    """Refused with this code, and the state is what it was."""
    before = (dict(made.state.cells), made.state.queue, made.state.tick, made.state.rows, made.state.trade_fees)
    with pytest.raises(Refused) as caught:
        made.apply(transaction)
    assert caught.value.code == code, str(caught.value)
    state = made.state
    assert before == (state.cells, state.queue, state.tick, state.rows, state.trade_fees)
