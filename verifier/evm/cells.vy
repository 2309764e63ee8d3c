# pragma version 0.4.3
"""
@title What a cell is worth
@notice The digits of circuits/margin/cell.py, settled as in docs/margin.md: the account pays funding's ceiling.
"""

ACCOUNT: constant(uint256) = 1
SYSTEM: constant(uint256) = 2
HEAD: constant(uint256) = 4  # of a group, and 16 times its module
MEMBER: constant(uint256) = 5  # and 16 times its place behind the head
POSITION_MASK: constant(uint256) = 2**66 - 1
MASK: constant(uint256) = 2**64 - 1
BIAS: constant(uint256) = 2**63 + 2**129 + 2**193

struct Cell:
    collateral: int256
    position: int256
    index: int256
    market: uint256
    kind: uint256


@internal
@pure
def unpack(content: uint256) -> Cell:
    """
    @notice The digits of a proven state's cell: nothing else is ever in one.
    """
    biased: uint256 = content + BIAS
    return Cell(
        collateral=convert(biased & MASK, int256) - 2**63,
        position=convert((biased >> 64) & POSITION_MASK, int256) - 2**65,
        index=convert((biased >> 130) & MASK, int256) - 2**63,
        market=(biased >> 194) & (2**16 - 1),
        kind=biased >> 210,
    )


@internal
@pure
def total_value(cell: Cell, price: uint256, index: int256) -> int256:
    """
    @return Total value over 2^16: collateral less funding, and the position at the price.
    """
    funding: int256 = cell.position * (index - cell.index)  # of 32 fractional bits
    due: int256 = -(-funding >> 32)
    return (cell.collateral - due) * 2**16 + cell.position * convert(price, int256)


@internal
@pure
def whole(total: int256) -> uint256:
    """
    @return max(0, total) in whole units.
    """
    return convert(total // 2**16, uint256) if total > 0 else 0
