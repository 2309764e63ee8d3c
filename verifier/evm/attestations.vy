# pragma version 0.4.3
"""
@title Oracle rows under the signatures of a quorum
@notice Each signer signs what he saw at the time of a tick: price and funding index of every market. The row that counts
        is their median, checked from both sides. Where oracles say what scenarios change of options' prices, all of a
        quorum sign the same: what one of them says is nobody's median. A quorum is more than half of the signers, so that no two quorums of
        one tick are without a common signer; a tick of the time of the tick before repeats its rows, so no signature
        moves a price twice; with scenarios of options no two ticks are of one time.
"""

import limits
import words

MOST_SIGNERS: constant(uint256) = 16
MOST_TICKS: constant(uint256) = 4096
SIGNED: constant(uint256) = limits.MARKETS * 64  # bytes of a signer's prices and indices
ENTRY: constant(uint256) = 96 + SIGNED  # r, s, v and what was signed
DOMAIN: constant(bytes32) = keccak256("zkmargin oracle rows 1")
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168  # secp256k1

signers: public(HashMap[address, bool])
all_signers: DynArray[address, MOST_SIGNERS]
threshold: public(uint256)


@internal
@view
def check_signers(signers: DynArray[address, MOST_SIGNERS], threshold: uint256):
    """
    @notice More than half of some different addresses, in the order of their numbers.
    """
    assert threshold <= len(signers) and 2 * threshold > len(signers), "threshold"
    last: address = empty(address)
    for signer: address in signers:
        assert convert(signer, uint160) > convert(last, uint160), "signers"
        last = signer


@internal
def set_signers(signers: DynArray[address, MOST_SIGNERS], threshold: uint256):
    self.check_signers(signers, threshold)
    for signer: address in self.all_signers:
        self.signers[signer] = False
    for signer: address in signers:
        self.signers[signer] = True
    self.all_signers = signers
    self.threshold = threshold


@internal
@view
def check_ticks(
    before: uint256, rows: uint256, scenarios: uint256, ticks: uint256, entries: uint256, size: uint256
) -> uint256:
    """
    @param before Where the rows of the tick before lie in calldata, one market behind the other.
    @param rows Where the first tick's rows lie; scenarios: where what is said of theirs does.
    @param entries Where the first tick's entries lie, of `size` bytes in all: so many as the threshold for each tick,
           in the order of the signers' addresses.
    @return The time of the last tick.
    """
    assert size == ticks * self.threshold * ENTRY, "attestations: length"
    last: uint256 = before
    row: uint256 = rows
    entry: uint256 = entries
    said: uint256 = scenarios
    time: uint256 = words.oracle_row(before).time
    for tick: uint256 in range(ticks, bound=MOST_TICKS):
        now: uint256 = words.oracle_row(row).time
        told: bytes32 = empty(bytes32)
        if limits.ATTESTED > 0:
            assert now > time, "attestations: a time twice"
            told, said = self._scenarios(said)
        else:
            repeats: bool = now == time and self._repeats(last, row)
            assert now > time or repeats, "attestations: another row of the same time"
        time = now
        self._check_signatures(entry, time, told)
        self._check_medians(row, entry)
        last = row
        row += limits.MARKETS * words.ROW
        entry += self.threshold * ENTRY
    return time


@internal
@view
def _repeats(before: uint256, after: uint256) -> bool:
    for market: uint256 in range(limits.MARKETS):
        old: words.OracleRow = words.oracle_row(before + market * words.ROW)
        new: words.OracleRow = words.oracle_row(after + market * words.ROW)
        if old.price != new.price or old.index != new.index:
            return False
    return True


@internal
@view
def _scenarios(start: uint256) -> (bytes32, uint256):
    """
    @return A hash of what a statement says of a tick's scenarios, and where it says what of the next one's. The verifier
            checks which markets have how many.
    """
    at: uint256 = start
    said: bytes32 = empty(bytes32)
    for market: uint256 in range(limits.MARKETS):
        if words.word(at) > 0:
            changes: Bytes[words.WORD * limits.SCENARIOS] = slice(msg.data, at + 32, words.WORD * limits.SCENARIOS)
            said = keccak256(concat(said, convert(market, bytes32), changes))
        at += words.WORD * (1 + words.word(at))
    return said, at


@internal
@view
def _check_signatures(entries: uint256, time: uint256, scenarios: bytes32):
    entry: uint256 = entries
    last: uint256 = 0
    for i: uint256 in range(self.threshold, bound=MOST_SIGNERS):
        digest: bytes32 = keccak256(
            concat(self._domain(), convert(time, bytes32), slice(msg.data, entry + 96, SIGNED))
        )
        if limits.ATTESTED > 0:
            digest = keccak256(concat(digest, scenarios))
        assert words.word(entry + 32) <= HALF_ORDER, "attestations: signature"
        signer: address = ecrecover(digest, words.word(entry + 64), words.word(entry), words.word(entry + 32))
        assert self.signers[signer], "attestations: not a signer"
        assert convert(signer, uint256) > last, "attestations: a signer twice, or out of order"
        last = convert(signer, uint256)
        entry += ENTRY


@internal
@view
def _check_medians(rows: uint256, entries: uint256):
    for market: uint256 in range(limits.MARKETS):
        row: words.OracleRow = words.oracle_row(rows + market * words.ROW)
        counts: uint256[4] = empty(uint256[4])  # prices not above, not below; indices not above, not below
        entry: uint256 = entries + 96 + 64 * market
        for i: uint256 in range(self.threshold, bound=MOST_SIGNERS):
            price: uint256 = words.word(entry)
            index: int256 = words.signed_word(entry + 32)
            counts[0] += convert(price <= row.price, uint256)
            counts[1] += convert(price >= row.price, uint256)
            counts[2] += convert(index <= row.index, uint256)
            counts[3] += convert(index >= row.index, uint256)
            entry += ENTRY
        for count: uint256 in counts:
            assert 2 * count >= self.threshold, "attestations: not the median"


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN, chain.id, self))
