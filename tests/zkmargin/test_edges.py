"""Every rule at its edge: one under, at, one over."""

import pytest

from circuits.margin.cell import Cell
from circuits.margin.tiers import build_tiers
from tests.zkmargin.machines import FEE, INDEX, INSURANCE, ONE, accepted, account, machine, parameters, refused, system
from zkmargin.machine import Machine
from zkmargin.rules import funding_payment
from zkmargin.transactions import (
    Close,
    Cover,
    Deleverage,
    Deposit,
    Liquidate,
    Open,
    Tick,
    Touch,
    Trade,
    Transfer,
    Withdraw,
)

RICH = 1 << 40


def pair(victim: Cell, other: Cell | None = None, price: int = ONE) -> Machine:
    """Cells 2 and 3: someone who can afford anything, and the account in question."""
    return machine({2: other or account(RICH), 3: victim}, price)


# At the price 1 an initial margin of |q|/8 and a maintenance margin of |q|/16 are needed.


@pytest.mark.parametrize(("amount", "kind"), [(9, "withdraw"), (10, "withdraw"), (11, "refuse")])
@pytest.mark.parametrize("position", [800, -800])
def test_withdraw_down_to_initial_margin(position: int, amount: int, kind: str) -> None:
    made = machine({3: account(110 - position, position)})
    step = accepted(made, Withdraw(3, amount, 0))
    assert step.kind == kind
    assert made.state.cell(3).collateral == 110 - position - (amount if kind == "withdraw" else 0)
    assert made.state.queue == 1


def test_a_bankrupt_account_without_position_withdraws_nothing() -> None:
    assert accepted(machine({3: account(-1)}), Withdraw(3, 1, 0)).kind == "refuse"
    assert accepted(machine({3: account(0)}), Withdraw(3, 1, 0)).kind == "refuse"
    assert accepted(machine({3: account(1)}), Withdraw(3, 1, 0)).kind == "withdraw"


def test_transfer_down_to_initial_margin() -> None:
    made = machine({3: account(-690, 800), 4: account(0)})
    refused(made, Transfer(3, 4, 11), "margin")
    assert accepted(made, Transfer(3, 4, 10)).rule_a == "initial"
    refused(made, Transfer(3, 4, 1), "margin")


def test_transfer_leaves_the_receiver_unsettled() -> None:
    made = machine({3: account(50), 4: account(-7, 5, 3 * INDEX, market=1)}, index=9 * INDEX)
    accepted(made, Transfer(3, 4, 20))
    assert made.state.cell(4) == account(13, 5, 3 * INDEX, market=1)
    assert made.state.cell(3).index == 9 * INDEX


@pytest.mark.parametrize("direction", [1, -1])
def test_trade_opens_down_to_initial_margin(direction: int) -> None:
    worth = direction * 800
    refused(pair(account(99)), Trade(3, 2, 800, direction, worth, 0, 0), "margin")  # type: ignore[arg-type]
    assert accepted(pair(account(100)), Trade(3, 2, 800, direction, worth, 0, 0)).rule_a == "initial"  # type: ignore[arg-type]
    refused(pair(account(100)), Trade(3, 2, 800, direction, worth, 1, 0), "margin")  # type: ignore[arg-type]
    refused(pair(account(100)), Trade(2, 3, 800, direction, worth, 0, 1), "margin")  # type: ignore[arg-type]


def test_reducing_keeps_the_share_of_equity() -> None:
    """q = 800 with TV = 40: half of the position may cost half of the equity, and not a unit more."""
    made = pair(account(-760, 800))
    refused(made, Trade(3, 2, 400, -1, -379, 0, 0), "margin")
    step = accepted(made, Trade(3, 2, 400, -1, -380, 0, 0))
    assert (step.rule_a, made.state.cell(3)) == ("reducing", account(-380, 400))
    refused(pair(account(-760, 800)), Trade(3, 2, 400, -1, -380, 1, 0), "margin")


def test_reducing_fully_needs_equity_of_zero() -> None:
    refused(pair(account(-801, 800)), Trade(3, 2, 800, -1, -800, 0, 0), "margin")
    assert accepted(pair(account(-800, 800)), Trade(3, 2, 800, -1, -800, 0, 0)).rule_a == "initial"
    refused(pair(account(-801, 800)), Trade(3, 2, 801, -1, -801, 0, 0), "margin")


