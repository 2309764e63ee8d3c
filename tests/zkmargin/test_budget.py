"""The bit budget at its edges: what a register cannot hold, the machine refuses."""

import pytest

from circuits.margin.tiers import NOTIONAL_LIMIT, build_tiers
from tests.zkmargin.machines import FEE, INSURANCE, ONE, accepted, account, machine, parameters, refused, system
from zkmargin.machine import Machine
from zkmargin.transactions import Cover, Deposit, Liquidate, Tick, Touch, Trade, Transfer, Withdraw

C_MAX, C_MIN, Q_MAX = (1 << 63) - 1, -(1 << 63), (1 << 64) - 1
RICH = 1 << 62


def test_written_collateral() -> None:
    made = machine({3: account(C_MAX - 5), INSURANCE: system(C_MAX - 5)})
    refused(made, Deposit(3, 6, 0), "collateral")
    refused(made, Deposit(INSURANCE, 6, 0), "collateral")
    accepted(made, Deposit(3, 5, 0))
    accepted(made, Deposit(INSURANCE, 5, 1))
    refused(machine({3: account(6), 4: account(C_MAX - 5)}), Transfer(3, 4, 6), "collateral")
    accepted(machine({3: account(5), 4: account(C_MAX - 5)}), Transfer(3, 4, 5))


def test_settled_collateral_fits_when_it_is_written() -> None:
    """A payment of 5 on the lowest collateral: a touch cannot write it, a deposit of 5 can."""
    made = machine({3: account(C_MIN, 5)}, index=1 << 32)
    refused(made, Touch(3), "collateral")
    refused(made, Withdraw(3, 1, 0), "collateral")
    refused(made, Deposit(3, 4, 0), "collateral")
    accepted(made, Deposit(3, 5, 0))
    assert made.state.cell(3) == account(C_MIN, 5, 1 << 32)
    accepted(machine({3: account(C_MIN + 5, 5)}, index=1 << 32), Touch(3))


def test_position() -> None:
    made = machine({3: account(RICH, Q_MAX - 1), 4: account(RICH, 1 - Q_MAX)}, price=1)
    refused(made, Trade(3, 4, 2, 1, 0, 0, 0), "position")
    accepted(made, Trade(3, 4, 1, 1, 0, 0, 0))
    assert made.state.cell(3).position == Q_MAX and made.state.cell(4).position == -Q_MAX


def test_size() -> None:
    """2^64 is a size: it turns a position of 2^63 over."""
    made = machine({3: account(RICH, 1 << 63), 4: account(RICH, -1 << 63)}, price=1)
    cash = -(1 << 48)
    refused(made, Trade(3, 4, 0, -1, 0, 0, 0), "size")
    refused(made, Trade(3, 4, (1 << 64) + 1, -1, cash, 0, 0), "size")
    accepted(made, Trade(3, 4, 1 << 64, -1, cash, 0, 0))
    assert made.state.cell(3).position == -1 << 63


def test_cash() -> None:
    """A position of nearly 2^79 is sold for 2^63."""
    size = 1 << 63
    rules = parameters(build_tiers([(0, 1, 1)], 1 << 70), band=1 << 14)

    def made() -> Machine:
        return machine({3: account(-1, size - 1), 4: account(C_MAX, 11 - size)}, rules=rules)

    accepted(made(), Trade(3, 4, size - 1, -1, -(1 << 63), 0, 0))
    refused(made(), Trade(3, 4, size - 1, -1, -(1 << 63) - 1, 0, 0), "cash")
    refused(made(), Trade(4, 3, size - 1, 1, 1 << 63, 0, 0), "cash")
    refused(made(), Transfer(4, 3, 1 << 63), "amount")
    refused(made(), Transfer(4, 3, 0), "amount")


def test_fee() -> None:
    made = machine({3: account(RICH), 4: account(RICH)}, rules=parameters(fee_cap=65535))
    size = 1 << 50
    refused(made, Trade(3, 4, size, 1, size, 1 << 48, 0), "fee")
    refused(made, Trade(3, 4, size, 1, size, 0, 1 << 48), "fee")
    accepted(made, Trade(3, 4, size, 1, size, (1 << 48) - 1, (1 << 48) - 1))


def test_l1_amount() -> None:
    made = machine({3: account(1 << 60)})
    for amount in (0, -1, 1 << 56):
        refused(made, Deposit(3, amount, 0), "amount")
        refused(made, Withdraw(3, amount, 0), "amount")
    accepted(made, Deposit(3, (1 << 56) - 1, 0))
    accepted(made, Withdraw(3, (1 << 56) - 1, 1))


def test_notional_without_a_tier() -> None:
    """2^32 base units at a price of 2^31 are 2^79: the request is refused with proof, whatever the equity."""
    position = 1 << 32
    below = machine({3: account(0, position)}, price=(1 << 47) - 1)
    assert accepted(below, Withdraw(3, 1, 0)).kind == "withdraw"
    at = machine({3: account(0, position), 4: account(RICH), INSURANCE: system(0)}, price=1 << 47)
    refused(at, Transfer(3, 4, 1), "notional")
    refused(at, Liquidate(4, 3, 1, 1 << 31, 0), "notional")
    step = accepted(at, Withdraw(3, 1, 0))
    assert (step.kind, step.oversized, position << 47) == ("refuse", True, NOTIONAL_LIMIT)


