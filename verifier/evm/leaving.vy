# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
"""
@title The way out of a rollup that is frozen
@notice Code of the rollup contract, in a contract of its own because of EIP-170: rollup.vy hands on to it what it does
        not know itself (delegatecall), so it runs on the rollup's storage, as the rollup. It has no other way in: on
        storage of its own nothing is ever frozen.
"""

import cells
import ledger
import limits
import words

initializes: ledger
exports: (ledger.escaped, ledger.claims, ledger.claims_in_all, ledger.forfeited, ledger.forfeited_worth)

interface ITerms:
    def GOVERNOR() -> address: view
    def CLAIM_SECONDS() -> uint256: view

event Escaped:
    cell: indexed(uint256)
    owner: indexed(address)
    claim: uint256


@external
def refund(index: uint256):
    """
    @notice Gives an unconsumed deposit, or supply of an asset, back, after a freeze.
    """
    assert ledger.frozen_at > 0, "not frozen"
    assert index >= ledger.next_queue and index < ledger.queue_end, "not in the queue"
    asked: uint256 = ledger.queue[index].asked
    kind: uint256 = asked % 2**24
    amount: uint256 = (asked >> 56) % 2**64
    ledger.queue[index].asked = 0
    if kind == ledger.DEPOSIT:
        ledger.queued_deposits -= amount
        ledger.pay(ledger.queue[index].owner, amount)
    else:
        assert kind % 16 == ledger.SUPPLY, "no deposit, or refunded"
        ledger.queued_supplies[kind >> 4] -= amount
        ledger.pay_asset(kind >> 4, ledger.queue[index].owner, amount)


@external
def escape(
    cell: uint256,
    content: uint256,
    proof: uint256[2],
    rows: Bytes[limits.MARKETS * words.ROW],
):
    """
    @notice Claims for its owner what a cell of the last proven state is worth at the last oracle rows. By anyone, once a
            cell. Claims of the first CLAIM_SECONDS share alike where the vault does not hold them all (`settle`); later
            ones have what is left; what is left after twice that is the governor's up to the fee and insurance cells.
            Assets leave as they are: all of them, or where the account has debts beside them such a part of each as
            the account is worth of them.
    """
    self._begin_escape(cell, keccak256(rows))
    assert staticcall ledger.verifier.is_cell(ledger.root, cell, content, proof), "not what the cell holds"
    digits: cells.Cell = cells.unpack(content)
    if ledger.is_system(cell):
        assert block.timestamp > self._claims_end(2), "the owners of accounts come first"
        claim: uint256 = self._worth(convert(max(digits.collateral, 0), uint256))
        self._pay_late(cell, staticcall ITerms(self).GOVERNOR(), claim)
        return
    assert digits.kind == cells.ACCOUNT, "no account"
    owner: address = ledger.owners[cell]
    total: int256 = self._value(digits, rows)
    if limits.ASSET_COUNT > 0:
        total -= self._take_assets(owner, [content], total, rows)
    self._claim(cell, owner, total)


@external
def escape_group(
    number: uint256,
    contents: DynArray[uint256, ledger.BLOCK],
    proofs: DynArray[uint256[2], ledger.BLOCK],
    rows: Bytes[limits.MARKETS * words.ROW],
):
    """
    @notice As `escape`, for a group under any module: of all its cells, the head first, which says how many they are.
    """
    head: uint256 = number * ledger.BLOCK
    self._begin_escape(head, keccak256(rows))
    total: int256 = 0
    for i: uint256 in range(len(contents), bound=ledger.BLOCK):
        opened: bool = staticcall ledger.verifier.is_cell(ledger.root, head + i, contents[i], proofs[i])
        assert opened, "not what the cell holds"
        digits: cells.Cell = cells.unpack(contents[i])
        if i == 0:
            assert digits.kind % 16 == cells.HEAD, "no group"
            assert digits.position == convert(len(contents), int256), "not the whole group"
        else:
            assert digits.kind == cells.MEMBER + 16 * i, "no member"
            total += self._value(digits, rows)
    assert len(contents) > 0, "not the whole group"
    owner: address = ledger.blocks[number].owner
    if limits.ASSET_COUNT > 0:
        total -= self._take_assets(owner, contents, total, rows)
    self._claim(head, owner, total)


