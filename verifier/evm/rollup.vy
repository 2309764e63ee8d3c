# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
"""
@title A margin rollup's vault, queue and state
@notice Keeps the commitment of the state, the collateral in it and a queue of what owners ask for. The operator moves
        the state by proven batches, which consume the queue in order; if it misses a deadline anyone freezes the rollup,
        and owners leave with what the last proven state says (docs/evm.md).
"""

from ethereum.ercs import IERC20

import assets
import attestations
import ledger
import limits
import orders
import queue
import words

initializes: ledger
initializes: queue[ledger := ledger]
initializes: assets[ledger := ledger, queue := queue]
initializes: attestations
exports: assets.__interface__
exports: (
    queue.QUEUE_SECONDS,
    attestations.signers,
    attestations.threshold,
    ledger.verifier,
    ledger.root,
    ledger.oracle,
    ledger.vault,
    ledger.factor,
    ledger.queued_deposits,
    ledger.next_queue,
    ledger.queue_end,
    ledger.owners,
    ledger.blocks,
    ledger.payable_to,
    ledger.payable_in_all,
    ledger.frozen_at,
    ledger.tokens,
    ledger.supplied,
    ledger.payable_of,
    ledger.queued_supplies,
)

OPEN: constant(uint256) = 1
CLOSE: constant(uint256) = 2
WITHDRAW: constant(uint256) = 4
LEAST_FACTOR: constant(uint256) = 2**24  # with which the rollup goes on
STATEMENT: constant(uint256) = 200  # where it begins in the calldata of submit_batch
VERIFY: constant(Bytes[4]) = method_id("verify(bytes,bytes)")
FUTURE: constant(uint256) = 900  # seconds that an oracle's clock may be ahead

event Consumed:
    index: indexed(uint256)
    outcome: uint256

event BatchProven:
    number: indexed(uint256)
    root: uint256[2]
    next_queue: uint256

event LossShared:
    batch: indexed(uint256)
    factor: uint256

event Paid:
    owner: indexed(address)
    amount: uint256

event Frozen:
    queue_index: uint256

event Proposed:
    verifier: address
    signers: DynArray[address, attestations.MOST_SIGNERS]
    threshold: uint256
    ready: uint256

event Adopted:
    verifier: address
    key: bytes32

struct Proposal:
    verifier: address
    signers: DynArray[address, attestations.MOST_SIGNERS]
    threshold: uint256
    ready: uint256

TOKEN: public(immutable(IERC20))
OPERATOR: public(immutable(address))
GOVERNOR: reentrant(public(immutable(address)))
CLAIM_SECONDS: reentrant(public(immutable(uint256)))  # after a freeze, in which claims share alike
NOTICE_SECONDS: public(immutable(uint256))  # before another verifier counts
FRESH_SECONDS: public(immutable(uint256))  # that the first oracle rows of a batch may be old
LEAST_DEPOSIT: public(immutable(uint256))  # with which an account is opened
LEAVING: public(immutable(address))  # leaving.vy, what owners do after a freeze

proposal: public(Proposal)
batches: public(uint256)
oracle_time: public(uint256)
swept_rows: uint256  # of the scenarios' table, that a sweep takes of all groups there may be
judged_rows: uint256  # and that a leg of the largest one takes, judged before and after