def test_position_beyond_the_tiers_can_be_cut_into_an_open_one() -> None:
    """Rule (A) looks at what is left; rule (B) needs the requirement before, which does not exist."""
    made = machine({3: account(0, 1 << 32), 4: account(C_MAX, -1 << 32)}, price=1 << 47)
    refused(made, Trade(3, 4, 1, -1, -(1 << 31), 0, 0), "notional")
    refused(made, Trade(3, 4, 1 << 31, -1, -(1 << 62), 0, 0), "notional")
    step = accepted(made, Trade(3, 4, (1 << 32) - (1 << 22), -1, -(96 << 63) // 100, 0, 0))
    assert (step.rule_a, step.rule_b) == ("initial", "initial")


def test_strict_register() -> None:
    """A cover leaves TV' with 2^16 - 1 - TV' < 2^112: the shortest position at the highest price comes to the edge."""
    price = (1 << 48) - 1
    deepest = (1 << 16) - (1 << 112)  # of TV'
    collateral = -((-deepest - Q_MAX * price) >> 16)  # of c', the least that the register holds
    for paid, code in ((collateral, None), (collateral - 1, "register")):
        made = machine({INSURANCE: system(1), 3: account(paid - 1, -Q_MAX)}, price=price)
        if code is None:
            accepted(made, Cover(3, 1))
        else:
            refused(made, Cover(3, 1), code)


def test_fees_must_be_collectable() -> None:
    """Fees that their cell could not hold at the end of the batch are refused when they arise."""
    fee_full = machine({FEE: system(C_MAX - 1), 3: account(RICH), 4: account(RICH)})
    refused(fee_full, Trade(3, 4, 10**6, 1, 10**6, 1, 1), "collect")
    accepted(fee_full, Trade(3, 4, 10**6, 1, 10**6, 1, 0))
    assert fee_full.collect(1).a.after == system(C_MAX)  # type: ignore[union-attr]
    full = machine({INSURANCE: system(C_MAX - 1), 3: account(RICH), 4: account(-1520, 1600)})
    refused(full, Liquidate(3, 4, 800, 800, 2), "collect")
    accepted(full, Liquidate(3, 4, 800, 800, 1))
    refused(full, Deposit(INSURANCE, 1, 0), "collect")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((0, 0), "price"),
        ((1, 0), None),
        (((1 << 48) - 1, 0), None),
        ((1 << 48, 0), "price"),
        ((ONE, 1 << 63), "index"),
        ((ONE, -1 << 63), "index"),
    ],
)
def test_oracle_row(row: tuple[int, int], code: str | None) -> None:
    made = machine({})
    tick = Tick(1000, (row, (ONE, 0)))
    if code is None:
        made.apply(tick)
        assert (made.state.rows, made.state.tick) == ((row, (ONE, 0)), 2)
    else:
        refused(made, tick, code)


def test_oracle_index_at_its_ends() -> None:
    for sign in (1, -1):
        edge = sign * ((1 << 63) - 1)
        made = machine({}, index=edge - sign)
        accepted_tick = Tick(4600, ((ONE, edge), (ONE, edge)))
        made.apply(accepted_tick)
        assert made.state.rows[0] == (ONE, edge)
        refused(made, Tick(9999, ((ONE, edge + sign), (ONE, edge))), "index")


def test_oracle_time_and_shape() -> None:
    made, row = machine({}), (ONE, 0)
    refused(made, Tick(999, (row, row)), "time")
    refused(made, Tick(1 << 40, (row, row)), "time")
    refused(made, Tick(1000, (row,)), "tick")
    refused(made, Tick(1000, (row, row, row)), "tick")
    made.apply(Tick(1000, (row, row)))
    made.apply(Tick((1 << 40) - 1, (row, row)))
    assert made.state.tick == 3
    made.state.tick = (1 << 40) - 2
    made.apply(Tick((1 << 40) - 1, (row, row)))
    refused(made, Tick((1 << 40) - 1, (row, row)), "tick")


def test_funding_cap() -> None:
    """2^20/2^32 of the price per second: at the price 1 the index moves by at most 2^20 a second."""
    for sign in (1, -1):
        made = machine({})
        refused(made, Tick(1003, ((ONE, 0), (ONE, sign * (3 * (1 << 20) + 1)))), "funding-cap")
        made.apply(Tick(1003, ((ONE, 0), (ONE, sign * 3 * (1 << 20)))))
        refused(made, Tick(1003, ((ONE, sign), (ONE, sign * 3 * (1 << 20)))), "funding-cap")
        made.apply(Tick(1004, ((2 * ONE, sign * (2 << 20)), (ONE, sign * 3 * (1 << 20)))))
