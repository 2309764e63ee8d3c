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

import attestations
import cells
import limits
import orders
import words

initializes: attestations
exports: (attestations.signers, attestations.threshold)

interface IVerifier:
    def verify(statement: Bytes[1], proof: Bytes[1]) -> bool: view
    def is_cell(root: uint256[2], cell: uint256, content: uint256, proof: uint256[2]) -> bool: view
    def key_digest() -> bytes32: view

OPEN: constant(uint256) = 1
CLOSE: constant(uint256) = 2
DEPOSIT: constant(uint256) = 3
WITHDRAW: constant(uint256) = 4
AMOUNT_LIMIT: constant(uint256) = 2**56
WHOLE: constant(uint256) = 2**32  # the factor before anything is lost
LEAST_FACTOR: constant(uint256) = 2**24  # with which the rollup goes on
STATEMENT: constant(uint256) = 200  # where it begins in the calldata of submit_batch
VERIFY: constant(Bytes[4]) = method_id("verify(bytes,bytes)")
SPACING: constant(uint256) = 5  # seconds between deadlines: many requests at once are no reason for a freeze
BLOCK: constant(uint256) = 64  # cells; of accounts that are one cell, or of one group
FUTURE: constant(uint256) = 900  # seconds that an oracle's clock may be ahead

event Queued:
    index: indexed(uint256)
    cell: indexed(uint256)
    owner: indexed(address)
    kind: uint256
    amount: uint256
    deadline: uint256

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

event Escaped:
    cell: indexed(uint256)
    owner: indexed(address)
    claim: uint256

event Proposed:
    verifier: address
    signers: DynArray[address, attestations.MOST_SIGNERS]
    threshold: uint256
    ready: uint256

event Adopted:
    verifier: address
    key: bytes32

struct Item:
    asked: uint256  # kind + 2^8 cell + 2^40 amount + 2^104 deadline; a deposit's amount is of the token
    owner: address

struct Proposal:
    verifier: address
    signers: DynArray[address, attestations.MOST_SIGNERS]
    threshold: uint256
    ready: uint256

struct Block:
    owner: address  # of the group that begins with it
    room: uint256  # of that group: cells that it may have, its head included
    alone: uint256  # how many of its cells are accounts of their own

TOKEN: public(immutable(IERC20))
OPERATOR: public(immutable(address))
GOVERNOR: public(immutable(address))
QUEUE_SECONDS: public(immutable(uint256))  # in which an item of the queue must be consumed
CLAIM_SECONDS: public(immutable(uint256))  # after a freeze, in which claims share alike
NOTICE_SECONDS: public(immutable(uint256))  # before another verifier counts
FRESH_SECONDS: public(immutable(uint256))  # that the first oracle rows of a batch may be old
LEAST_DEPOSIT: public(immutable(uint256))  # with which an account is opened

verifier: public(IVerifier)
proposal: public(Proposal)
root: public(uint256[2])
batches: public(uint256)
oracle: public(bytes32)  # keccak256 of the last tick's rows
oracle_time: public(uint256)
vault: public(uint256)  # what the state has, of the token
factor: public(uint256)  # of the token for one of the state's units, over 2^32: what losses have left
queued_deposits: public(uint256)
queue: HashMap[uint256, Item]
next_queue: public(uint256)
queue_end: public(uint256)
owners: public(HashMap[uint256, address])  # of accounts that are one cell
blocks: public(HashMap[uint256, Block])
closing: HashMap[uint256, bool]
payable_to: public(HashMap[address, uint256])
payable_in_all: public(uint256)

frozen_at: public(uint256)
escaped: public(HashMap[uint256, bool])
claims: public(HashMap[address, uint256])
claims_in_all: public(uint256)
paid_late: uint256


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
):
    """
    @notice The notice is twice the queue's deadline, so that what is asked for in its first half is answered before.
    """
    assert notice_seconds >= 2 * queue_seconds, "notice"
    assert least_deposit > 0 and least_deposit < limits.DEPOSIT_LIMIT, "least deposit"
    TOKEN = IERC20(token)
    OPERATOR = operator
    GOVERNOR = governor
    QUEUE_SECONDS = queue_seconds
    CLAIM_SECONDS = claim_seconds
    NOTICE_SECONDS = notice_seconds
    FRESH_SECONDS = fresh_seconds
    LEAST_DEPOSIT = least_deposit
    self.factor = WHOLE
    self.verifier = IVerifier(verifier)
    attestations.set_signers(signers, threshold)


