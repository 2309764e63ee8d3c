# pragma version 0.4.3
# pragma evm-version prague
"""
@title The arbiter of margin batches under one key
@notice Says the same of a statement and a proof as `verifier.verify`: rules in integers here, the transcript, equations
        and pairing in contracts whose code is emitted from the verifier itself. `key` holds what the key fixes.
"""

import instruments
import key
import words

initializes: instruments

STATEMENT: constant(uint256) = 100  # where it begins: behind the selector, two offsets and its length
R: constant(uint256) = 21888242871839275222246405745257275088548364400416034343698204186575808495617
P: constant(uint256) = 21888242871839275222246405745257275088696311157297823662689037894645226208583
G2: constant(uint256[4]) = [
    11559732032986387107991004021392285783925812861821192530917403151452391805634,
    10857046999023057135944570762232829481370756359578518086990519993285655852781,
    4082367875863433681332203403145435568316851327593401208105741076214120093531,
    8495653923123431417604973247489272438418190587263600148770280649306958101930,
]  # the generator, imaginary parts first (EIP-197)
TIME_LIMIT: constant(uint256) = 2**40
PRICE_LIMIT: constant(uint256) = 2**48
INDEX_LIMIT: constant(int256) = 2**63
AMOUNT_LIMIT: constant(uint256) = 2**56
LEFT_LIMIT: constant(int256) = 2**100
OPEN: constant(uint256) = 1
CLOSE: constant(uint256) = 2
WITHDRAW: constant(uint256) = 4
BETA: constant(uint256) = 0
GAMMA: constant(uint256) = 1
ZETA: constant(uint256) = 4

struct Fraction:
    numerator: uint256
    denominator: uint256

TRANSCRIPT: immutable(address)
EVALUATORS: immutable(address[key.EVALUATORS])
FUNDING_CAPS: immutable(uint256[key.MARKETS])
PLACES: immutable(uint256[key.TOTALS])  # of the totals among the scalars


@deploy
def __init__(transcript: address, evaluators: address[key.EVALUATORS]):
    """
    @notice Reverts unless the parts have the code that was emitted for this key.
    """
    assert transcript.codehash == key.TRANSCRIPT_CODE, "transcript: other code"
    codes: bytes32[key.EVALUATORS] = key.EVALUATOR_CODES
    for i: uint256 in range(key.EVALUATORS):
        assert evaluators[i].codehash == codes[i], "evaluator: other code"
    TRANSCRIPT = transcript
    EVALUATORS = evaluators
    instruments.__init__()
    FUNDING_CAPS = key.FUNDING_CAPS
    PLACES = key.PLACES


@external
@view
def key_digest() -> bytes32:
    return key.DIGEST


