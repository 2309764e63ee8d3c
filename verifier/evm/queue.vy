# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The queue of what owners ask for
@notice Each item has a deadline, and who asked for it is the owner of its cell.
"""

from ethereum.ercs import IERC20

import ledger
import limits

uses: ledger

SPACING: constant(uint256) = 5  # seconds between deadlines: many requests at once are no reason for a freeze
AMOUNT_LIMIT: constant(uint256) = 2**56

event Queued:
    index: indexed(uint256)
    cell: indexed(uint256)
    owner: indexed(address)
    kind: uint256
    amount: uint256
    deadline: uint256

QUEUE_SECONDS: public(immutable(uint256))  # in which an item must be consumed

closing: HashMap[uint256, bool]  # cells that are asked to be closed, and take no further requests


@deploy
def __init__(seconds: uint256):
    QUEUE_SECONDS = seconds


@internal
def enqueue(kind: uint256, cell: uint256, amount: uint256):
    assert ledger.frozen_at == 0, "frozen"
    index: uint256 = ledger.queue_end
    deadline: uint256 = block.timestamp + QUEUE_SECONDS
    if index > 0:
        deadline = max(deadline, (ledger.queue[index - 1].asked >> 120) + SPACING)
    ledger.queue[index] = ledger.Item(asked=self.asked(kind, cell, amount) + (deadline << 120), owner=msg.sender)
    ledger.queue_end = index + 1
    log Queued(index=index, cell=cell, owner=msg.sender, kind=kind, amount=amount, deadline=deadline)


@internal
@pure
def asked(kind: uint256, cell: uint256, amount: uint256) -> uint256:
    """
    @dev What a row of a statement and an item of the queue have in common; a row may hold any numbers.
    """
    assert kind < 2**24 and cell < 2**32 and amount < 2**64, "not what was queued"
    return kind + (cell << 24) + (amount << 56)


@internal
@view
def check_owner(cell: uint256):
    assert msg.sender == self.owner_of(cell), "not the owner"
    assert not self.closing[cell], "closing"


@internal
@view
def owner_of(cell: uint256) -> address:
    """
    @dev Of an account, or of the group that the cell is, or may become, a member of.
    """
    if limits.MOST_ROOM > 0:
        around: ledger.Block = ledger.blocks[cell // ledger.BLOCK]
        if around.room > 0:
            return around.owner if cell % ledger.BLOCK > 0 and cell % ledger.BLOCK < around.room else empty(address)
    return ledger.owners[cell]


@internal
def receive(token: IERC20, amount: uint256):
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(msg.sender, self, amount, default_return_value=True), "transfer"
    assert staticcall token.balanceOf(self) == before + amount, "transfer"
