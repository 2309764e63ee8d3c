"""Transitions between two cells: one position change and one cash amount move from leg to leg, then fees."""

from circuits.margin.cell import EMPTY, SYSTEM, Cell
from circuits.margin.modules import PRICE_FRACTION
from zkmargin.context import Context
from zkmargin.fills import fills_of, require_unordered
from zkmargin.operations import require_collectable
from zkmargin.rules import (
    CASH_MAX,
    MARGIN_BITS,
    STRICT_BITS,
    Settled,
    base_of,
    closes_out,
    initial_room,
    margin_rule,
    reduces,
    require,
    require_band,
    require_budget,
    require_cash,
    require_fee,
    require_reducing,
    require_register,
    require_relief,
    require_size,
    require_tier,
    share_kept,
)
from zkmargin.state import Base, Leg, Step, as_system
from zkmargin.transactions import Cover, Deleverage, Liquidate, Taken, Trade, Transfer


def trade(context: Context, transaction: Trade) -> Step:
    """a gains direction*size for cash, each leg pays its own fee, and each meets a margin rule."""
    parameters, size, cash = context.parameters, transaction.size, transaction.cash
    require_size(size)
    require_cash(cash)
    require(transaction.direction in (1, -1), "direction", f"{transaction.direction} is neither 1 nor -1")
    a, b = context.pair(transaction.a, transaction.b)
    delta = transaction.direction * size
    require_band(parameters.trade_band, delta, cash, a.price)
    for fee in (transaction.fee_a, transaction.fee_b):
        require_fee(fee, parameters.trade_fee_cap, size, a.price)
    leg_a = a.moved(-cash - transaction.fee_a, delta)
    leg_b = b.moved(cash - transaction.fee_b, -delta)
    rule_a, rule_b = margin_rule(a, leg_a.after, size), margin_rule(b, leg_b.after, size)
    fees = context.state.trade_fees + transaction.fee_a + transaction.fee_b
    require_collectable(context.state.cell(parameters.fee_cell).collateral, fees)
    taken = (transaction.a, delta, cash, transaction.fee_a), (transaction.b, -delta, -cash, transaction.fee_b)
    return Step(
        "trade",
        context.state.tick,
        leg_a,
        leg_b,
        size,
        delta,
        cash,
        transaction.fee_a,
        transaction.fee_b,
        rule_a=rule_a,
        rule_b=rule_b,
        fills=fills_of(context, transaction.orders, taken),
    )


def transfer(context: Context, transaction: Transfer) -> Step:
    """The sender is settled and keeps its initial margin; of the receiver only c changes."""
    amount = transaction.amount
    require_unordered(context)
    _require_moved(amount)
    context.require_two(transaction.a, transaction.b)
    a, receiver = context.judged(transaction.a), context.account(transaction.b)
    leg_a = a.moved(-amount)
    room = initial_room(a, leg_a.after)
    require(room >= 0, "margin", f"cell {transaction.a} would be left below its initial margin")
    require_register("D", room, MARGIN_BITS)
    require_budget(receiver.collateral + amount)
    after = Cell(receiver.collateral + amount, receiver.position, receiver.index, receiver.market, receiver.kind)
    leg_b = Leg(transaction.b, receiver, after, False)
    return Step("transfer", context.state.tick, leg_a, leg_b, size=amount, cash=amount, rule_a="initial")


def liquidate(context: Context, transaction: Liquidate | Taken, first: Base | None = None, more: bool = False) -> Step:
    """A victim below maintenance loses a part of its position, but no larger share of its equity, fee included.

    first: of a basket's later parts, what the victim was before the first one; more: another part is to come, and the
    victim is judged then.
    """
    parameters, size, cash, fee = context.parameters, transaction.size, transaction.cash, transaction.fee
    require_size(size)
    require_cash(cash)
    a, b = context.pair(transaction.a, transaction.b)
    base = first or base_of(b)
    if more or first:
        require(b.rest.scan is not None, "basket", f"cell {transaction.b} is of no portfolio")
        one = base.group == base_of(b).group
        require(one, "basket", f"cell {transaction.b} is of another portfolio than the ones before it")
    missing = base.maintenance - (base.equity << PRICE_FRACTION)
    require(missing > 0, "healthy", f"cell {transaction.b} meets its maintenance margin")
    require_register("MM - TV*2^16 - 1", missing - 1, STRICT_BITS)
    delta = _taken(b, size)
    require_band(parameters.liquidation_band, delta, cash, a.price)
    require_fee(fee, parameters.liquidation_fee_cap, size, a.price)
    leg_a, leg_b = a.moved(-cash, delta), b.moved(cash - fee, -delta)
    rule_a = margin_rule(a, leg_a.after, size)
    closeout = not (more or first) and closes_out(b, leg_b.after)
    if not (closeout or more):
        require_reducing(b, leg_b.after, base)
    insurance = context.state.cell(parameters.insurance_cell).collateral
    require_collectable(insurance, context.state.liquidation_fees + fee)
    return Step(
        "liquidate",
        context.state.tick,
        leg_a,
        leg_b,
        size,
        delta,
        cash,
        fee_b=fee,
        rule_a=rule_a,
        rule_b="reducing",
        closeout=closeout,
        base=base,
        continues=first is not None,
        more=more,
        fills=fills_of(context, transaction.orders, [(transaction.a, delta, cash, 0)]),
    )


