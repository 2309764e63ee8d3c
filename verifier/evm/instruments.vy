# pragma version 0.4.3
"""
@title Options, scenarios and assets in a statement
@notice What circuits/margin/portfolio.py says of the first two: the price at which options settle, the vector of each
        oracle row, and both as public columns; and what circuits/margin/assets.py says of what is supplied. Nothing of
        it is in the code of a key without.
"""

import key
import words

PRICE_LIMIT: constant(uint256) = 2**48
R: constant(uint256) = 21888242871839275222246405745257275088548364400416034343698204186575808495617
SUPPLY: constant(uint256) = 5  # kinds of rows of the queue, and 16 times their market
REDEEM: constant(uint256) = 6
SHOCKS_IN_WORD: constant(uint256) = 8  # of 32 bits each, 2^31 added

struct Option:
    exists: bool
    underlying: uint256
    call: bool
    strike: uint256
    expiry: uint256
    short_rate: uint256

struct Fractions:  # sums of v_i * w^i / (zeta - w^i) over a common denominator
    numerators: uint256[key.COLUMNS]
    denominator: uint256

SHOCKS: immutable(uint256[key.SHOCK_WORDS])
OPTIONS: immutable(uint256[key.OPTION_WORDS])  # strike + 2^48 expiry + 2^88 short rate + 2^105 underlying + 2^121 call

CAPS: immutable(uint256[key.CAP_WORDS])  # of what is supplied of each market, 0 of one that is no asset


@deploy
def __init__():
    CAPS = key.CAPS
    SHOCKS = key.SHOCKS
    OPTIONS = key.OPTIONS


