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
exports: (ledger.escaped, ledger.claims, ledger.claims_in_all)

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
    @notice Gives an unconsumed deposit back, after a freeze.
    """
    assert ledger.frozen_at > 0, "not frozen"
    assert index >= ledger.next_queue and index < ledger.queue_end, "not in the queue"
    asked: uint256 = ledger.queue[index].asked
    assert asked % 2**8 == ledger.DEPOSIT, "no deposit, or refunded"
    amount: uint256 = (asked >> 40) % 2**64
    ledger.queue[index].asked = 0
    ledger.queued_deposits -= amount
    ledger.pay(ledger.queue[index].owner, amount)


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
    self._claim(cell, ledger.owners[cell], self._value(digits, rows))


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
    self._claim(head, ledger.blocks[number].owner, total)


@external
def settle(owner: address):
    """
    @notice Makes an owner's claims payable, once the time for claims has passed: all of them, or where the vault holds
            less than all claims his part of it.
    """
    assert ledger.frozen_at > 0 and block.timestamp > self._claims_end(1), "claims are still open"
    claim: uint256 = ledger.claims[owner]
    ledger.claims[owner] = 0
    if ledger.claims_in_all > ledger.vault:
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
