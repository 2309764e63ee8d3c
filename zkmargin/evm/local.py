"""A rollup's batches on a chain in this process: token, contracts, owners' requests, oracles' entries, submissions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from eth_account.signers.local import LocalAccount

from circuits.margin.assets import asset_of
from circuits.margin.cell import GROUP_MAX as BLOCK
from circuits.margin.cell import ROOM_UNIT
from circuits.margin.modules import CROSS
from circuits.margin.statement import ASSET_UNIT, L1_KINDS, L1Row, Statement
from verifier.evm.contracts import attests_scenarios, contracts_of, rollup_sources, room_for_statement
from verifier.key import VerifyingKey
from verifier.margin import decode_parameters
from zkmargin.evm.chain import CHAIN_ID, Chain, Reverted
from zkmargin.evm.compile import compile_contract
from zkmargin.evm.contract import Contract
from zkmargin.evm.deploy import DAY, Terms, deploy_rollup, deploy_verifier, token_source, verify_calldata
from zkmargin.evm.oracle import entries
from zkmargin.evm.orders import signatures_of
from zkmargin.store import StoreError

FUNDS = 1 << 62
ORACLES, THRESHOLD = 3, 2
YEARS = 3650 * DAY  # a tape's time passes faster than that of a chain
OPEN, CLOSE, DEPOSIT, SUPPLY = (L1_KINDS[name] for name in ("open", "close", "deposit", "supply"))


def owner_name(cell: int) -> str:
    """Of the chain's account that owns a cell."""
    return f"owner of {cell}"


@cache
def rollup_address() -> bytes:
    """Where the rollup contract of every such chain is: an account of its own makes it, behind its code for leaving."""
    chain = Chain()
    return chain.address_of_next(chain.account("rollup"), after=1)


@dataclass(frozen=True)
class Spent:
    """Gas of a batch. requests: of the owners' transactions before it; submission: of `submit_batch`."""

    batch: int
    requests: int
    submission: int