@deploy
def __init__(
    token: address,
    operator: address,
    governor: address,
    verifier: address,
    signers: DynArray[address, attestations.MOST_SIGNERS],
    threshold: uint256,
    queue_seconds: uint256,
    claim_seconds: uint256,
    notice_seconds: uint256,
    fresh_seconds: uint256,
    least_deposit: uint256,
    leaving: address,
    tokens: DynArray[address, limits.MARKETS],
):
    """
    @notice The notice is twice the queue's deadline, so that what is asked for in its first half is answered before.
    @param tokens Those of the markets that are assets, in order.
    """
    assert notice_seconds >= 2 * queue_seconds, "notice"
    assert least_deposit > 0 and least_deposit < limits.DEPOSIT_LIMIT, "least deposit"
    assert leaving.is_contract, "no contract"
    LEAVING = leaving
    assert len(tokens) == limits.ASSET_COUNT, "tokens"
    place: uint256 = 0
    for asset: uint256 in limits.ASSETS:
        if limits.ASSET_COUNT > 0:
            ledger.tokens[asset % 2**16] = IERC20(tokens[place])
            place += 1
    TOKEN = IERC20(token)
    OPERATOR = operator
    GOVERNOR = governor
    queue.__init__(queue_seconds)
    CLAIM_SECONDS = claim_seconds
    NOTICE_SECONDS = notice_seconds
    FRESH_SECONDS = fresh_seconds
    LEAST_DEPOSIT = least_deposit
    ledger.factor = ledger.WHOLE
    ledger.verifier = ledger.IVerifier(verifier)
    attestations.set_signers(signers, threshold)


# What owners ask for