def deleverage(context: Context, transaction: Deleverage) -> Step:
    """A bankrupt account and one of the opposite side reduce at the one cash amount with 0 <= E < 2^16*MM."""
    size, cash = transaction.size, transaction.cash
    require_size(size)
    require_cash(cash)
    a, b = context.pair(transaction.a, transaction.b)
    maintenance, deficit = b.maintenance(), -b.equity
    require(deficit > 0, "solvent", f"cell {transaction.b} is not bankrupt")
    require_register("-TV - 1", deficit - 1, STRICT_BITS)
    delta = _taken(b, size)
    leg_a, leg_b = a.moved(-cash, delta), b.moved(cash, -delta)
    require(reduces(a, leg_a.after, size), "side", f"cell {transaction.a} does not reduce by {size}")
    require_relief(b, leg_b.after)
    kept = share_kept(b, leg_b.after)
    # One unit of cash moves E by 2^16*MM, so exactly one amount is in the interval.
    require(0 <= kept < maintenance << PRICE_FRACTION, "quote", f"{cash} is not the bankrupt account's share")
    rule_a = margin_rule(a, leg_a.after, size)
    return Step("deleverage", context.state.tick, leg_a, leg_b, size, delta, cash, rule_a=rule_a, rule_b="reducing")


def cover(context: Context, transaction: Cover) -> Step:
    """The insurance cell pays at most ceil(-TV / 2^16) to a bankrupt account, with a position or without."""
    amount, address = transaction.amount, context.parameters.insurance_cell
    _require_moved(amount)
    require(transaction.cell != address, "same-cell", f"both legs are cell {address}")
    b, insurance = context.judged(transaction.cell), context.cell(address)
    require(insurance.collateral >= amount, "insurance", f"the insurance cell holds less than {amount}")
    leg_b = b.moved(amount)
    # TV' <= 2^16 - 1 with amount >= 1 implies TV < 0 before.
    left = (1 << PRICE_FRACTION) - 1 - b.equity_after(leg_b.after)
    require(left >= 0, "cover", f"{amount} is more than the deficit of cell {transaction.cell}")
    require_register("2^16 - 1 - TV'", left, STRICT_BITS)
    leg_a = Leg(address, insurance, Cell(collateral=insurance.collateral - amount, kind=SYSTEM), False)
    return Step("cover", context.state.tick, leg_a, leg_b, size=amount, cash=amount)


def collect(context: Context, tick: int) -> Step:
    """Credits the batch's trade fees to the fee cell and its liquidation fees to the insurance cell."""
    state, parameters = context.state, context.parameters
    fee, insurance = state.cell(parameters.fee_cell), state.cell(parameters.insurance_cell)
    leg_a = _credited(parameters.fee_cell, fee, state.trade_fees)
    leg_b = _credited(parameters.insurance_cell, insurance, state.liquidation_fees)
    return Step("collect", tick, leg_a, leg_b, fresh_a=fee.kind == EMPTY, fresh_b=insurance.kind == EMPTY)


def _credited(address: int, before: Cell, fees: int) -> Leg:
    require_budget(before.collateral + fees)
    return Leg(address, before, as_system(Cell(before.collateral + fees)), False)


def _require_moved(amount: int) -> None:
    require(1 <= amount <= CASH_MAX, "amount", f"{amount} is outside 1..2^63-1")


def _taken(victim: Settled, size: int) -> int:
    """The position change of the other leg: `size` of the victim's side."""
    position = victim.before.position
    require_tier(victim.notional)
    require(size <= abs(position), "size", f"{size} is more than the position {position} of cell {victim.address}")
    return size if position > 0 else -size
