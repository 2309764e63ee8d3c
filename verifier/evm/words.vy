# pragma version 0.4.3
"""
@title Words of calldata
@notice A statement lies in calldata as it was encoded (circuits/margin/statement.py); nothing copies it to memory.
"""

WORD: constant(uint256) = 32
ROW: constant(uint256) = 160  # bytes of an oracle row, or of one of the queue
ORDER: constant(uint256) = 320  # bytes of an order's row
HEADER: constant(uint256) = 256  # bytes before the oracle rows

struct Header:
    version: uint256
    chain: uint256
    rollup: uint256
    batch: uint256
    states: uint256[4]  # old x, old y, new x, new y

struct OracleRow:
    tick: uint256
    time: uint256
    market: uint256
    price: uint256  # 16 fractional bits
    index: int256  # 32 fractional bits

struct QueueRow:
    queue: uint256
    kind: uint256
    cell: uint256
    amount: uint256
    outcome: uint256

struct OrderRow:
    fills: uint256
    cell: uint256
    market: uint256
    sells: uint256
    size: uint256
    limit: uint256
    fee: uint256
    expiry: uint256
    slot: uint256
    id: uint256


@internal
@view
def word(at: uint256) -> uint256:
    return convert(slice(msg.data, at, 32), uint256)


@internal
@view
def signed_word(at: uint256) -> int256:
    return convert(slice(msg.data, at, 32), int256)


@internal
@view
def header(at: uint256) -> Header:
    return abi_decode(slice(msg.data, at, HEADER), Header)


@internal
@view
def oracle_row(at: uint256) -> OracleRow:
    return abi_decode(slice(msg.data, at, ROW), OracleRow)


@internal
@view
def queue_row(at: uint256) -> QueueRow:
    return abi_decode(slice(msg.data, at, ROW), QueueRow)


@internal
@view
def order_row(at: uint256) -> OrderRow:
    return abi_decode(slice(msg.data, at, ORDER), OrderRow)