@external
def open_account(cell: uint256, market: uint256, amount: uint256):
    """
    @notice Queues the opening of a free cell for the caller, whose it is from now on, and its first deposit.
    """
    assert cell < limits.ACCOUNTS and not ledger.is_system(cell), "no such cell"
    assert ledger.owners[cell] == empty(address), "the cell is in use"
    assert market < limits.MARKETS, "no such market"
    assert amount >= LEAST_DEPOSIT, "too small a deposit"
    if limits.MOST_ROOM > 0:
        assert ledger.blocks[cell // ledger.BLOCK].room == 0, "the cell is in use"
        ledger.blocks[cell // ledger.BLOCK].alone += 1
    if limits.ASSET_COUNT > 0:
        assets.markets[cell] = market + 1
    ledger.owners[cell] = msg.sender
    queue.enqueue(OPEN, cell, market + 1)
    self._deposit(cell, amount)


@external
def open_group(
    number: uint256,
    room: uint256,
    module: uint256,
    amount: uint256,
    members: DynArray[uint256, ledger.BLOCK],
):
    """
    @notice Queues the opening of a group under a risk module (1 cross, 2 portfolio, from 3 on the venue's own) for the
            caller, and the first deposit to its first member: the head is the first cell of a block that nobody else is
            in. It lasts.
    @param members In a key with assets, 1 more than the markets of its first members, 0 of one whose market is left to
           the operator: only to and from members of which the contract knows the market assets can be asked for.
    """
    head: uint256 = number * ledger.BLOCK
    known: bool = False
    for largest: uint256 in limits.LARGEST_GROUPS:
        known = known or module - 1 == largest % 2**16 and room <= largest >> 16
    assert known and room > 1, "no such room or module"
    assert head + room <= limits.ACCOUNTS, "no such cell"
    assert limits.FEE_CELL // ledger.BLOCK != number and limits.INSURANCE_CELL // ledger.BLOCK != number, "no such cell"
    assert ledger.blocks[number].room == 0 and ledger.blocks[number].alone == 0, "the cell is in use"
    assert amount >= LEAST_DEPOSIT, "too small a deposit"
    ledger.blocks[number] = ledger.Block(owner=msg.sender, room=room, alone=0)
    assert len(members) == 0 or limits.ASSET_COUNT > 0 and len(members) < room, "members"
    for i: uint256 in range(len(members), bound=ledger.BLOCK):
        assert members[i] <= limits.MARKETS, "no such market"
        assets.markets[head + 1 + i] = members[i]
    if limits.SCAN_ROWS > 0:  # every batch sweeps all groups that scenarios judge: `block_rows` in Python
        for swept: uint256 in limits.SWEPT_MODULES:
            if module - 1 == swept:
                self.swept_rows += room // 2 + limits.SCENARIOS + 1
                self.judged_rows = max(self.judged_rows, room // 2 + 1 + 2 * (limits.SCENARIOS + 1))
                assert self.swept_rows + self.judged_rows <= limits.SCAN_ROWS, "no room in a sweep"
    queue.enqueue(OPEN, head, (room << 16) + module - 1)
    self._deposit(head + 1, amount)


@external
def deposit(cell: uint256, amount: uint256):
    """
    @notice Queues a deposit to an account of the caller; to the insurance cell, by the governor.
    """
    if cell == limits.INSURANCE_CELL:
        assert msg.sender == GOVERNOR, "not the governor"
    else:
        queue.check_owner(cell)
    self._deposit(cell, amount)


@external
def request_withdrawal(cell: uint256, amount: uint256):
    """
    @notice Queues a withdrawal of so many units, which the operator must prove, or prove to be against the margin
            rules; from the fee cell, by the governor.
    """
    if cell == limits.FEE_CELL:
        assert msg.sender == GOVERNOR, "not the governor"
    else:
        queue.check_owner(cell)
    assert amount > 0 and amount < queue.AMOUNT_LIMIT, "amount"
    queue.enqueue(WITHDRAW, cell, amount)


@external
def request_close(cell: uint256):
    """
    @notice Queues the end of an account without position and collateral; its cell takes no further requests until then.
    """
    assert msg.sender == ledger.owners[cell], "not the owner"
    assert not queue.closing[cell], "closing"
    queue.closing[cell] = True
    queue.enqueue(CLOSE, cell, 1)


@external
def withdraw(owner: address):
    """
    @notice Pays an owner what he may have.
    """
    amount: uint256 = ledger.payable_to[owner]
    ledger.payable_to[owner] = 0
    ledger.payable_in_all -= amount
    assert extcall TOKEN.transfer(owner, amount, default_return_value=True), "transfer"
    log Paid(owner=owner, amount=amount)


@external
@view
def request(index: uint256) -> (uint256, uint256, uint256, uint256, address):
    """
    @return Kind, cell, amount, deadline and owner of an item of the queue.
    """
    asked: uint256 = ledger.queue[index].asked
    return (asked % 2**24, (asked >> 24) % 2**32, (asked >> 56) % 2**64, asked >> 120, ledger.queue[index].owner)


# Batches


@external
def submit_batch(judged: Bytes[limits.LONGEST_CALL], entries: Bytes[limits.LONGEST_ENTRIES]):
    """
    @param judged The verifier's calldata: verify(bytes statement, bytes proof).
    @param entries What the signers attest of each tick (attestations.vy), and behind it the signatures of the orders.
    """
    assert msg.sender == OPERATOR, "not the operator"
    assert ledger.frozen_at == 0, "frozen"
    assert words.word(4) == 64 and slice(msg.data, 100, 4) == VERIFY, "encoding"  # so the statement begins at 200
    header: words.Header = words.header(STATEMENT)
    assert header.chain == chain.id and header.rollup == convert(self, uint256), "of another rollup"
    assert header.batch == self.batches, "not the next batch"
    assert header.states[0] == ledger.root[0] and header.states[1] == ledger.root[1], "not from this state"

    last: uint256 = STATEMENT + words.HEADER + 32  # the last oracle rows, behind their number
    if self.batches > 0:
        assert keccak256(slice(msg.data, last, limits.MARKETS * words.ROW)) == ledger.oracle, "last oracle rows"
    assert words.word(last - 32) == limits.MARKETS, "last oracle rows"
    rows: uint256 = last + limits.MARKETS * words.ROW + 32
    count: uint256 = words.word(rows - 32)
    at: uint256 = rows + count * words.ROW
    queued: uint256 = words.word(at + 32)
    end: uint256 = STATEMENT + words.word(STATEMENT - 32)
    difference: uint256 = at + 64 + queued * words.ROW
    behind: uint256 = difference + 64 + 64 * words.word(difference + 32)  # scenarios, sweep, orders
    sweep: uint256 = end
    if limits.SCANNED + limits.SWEPT + limits.ORDERS + limits.ASSET_COUNT > 0:
        sweep = self._sweep(behind, end)
    attested: uint256 = len(entries)
    if limits.ORDERS > 0:
        attested = self._check_orders(sweep, end, attested)
    self.oracle_time = attestations.check_ticks(
        last, rows, behind + 32, count // limits.MARKETS, 36 + words.word(36), attested
    )
    assert self.oracle_time <= block.timestamp + FUTURE, "oracle rows of the future"
    assert words.oracle_row(rows).time + FRESH_SECONDS >= block.timestamp, "stale oracle rows"
    ledger.oracle = keccak256(
        slice(msg.data, at - limits.MARKETS * words.ROW, limits.MARKETS * words.ROW)
    )
    assert words.word(at) == ledger.next_queue, "not the next of the queue"
    withdrawn: uint256 = self._consume(at + 64, queued)
    if limits.ASSET_COUNT > 0:
        assets.move(sweep, at + 64, queued)
        withdrawn = 0  # that is done with
    if limits.SWEPT > 0:
        self._share_losses(sweep, withdrawn)
    if withdrawn > 0:
        self._pay_withdrawals(at + 64, queued)
    ledger.next_queue += queued

    ledger.root = [header.states[2], header.states[3]]
    self.batches += 1
    verdict: Bytes[32] = raw_call(ledger.verifier.address, judged, max_outsize=32, is_static_call=True)
    assert len(verdict) == 32 and convert(verdict, uint256) == 1, "verdict"
    log BatchProven(number=header.batch, root=ledger.root, next_queue=ledger.next_queue)


@internal
@view
def _sweep(scenarios: uint256, end: uint256) -> uint256:
    """
    @notice What a statement says, the verifier checks: here is only where it says it.
    @param scenarios Where it says how many have scenarios, if it says anything; end: where it ends.
    @return Where it says whether there is a sweep; `end` where it says nothing.
    """
    at: uint256 = scenarios
    if at == end:
        return end
    if limits.SCANNED > 0:
        for i: uint256 in range(words.word(at), bound=limits.LONGEST_CALL // words.WORD):
            at += 32 * (1 + words.word(at + 32))
    return at + 32


@internal
@view
def _check_orders(sweep: uint256, end: uint256, size: uint256) -> uint256:
    """
    @param sweep Where the statement says whether there is one; end: where it ends; size: of the entries.
    @return The size of the entries without the signatures, each of which is the owner's of its order's cell.
    """
    count: uint256 = 0
    row: uint256 = 0
    count, row = orders.count(sweep, end)
    assert count * orders.SIGNATURE <= size, "orders: signatures"
    attested: uint256 = size - count * orders.SIGNATURE
    signature: uint256 = 36 + words.word(36) + attested
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ORDER):
        owner: address = queue.owner_of(words.word(row + 32))
        assert owner != empty(address) and orders.signer(row, signature) == owner, "orders: not the owner's"
        row += words.ORDER
        signature += orders.SIGNATURE
    return attested


@internal
def _consume(rows: uint256, count: uint256) -> uint256:
    """
    @dev The rows are the contract's next ones; the verifier checks their indices and outcomes.
    @return How many units are withdrawn.
    """
    index: uint256 = ledger.next_queue
    assert index + count <= ledger.queue_end, "beyond the queue"
    factor: uint256 = ledger.factor
    withdrawn: uint256 = 0
    at: uint256 = rows
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        asked: uint256 = ledger.queue[index].asked % 2**120
        if row.kind == ledger.DEPOSIT:
            amount: uint256 = asked >> 56
            assert row.amount == amount * ledger.WHOLE // factor, "not what was queued"
            row.amount = amount
            ledger.queued_deposits -= amount
            ledger.vault += amount
        elif row.kind == WITHDRAW and row.outcome == 1:
            withdrawn += row.amount
        elif row.kind == CLOSE:
            queue.closing[row.cell] = False
            if row.outcome == 1:
                ledger.owners[row.cell] = empty(address)
                if limits.ASSET_COUNT > 0:
                    assets.markets[row.cell] = 0
                if limits.MOST_ROOM > 0:
                    ledger.blocks[row.cell // ledger.BLOCK].alone -= 1
        assert queue.asked(row.kind, row.cell, row.amount) == asked, "not what was queued"
        log Consumed(index=index, outcome=row.outcome)
        index += 1
        at += words.ROW
    return withdrawn


@internal
def _share_losses(sweep: uint256, withdrawn: uint256):
    """
    @notice Where a sweep shows that less is there than accounts and the fee cell have and this batch withdraws, one of
            their units is worth that part of the token, for good.
    @param sweep Where the statement says that there is one, the sums over the book behind it.
    """
    assert words.word(sweep) == 1, "no sweep"  # of another kind of key
    totals: uint256 = sweep + 32
    equity: uint256 = words.word(totals + limits.EQUITY)  # over 2^16
    fees: int256 = max(words.signed_word(totals + limits.FEES), 0)
    owed: uint256 = equity + (convert(fees, uint256) + withdrawn) * 2**16
    if ledger.vault * ledger.WHOLE * 2**16 < ledger.factor * owed:
        ledger.factor = ledger.vault * ledger.WHOLE * 2**16 // owed
        log LossShared(batch=self.batches, factor=ledger.factor)
        if ledger.factor < LEAST_FACTOR:
            ledger.frozen_at = block.timestamp
            log Frozen(queue_index=ledger.next_queue)


@internal
def _pay_withdrawals(rows: uint256, count: uint256):
    index: uint256 = ledger.next_queue
    factor: uint256 = ledger.factor
    at: uint256 = rows
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        if row.kind == WITHDRAW and row.outcome == 1:
            amount: uint256 = row.amount * factor // ledger.WHOLE
            assert amount <= ledger.vault, "the vault does not hold it"
            ledger.vault -= amount
            ledger.pay(ledger.queue[index].owner, amount)
        index += 1
        at += words.ROW


# When the operator stops


@external
def freeze():
    """
    @notice By anyone, once the next item of the queue has missed its deadline; for good.
    """
    assert ledger.frozen_at == 0, "frozen"
    assert ledger.next_queue < ledger.queue_end, "nothing is due"
    assert ledger.queue[ledger.next_queue].asked >> 120 < block.timestamp, "nothing is due"
    ledger.frozen_at = block.timestamp
    log Frozen(queue_index=ledger.next_queue)


@external
@reentrant
@raw_return
def __default__() -> Bytes[32]:
    """
    @notice What owners do after a freeze is leaving.vy's to know, which takes the lock itself.
    """
    return raw_call(LEAVING, msg.data, max_outsize=32, is_delegate_call=True)


# Another verifier


@external
def propose(verifier: address, signers: DynArray[address, attestations.MOST_SIGNERS], threshold: uint256):
    """
    @notice Announces another verifier or other signers; nothing cancels a request that is queued by then. What is not
            adopted within the notice after it was ready has lapsed.
    """
    assert msg.sender == GOVERNOR, "not the governor"
    assert ledger.frozen_at == 0, "frozen"
    assert verifier.is_contract, "no contract"
    attestations.check_signers(signers, threshold)
    ready: uint256 = block.timestamp + NOTICE_SECONDS
    self.proposal = Proposal(verifier=verifier, signers=signers, threshold=threshold, ready=ready)
    log Proposed(verifier=verifier, signers=signers, threshold=threshold, ready=ready)


@external
def adopt():
    assert ledger.frozen_at == 0, "frozen"
    assert self.proposal.ready > 0 and block.timestamp > self.proposal.ready, "notice"
    assert block.timestamp <= self.proposal.ready + NOTICE_SECONDS, "lapsed"
    ledger.verifier = ledger.IVerifier(self.proposal.verifier)
    attestations.set_signers(self.proposal.signers, self.proposal.threshold)
    self.proposal.ready = 0
    log Adopted(verifier=ledger.verifier.address, key=staticcall ledger.verifier.key_digest())


# Inside


@internal
def _deposit(cell: uint256, amount: uint256):
    assert amount > 0 and amount < limits.DEPOSIT_LIMIT, "amount"
    assert ledger.vault + ledger.queued_deposits + amount < limits.VAULT_LIMIT, "the vault is full"
    ledger.queued_deposits += amount
    queue.enqueue(ledger.DEPOSIT, cell, amount)
    queue.receive(TOKEN, amount)
