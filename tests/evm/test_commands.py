"""The commands around the contracts: export, submissions on a chain in the process, an exit from public data."""

import json
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.evm.test_assets_on_chain import P_ETH
from tests.evm.test_assets_on_chain import SHAPE as ASSET_SHAPE
from tests.evm.test_assets_on_chain import parameters as assets
from tests.evm.test_groups_on_chain import SHAPE as GROUP_SHAPE
from tests.evm.test_groups_on_chain import parameters as group_parameters
from tests.evm.test_options_on_chain import CHANGES, EXPIRY, P_CALL
from tests.evm.test_options_on_chain import SHAPE as OPTION_SHAPE
from tests.evm.test_options_on_chain import parameters as options
from tests.evm.test_rollup_contract import PRICE
from tests.test_cli import done, run
from verifier.margin import load_key
from zkmargin.evm.chain import Chain
from zkmargin.evm.compile import Compiled
from zkmargin.evm.contract import Contract
from zkmargin.evm.deploy import Terms
from zkmargin.evm.local import LocalL1
from zkmargin.evm.orders import signed, signer_of
from zkmargin.files import write_parameters, write_transactions
from zkmargin.rollup import Rollup
from zkmargin.store import StoreError
from zkmargin.transactions import Deposit, Form, Join, Open, Order, Redeem, Settle, Supply, Tick, Trade

