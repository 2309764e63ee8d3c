"""Transitions of a single cell: the operations of the L1 queue, and touch."""

from dataclasses import replace

from circuits.margin.cell import ACCOUNT, COLLATERAL_MAX, EMPTY, EMPTY_CELL, Cell
from circuits.margin.modules import PRICE_FRACTION
from circuits.margin.tiers import NOTIONAL_LIMIT
from zkmargin.context import Context
from zkmargin.rules import (
    AMOUNT_LIMIT,
    MARGIN_BITS,
    Settled,
    initial_room,
    require,
    require_budget,
    require_register,
)
from zkmargin.state import Leg, Step, as_system
from zkmargin.transactions import Close, Deposit, Open, Settle, Touch, Withdraw


def open_account(context: Context, transaction: Open) -> Step:
    """The empty cell becomes an account of the market at the current index."""
    require_next(context, transaction.queue)
    state, address, market = context.state, transaction.cell, transaction.market
    require(context.cell(address).kind == EMPTY, "kind", f"cell {address} is not empty")
    require(not context.is_system(address), "system", f"cell {address} is a system cell")
    require(address < context.accounts, "slot", f"cell {address} counts fills of orders")
    require(0 <= market < len(state.rows), "market", f"there is no market {market}")
    after = Cell(0, 0, state.rows[market][1], market, ACCOUNT)
    leg = Leg(address, EMPTY_CELL, after, True)
    return Step("open", state.tick, leg, amount=market + 1, queue=transaction.queue)


def close_account(context: Context, transaction: Close) -> Step:
    """An account without position and collateral becomes the empty cell; of any other the request is refused."""
    require_next(context, transaction.queue)
    cell = context.account(transaction.cell)
    require(not cell.is_member, "kind", f"cell {transaction.cell} is of a group, which it leaves by `leave`")
    flat = not cell.position and not cell.collateral
    leg = Leg(transaction.cell, cell, EMPTY_CELL if flat else cell, False)
    kind = "close" if flat else "refuse_close"
    return Step(kind, context.state.tick, leg, amount=1, queue=transaction.queue)


def deposit(context: Context, transaction: Deposit) -> Step:
    """c + amount, to an account or the insurance cell."""
    require_next(context, transaction.queue)
    require_amount(transaction.amount)
    address, amount, state = transaction.cell, transaction.amount, context.state
    if not context.is_system(address):
        leg = context.settled(address).moved(amount)
        return Step("deposit", state.tick, leg, amount=amount, queue=transaction.queue)
    require(address == context.parameters.insurance_cell, "system", "nothing is deposited to the fee cell")
    before = context.cell(address)
    require_budget(before.collateral + amount)
    require_collectable(before.collateral + amount, state.liquidation_fees)
    leg = _system_leg(address, before, amount)
    fresh = before.kind == EMPTY
    return Step("deposit", state.tick, leg, amount=amount, queue=transaction.queue, system=True, fresh_a=fresh)


def withdraw(context: Context, transaction: Withdraw) -> Step:
    """c - amount under rule (A); where that fails, the refusal that consumes the request."""
    require_next(context, transaction.queue)
    require_amount(transaction.amount)
    if context.is_system(transaction.cell):
        return _withdraw_fees(context, transaction)
    account, amount = context.judged(transaction.cell, refusable=True), transaction.amount
    tick, queue = context.state.tick, transaction.queue
    if account.notional >= NOTIONAL_LIMIT or account.rest.beyond:
        return Step("refuse", tick, account.moved(0), amount=amount, queue=queue, oversized=True)
    room = initial_room(account, _paid(account, amount))
    if room < 0:
        require_register("-D - 1", -room - 1, MARGIN_BITS)
        return Step("refuse", tick, account.moved(0), amount=amount, queue=queue)
    require_register("D", room, MARGIN_BITS)
    return Step("withdraw", tick, account.moved(-amount), amount=amount, queue=queue, rule_a="initial")


def touch(context: Context, transaction: Touch) -> Step:
    """Settles funding, nothing else."""
    return Step("touch", context.state.tick, context.settled(transaction.cell).moved(0))


def settle(context: Context, transaction: Settle) -> Step:
    """The position in an expired option becomes cash at the settlement price, rounded down."""
    account, portfolio = context.settled(transaction.cell), context.parameters.portfolio
    expired = portfolio is not None and portfolio.expired(account.before.market, context.state.time)
    require(expired, "expiry", f"cell {transaction.cell} holds nothing that has expired")
    position = account.before.position
    return Step("settle", context.state.tick, account.moved(position * account.price >> PRICE_FRACTION, -position))


def require_collectable(collateral: int, fees: int) -> None:
    """The batch must be able to end: its `collect` may not carry a system cell out of the bit budget."""
    require(collateral + fees <= COLLATERAL_MAX, "collect", "the fees of the batch would overflow their cell")


def _paid(account: Settled, amount: int) -> Cell:
    return replace(account.before, collateral=account.collateral - amount, index=account.index)


def _withdraw_fees(context: Context, transaction: Withdraw) -> Step:
    address, amount = transaction.cell, transaction.amount
    require(address == context.parameters.fee_cell, "system", "nothing is withdrawn from the insurance cell")
    before = context.cell(address)
    paid = before.collateral >= amount
    return Step(
        "withdraw" if paid else "refuse",
        context.state.tick,
        _system_leg(address, before, -amount if paid else 0),
        amount=amount,
        queue=transaction.queue,
        system=True,
        fresh_a=before.kind == EMPTY,
    )


def _system_leg(address: int, before: Cell, change: int) -> Leg:
    return Leg(address, before, as_system(Cell(before.collateral + change)), False)


def require_next(context: Context, queue: int) -> None:
    """Refused unless it is the next L1 operation."""
    require(queue == context.state.queue, "queue", f"the next L1 operation is {context.state.queue}, not {queue}")


def require_amount(amount: int) -> None:
    """Of an L1 operation, in quote units or, of an asset, in base units."""
    require(1 <= amount < AMOUNT_LIMIT, "amount", f"{amount} is outside 1..2^56-1")