def test_no_small_hedge_while_unhealthy() -> None:
    refused(pair(account(-760, 800)), Trade(3, 2, 1, 1, 1, 0, 0), "margin")
    refused(pair(account(-10)), Trade(3, 2, 1, 1, 1, 0, 0), "margin")


def test_cap_on_notional() -> None:
    tiers = build_tiers([(0, 4096, 8192)], 800 * ONE)
    made = machine({2: account(RICH), 3: account(RICH)}, rules=parameters(tiers))
    refused(made, Trade(2, 3, 800, 1, 800, 0, 0), "cap")
    accepted(made, Trade(2, 3, 799, 1, 799, 0, 0))
    refused(made, Trade(2, 3, 1, 1, 1, 0, 0), "cap")
    made.apply(Tick(1000, ((2 * ONE, 0), (ONE, 0))))
    step = accepted(made, Trade(2, 3, 1, -1, -2, 0, 0))
    assert (step.rule_a, step.rule_b) == ("reducing", "reducing")
    refused(made, Trade(2, 3, 1, 1, 2, 0, 0), "cap")


@pytest.mark.parametrize("side", [1, -1])
def test_liquidation_begins_strictly_below_maintenance(side: int) -> None:
    def made(equity: int) -> Machine:
        return pair(account(equity - side * 1600, side * 1600))

    refused(made(101), Liquidate(2, 3, 16, side * 16, 0), "healthy")
    refused(made(100), Liquidate(2, 3, 16, side * 16, 0), "healthy")
    step = accepted(made(99), Liquidate(2, 3, 16, side * 16, 0))
    assert (step.delta, step.rule_a, step.rule_b) == (side * 16, "initial", "reducing")


def test_liquidation_size() -> None:
    made = pair(account(-1501, 1600))
    refused(made, Liquidate(2, 3, 0, 0, 0), "size")
    refused(made, Liquidate(2, 3, 1601, 1601, 0), "size")
    accepted(made, Liquidate(2, 3, 1, 1, 0))
    accepted(made, Liquidate(2, 3, 1599, 1599, 0))
    assert made.state.cell(3).position == 0
    refused(machine({2: account(RICH), 3: account(-5)}), Liquidate(2, 3, 1, 1, 0), "size")


@pytest.mark.parametrize("side", [1, -1])
def test_liquidation_leaves_the_victim_its_share_after_the_fee(side: int) -> None:
    """TV = 80 and q = 1600: half the position may cost 40, discount and fee together."""
    victim = account(80 - side * 1600, side * 1600)
    rules = parameters(fee_cap=13107)
    for fee, discount in ((0, 40), (1, 39), (40, 0)):
        cash = side * 800 - discount
        refused(machine({2: account(RICH), 3: victim}, rules=rules), Liquidate(2, 3, 800, cash - 1, fee), "margin")
        accepted(machine({2: account(RICH), 3: victim}, rules=rules), Liquidate(2, 3, 800, cash, fee))


def test_liquidation_fee_goes_to_the_batch() -> None:
    made = pair(account(-1520, 1600))
    step = accepted(made, Liquidate(2, 3, 800, 790, 30))
    assert (step.fee_a, step.fee_b, made.state.liquidation_fees, made.state.trade_fees) == (0, 30, 30, 0)
    assert made.state.cell(3) == account(-1520 + 760, 800)


def test_fee_caps() -> None:
    """655/2^16 of 1,000,000 is 9994.5; a liquidation's cap is five times as much."""
    for fees in ((9995, 0), (0, 9995)):
        refused(pair(account(RICH)), Trade(2, 3, 10**6, 1, 10**6, *fees), "fee-cap")
    refused(pair(account(RICH)), Trade(2, 3, 10**6, 1, 10**6, -1, 0), "fee")
    made = pair(account(RICH))
    accepted(made, Trade(2, 3, 10**6, 1, 10**6, 9994, 9994))
    assert made.state.trade_fees == 19988
    victim = account(50_000 - 10**6, 10**6)
    refused(pair(victim), Liquidate(2, 3, 10**6, 10**6 + 40_000, 49_973), "fee-cap")
    accepted(pair(victim), Liquidate(2, 3, 10**6, 10**6 + 40_000, 49_972))