SMALL = ("--accounts", "20", "--transitions", "64", "--limb-bits", "8", "--packing", "8")
TERMS = Terms(bytes(20), b"\1" * 20, b"\2" * 20, (b"\3" * 20,), 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollup for the chain in the process: two batches, the first one proven; another one for no chain."""
    folder = tmp_path_factory.mktemp("evm")
    done("tape", *SMALL, "--out", folder / "tape")
    parameters = folder / "tape" / "parameters.json"
    done("setup", "--parameters", parameters, "--insecure", "test", "--out", folder / "setup.npz")
    rollup = ("--parameters", parameters, "--setup", folder / "setup.npz")
    done("init", folder / "rollup", *rollup, *done("evm", "address").split())
    done("init", folder / "elsewhere", *rollup)
    for name, numbers in (("rollup", (0, 1)), ("elsewhere", (0,))):
        for number in numbers:
            done("apply", folder / name, folder / "tape" / f"batch-00{number}.jsonl")
        done("prove", folder / name, 0, "--out", folder / name / "proof")
    return folder


def test_batches_on_a_chain_and_an_exit_from_their_calldata(folder: Path) -> None:
    told = json.loads(done("evm", "submit", folder / "rollup", "--out", folder / "calldata", "--json"))
    assert [batch["batch"] for batch in told["batches"]] == [0] and told["vault"] > 0
    assert "gas a change" in done("evm", "submit", folder / "rollup", "--fork", "osaka")
    key, setup, batch = folder / "rollup" / "proof" / "key.json", folder / "setup.npz", folder / "calldata"
    files = ("--key", key, "--setup", setup, "--cell", 5, "--json")
    of_calldata = json.loads(done("exit", *files, batch / "batch-000.calldata"))
    assert of_calldata == json.loads(done("exit", *files, folder / "rollup" / "proof" / "statement.json"))
    cell = json.loads(done("inspect", folder / "rollup", "--cell", 5, "--json"))
    assert of_calldata["kind"] == 1 and cell["kind"] == 1 and len(of_calldata["rows"]) == 2 + 2 * 160


def test_a_batch_that_the_contract_refuses(folder: Path) -> None:
    rollup = Rollup(folder / "rollup")
    batch, chain = rollup.store.batch(0), LocalL1(rollup.key)
    assert batch.proof is not None
    with pytest.raises(StoreError, match="batch 0: the rollup contract refuses: proof"):
        chain.submit(batch.statement, batch.proof[:-32] + bytes(32))
    chain.longest_statement = len(batch.statement.encode()) - 1
    with pytest.raises(StoreError, match=r"batch 0: its statement of \d+ bytes is longer than"):
        chain.submit(batch.statement, batch.proof)


def test_what_is_exported_can_be_deployed(folder: Path) -> None:
    done("evm", "export", folder / "rollup", "--out", folder / "contracts")
    files = [json.loads(path.read_text()) for path in sorted((folder / "contracts").glob("*.json"))]
    chain = Chain()
    deployer = chain.account("deployer")
    *emitted, verifier, leaving, rollup = files
    codes = [bytes.fromhex(contract["bytecode"][2:]) for contract in emitted]
    transcript, *evaluators = (chain.deploy(deployer, code).address for code in codes)

    def deployed(contract: dict[str, object], *arguments: object) -> Contract:
        creation = bytes.fromhex(str(contract["bytecode"])[2:])
        return Contract.deploy(chain, deployer, Compiled(tuple(contract["abi"]), creation, 0), *arguments)  # type: ignore[arg-type]

    arbiter = deployed(verifier, transcript, evaluators)
    key = load_key((folder / "rollup" / "proof" / "key.json").read_text())
    assert arbiter.call("key_digest") == key.digest
    assert list(rollup["constructor"])[:4] == ["token", "operator", "governor", "verifier"]
    made = deployed(rollup, *TERMS.arguments(arbiter.address, deployed(leaving).address))
    assert made.call("threshold") == 1 and made.call("batches") == 0 and made.call("claims_in_all") == 0
    assert "R: constant" in (folder / "contracts" / "sources" / "verifier.vy").read_text()


def test_bad_input(folder: Path) -> None:
    elsewhere = run("evm", "submit", folder / "elsewhere")
    assert elsewhere.exit_code == 2 and "`zkmargin init` needs --chain 1337 --contract 0x" in elsewhere.output
    key, setup = folder / "rollup" / "proof" / "key.json", folder / "setup.npz"
    statement = folder / "rollup" / "proof" / "statement.json"
    for arguments, message in (
        ((statement, statement, "--cell", 5), "batch 1 is missing"),
        ((statement, "--cell", 1 << 20), "there is no cell"),
        ((setup, "--cell", 5), "setup.npz: neither a statement nor calldata"),
        ((key, "--cell", 5), "key.json: missing or unknown fields"),
    ):
        result = run("exit", "--key", key, "--setup", setup, *arguments)
        assert result.exit_code == 2 and message in result.output, result.output
    assert run("init", folder / "x", "--parameters", key, "--setup", setup, "--contract", "0x12").exit_code == 2


def test_a_group_on_a_chain_and_its_exit(tmp_path: Path) -> None:
    """Opened by its owner with a first deposit; its way out is the openings of all its cells."""
    folder, files = tmp_path / "rollup", ("--setup", tmp_path / "setup.npz")
    write_parameters(tmp_path / "parameters.json", group_parameters(), GROUP_SHAPE)
    done("setup", "--parameters", tmp_path / "parameters.json", "--insecure", "x", "--out", tmp_path / "setup.npz")
    done("init", folder, "--parameters", tmp_path / "parameters.json", *files, *done("evm", "address").split())
    tick = Tick(group_parameters().genesis_time + 60, ((PRICE, 0), (PRICE, 0)))
    joins = Join(64, 0), Join(64, 1)
    batch = [tick, Form(64, 4, 0), *joins, Deposit(65, 10**8, 1), Open(2, 1, 2), Deposit(2, 10**8, 3),
             Trade(66, 2, 10**6, 1, 10**8, 0, 0), Deposit(66, 5, 4)]  # fmt: skip
    done("apply", folder, write_transactions(tmp_path / "batch.jsonl", batch))
    done("prove", folder, 0, "--out", tmp_path / "proof")
    assert json.loads(done("evm", "submit", folder, "--json"))["vault"] == 2 * 10**8 + 5
    exits = ("exit", tmp_path / "proof" / "statement.json", "--key", tmp_path / "proof" / "key.json", *files)
    told = json.loads(done(*exits, "--cell", 64, "--json"))
    assert told["position"] == len(told["contents"]) == len(told["proofs"]) == 3
    result = run(*exits, "--cell", 66)
    assert result.exit_code == 2 and "cell 66 is a member of the group of cell 64" in result.output


def test_a_portfolio_with_options_on_a_chain(tmp_path: Path) -> None:
    """Opened under its module; scenarios are signed with the rows, and the settlement is in the second batch."""
    made, folder = options(), tmp_path / "rollup"
    write_parameters(tmp_path / "parameters.json", made, OPTION_SHAPE)
    done("setup", "--parameters", tmp_path / "parameters.json", "--insecure", "x", "--out", tmp_path / "setup.npz")
    files = ("--parameters", tmp_path / "parameters.json", "--setup", tmp_path / "setup.npz")
    done("init", folder, *files, *done("evm", "address").split())
    begun, over = made.genesis_time + 60, EXPIRY + 60
    batches = (
        [Tick(begun, ((PRICE, 0), (P_CALL, 0)), ((), CHANGES)), Form(64, 4, 0, "portfolio"), Join(64, 0), Join(64, 1),
         Deposit(65, 10**8, 1), Open(2, 1, 2), Deposit(2, 10**8, 3), Trade(66, 2, 10**6, -1, -5 * 10**6, 0, 0)],
        [Tick(over, ((120 << 16, 0), (10 << 16, 0)), ((), ())), Settle(66), Settle(2)],
    )  # fmt: skip
    for number, batch in enumerate(batches):
        done("apply", folder, write_transactions(tmp_path / "batch.jsonl", batch))
        done("prove", folder, number, "--out", tmp_path / "proof")
    told = json.loads(done("evm", "submit", folder, "--json"))
    assert [batch["batch"] for batch in told["batches"]] == [0, 1] and told["vault"] == 2 * 10**8
    sizes = json.loads(done("evm", "export", folder, "--out", tmp_path / "contracts", "--json"))
    assert sizes["leaving, bytes"] > 0
    assert "check_settlement" in (tmp_path / "contracts" / "sources" / "instruments.vy").read_text()


def test_assets_on_a_chain(tmp_path: Path) -> None:
    """The owner of a group says at its opening to which member he will supply, in a later batch."""
    made, folder = assets(), tmp_path / "rollup"
    write_parameters(tmp_path / "parameters.json", made, ASSET_SHAPE)
    done("setup", "--parameters", tmp_path / "parameters.json", "--insecure", "x", "--out", tmp_path / "setup.npz")
    files = ("--parameters", tmp_path / "parameters.json", "--setup", tmp_path / "setup.npz")
    done("init", folder, *files, *done("evm", "address").split())
    rows = (PRICE, 0), (P_ETH, 0)
    batches = (
        [Tick(made.genesis_time + 60, rows), Form(64, 4, 0), Join(64, 0), Join(64, 1), Deposit(65, 10**8, 1),
         Open(2, 1, 2), Deposit(2, 10**8, 3), Supply(2, 1, 500, 4)],
        [Tick(made.genesis_time + 120, rows), Supply(66, 1, 700, 5), Redeem(2, 1, 200, 6), Redeem(2, 1, 900, 7)],
    )  # fmt: skip
    for number, batch in enumerate(batches):
        done("apply", folder, write_transactions(tmp_path / "batch.jsonl", batch))
        done("prove", folder, number, "--out", tmp_path / "proof")
    told = json.loads(done("evm", "submit", folder, "--json"))
    assert [batch["L1 rows"] for batch in told["batches"]] == [5, 3] and told["vault"] == 2 * 10**8


def test_what_a_wallet_signs(tmp_path: Path) -> None:
    order = {
        "cell": 2,
        "market": 0,
        "sells": True,
        "size": 5,
        "limit": 1 << 16,
        "fee": 655,
        "expiry": 1,
        "slot": 9,
        "id": 3,
    }
    (tmp_path / "order.json").write_text(json.dumps(order))
    arguments = ("evm", "order", tmp_path / "order.json", "--chain", 1, "--contract", "0x" + "12" * 20)
    told = json.loads(done(*arguments))
    assert told["message"] == order and told["primaryType"] == "Order"
    owner = Chain().account("owner of 2")
    made = signed(Order(**order), owner, 1, b"\x12" * 20)  # type: ignore[arg-type]
    assert Account.recover_message(encode_typed_data(full_message=told), signature=recoverable(made)) == owner.address
    assert signer_of(made, 1, b"\x12" * 20) == owner.address != signer_of(made, 2, b"\x12" * 20)
    for wrong in ({}, order | {"size": "5"}, order | {"more": 1}):
        (tmp_path / "order.json").write_text(json.dumps(wrong))
        result = run(*arguments)
        assert result.exit_code == 2 and "order.json" in result.output


def recoverable(order: Order) -> bytes:
    """r, s in a word each and v in a byte, as wallets write it."""
    data = bytes.fromhex(order.signature[2:])
    return data[:64] + data[-1:]


def test_signing_without_orders(folder: Path, tmp_path: Path) -> None:
    result = run("evm", "sign", folder / "rollup", folder / "tape" / "batch-001.jsonl", "--out", tmp_path / "signed")
    assert result.exit_code == 2 and "its key has no orders" in result.output


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "zkmargin.evm.compile", raising=False)
    monkeypatch.delitem(sys.modules, "zkmargin.evm.export", raising=False)
    monkeypatch.setitem(sys.modules, "vyper.compiler", None)
    result = run("evm", "export", folder / "rollup", "--out", folder / "nothing")
    assert result.exit_code == 2 and "vyper is not installed: it comes with zkmargin[evm]" in result.output