@external
def settle(owner: address):
    """
    @notice Makes an owner's claims payable, once the time for claims has passed: all of them, or where the vault holds
            less than all claims his part of it, and of the assets that were left behind for debts.
    """
    assert ledger.frozen_at > 0 and block.timestamp > self._claims_end(1), "claims are still open"
    claim: uint256 = ledger.claims[owner]
    ledger.claims[owner] = 0
    if ledger.claims_in_all > ledger.vault:
        if limits.ASSET_COUNT > 0 and ledger.forfeited_worth > 0:
            short: uint256 = min((ledger.claims_in_all - ledger.vault) * 2**16, ledger.forfeited_worth)
            for asset: uint256 in limits.ASSETS:
                market: uint256 = asset % 2**16
                part: uint256 = claim * ledger.forfeited[market] * short
                ledger.pay_asset(market, owner, part // (ledger.claims_in_all * ledger.forfeited_worth))
        claim = claim * ledger.vault // ledger.claims_in_all
    ledger.pay(owner, claim)


@internal
def _begin_escape(cell: uint256, rows: bytes32):
    assert ledger.frozen_at > 0, "not frozen"
    assert not ledger.escaped[cell], "escaped"
    assert rows == ledger.oracle, "oracle rows"
    ledger.escaped[cell] = True


@internal
@pure
def _value(digits: cells.Cell, rows: Bytes[limits.MARKETS * words.ROW]) -> int256:
    price: uint256 = extract32(rows, digits.market * words.ROW + 96, output_type=uint256)
    index: int256 = extract32(rows, digits.market * words.ROW + 128, output_type=int256)
    return cells.total_value(digits, price, index)


@internal
def _take_assets(
    owner: address,
    contents: DynArray[uint256, ledger.BLOCK],
    total: int256,
    rows: Bytes[limits.MARKETS * words.ROW],
) -> int256:
    """
    @notice Pays an account's assets: their part that it is worth, at most all. The rest of them is for those who lent.
    @return What that is worth at the last oracle rows, over 2^16.
    """
    held: uint256 = 0
    for content: uint256 in contents:
        held += self._held(cells.unpack(content), rows)
    taken: uint256 = min(convert(max(total, 0), uint256), held)
    for content: uint256 in contents:
        digits: cells.Cell = cells.unpack(content)
        worth: uint256 = self._held(digits, rows)
        if worth > 0:
            units: uint256 = convert(digits.position, uint256)
            paid: uint256 = units * taken // held
            ledger.pay_asset(digits.market, owner, paid)
            if block.timestamp <= self._claims_end(1):
                ledger.forfeited[digits.market] += units - paid
                ledger.forfeited_worth += (units - paid) * (worth // units)
    return convert(taken, int256)


@internal
@view
def _held(digits: cells.Cell, rows: Bytes[limits.MARKETS * words.ROW]) -> uint256:
    """
    @return What a cell holds of an asset is worth, over 2^16; 0 of another cell.
    """
    if digits.kind != cells.ACCOUNT and digits.kind % 16 != cells.MEMBER or ledger.cap(digits.market) == 0:
        return 0
    price: uint256 = extract32(rows, digits.market * words.ROW + 96, output_type=uint256)
    return convert(digits.position, uint256) * price


@internal
def _claim(cell: uint256, owner: address, total: int256):
    claim: uint256 = self._worth(cells.whole(total))
    if block.timestamp > self._claims_end(1):
        self._pay_late(cell, owner, claim)
        return
    ledger.claims[owner] += claim
    ledger.claims_in_all += claim
    log Escaped(cell=cell, owner=owner, claim=claim)


@internal
def _pay_late(cell: uint256, owner: address, claim: uint256):
    left: uint256 = ledger.vault - min(ledger.vault, ledger.claims_in_all) - ledger.paid_late
    amount: uint256 = min(claim, left)
    ledger.paid_late += amount
    ledger.pay(owner, amount)
    log Escaped(cell=cell, owner=owner, claim=amount)


@internal
@view
def _claims_end(times: uint256) -> uint256:
    return ledger.frozen_at + times * staticcall ITerms(self).CLAIM_SECONDS()


@internal
@view
def _worth(units: uint256) -> uint256:
    return units * ledger.factor // ledger.WHOLE
