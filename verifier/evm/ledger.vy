# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the rollup contract keeps
@notice The storage of rollup.vy. The code of leaving.vy runs on it too (delegatecall): both initialize this module
        first, so every variable has one place, and leaving.vy keeps nothing else.
"""

from ethereum.ercs import IERC20

import limits

WHOLE: constant(uint256) = 2**32  # the factor before anything is lost
DEPOSIT: constant(uint256) = 3  # kinds of items of the queue
SUPPLY: constant(uint256) = 5  # and 16 times the market of the asset
BLOCK: constant(uint256) = 64  # cells; of accounts that are one cell, or of one group

interface IVerifier:
    def verify(statement: Bytes[1], proof: Bytes[1]) -> bool: view
    def is_cell(root: uint256[2], cell: uint256, content: uint256, proof: uint256[2]) -> bool: view
    def key_digest() -> bytes32: view

struct Item:
    asked: uint256  # kind + 2^24 cell + 2^56 amount + 2^120 deadline; a deposit's amount is of the token
    owner: address

struct Block:
    owner: address  # of the group that begins with it
    room: uint256  # of that group: cells that it may have, its head included
    alone: uint256  # how many of its cells are accounts of their own

verifier: public(IVerifier)
root: public(uint256[2])
oracle: public(bytes32)  # keccak256 of the last tick's rows
vault: public(uint256)  # what the state has, of the token
factor: public(uint256)  # of the token for one of the state's units, over 2^32: what losses have left
queued_deposits: public(uint256)
queue: HashMap[uint256, Item]
next_queue: public(uint256)
queue_end: public(uint256)
owners: public(HashMap[uint256, address])  # of accounts that are one cell
blocks: public(HashMap[uint256, Block])
payable_to: public(HashMap[address, uint256])
payable_in_all: public(uint256)

tokens: public(HashMap[uint256, IERC20])  # of the markets that are assets
supplied: public(HashMap[uint256, uint256])  # of each of these markets, in the state
queued_supplies: public(HashMap[uint256, uint256])
payable_of: public(HashMap[uint256, HashMap[address, uint256]])  # market, owner

frozen_at: public(uint256)
escaped: public(HashMap[uint256, bool])
claims: public(HashMap[address, uint256])
claims_in_all: public(uint256)
paid_late: uint256
forfeited: public(HashMap[uint256, uint256])  # of each asset, what accounts with debts could not take along
forfeited_worth: public(uint256)  # of all that, over 2^16


@internal
def pay(owner: address, amount: uint256):
    self.payable_to[owner] += amount
    self.payable_in_all += amount


@internal
def pay_asset(market: uint256, owner: address, amount: uint256):
    self.payable_of[market][owner] += amount


@internal
@view
def cap(market: uint256) -> uint256:
    """
    @return The most that may be supplied of a market, 0 of one that is no asset.
    """
    for asset: uint256 in limits.ASSETS:
        if asset % 2**16 == market:
            return asset >> 16
    return 0


@internal
@view
def is_system(cell: uint256) -> bool:
    return cell == limits.FEE_CELL or cell == limits.INSURANCE_CELL