class LocalL1:
    """The chain with the contracts of a key; deployment: their gas by name; markets: of cells that assets are supplied
    to, and 1."""

    def __init__(self, key: VerifyingKey, fork: str = "prague") -> None:
        parameters, shape = decode_parameters(key.parameters)
        self.attests_scenarios = attests_scenarios(parameters, shape)
        self.longest_statement = room_for_statement(key)
        self.parameters, self.chain = parameters, Chain(fork, parameters.genesis_time + 1)
        self.operator, self.governor = self.chain.account("operator"), self.chain.account("governor")
        self.oracles = [self.chain.account(f"oracle {i}") for i in range(ORACLES)]
        source = compile_contract("token.vy", {"token.vy": token_source()})
        self.token, *self.assets = (
            Contract.deploy(self.chain, self.operator, source) for _ in range(1 + len(parameters.assets))
        )
        arbiter = deploy_verifier(self.chain, self.operator, contracts_of(key))
        signers = tuple(map(_address, self.oracles))
        people = (self.token.address, _address(self.operator), _address(self.governor), signers, THRESHOLD)
        tokens = tuple(token.address for token in self.assets)
        terms = Terms(*people, queue=YEARS, notice=2 * YEARS, fresh=YEARS, least_deposit=1, assets=tokens)
        deployer = self.chain.account("rollup")
        self.rollup = deploy_rollup(self.chain, deployer, rollup_sources(key), arbiter.address, terms)
        self.deployment = {**arbiter.gas, "rollup": self.rollup.gas}
        self._funded: set[str] = set()
        self.markets: dict[int, int] = {}

    def calldata(self, statement: Statement, proof: bytes, signatures: Sequence[str] = ()) -> bytes:
        """submit_batch with the entries of oracles who saw what the statement says; signatures: of its orders."""
        told = signatures_of(signatures)
        scenarios = statement.scenarios if self.attests_scenarios else None
        told = entries(statement.oracle, self.oracles[:THRESHOLD], CHAIN_ID, self.rollup.address, scenarios) + told
        return self.rollup.calldata("submit_batch", verify_calldata(statement.encode(), proof), told)

    def submit(self, statement: Statement, proof: bytes, signatures: Sequence[str] = ()) -> Spent:
        """The requests that the batch consumes, then the batch; StoreError says what the contract refuses, and why."""
        if (statement.chain, statement.contract) != (CHAIN_ID, int.from_bytes(self.rollup.address, "big")):
            raise StoreError(
                f"batch {statement.batch} is for chain {statement.chain}, contract 0x{statement.contract:040x}: "
                f"`zkmargin init` needs --chain {CHAIN_ID} --contract 0x{self.rollup.address.hex()}"
            )
        if (size := len(statement.encode())) > self.longest_statement:
            raise StoreError(
                f"batch {statement.batch}: its statement of {size} bytes is longer than the {self.longest_statement} "
                "that the contracts take: smaller batches have fewer L1 rows, oracle rows and published differences"
            )
        try:
            requests = sum(self._request(row) for row in _requests(statement.l1))
            self.chain.time = max(self.chain.time, statement.oracle[-1].time)
            data = self.calldata(statement, proof, signatures)
            return Spent(statement.batch, requests, self.chain.transact(self.operator, self.rollup.address, data).gas)
        except Reverted as reverted:
            raise StoreError(f"batch {statement.batch}: the rollup contract refuses: {reverted}") from reverted

    def _request(self, rows: tuple[L1Row, ...]) -> int:
        """The gas of an owner's transaction that queues these rows."""
        first, cell = rows[0], rows[0].cell
        system = cell in (self.parameters.fee_cell, self.parameters.insurance_cell)
        of_group = self.rollup.call("blocks", cell // BLOCK)[1] > 0
        owner = self._funds("governor" if system else owner_name(cell - cell % BLOCK if of_group else cell))
        if first.kind == OPEN and first.amount >= ROOM_UNIT:
            block, outside = divmod(cell, BLOCK)
            if outside:
                raise StoreError(
                    f"L1 row {first.queue}: on L1 a group begins at a multiple of {BLOCK}, not at cell {cell}"
                )
            room, rest = divmod(first.amount, ROOM_UNIT)
            members = [self.markets.get(first.cell + i, 0) for i in range(1, room)] if self.assets else []
            asked = block, room, rest + CROSS.id, self._tokens(rows[1].amount), members
            return self.rollup.transact(owner, "open_group", *asked).gas
        if first.kind == OPEN:
            return self.rollup.transact(owner, "open_account", cell, first.amount - 1, self._tokens(rows[1].amount)).gas
        if first.kind == CLOSE:
            return self.rollup.transact(owner, "request_close", cell).gas
        if asset_of(first.kind) is not None:
            name = "supply" if first.kind % ASSET_UNIT == SUPPLY else "request_redemption"
            return self.rollup.transact(owner, name, cell, first.amount).gas
        if first.kind == DEPOSIT:
            return self.rollup.transact(owner, "deposit", cell, self._tokens(first.amount)).gas
        return self.rollup.transact(owner, "request_withdrawal", cell, first.amount).gas

    def expect(self, rows: Iterable[L1Row]) -> None:
        """The rows of all batches, before the first: owners of groups say at their opening where assets will be."""
        markets = {row.cell: asset_of(row.kind) for row in rows}
        self.markets |= {cell: market + 1 for cell, market in markets.items() if market is not None}

    def _tokens(self, units: int) -> int:
        """The fewest that a deposit of so many units takes."""
        return -(-units * int(self.rollup.call("factor")) >> 32)

    def _funds(self, name: str) -> LocalAccount:
        """An account with tokens, which the rollup may take."""
        account = self.chain.account(name)
        if name not in self._funded:
            self._funded.add(name)
            for token in (self.token, *self.assets):
                token.transact(account, "mint", _address(account), FUNDS)
                token.transact(account, "approve", self.rollup.address, FUNDS)
        return account


def _requests(rows: tuple[L1Row, ...]) -> Iterator[tuple[L1Row, ...]]:
    """What one transaction queues: an opening has its first deposit with it."""
    left = list(rows)
    while left:
        row = left.pop(0)
        if row.kind != OPEN:
            yield (row,)
        elif left and (left[0].kind, left[0].cell) == (DEPOSIT, row.cell + (row.amount >= ROOM_UNIT)):
            yield (row, left.pop(0))
        else:
            raise StoreError(f"L1 row {row.queue}: the contract opens an account with its first deposit, none follows")


def _address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])