@internal
@view
def check_settlement(before: uint256, rows: uint256, count: uint256):
    """
    @notice An expired option has the price that it is worth at the first tick from its expiry on, and keeps it.
    @param before Where the rows of the tick before lie; rows: where those of the batch do, so many.
    """
    last: uint256 = before
    now: uint256 = rows
    for tick: uint256 in range(count // key.MARKETS, bound=key.MOST_ROWS):
        time: uint256 = words.oracle_row(now).time
        past: uint256 = words.oracle_row(last).time
        for market: uint256 in range(key.MARKETS):
            option: Option = self._option(market)
            if option.exists and time >= option.expiry:
                settled: uint256 = words.oracle_row(last + market * words.ROW).price
                if past < option.expiry:
                    price: uint256 = words.oracle_row(now + option.underlying * words.ROW).price
                    settled = self._worth(option, price)
                assert words.oracle_row(now + market * words.ROW).price == settled, "settlement price"
        last = now
        now += key.MARKETS * words.ROW


@internal
@view
def add_vectors(start: uint256, rows: uint256, count: uint256, zeta: uint256, others: Fractions) -> (Fractions, uint256):
    """
    @param start Where the scenarios of so many oracle rows begin; others: the columns of these rows.
    @return The columns with those of the vectors, and where the statement goes on.
    """
    assert words.word(start) == count, "scenarios"
    columns: Fractions = others
    for k: uint256 in range(3):
        columns.numerators[key.VECTOR + k] = others.numerators[k]  # listed, tick, market
    at: uint256 = start + 32
    row: uint256 = rows
    node: uint256 = 1
    denominator: uint256 = 1
    market: uint256 = 0
    for i: uint256 in range(count, bound=key.MOST_ROWS):
        vector: int256[key.SCENARIOS + 1] = empty(int256[key.SCENARIOS + 1])
        vector, at = self._vector(at, row, market)
        x: uint256 = uint256_addmod(zeta, R - node, R)
        weight: uint256 = uint256_mulmod(node, denominator, R)
        for k: uint256 in range(key.SCENARIOS + 1):
            number: int256 = vector[k]
            value: uint256 = convert(number, uint256) if number >= 0 else R - convert(-number, uint256)
            place: uint256 = key.VECTOR + 3 + k
            columns.numerators[place] = uint256_addmod(
                uint256_mulmod(columns.numerators[place], x, R), uint256_mulmod(value, weight, R), R
            )
        denominator = uint256_mulmod(denominator, x, R)
        node = uint256_mulmod(node, key.ROWS_ROOT, R)
        row += words.ROW
        market += 1
        if market == key.MARKETS:
            market = 0
    return columns, at


@internal
@view
def add_expired(rows: uint256, count: uint256, zeta: uint256, others: Fractions) -> Fractions:
    """
    @notice The rows of expired options are listed from the column's first place on, so there are places behind them.
    """
    columns: Fractions = others
    row: uint256 = rows
    node: uint256 = 1
    denominator: uint256 = 1
    listed: uint256 = 0
    market: uint256 = 0
    for i: uint256 in range(2 * count, bound=2 * key.MOST_ROWS):
        expired: bool = False
        values: uint256[3] = empty(uint256[3])
        if i < count:
            told: words.OracleRow = words.oracle_row(row)
            option: Option = self._option(market)
            expired = option.exists and told.time >= option.expiry
            values = [1, told.tick, told.market]
            row += words.ROW
            market += 1
            if market == key.MARKETS:
                market = 0
        if expired or i >= count:
            if listed == count:
                break
            x: uint256 = uint256_addmod(zeta, R - node, R)
            weight: uint256 = uint256_mulmod(node, denominator, R)
            for k: uint256 in range(3):
                before: uint256 = uint256_mulmod(columns.numerators[key.EXPIRED + k], x, R)
                added: uint256 = uint256_mulmod(values[k], weight, R) if expired else 0
                columns.numerators[key.EXPIRED + k] = uint256_addmod(before, added, R)
            denominator = uint256_mulmod(denominator, x, R)
            node = uint256_mulmod(node, key.ROWS_ROOT, R)
            listed += 1
    return columns


@internal
@view
def has_expired(market: uint256, time: uint256) -> bool:
    option: Option = self._option(market)
    return option.exists and time >= option.expiry


@internal
@view
def is_asset(kind: uint256) -> bool:
    """
    @return Whether a row of the queue of this kind supplies or redeems an asset.
    """
    asks: bool = kind % 16 == SUPPLY or kind % 16 == REDEEM
    return asks and kind >> 4 < key.MARKETS and CAPS[kind >> 4] > 0


@internal
@view
def check_supplied(start: uint256, queue: uint256, first: bool) -> uint256:
    """
    @notice What is supplied of each asset, before the batch and with each row of the queue, is within its cap.
    @param start Where the statement says it of the assets, in order; queue: where the rows lie, behind their number.
    @return Where the statement goes on.
    """
    assert words.word(start) == key.ASSETS, "supplied"
    supplied: uint256[key.MARKETS] = empty(uint256[key.MARKETS])
    at: uint256 = start + 32
    for market: uint256 in range(key.MARKETS):
        if CAPS[market] > 0:
            supplied[market] = words.word(at)
            assert supplied[market] <= CAPS[market] and not (first and supplied[market] > 0), "supplied"
            at += 32
    place: uint256 = queue + 32
    for i: uint256 in range(words.word(queue), bound=key.MAX_STATEMENT // words.ROW):
        row: words.QueueRow = words.queue_row(place)
        if row.outcome == 1 and self.is_asset(row.kind):
            market: uint256 = row.kind >> 4
            if row.kind % 16 == SUPPLY:
                supplied[market] += row.amount
                assert supplied[market] <= CAPS[market], "supplied"
            else:
                assert row.amount <= supplied[market], "supplied"
                supplied[market] -= row.amount
        place += words.ROW
    return at


@internal
@view
def _vector(start: uint256, row: uint256, market: uint256) -> (int256[key.SCENARIOS + 1], uint256):
    """
    @param start Where the oracle's changes for this row lie, behind their number.
    @return The charge on a short unit and what each scenario changes of a unit's value, and where the next changes lie.
    """
    vector: int256[key.SCENARIOS + 1] = empty(int256[key.SCENARIOS + 1])
    told: words.OracleRow = words.oracle_row(row)
    price: int256 = convert(told.price, int256)
    option: Option = self._option(market)
    said: uint256 = key.SCENARIOS if option.exists and told.time < option.expiry else 0
    assert words.word(start) == said, "scenarios"
    if not option.exists:
        for k: uint256 in range(key.SCENARIOS):
            vector[k + 1] = (price * self._shock(market, k)) >> 16
    elif said > 0:
        underlying: uint256 = words.oracle_row(row - market * words.ROW + option.underlying * words.ROW).price
        vector[0] = convert((option.short_rate * underlying + 2**16 - 1) >> 16, int256)
        for k: uint256 in range(key.SCENARIOS):
            change: int256 = words.signed_word(start + 32 + 32 * k)
            assert change >= -price and change < convert(PRICE_LIMIT, int256) - price, "scenarios: a price"
            vector[k + 1] = change
    return vector, start + 32 + 32 * said


@internal
@view
def _shock(market: uint256, scenario: uint256) -> int256:
    word: uint256 = SHOCKS[market * key.SHOCK_WORDS // key.MARKETS + scenario // SHOCKS_IN_WORD]
    return convert((word >> (32 * (scenario % SHOCKS_IN_WORD))) % 2**32, int256) - 2**31


@internal
@view
def _option(market: uint256) -> Option:
    word: uint256 = OPTIONS[market]
    return Option(
        exists=word != 0,
        underlying=(word >> 105) % 2**16,
        call=(word >> 121) == 1,
        strike=word % 2**48,
        expiry=(word >> 48) % 2**40,
        short_rate=(word >> 88) % 2**17,
    )


@internal
@pure
def _worth(option: Option, price: uint256) -> uint256:
    """
    @return At expiry, at least the least price that there is.
    """
    above: uint256 = price if option.call else option.strike
    below: uint256 = option.strike if option.call else price
    return above - below if above > below else 1