def test_band() -> None:
    """3277/2^16 of 1,000,000 is 50003.05, and one unit more is for dust."""
    for cash in (10**6 + 50_004, 10**6 - 50_004):
        accepted(pair(account(RICH)), Trade(2, 3, 10**6, 1, cash, 0, 0))
    for cash in (10**6 + 50_005, 10**6 - 50_005, -(10**6)):
        refused(pair(account(RICH)), Trade(2, 3, 10**6, 1, cash, 0, 0), "band")
    refused(pair(account(-990_000, 10**6)), Liquidate(2, 3, 10**6, 10**6 + 50_005, 0), "band")
    accepted(pair(account(-990_000, 10**6)), Liquidate(2, 3, 10**6, 10**6 + 50_004, 0))


def test_a_band_of_zero_leaves_one_unit() -> None:
    rules = parameters(band=0)
    for cash, code in ((99, None), (101, None), (98, "band"), (102, "band")):
        made = machine({2: account(RICH), 3: account(RICH)}, rules=rules)
        if code is None:
            accepted(made, Trade(2, 3, 100, 1, cash, 0, 0))
        else:
            refused(made, Trade(2, 3, 100, 1, cash, 0, 0), code)


def test_dust_can_be_closed() -> None:
    """One base unit worth a thousandth of a quote unit: cash of 0 or 1, either way."""
    for cash in (0, 1):
        accepted(pair(account(5, 1), account(RICH), price=65), Trade(3, 2, 1, -1, -cash, 0, 0))
    refused(pair(account(5, 1), account(RICH), price=65), Trade(3, 2, 1, -1, -2, 0, 0), "band")


@pytest.mark.parametrize("side", [1, -1])
def test_deleverage_needs_negative_equity(side: int) -> None:
    def made(equity: int) -> Machine:
        return pair(account(equity - side * 800, side * 800), account(RICH, -side * 800))

    refused(made(0), Deleverage(2, 3, 800, side * 800), "solvent")
    for wrong in (side * 800, side * 800 + 2):
        refused(made(-1), Deleverage(2, 3, 800, wrong), "quote")
    made_one = made(-1)
    accepted(made_one, Deleverage(2, 3, 800, side * 800 + 1))
    assert made_one.state.cell(3).collateral == 0


def test_deleverage_reduces_both() -> None:
    victim = account(-801, 800)
    refused(pair(victim, account(RICH, 800)), Deleverage(2, 3, 800, 801), "side")
    refused(pair(victim, account(RICH)), Deleverage(2, 3, 800, 801), "side")
    refused(pair(victim, account(RICH, -799)), Deleverage(2, 3, 800, 801), "side")
    refused(pair(victim, account(RICH, -900)), Deleverage(2, 3, 801, 802), "size")
    accepted(pair(victim, account(RICH, -801)), Deleverage(2, 3, 800, 801))


def test_deleverage_counterparty_meets_a_rule() -> None:
    refused(pair(account(-1600, 800), account(1000, -800)), Deleverage(2, 3, 800, 1600), "margin")


@pytest.mark.parametrize("position", [0, 800, -800])
def test_cover_pays_at_most_the_deficit(position: int) -> None:
    victim = account(-30 - position, position)
    made = machine({INSURANCE: system(100), 3: victim})
    refused(made, Cover(3, 31), "cover")
    accepted(made, Cover(3, 29))
    accepted(made, Cover(3, 1))
    assert made.state.cell(INSURANCE) == system(70)
    refused(made, Cover(3, 1), "cover")


def test_cover_rounds_the_deficit_up() -> None:
    """One base unit at 1 + 2^-16: TV = -(30 - 1) + 2^-16, so 29 units are owed."""
    made = machine({INSURANCE: system(100), 3: account(-30, 1)}, price=ONE + 1)
    refused(made, Cover(3, 30), "cover")
    accepted(made, Cover(3, 29))


def test_cover_is_limited_by_the_insurance_cell() -> None:
    refused(machine({INSURANCE: system(9), 3: account(-30)}), Cover(3, 10), "insurance")
    made = machine({INSURANCE: system(10), 3: account(-30)})
    accepted(made, Cover(3, 10))
    assert (made.state.cell(INSURANCE), made.state.cell(3)) == (system(0), account(-20))
    refused(machine({3: account(-30)}), Cover(3, 1), "insurance")
    refused(made, Cover(INSURANCE, 1), "same-cell")
    refused(machine({INSURANCE: system(10), 3: account(-30)}), Cover(3, 0), "amount")


