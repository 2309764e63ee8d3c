"""An EVM chain in this process: the execution layer's specification (EELS), one transaction a block."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from ethereum.crypto.hash import Hash32
from ethereum_types.bytes import Bytes, Bytes32
from ethereum_types.numeric import U64, U256, Uint

FORKS = ("prague", "osaka")
CHAIN_ID = 1337
BLOCK_GAS, TRANSACTION_GAS = 60_000_000, 16_777_216  # EIP-7825
BLOCK_SECONDS, GAS_PRICE = 12, 7
RICH = 10**24
ERROR = keccak(b"Error(string)")[:4]


class Reverted(Exception):  # noqa: N818 (what happened, as the EVM calls it)
    """A transaction or call that was reverted. reason: what the contract said, gas: what it cost all the same."""

    def __init__(self, reason: str, gas: int) -> None:
        super().__init__(reason)
        self.reason, self.gas = reason, gas


@dataclass(frozen=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Receipt:
    """gas: of the whole transaction, with its data and the floor of EIP-7623. address: called, or of a new contract."""

    gas: int
    logs: tuple[Log, ...]
    address: bytes


class Chain:
    """Accounts with ether, and blocks of one signed transaction each under the rules of a fork of `FORKS`."""

    def __init__(self, fork: str = "prague", time: int = 1_800_000_000) -> None:
        self.fork, self.time, self.number = fork, time, 1
        if fork not in FORKS:
            raise ValueError(f"no fork {fork!r}: {', '.join(FORKS)} are known")

        def part(name: str) -> Any:
            return import_module(f"ethereum.forks.{fork}.{name}")

        self._fork, self._state, self._vm, self._tx = part("fork"), part("state"), part("vm"), part("transactions")
        self._types, self._interpreter, self._message = (
            part("fork_types"),
            part("vm.interpreter"),
            part("utils.message"),
        )
        self._trie, self._blocks = part("trie"), part("blocks")
        self.state = self._state.State()

    def account(self, name: str) -> LocalAccount:
        """A key of its own for each name, with ether."""
        made: LocalAccount = Account.from_key(keccak(b"zkmargin " + name.encode()))
        address = self._address(made)
        if self._state.get_account(self.state, address).balance == 0:
            self._state.set_account_balance(self.state, address, U256(RICH))
        return made

    def address_of_next(self, sender: LocalAccount, after: int = 0) -> bytes:
        """Where the contract of an account's next deployment will be, or of one after so many others."""
        address = self._address(sender)
        nonce = Uint(int(self._state.get_account(self.state, address).nonce) + after)
        return bytes(self._message.compute_contract_address(address, nonce))

    def deploy(self, sender: LocalAccount, code: bytes) -> Receipt:
        """Runs creation code, the constructor's arguments behind it."""
        return self._send(sender, b"", code)

    def transact(self, sender: LocalAccount, to: bytes, data: bytes) -> Receipt:
        """Reverted with the contract's reason when the transaction fails."""
        return self._send(sender, to, data)

    def call(self, to: bytes, data: bytes, sender: bytes = bytes(20)) -> bytes:
        """What a contract answers in the next block, without changing anything; Reverted when it does not."""
        output = self._simulate(to, data, sender)
        if output.error is not None:
            raise Reverted(_reason(output.return_data, output.error), TRANSACTION_GAS - int(output.gas_left))
        return bytes(output.return_data)

    def wait(self, seconds: int) -> None:
        """Lets time pass before the next block."""
        self.time += seconds

    def keep(self) -> Callable[[], None]:
        """Takes the chain back to this moment, as often as it is called."""
        copy = self._trie.copy_trie

        def copied(state: Any) -> Any:
            storage = {address: copy(trie) for address, trie in state._storage_tries.items()}
            return self._state.State(copy(state._main_trie), storage)

        kept, time, number = copied(self.state), self.time, self.number

        def restore() -> None:
            self.state, self.time, self.number = copied(kept), time, number

        return restore

    def _send(self, sender: LocalAccount, to: bytes, data: bytes) -> Receipt:
        address = self._address(sender)
        fields: Mapping[str, Any] = {
            "type": 2, "chainId": CHAIN_ID, "nonce": int(self._state.get_account(self.state, address).nonce),
            "maxFeePerGas": GAS_PRICE, "maxPriorityFeePerGas": 0, "gas": TRANSACTION_GAS,
            "to": to, "value": 0, "data": data,
        }  # fmt: skip
        signed = sender.sign_transaction(dict(fields)).raw_transaction
        self.number += 1
        self.time += BLOCK_SECONDS
        output = self._vm.BlockOutput()
        target = to or self.address_of_next(sender)
        self._fork.process_transaction(self._block(), output, self._tx.decode_transaction(bytes(signed)), Uint(0))
        gas = int(output.block_gas_used)
        if not self._succeeded(output):
            failed = self._simulate(to, data, bytes(address)) if to else None
            raise Reverted(_reason(failed.return_data, failed.error) if failed else "deployment", gas)
        logs = tuple(
            Log(bytes(log.address), tuple(map(bytes, log.topics)), bytes(log.data)) for log in output.block_logs
        )
        return Receipt(gas, logs, target)

    def _succeeded(self, output: Any) -> bool:
        receipt = self._trie.trie_get(output.receipts_trie, output.receipt_keys[0])
        return bool(self._blocks.decode_receipt(receipt).succeeded)

    def _simulate(self, to: bytes, data: bytes, sender: bytes) -> Any:
        """The output of a message call in the next block, undone."""
        origin, target = self._types.Address(sender), self._types.Address(to)
        storage = self._state.TransientStorage()
        environment = self._vm.TransactionEnvironment(
            origin, Uint(0), Uint(TRANSACTION_GAS), set(), set(), storage, (), (), Uint(0), None
        )
        transaction = self._tx.LegacyTransaction(
            U256(0), Uint(0), Uint(TRANSACTION_GAS), target, U256(0), Bytes(data), U256(27), U256(1), U256(1)
        )
        message = self._message.prepare_message(self._block(), environment, transaction)
        self._state.begin_transaction(self.state, storage)
        try:
            return self._interpreter.process_message_call(message)
        finally:
            self._state.rollback_transaction(self.state, storage)

    def _block(self) -> Any:
        return self._vm.BlockEnvironment(
            chain_id=U64(CHAIN_ID),
            state=self.state,
            block_gas_limit=Uint(BLOCK_GAS),
            block_hashes=[Hash32(keccak(self.number.to_bytes(8, "big")))],
            coinbase=self._types.Address(bytes(20)),
            number=Uint(self.number),
            base_fee_per_gas=Uint(GAS_PRICE),
            time=U256(self.time),
            prev_randao=Bytes32(bytes(32)),
            excess_blob_gas=U64(0),
            parent_beacon_block_root=Hash32(bytes(32)),
        )

    def _address(self, account: LocalAccount) -> Any:
        return self._types.Address(bytes.fromhex(account.address[2:]))


def _reason(output: bytes, error: object) -> str:
    """What a contract gave as its reason (Solidity's Error(string)), or the name of the machine's error."""
    if output[:4] == ERROR:
        return str(decode(["string"], bytes(output[4:]))[0])
    return type(error).__name__