@external
@view
@raw_return
def __default__() -> Bytes[32]:
    """
    @notice `verify(bytes statement, bytes proof) -> bool`: true, or reverts. It has no declared arguments, because these
            would be copied, into memory paid for by the longest statement.
    """
    assert slice(msg.data, 0, 4) == method_id("verify(bytes,bytes)"), "selector"
    size: uint256 = words.word(68)
    assert size <= key.MAX_STATEMENT and len(msg.data) == STATEMENT + size + 32 + key.PROOF_BYTES, "calldata length"
    assert words.word(4) == 64 and words.word(36) == 96 + size, "calldata has gaps"
    assert words.word(STATEMENT + size) == key.PROOF_BYTES, "proof length"

    challenges: uint256[7] = abi_decode(
        raw_call(TRANSCRIPT, msg.data, max_outsize=224, is_static_call=True), uint256[7]
    )
    header: words.Header = self._header()
    at: uint256 = STATEMENT + words.HEADER
    columns: instruments.Fractions = empty(instruments.Fractions)
    scalars: uint256[key.SCALARS] = empty(uint256[key.SCALARS])
    columns, scalars[key.FIRST_TICK], at = self._oracle(at, header.batch == 0, challenges[ZETA])
    last: words.OracleRow = words.oracle_row(at - words.ROW)
    rows: uint256 = STATEMENT + words.HEADER + 64 + key.MARKETS * words.ROW
    count: uint256 = words.word(rows - 32)
    if key.EXPIRED > 0:
        instruments.check_settlement(STATEMENT + words.HEADER + 32, rows, count)
        columns = instruments.add_expired(rows, count, challenges[ZETA], columns)
    queue: uint256 = at + 32
    scalars[key.NEXT_QUEUE] = words.word(at)
    terms: Fraction = empty(Fraction)
    terms, at = self._queue(at, header.batch == 0, challenges[BETA], challenges[GAMMA])
    difference: Fraction = empty(Fraction)
    difference, at = self._difference(at, challenges[ZETA])
    states: uint256[key.STATES] = empty(uint256[key.STATES])
    for i: uint256 in range(4):
        states[i] = header.states[i]
    if key.VECTOR > 0 or key.SWEEP > 0 or key.ASSETS > 0 or key.ORDERS > 0 and at != STATEMENT + size:
        if key.VECTOR > 0:
            columns, at = instruments.add_vectors(at, rows, count, challenges[ZETA], columns)
        else:
            assert words.word(at) == 0, "no scenarios"
            at += 32
        assert words.word(at) == key.SWEEP, "sweep"
        at += 32
        if key.VECTOR + key.SWEEP + key.ASSETS == 0:
            assert at != STATEMENT + size, "words that say nothing"
    if key.SWEEP > 0:
        scalars[key.TICK] = last.tick
        self._check_totals(at)
        terms = self._unsettled(at + 32 * key.TOTALS, last.time, terms, challenges[BETA], challenges[GAMMA])
        for i: uint256 in range(key.TOTALS):
            scalars[PLACES[i]] = self._element(words.signed_word(at + 32 * i))
        for i: uint256 in range(2):
            states[key.CONTENT + i] = header.states[2 + i]
        at += 32 * (key.TOTALS + 1 + key.UNSETTLED)
    if key.ORDERS > 0 and (key.ASSETS > 0 or at != STATEMENT + size):
        terms, at = self._orders(at, last.time, terms, challenges[BETA], challenges[GAMMA])
    elif key.ASSETS > 0:
        assert words.word(at) == 0, "no orders"
        at += 32
    if key.ASSETS > 0:
        at = instruments.check_supplied(at, queue, header.batch == 0)
    assert at == STATEMENT + size, "statement length"

    values: Bytes[key.VALUES] = abi_encode(EVALUATORS, challenges, columns, scalars, terms, difference, states)
    answered: bool = False
    verdict: Bytes[32] = b""
    answered, verdict = raw_call(
        EVALUATORS[0],
        concat(values, slice(msg.data, at + 32, key.PROOF_BYTES)),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    assert answered and abi_decode(verdict, bool), "proof"
    return verdict


@external
@view
def is_cell(root: uint256[2], cell: uint256, content: uint256, proof: uint256[2]) -> bool:
    """
    @notice Whether a cell of the state with this root holds this field element: an opening by one point (KZG).
    """
    assert cell < key.CELLS and content < R, "cell or content"
    sum: uint256[2] = ecadd(root, ecmul([1, 2], R - content))
    sum = ecadd(sum, ecmul(proof, self._root(cell)))
    answer: Bytes[32] = raw_call(
        0x0000000000000000000000000000000000000008,
        abi_encode(sum, G2, proof[0], (P - proof[1]) % P, key.TAU_G2),
        max_outsize=32,
        is_static_call=True,
    )
    return abi_decode(answer, bool)


@internal
@view
def _header() -> words.Header:
    header: words.Header = words.header(STATEMENT)
    assert header.version == 1, "version"
    assert header.chain < 2**64 and header.batch < 2**64, "chain or batch"
    assert header.rollup < 2**160, "contract"
    if header.batch == 0:
        assert header.states[0] == 0 and header.states[1] == 0, "batch 0 starts from the empty state"
    return header


@internal
@view
def _oracle(start: uint256, first: bool, zeta: uint256) -> (instruments.Fractions, uint256, uint256):
    """
    @return The rows' columns at zeta, the first tick, where the statement goes on.
    """
    at: uint256 = start
    assert words.word(at) == key.MARKETS, "last oracle rows"
    at += 32
    if first:
        assert keccak256(slice(msg.data, at, key.MARKETS * words.ROW)) == key.GENESIS, "genesis rows"
    row: words.OracleRow = empty(words.OracleRow)
    indices: int256[key.MARKETS] = empty(int256[key.MARKETS])
    tick: uint256 = 0
    time: uint256 = 0
    for market: uint256 in range(key.MARKETS):
        row = self._oracle_row(at, market)
        if market == 0:
            tick = row.tick
            time = row.time
        assert row.tick == tick and row.time == time, "oracle tick"
        indices[market] = row.index
        at += words.ROW

    count: uint256 = words.word(at)
    at += 32
    assert count > 0 and count <= key.MOST_ROWS and count % key.MARKETS == 0, "oracle rows"
    columns: instruments.Fractions = empty(instruments.Fractions)
    columns.denominator = 1
    first_tick: uint256 = tick + 1
    node: uint256 = 1
    elapsed: uint256 = 0
    market: uint256 = 0
    for i: uint256 in range(count, bound=key.MOST_ROWS):
        row = self._oracle_row(at, market)
        if market == 0:
            assert row.tick == tick + 1, "oracle tick"
            assert row.time >= time, "oracle time"
            elapsed = row.time - time
            tick = row.tick
            time = row.time
        assert row.tick == tick and row.time == time, "oracle tick"
        moved: uint256 = convert(abs(row.index - indices[market]), uint256) << 16
        assert moved <= FUNDING_CAPS[market] * row.price * elapsed, "funding cap"
        indices[market] = row.index

        x: uint256 = uint256_addmod(zeta, R - node, R)
        weight: uint256 = uint256_mulmod(node, columns.denominator, R)
        values: uint256[5] = [1, row.tick, row.market, row.price, self._element(row.index)]
        for k: uint256 in range(5):
            columns.numerators[k] = uint256_addmod(
                uint256_mulmod(columns.numerators[k], x, R), uint256_mulmod(values[k], weight, R), R
            )
        columns.denominator = uint256_mulmod(columns.denominator, x, R)
        node = uint256_mulmod(node, key.ROWS_ROOT, R)
        at += words.ROW
        market += 1
        if market == key.MARKETS:
            market = 0
    return columns, first_tick, at


@internal
@view
def _queue(start: uint256, first: bool, beta: uint256, gamma: uint256) -> (Fraction, uint256):
    """
    @return The sum of 1 / (gamma - tuple) over the rows, and where the statement goes on.
    """
    next_queue: uint256 = words.word(start)
    assert next_queue < 2**64, "next queue"
    assert not first or next_queue == 0, "batch 0 starts with operation 0"
    count: uint256 = words.word(start + 32)
    at: uint256 = start + 64
    terms: Fraction = Fraction(numerator=0, denominator=1)
    for i: uint256 in range(count, bound=key.MAX_STATEMENT // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        assert row.queue == next_queue + i, "queue index"
        assert row.kind >= OPEN and row.kind <= WITHDRAW or instruments.is_asset(row.kind), "queue kind"
        assert row.outcome == 1 or row.outcome == 0 and row.kind % 2 == 0, "outcome"  # close, withdraw, redeem
        assert row.amount > 0 and row.amount < AMOUNT_LIMIT, "amount"
        assert row.cell < key.CELLS, "cell"
        if row.kind == OPEN:
            assert row.cell != key.FEE_CELL and row.cell != key.INSURANCE_CELL, "opens a system cell"
            assert row.cell < key.ACCOUNTS, "opens a slot of orders"
            if self._opens_group(row.amount):
                end: uint256 = row.cell + (row.amount >> 16)
                assert end <= key.ACCOUNTS, "group"
                assert key.FEE_CELL < row.cell or key.FEE_CELL >= end, "group"
                assert key.INSURANCE_CELL < row.cell or key.INSURANCE_CELL >= end, "group"
            else:
                assert row.amount <= key.MARKETS, "market"
        assert row.kind != CLOSE or row.amount == 1, "amount of a close"

        tuple: uint256 = 0
        for part: uint256 in [row.outcome, row.amount, row.cell, row.kind, row.queue]:
            tuple = uint256_mulmod(tuple + part, beta, R)
        x: uint256 = uint256_addmod(gamma, R - uint256_addmod(tuple, key.QUEUE_TAG, R), R)
        terms.numerator = uint256_addmod(uint256_mulmod(terms.numerator, x, R), terms.denominator, R)
        terms.denominator = uint256_mulmod(terms.denominator, x, R)
        at += words.ROW
    return terms, at


@internal
@pure
def _opens_group(amount: uint256) -> bool:
    """
    @return Whether it is the amount of a group's opening: room, two cells or more, and one of the key's modules.
    """
    if amount < 2**17:
        return False
    for largest: uint256 in key.LARGEST_GROUPS:
        if amount % 2**16 == largest % 2**16 and amount <= largest:
            return True
    return False


@internal
@view
def _check_totals(start: uint256):
    """
    @notice Sums over the book, as many as they may be (circuits/margin/totals.py): numbers of accounts first, what may
            be negative last.
    """
    for i: uint256 in range(key.TOTALS):
        total: int256 = words.signed_word(start + 32 * i)
        most: int256 = convert(key.CELLS, int256) if i < key.COUNTS else 2**192
        assert total <= most and total >= (-most if i >= key.TOTALS - key.SIGNED else 0), "totals"


@internal
@view
def _unsettled(start: uint256, time: uint256, others: Fraction, beta: uint256, gamma: uint256) -> Fraction:
    """
    @notice What the positions of each market sum to: without options nothing is told, and all of them to zero.
    @param time Of the last tick: what has not expired by then sums to zero too.
    @return The other terms with the sum of -left / (gamma - tuple) over the markets that have something left.
    """
    assert words.word(start) == key.UNSETTLED, "unsettled"
    terms: Fraction = others
    if key.UNSETTLED > 0:
        for market: uint256 in range(key.MARKETS):
            left: int256 = words.signed_word(start + 32 + 32 * market)
            if left != 0:
                assert left < LEFT_LIMIT and left > -LEFT_LIMIT, "unsettled"
                assert instruments.has_expired(market, time), "unsettled: not expired"
                tuple: uint256 = uint256_addmod(uint256_mulmod(market, beta, R), key.POSITIONS_TAG, R)
                terms = self._added(terms, self._element(-left), uint256_addmod(gamma, R - tuple, R))
    return terms


@internal
@view
def _orders(start: uint256, time: uint256, others: Fraction, beta: uint256, gamma: uint256) -> (Fraction, uint256):
    """
    @param time Of the last tick: what has expired by then is filled no more.
    @return The other terms with the sum of fills / (gamma - tuple) over the rows, and where the statement goes on.
    """
    count: uint256 = words.word(start)
    assert count > 0 or key.ASSETS > 0, "orders"
    at: uint256 = start + 32
    terms: Fraction = others
    for i: uint256 in range(count, bound=key.MAX_STATEMENT // words.ORDER):
        row: words.OrderRow = words.order_row(at)
        assert row.fills > 0 and row.fills <= key.ORDERS, "order: fills"
        assert row.cell < key.ACCOUNTS and row.market < key.MARKETS and row.sells < 2, "order: cell, market or side"
        assert row.size > 0 and row.size < 2**64 and row.limit < PRICE_LIMIT and row.fee < 2**16, "order: terms"
        assert row.slot >= key.ACCOUNTS and row.slot < key.CELLS and row.id > 0 and row.id < 2**63, "order: slot or id"
        assert row.expiry >= time and row.expiry < TIME_LIMIT and row.id >> key.ID_SHIFT <= time, "order: expired, or early"

        tuple: uint256 = 0
        for part: uint256 in [row.fee, row.limit, row.size, row.sells, row.market, row.cell, row.id, row.slot]:
            tuple = uint256_mulmod(tuple + part, beta, R)
        x: uint256 = uint256_addmod(gamma, R - uint256_addmod(tuple, key.ORDER_TAG, R), R)
        weight: uint256 = uint256_mulmod(row.fills, terms.denominator, R)
        terms.numerator = uint256_addmod(uint256_mulmod(terms.numerator, x, R), weight, R)
        terms.denominator = uint256_mulmod(terms.denominator, x, R)
        at += words.ORDER
    return terms, at


@internal
@view
def _difference(start: uint256, zeta: uint256) -> (Fraction, uint256):
    """
    @return The published difference's sum of d_i * w^i / (zeta - w^i), and where the statement ends.
    """
    difference: Fraction = Fraction(numerator=0, denominator=1)
    count: uint256 = words.word(start + 32)
    at: uint256 = start + 64
    if not key.PUBLISHED:
        assert words.word(start) == 0 and count == 0, "the difference is not published"
        return difference, at
    assert words.word(start) == 1, "the difference is published"
    node: uint256 = 1
    next_cell: uint256 = 0
    for i: uint256 in range(count, bound=key.MAX_STATEMENT // 64):
        cell: uint256 = words.word(at)
        delta: uint256 = words.word(at + 32)
        assert cell >= next_cell and cell < key.CELLS, "difference of a cell"
        assert delta < R, "difference"
        node = self._root(cell)
        next_cell = cell + 1
        x: uint256 = uint256_addmod(zeta, R - node, R)
        weight: uint256 = uint256_mulmod(uint256_mulmod(delta, node, R), difference.denominator, R)
        difference.numerator = uint256_addmod(uint256_mulmod(difference.numerator, x, R), weight, R)
        difference.denominator = uint256_mulmod(difference.denominator, x, R)
        at += 64
    return difference, at


@internal
@view
def _root(cell: uint256) -> uint256:
    """
    @return w^cell, of the domain of the cells (EIP-198).
    """
    answer: Bytes[32] = raw_call(
        0x0000000000000000000000000000000000000005,
        abi_encode(convert(32, uint256), convert(32, uint256), convert(32, uint256), key.CELLS_ROOT, cell, R),
        max_outsize=32,
        is_static_call=True,
    )
    return abi_decode(answer, uint256)


@internal
@view
def _oracle_row(at: uint256, market: uint256) -> words.OracleRow:
    row: words.OracleRow = words.oracle_row(at)
    assert row.market == market, "oracle market"
    assert row.tick < TIME_LIMIT and row.time < TIME_LIMIT, "oracle tick or time"
    assert row.price > 0 and row.price < PRICE_LIMIT, "oracle price"
    assert row.index < INDEX_LIMIT and row.index > -INDEX_LIMIT, "oracle index"
    return row


@internal
@pure
def _added(others: Fraction, count: uint256, x: uint256) -> Fraction:
    """
    @return The others plus count / x.
    """
    weight: uint256 = uint256_mulmod(count, others.denominator, R)
    numerator: uint256 = uint256_addmod(uint256_mulmod(others.numerator, x, R), weight, R)
    return Fraction(numerator=numerator, denominator=uint256_mulmod(others.denominator, x, R))


@internal
@pure
def _element(number: int256) -> uint256:
    """
    @return A small integer mod r.
    """
    return convert(number, uint256) if number >= 0 else R - convert(-number, uint256)