@pytest.mark.parametrize(
    ("product", "payment"),
    [
        (0, 0),
        (1, 1),
        (-1, 0),
        (INDEX, 1),
        (INDEX + 1, 2),
        (INDEX - 1, 1),
        (-INDEX, -1),
        (-INDEX - 1, -1),
        (1 - INDEX, 0),
    ],
)
def test_funding_rounds_against_the_account(product: int, payment: int) -> None:
    assert funding_payment(1, product) == payment
    assert funding_payment(-1, -product) == payment
    made = machine({3: account(5, 1)}, index=product)
    accepted(made, Touch(3))
    assert made.state.cell(3) == account(5 - payment, 1, product)


def test_funding_is_settled_before_the_margin_is_judged() -> None:
    made = machine({3: account(-690, 800)}, index=INDEX // 80)
    assert accepted(made, Withdraw(3, 1, 0)).kind == "refuse"
    assert made.state.cell(3) == account(-700, 800, INDEX // 80)


def test_queue_and_kinds_of_cells() -> None:
    made = machine({FEE: system(9), INSURANCE: system(9), 3: account(0), 4: account(1)})
    refused(made, Open(5, 0, 1), "queue")
    for cell in (3, FEE):
        refused(made, Open(cell, 0, 0), "kind")
    refused(machine({}), Open(FEE, 0, 0), "system")
    refused(machine({}), Open(INSURANCE, 0, 0), "system")
    for market in (-1, 2):
        refused(made, Open(5, market, 0), "market")
    for cell in (-1, 16):
        refused(made, Open(cell, 0, 0), "address")
    for held in (account(1), account(-1), account(0, 1), account(0, -1)):
        step = accepted(machine({3: held}), Close(3, 0))
        assert step.kind == "refuse_close" and step.a is not None and step.a.after == held
    assert accepted(machine({3: account(0)}), Close(3, 0)).kind == "close"
    for cell in (FEE, 5):
        refused(made, Close(cell, 0), "kind")
    refused(made, Deposit(FEE, 1, 0), "system")
    refused(made, Withdraw(INSURANCE, 1, 0), "system")
    for cell in (FEE, INSURANCE, 5):
        refused(made, Touch(cell), "kind")
        refused(made, Transfer(4, cell, 1), "kind")
        refused(made, Transfer(cell, 4, 1), "kind")
        refused(made, Trade(4, cell, 1, 1, 1, 0, 0), "kind")
        refused(made, Liquidate(4, cell, 1, 1, 0), "kind")
        refused(made, Deleverage(cell, 4, 1, 1), "kind")
    assert accepted(made, Close(3, 0)).a.after == Cell()  # type: ignore[union-attr]
    assert made.state.cells.keys() == {FEE, INSURANCE, 4}


def test_two_cells_of_one_market() -> None:
    made = machine({3: account(RICH), 4: account(RICH, market=1)})
    for transaction in (Trade(3, 4, 1, 1, 1, 0, 0), Liquidate(3, 4, 1, 1, 0), Deleverage(3, 4, 1, 1)):
        refused(made, transaction, "market")
    for same in (Trade(3, 3, 1, 1, 1, 0, 0), Transfer(3, 3, 1), Liquidate(3, 3, 1, 1, 0), Deleverage(3, 3, 1, 1)):
        refused(made, same, "same-cell")


def test_system_cells_on_the_queue() -> None:
    made = machine({})
    first = accepted(made, Withdraw(FEE, 1, 0))
    assert (first.kind, first.system, first.fresh_a, made.state.cell(FEE)) == ("refuse", True, True, system(0))
    second = accepted(made, Deposit(INSURANCE, 7, 1))
    assert (second.system, second.fresh_a, made.state.cell(INSURANCE)) == (True, True, system(7))
    assert not accepted(made, Deposit(INSURANCE, 1, 2)).fresh_a
    for amount, kind in ((4, "refuse"), (3, "withdraw")):
        paid = machine({FEE: system(3)})
        assert accepted(paid, Withdraw(FEE, amount, 0)).kind == kind