# What owners ask for


@external
def open_account(cell: uint256, market: uint256, amount: uint256):
    """
    @notice Queues the opening of a free cell for the caller, whose it is from now on, and its first deposit.
    """
    assert cell < limits.ACCOUNTS and not self._is_system(cell), "no such cell"
    assert self.owners[cell] == empty(address), "the cell is in use"
    assert market < limits.MARKETS, "no such market"
    assert amount >= LEAST_DEPOSIT, "too small a deposit"
    if limits.MOST_ROOM > 0:
        assert self.blocks[cell // BLOCK].room == 0, "the cell is in use"
        self.blocks[cell // BLOCK].alone += 1
    self.owners[cell] = msg.sender
    self._enqueue(OPEN, cell, market + 1)
    self._deposit(cell, amount)


@external
def open_group(number: uint256, room: uint256, amount: uint256):
    """
    @notice Queues the opening of a group under cross margin for the caller, and the first deposit to its first member:
            the head is the first cell of a block that nobody else is in. It lasts.
    """
    head: uint256 = number * BLOCK
    assert room > 1 and room <= limits.MOST_ROOM, "room"
    assert head + room <= limits.ACCOUNTS, "no such cell"
    assert limits.FEE_CELL // BLOCK != number and limits.INSURANCE_CELL // BLOCK != number, "no such cell"
    assert self.blocks[number].room == 0 and self.blocks[number].alone == 0, "the cell is in use"
    assert amount >= LEAST_DEPOSIT, "too small a deposit"
    self.blocks[number] = Block(owner=msg.sender, room=room, alone=0)
    self._enqueue(OPEN, head, room << 16)
    self._deposit(head + 1, amount)


@external
def deposit(cell: uint256, amount: uint256):
    """
    @notice Queues a deposit to an account of the caller; to the insurance cell, by the governor.
    """
    if cell == limits.INSURANCE_CELL:
        assert msg.sender == GOVERNOR, "not the governor"
    else:
        self._check_owner(cell)
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
        self._check_owner(cell)
    assert amount > 0 and amount < AMOUNT_LIMIT, "amount"
    self._enqueue(WITHDRAW, cell, amount)


@external
def request_close(cell: uint256):
    """
    @notice Queues the end of an account without position and collateral; its cell takes no further requests until then.
    """
    assert msg.sender == self.owners[cell], "not the owner"
    assert not self.closing[cell], "closing"
    self.closing[cell] = True
    self._enqueue(CLOSE, cell, 1)


@external
def withdraw(owner: address):
    """
    @notice Pays an owner what he may have.
    """
    amount: uint256 = self.payable_to[owner]
    self.payable_to[owner] = 0
    self.payable_in_all -= amount
    assert extcall TOKEN.transfer(owner, amount, default_return_value=True), "transfer"
    log Paid(owner=owner, amount=amount)


@external
@view
def request(index: uint256) -> (uint256, uint256, uint256, uint256, address):
    """
    @return Kind, cell, amount, deadline and owner of an item of the queue.
    """
    asked: uint256 = self.queue[index].asked
    return (asked % 2**8, (asked >> 8) % 2**32, (asked >> 40) % 2**64, asked >> 104, self.queue[index].owner)


# Batches


@external
def submit_batch(judged: Bytes[limits.LONGEST_CALL], entries: Bytes[limits.LONGEST_ENTRIES]):
    """
    @param judged The verifier's calldata: verify(bytes statement, bytes proof).
    @param entries What the signers attest of each tick (attestations.vy), and behind it the signatures of the orders.
    """
    assert msg.sender == OPERATOR, "not the operator"
    assert self.frozen_at == 0, "frozen"
    assert words.word(4) == 64 and slice(msg.data, 100, 4) == VERIFY, "encoding"  # so the statement begins at 200
    header: words.Header = words.header(STATEMENT)
    assert header.chain == chain.id and header.rollup == convert(self, uint256), "of another rollup"
    assert header.batch == self.batches, "not the next batch"
    assert header.states[0] == self.root[0] and header.states[1] == self.root[1], "not from this state"

    last: uint256 = STATEMENT + words.HEADER + 32  # the last oracle rows, behind their number
    if self.batches > 0:
        assert keccak256(slice(msg.data, last, limits.MARKETS * words.ROW)) == self.oracle, "last oracle rows"
    assert words.word(last - 32) == limits.MARKETS, "last oracle rows"
    rows: uint256 = last + limits.MARKETS * words.ROW + 32
    count: uint256 = words.word(rows - 32)
    at: uint256 = rows + count * words.ROW
    attested: uint256 = len(entries)
    if limits.ORDERS > 0:
        attested = self._check_orders(at + 64 + words.word(at + 32) * words.ROW, attested)
    self.oracle_time = attestations.check_ticks(
        last, rows, count // limits.MARKETS, 36 + words.word(36), attested
    )
    assert self.oracle_time <= block.timestamp + FUTURE, "oracle rows of the future"
    assert words.oracle_row(rows).time + FRESH_SECONDS >= block.timestamp, "stale oracle rows"
    self.oracle = keccak256(
        slice(msg.data, at - limits.MARKETS * words.ROW, limits.MARKETS * words.ROW)
    )
    assert words.word(at) == self.next_queue, "not the next of the queue"
    queued: uint256 = words.word(at + 32)
    withdrawn: uint256 = self._consume(at + 64, queued)
    if limits.SWEPT > 0:
        self._share_losses(at + 64 + queued * words.ROW, withdrawn)
    if withdrawn > 0:
        self._pay_withdrawals(at + 64, queued)
    self.next_queue += queued

    self.root = [header.states[2], header.states[3]]
    self.batches += 1
    verdict: Bytes[32] = raw_call(self.verifier.address, judged, max_outsize=32, is_static_call=True)
    assert len(verdict) == 32 and convert(verdict, uint256) == 1, "verdict"
    log BatchProven(number=header.batch, root=self.root, next_queue=self.next_queue)


@internal
@view
def _check_orders(difference: uint256, size: uint256) -> uint256:
    """
    @param difference Where the statement's published difference begins; size: of the entries.
    @return The size of the entries without the signatures, each of which is the owner's of its order's cell.
    """
    count: uint256 = 0
    row: uint256 = 0
    count, row = orders.count(STATEMENT + words.word(STATEMENT - 32), difference)
    assert count * orders.SIGNATURE <= size, "orders: signatures"
    attested: uint256 = size - count * orders.SIGNATURE
    signature: uint256 = 36 + words.word(36) + attested
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ORDER):
        owner: address = self._owner(words.word(row + 32))
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
    index: uint256 = self.next_queue
    assert index + count <= self.queue_end, "beyond the queue"
    factor: uint256 = self.factor
    withdrawn: uint256 = 0
    at: uint256 = rows
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        asked: uint256 = self.queue[index].asked % 2**104
        if row.kind == DEPOSIT:
            amount: uint256 = asked >> 40
            assert row.amount == amount * WHOLE // factor, "not what was queued"
            row.amount = amount
            self.queued_deposits -= amount
            self.vault += amount
        elif row.kind == WITHDRAW and row.outcome == 1:
            withdrawn += row.amount
        elif row.kind == CLOSE:
            self.closing[row.cell] = False
            if row.outcome == 1:
                self.owners[row.cell] = empty(address)
                if limits.MOST_ROOM > 0:
                    self.blocks[row.cell // BLOCK].alone -= 1
        assert self._asked(row.kind, row.cell, row.amount) == asked, "not what was queued"
        log Consumed(index=index, outcome=row.outcome)
        index += 1
        at += words.ROW
    return withdrawn


@internal
def _share_losses(difference: uint256, withdrawn: uint256):
    """
    @notice Where a sweep shows that less is there than accounts and the fee cell have and this batch withdraws, one of
            their units is worth that part of the token, for good.
    @param difference Where the statement's published difference begins; behind it are the sums over the book.
    """
    totals: uint256 = difference + 128 + 64 * words.word(difference + 32)
    assert totals + limits.SWEPT <= STATEMENT + words.word(STATEMENT - 32), "no sweep"  # of another kind of key
    equity: uint256 = words.word(totals + limits.EQUITY)  # over 2^16
    fees: int256 = max(words.signed_word(totals + limits.FEES), 0)
    owed: uint256 = equity + (convert(fees, uint256) + withdrawn) * 2**16
    if self.vault * WHOLE * 2**16 < self.factor * owed:
        self.factor = self.vault * WHOLE * 2**16 // owed
        log LossShared(batch=self.batches, factor=self.factor)
        if self.factor < LEAST_FACTOR:
            self.frozen_at = block.timestamp
            log Frozen(queue_index=self.next_queue)


@internal
def _pay_withdrawals(rows: uint256, count: uint256):
    index: uint256 = self.next_queue
    factor: uint256 = self.factor
    at: uint256 = rows
    for i: uint256 in range(count, bound=limits.LONGEST_CALL // words.ROW):
        row: words.QueueRow = words.queue_row(at)
        if row.kind == WITHDRAW and row.outcome == 1:
            amount: uint256 = row.amount * factor // WHOLE
            assert amount <= self.vault, "the vault does not hold it"
            self.vault -= amount
            self._pay(self.queue[index].owner, amount)
        index += 1
        at += words.ROW


# When the operator stops


@external
def freeze():
    """
    @notice By anyone, once the next item of the queue has missed its deadline; for good.
    """
    assert self.frozen_at == 0, "frozen"
    assert self.next_queue < self.queue_end, "nothing is due"
    assert self.queue[self.next_queue].asked >> 104 < block.timestamp, "nothing is due"
    self.frozen_at = block.timestamp
    log Frozen(queue_index=self.next_queue)


@external
def refund(index: uint256):
    """
    @notice Gives an unconsumed deposit back, after a freeze.
    """
    assert self.frozen_at > 0, "not frozen"
    assert index >= self.next_queue and index < self.queue_end, "not in the queue"
    asked: uint256 = self.queue[index].asked
    assert asked % 2**8 == DEPOSIT, "no deposit, or refunded"
    amount: uint256 = (asked >> 40) % 2**64
    self.queue[index].asked = 0
    self.queued_deposits -= amount
    self._pay(self.queue[index].owner, amount)


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
    assert staticcall self.verifier.is_cell(self.root, cell, content, proof), "not what the cell holds"
    digits: cells.Cell = cells.unpack(content)
    if self._is_system(cell):
        assert block.timestamp > self.frozen_at + 2 * CLAIM_SECONDS, "the owners of accounts come first"
        self._pay_late(cell, GOVERNOR, self._worth(convert(max(digits.collateral, 0), uint256)))
        return
    assert digits.kind == cells.ACCOUNT, "no account"
    self._claim(cell, self.owners[cell], self._value(digits, rows))


@external
def escape_group(
    number: uint256,
    contents: DynArray[uint256, BLOCK],
    proofs: DynArray[uint256[2], BLOCK],
    rows: Bytes[limits.MARKETS * words.ROW],
):
    """
    @notice As `escape`, for a group: of all its cells, the head first, which says how many they are.
    """
    head: uint256 = number * BLOCK
    self._begin_escape(head, keccak256(rows))
    total: int256 = 0
    for i: uint256 in range(len(contents), bound=BLOCK):
        assert staticcall self.verifier.is_cell(self.root, head + i, contents[i], proofs[i]), "not what the cell holds"
        digits: cells.Cell = cells.unpack(contents[i])
        if i == 0:
            assert digits.kind == cells.HEAD and digits.position == convert(len(contents), int256), "not the whole group"
        else:
            assert digits.kind == cells.MEMBER + 16 * i, "no member"
            total += self._value(digits, rows)
    assert len(contents) > 0, "not the whole group"
    self._claim(head, self.blocks[number].owner, total)


@internal
def _begin_escape(cell: uint256, rows: bytes32):
    assert self.frozen_at > 0, "not frozen"
    assert not self.escaped[cell], "escaped"
    assert rows == self.oracle, "oracle rows"
    self.escaped[cell] = True


@internal
@pure
def _value(digits: cells.Cell, rows: Bytes[limits.MARKETS * words.ROW]) -> int256:
    price: uint256 = extract32(rows, digits.market * words.ROW + 96, output_type=uint256)
    index: int256 = extract32(rows, digits.market * words.ROW + 128, output_type=int256)
    return cells.total_value(digits, price, index)


@internal
def _claim(cell: uint256, owner: address, total: int256):
    claim: uint256 = self._worth(cells.whole(total))
    if block.timestamp > self.frozen_at + CLAIM_SECONDS:
        self._pay_late(cell, owner, claim)
        return
    self.claims[owner] += claim
    self.claims_in_all += claim
    log Escaped(cell=cell, owner=owner, claim=claim)


@external
def settle(owner: address):
    """
    @notice Makes an owner's claims payable, once the time for claims has passed: all of them, or where the vault holds
            less than all claims his part of it.
    """
    assert self.frozen_at > 0 and block.timestamp > self.frozen_at + CLAIM_SECONDS, "claims are still open"
    claim: uint256 = self.claims[owner]
    self.claims[owner] = 0
    self._pay(owner, claim if self.claims_in_all <= self.vault else claim * self.vault // self.claims_in_all)


# Another verifier


@external
def propose(verifier: address, signers: DynArray[address, attestations.MOST_SIGNERS], threshold: uint256):
    """
    @notice Announces another verifier or other signers; nothing cancels a request that is queued by then. What is not
            adopted within the notice after it was ready has lapsed.
    """
    assert msg.sender == GOVERNOR, "not the governor"
    assert self.frozen_at == 0, "frozen"
    assert verifier.is_contract, "no contract"
    attestations.check_signers(signers, threshold)
    ready: uint256 = block.timestamp + NOTICE_SECONDS
    self.proposal = Proposal(verifier=verifier, signers=signers, threshold=threshold, ready=ready)
    log Proposed(verifier=verifier, signers=signers, threshold=threshold, ready=ready)


@external
def adopt():
    assert self.frozen_at == 0, "frozen"
    assert self.proposal.ready > 0 and block.timestamp > self.proposal.ready, "notice"
    assert block.timestamp <= self.proposal.ready + NOTICE_SECONDS, "lapsed"
    self.verifier = IVerifier(self.proposal.verifier)
    attestations.set_signers(self.proposal.signers, self.proposal.threshold)
    self.proposal.ready = 0
    log Adopted(verifier=self.verifier.address, key=staticcall self.verifier.key_digest())


# Inside


@internal
def _check_owner(cell: uint256):
    assert msg.sender == self._owner(cell), "not the owner"
    assert not self.closing[cell], "closing"


@internal
@view
def _owner(cell: uint256) -> address:
    """
    @dev Of an account, or of the group that the cell is, or may become, a member of.
    """
    if limits.MOST_ROOM > 0:
        around: Block = self.blocks[cell // BLOCK]
        if around.room > 0:
            return around.owner if cell % BLOCK > 0 and cell % BLOCK < around.room else empty(address)
    return self.owners[cell]


@internal
def _deposit(cell: uint256, amount: uint256):
    assert amount > 0 and amount < limits.DEPOSIT_LIMIT, "amount"
    assert self.vault + self.queued_deposits + amount < limits.VAULT_LIMIT, "the vault is full"
    self.queued_deposits += amount
    self._enqueue(DEPOSIT, cell, amount)
    before: uint256 = staticcall TOKEN.balanceOf(self)
    assert extcall TOKEN.transferFrom(msg.sender, self, amount, default_return_value=True), "transfer"
    assert staticcall TOKEN.balanceOf(self) == before + amount, "transfer"


@internal
def _enqueue(kind: uint256, cell: uint256, amount: uint256):
    assert self.frozen_at == 0, "frozen"
    index: uint256 = self.queue_end
    deadline: uint256 = block.timestamp + QUEUE_SECONDS
    if index > 0:
        deadline = max(deadline, (self.queue[index - 1].asked >> 104) + SPACING)
    self.queue[index] = Item(asked=self._asked(kind, cell, amount) + (deadline << 104), owner=msg.sender)
    self.queue_end = index + 1
    log Queued(index=index, cell=cell, owner=msg.sender, kind=kind, amount=amount, deadline=deadline)


@internal
@pure
def _asked(kind: uint256, cell: uint256, amount: uint256) -> uint256:
    """
    @dev What a row of a statement and an item of the queue have in common; a row may hold any numbers.
    """
    assert kind < 2**8 and cell < 2**32 and amount < 2**64, "not what was queued"
    return kind + (cell << 8) + (amount << 40)


@internal
@view
def _worth(units: uint256) -> uint256:
    return units * self.factor // WHOLE


@internal
def _pay(owner: address, amount: uint256):
    self.payable_to[owner] += amount
    self.payable_in_all += amount


@internal
def _pay_late(cell: uint256, owner: address, claim: uint256):
    left: uint256 = self.vault - min(self.vault, self.claims_in_all) - self.paid_late
    amount: uint256 = min(claim, left)
    self.paid_late += amount
    self._pay(owner, amount)
    log Escaped(cell=cell, owner=owner, claim=amount)


@internal
@view
def _is_system(cell: uint256) -> bool:
    return cell == limits.FEE_CELL or cell == limits.INSURANCE_CELL
