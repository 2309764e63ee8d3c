# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Assets that owners supply and redeem
@notice Of tokens of their own. A row of the queue that no batch can do or refuse would freeze the rollup, so what is asked
        for is within the caps, and of cells of which the contract knows the market.
"""

import ledger
import limits
import queue
import words

uses: ledger
uses: queue

WITHDRAW: constant(uint256) = 4
REDEEM: constant(uint256) = 6  # and 16 times the market of the asset

event AssetPaid:
    market: indexed(uint256)
    owner: indexed(address)
    amount: uint256

markets: public(HashMap[uint256, uint256])  # 1 more than the market of a cell, where it is known


@external
def supply(cell: uint256, amount: uint256):
    """
    @notice Queues the supply of so many units of an asset to a cell of its market.
    """
    market: uint256 = self._asset(cell, amount)
    supplied: uint256 = ledger.supplied[market] + ledger.queued_supplies[market]
    assert supplied + amount <= ledger.cap(market), "beyond the cap"
    ledger.queued_supplies[market] += amount
    queue.enqueue(ledger.SUPPLY + 16 * market, cell, amount)
    queue.receive(ledger.tokens[market], amount)


@external
def request_redemption(cell: uint256, amount: uint256):
    """
    @notice Queues a redemption of so many units of an asset, which the operator must prove, or prove to be against the
            margin rules.
    """
    queue.enqueue(REDEEM + 16 * self._asset(cell, amount), cell, amount)


@external
def withdraw_asset(market: uint256, owner: address):
    """
    @notice Pays an owner what he may have of an asset.
    """
    amount: uint256 = ledger.payable_of[market][owner]
    ledger.payable_of[market][owner] = 0
    assert extcall ledger.tokens[market].transfer(owner, amount, default_return_value=True), "transfer"
    log AssetPaid(market=market, owner=owner, amount=amount)


@external
def pay_waiting(owner: address):
    """
    @notice Makes what an owner withdrew and the vault did not hold payable, as far as it holds it by now. After a freeze
            it is a claim as others are.
    """
    assert ledger.frozen_at == 0, "frozen"
    paid: uint256 = min(ledger.claims[owner], ledger.vault)
    ledger.claims[owner] -= paid
    ledger.claims_in_all -= paid
    ledger.vault -= paid
    ledger.pay(owner, paid)


@internal
def move(sweep: uint256, rows: uint256, count: uint256):
    """
    @notice What a statement says is supplied before the batch is what the batch before left. Withdrawals too: who has
            borrowed against an asset has the currency of others, so the vault may not hold one that cannot be refused.
            What it does not hold waits as a claim, before whatever is withdrawn later.
    @param sweep Where the statement says that there is none, orders and then what is supplied behind it; rows: of the
           queue, so many, which are what was queued.
    """
    at: uint256 = sweep + 96 + words.ORDER * words.word(sweep + 32)
    for asset: uint256 in limits.ASSETS:
        assert words.word(at) == ledger.supplied[asset % 2**16], "not what is supplied"
        at += 32
    index: uint256 = ledger.next_queue
    at = rows
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        market: uint256 = row.kind >> 4
        if row.kind % 16 == ledger.SUPPLY:
            ledger.queued_supplies[market] -= row.amount
            ledger.supplied[market] += row.amount
        elif row.kind % 16 == REDEEM and row.outcome == 1:
            ledger.supplied[market] -= row.amount
            ledger.pay_asset(market, ledger.queue[index].owner, row.amount)
        elif row.kind == WITHDRAW and row.outcome == 1:
            owner: address = ledger.queue[index].owner
            paid: uint256 = min(row.amount, ledger.vault - min(ledger.vault, ledger.claims_in_all))
            ledger.vault -= paid
            ledger.pay(owner, paid)
            ledger.claims[owner] += row.amount - paid
            ledger.claims_in_all += row.amount - paid
        index += 1
        at += words.ROW


@internal
@view
def _asset(cell: uint256, amount: uint256) -> uint256:
    """
    @return The asset of which the caller's cell is known to be, so that a request for it has a proof.
    """
    queue.check_owner(cell)
    market: uint256 = self.markets[cell]
    assert market > 0 and ledger.cap(market - 1) > 0, "no asset"
    assert amount > 0 and amount < queue.AMOUNT_LIMIT, "amount"
    return market - 1
