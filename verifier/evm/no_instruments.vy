# pragma version 0.4.3
"""
@title instruments.vy of a key without options, scenarios and assets
@notice Nothing of it is ever called, and no such key pays for the code of others.
"""

import key

struct Fractions:  # sums of v_i * w^i / (zeta - w^i) over a common denominator
    numerators: uint256[key.COLUMNS]
    denominator: uint256


@deploy
def __init__():
    pass


@internal
@view
def check_settlement(before: uint256, rows: uint256, count: uint256):
    raise "no options"


@internal
@view
def add_vectors(start: uint256, rows: uint256, count: uint256, zeta: uint256, others: Fractions) -> (Fractions, uint256):
    raise "no scenarios"


@internal
@view
def add_expired(rows: uint256, count: uint256, zeta: uint256, others: Fractions) -> Fractions:
    raise "no options"


@internal
@view
def has_expired(market: uint256, time: uint256) -> bool:
    return False


@internal
@view
def is_asset(kind: uint256) -> bool:
    return False


@internal
@view
def check_supplied(start: uint256, queue: uint256, first: bool) -> uint256:
    raise "no assets"
