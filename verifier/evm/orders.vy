# pragma version 0.4.3
"""
@title Orders under their owners' signatures
@notice The order rows of a statement are what owners signed as typed data (EIP-712): nothing but them lets the operator
        trade for an account. An owner who is a contract signs nothing.
"""

import limits
import words

SIGNATURE: constant(uint256) = 96  # bytes of r, s and v
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168  # secp256k1


@internal
@view
def count(sweep: uint256, end: uint256) -> (uint256, uint256):
    """
    @param sweep Where the statement says whether there is one; end: where it ends, and `sweep` where it says nothing.
    @return How many order rows it has, and where they begin (circuits/margin/statement.py, `_encode_options`).
    """
    rows: uint256 = sweep + 32 + limits.SWEPT
    if sweep == end or rows == end:
        return 0, end
    return words.word(rows), rows + 32


@internal
@view
def signer(row: uint256, signature: uint256) -> address:
    """
    @param row Where an order's row lies in calldata; signature: where r, s and v of it do.
    """
    said: bytes32 = keccak256(concat(limits.ORDER_TYPE, slice(msg.data, row + 32, words.ORDER - 32)))
    digest: bytes32 = keccak256(concat(0x1901, self._domain(), said))
    assert words.word(signature + 32) <= HALF_ORDER, "orders: signature"
    return ecrecover(digest, words.word(signature + 64), words.word(signature), words.word(signature + 32))


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, keccak256("zkmargin"), keccak256("1"), chain.id, self))
