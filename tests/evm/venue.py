"""A whole venue in one process: token, contracts, operator, owners, oracles, and the rollup's state beside it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from eth_account.signers.local import LocalAccount

from circuits.margin.assets import asset_of
from circuits.margin.cell import ROOM_UNIT
from circuits.margin.modules import CROSS, with_id
from circuits.margin.parameters import Parameters, Shape
from circuits.margin.statement import ASSET_UNIT, L1_KINDS, Statement, encode_oracle
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.verifier.cases import stream
from verifier.evm.contracts import attests_scenarios, contracts_of, rollup_sources
from verifier.margin import MarginStatement
from zkmargin.batch import Batch, BatchBuilder
from zkmargin.evm.chain import CHAIN_ID, Chain, Receipt
from zkmargin.evm.compile import compile_contract
from zkmargin.evm.contract import Contract
from zkmargin.evm.deploy import Terms, deploy_rollup, deploy_verifier, token_source, verify_calldata
from zkmargin.evm.exit import Opening, open_cell
from zkmargin.evm.oracle import entries
from zkmargin.proving import batch_assignment, batch_statement, layout_of, margin_key
from zkmargin.state import State
from zkmargin.transactions import Close, Deposit, Form, Open, Redeem, Supply, Tick, Transaction, Withdraw

UNIT = 1_000_000
FEE_CELL, INSURANCE_CELL = 0, 1


class Venue:
    """Requests go to the contract; `batch` and `submit` are the operator's."""

    def __init__(self, parameters: Parameters, shape: Shape, token: str = token_source(), **terms: Any) -> None:
        self.parameters, self.shape, self.backend = parameters, shape, get_backend("cpu")
        self.srs = insecure_srs(self.backend, layout_of(parameters, shape).powers, b"venue")
        self.key = margin_key(parameters, shape, self.srs, self.backend)
        self.chain = Chain(time=parameters.genesis_time + 1)
        self.operator, self.governor = self.chain.account("operator"), self.chain.account("governor")
        self.oracles = [self.chain.account(f"oracle {i}") for i in range(3)]
        self.token = Contract.deploy(self.chain, self.operator, compile_contract("token.vy", {"token.vy": token}))
        self.verifier = deploy_verifier(self.chain, self.operator, contracts_of(self.key.verifying)).address
        source = compile_contract("token.vy", {"token.vy": token_source()})
        self.assets = {market: Contract.deploy(self.chain, self.operator, source) for market in parameters.assets}
        terms = {"assets": tuple(asset.address for asset in self.assets.values()), **terms}
        people = (self.token.address, address_of(self.operator), address_of(self.governor))
        self.terms = Terms(*people, tuple(map(address_of, self.oracles)), **{"threshold": 2, **terms})
        self.rollup = self.deploy(self.terms)
        self.state = State.genesis(parameters, CHAIN_ID, int.from_bytes(self.rollup.address, "big"))
        self.root: tuple[int, int] | None = None
        self.statements: list[Statement] = []

    def deploy(self, terms: Terms) -> Contract:
        """A rollup contract under these terms."""
        return deploy_rollup(self.chain, self.operator, rollup_sources(self.key.verifying), self.verifier, terms)

    def keep(self) -> Callable[[], None]:
        """Takes everything back to this moment, when called."""
        chain, state, root, statements = self.chain.keep(), deepcopy(self.state), self.root, list(self.statements)

        def restore() -> None:
            chain()
            self.state, self.root, self.statements = deepcopy(state), root, list(statements)

        return restore

    def owner(self, name: str) -> LocalAccount:
        """An account with tokens, which the rollup may take."""
        made = self.chain.account(name)
        if self.token.call("balanceOf", address_of(made)) == 0:
            for token in (self.token, *self.assets.values()):
                token.transact(made, "mint", address_of(made), 10**6 * UNIT)
                token.transact(made, "approve", self.rollup.address, 2**255)
        return made

    def queued(self) -> list[Transaction]:
        """What the contract's queue asks for, from the state's next operation on."""
        result: list[Transaction] = []
        factor = self.rollup.call("factor")
        for index in range(self.state.queue, self.rollup.call("queue_end")):
            kind, cell, amount, _, _ = self.rollup.call("request", index)
            made: dict[int, Callable[..., Transaction]] = {
                1: lambda *row: opened(*row),
                2: lambda cell, _, index: Close(cell, index),
                3: lambda cell, amount, index: Deposit(cell, (amount << 32) // factor, index),
            }
            market = asset_of(kind)
            if market is not None:
                asked = Supply if kind % ASSET_UNIT == L1_KINDS["supply"] else Redeem
                result.append(asked(cell, market, amount, index))
                continue
            result.append(made.get(kind, Withdraw)(cell, amount, index))
        return result

    def tick(self, *rows: tuple[int, int]) -> Tick:
        """A tick of the present time."""
        return Tick(self.chain.time, rows)

    def batch(self, *transactions: Transaction) -> Batch:
        """The next batch: nothing may be refused."""
        builder = BatchBuilder(self.state, self.parameters, self.shape)
        for transaction in transactions:
            assert (refusal := builder.add(transaction)) is None, f"{transaction}: {refusal}"
        return builder.finish()

    def prove(self, batch: Batch) -> tuple[Statement, bytes]:
        """The same proof of the same batch each time, so that its gas is the same."""
        statement = batch_statement(batch, self.root, self.srs, self.backend, self.shape)
        assignment = batch_assignment(self.key.circuit, self.parameters, statement, batch)
        public = MarginStatement.under(self.key.verifying, statement)
        return statement, prove(self.key, public, assignment, self.backend, stream(statement.batch))

    def entries(self, statement: Statement) -> bytes:
        scenarios = statement.scenarios if attests_scenarios(self.parameters, self.shape) else None
        return entries(statement.oracle, self.oracles[:2], CHAIN_ID, self.rollup.address, scenarios)

    def send(self, statement: Statement, proof: bytes, told: bytes | None = None) -> Receipt:
        """submit_batch by the operator."""
        said = self.entries(statement) if told is None else told
        call = verify_calldata(statement.encode(), proof)
        return self.rollup.transact(self.operator, "submit_batch", call, said)

    def advance(self, *transactions: Transaction) -> Receipt:
        """Makes, proves and submits a batch."""
        statement, proof = self.prove(self.batch(*transactions))
        receipt = self.send(statement, proof)
        self.root = statement.new
        self.statements.append(statement)
        return receipt

    def opening(self, cell: int) -> Opening:
        return open_cell(self.state.cells, cell, self.shape.cells, self.srs, self.backend)

    def escape(self, cell: int) -> Receipt:
        """Claims a cell, by a stranger."""
        opening = self.opening(cell)
        stranger = self.chain.account("stranger")
        return self.rollup.transact(stranger, "escape", cell, opening.content, opening.proof or (0, 0), self.rows())

    def rows(self) -> bytes:
        """The last oracle rows."""
        return encode_oracle(self.state.oracle_rows())

    def holds(self, owner: bytes) -> int:
        return int(self.token.call("balanceOf", owner))


def opened(cell: int, amount: int, queue: int) -> Transaction:
    """A group, where the amount says a room, else an account."""
    room, rest = divmod(amount, ROOM_UNIT)
    if not room:
        return Open(cell, amount - 1, queue)
    module = with_id(rest + CROSS.id)
    assert module is not None
    return Form(cell, room, queue, module.name)


def address_of(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])
