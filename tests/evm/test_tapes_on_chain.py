"""A tape under a key with orders, from the command line to the last escape: each trade signed, proven and submitted."""

import json
from pathlib import Path
from typing import Any

import pytest

from circuits.margin.statement import encode_oracle
from tests.evm.test_commands import SMALL
from tests.test_cli import done
from zkmargin.context import Context
from zkmargin.evm.deploy import DAY
from zkmargin.evm.exit import open_cell, rebuild
from zkmargin.evm.local import YEARS, LocalL1, owner_name
from zkmargin.population import FIRST_ACCOUNT
from zkmargin.rollup import Rollup
from zkmargin.store import StoreError

TRADES = Path(__file__).parents[2].parent / "shared" / "data" / "binance_um_btcusdt_trades.csv.gz"


def test_orders_of_a_tape_on_a_chain(tmp_path: Path) -> None:
    """Each trade fills two orders that its accounts' owners signed, and the contract looks at every signature."""
    done("tape", *SMALL, "--orders", "--out", tmp_path / "tape")
    told = submit_ordered(tmp_path, tmp_path / "tape")
    rollup = Rollup(tmp_path / "rollup")
    statement = rollup.store.batch(1).statement
    assert len(statement.orders) > 40 and all(rollup.signatures(1))
    assert [batch["orders"] for batch in told["batches"]] == [0, len(statement.orders)] and told["factor"] == 1
    chain, first = LocalL1(rollup.key), rollup.store.batch(0)
    second = rollup.store.batch(1)
    chain.submit(first.statement, first.proof or b"")
    wrong = [*rollup.signatures(1)[1:], rollup.signatures(1)[0]]
    with pytest.raises(StoreError, match="batch 1: the rollup contract refuses: orders: not the owner's"):
        chain.submit(second.statement, second.proof or b"", wrong)


@pytest.mark.skipif(not TRADES.exists(), reason="the shared data is not here")
def test_an_exchanges_tape_on_a_chain(tmp_path: Path) -> None:
    """From trades of an exchange to payments: deposits, orders, proofs, withdrawals, and the vault is what is left."""
    done("tape", TRADES, *SMALL, "--orders", "--out", tmp_path / "tape")
    told = submit_ordered(tmp_path, tmp_path / "tape")
    rollup = Rollup(tmp_path / "rollup")
    rows = [row for number in (0, 1) for row in rollup.store.batch(number).statement.l1]
    kinds = [(row.kind, row.outcome) for row in rows]
    assert {(1, 1), (3, 1), (4, 1)} <= set(kinds)
    signed = {3: 1, 4: -1}
    assert told["vault"] == sum(row.amount * signed.get(row.kind, 0) * row.outcome for row in rows)
    summary = rollup.store.batch(1).summary
    assert summary["trade"] > 20 and len(rollup.store.batch(1).statement.orders) >= 2 * summary["trade"]
    everyone_leaves(rollup)


def everyone_leaves(rollup: Rollup) -> None:
    """The operator stops, and all escape by what was published; each has what the rules say, to the unit."""
    l1, batches = LocalL1(rollup.key), [rollup.store.batch(number) for number in (0, 1)]
    for number, batch in enumerate(batches):
        l1.submit(batch.statement, batch.proof or b"", rollup.signatures(number))
    contract, chain, stranger = l1.rollup, l1.chain, l1.chain.account("stranger")
    state, cells = rollup.store.state()[0], rebuild([batch.statement for batch in batches])
    assert cells == state.cells
    accounts = {cell: chain.account(owner_name(cell)) for cell, _ in state.accounts()}
    addresses = {cell: bytes.fromhex(owner.address[2:]) for cell, owner in accounts.items()}
    for address in addresses.values():
        contract.transact(stranger, "withdraw", address)
    vault = contract.call("vault")
    assert l1.token.call("balanceOf", contract.address) == vault
    contract.transact(accounts[FIRST_ACCOUNT], "request_withdrawal", FIRST_ACCOUNT, 1)
    chain.wait(YEARS + 60)
    contract.transact(stranger, "freeze")
    srs, rows = rollup.proving_key().srs, encode_oracle(state.oracle_rows())

    def escape(cell: int) -> None:
        opening = open_cell(cells, cell, rollup.shape.cells, srs, srs.backend)
        contract.transact(stranger, "escape", cell, opening.content, opening.proof or (0, 0), rows)

    for cell in accounts:
        escape(cell)
    chain.wait(15 * DAY)
    context = Context(state, rollup.parameters, rollup.shape.cells)
    for cell, address in addresses.items():
        held = l1.token.call("balanceOf", address)
        for action in ("settle", "withdraw"):
            contract.transact(stranger, action, address)
        paid = l1.token.call("balanceOf", address) - held
        assert paid == max(context.settled(cell).equity >> 16, 0)
        vault -= paid
    chain.wait(15 * DAY)
    for cell in (rollup.parameters.fee_cell, rollup.parameters.insurance_cell):
        escape(cell)
        vault -= state.cell(cell).collateral
    contract.transact(stranger, "withdraw", bytes.fromhex(l1.governor.address[2:]))
    left = l1.token.call("balanceOf", contract.address)
    assert left == vault and 0 <= left <= 2 * len(accounts) + len(rollup.store.batch(1).statement.oracle)


def submit_ordered(folder: Path, tape: Path) -> Any:
    """Both batches of a tape, signed, proven and submitted."""
    parameters, rollup = tape / "parameters.json", folder / "rollup"
    done("setup", "--parameters", parameters, "--insecure", "test", "--out", folder / "setup.npz")
    where = done("evm", "address").split()
    done("init", rollup, "--parameters", parameters, "--setup", folder / "setup.npz", *where)
    for number in (0, 1):
        batch = folder / f"signed-{number}.jsonl"
        done("evm", "sign", rollup, tape / f"batch-00{number}.jsonl", "--out", batch)
        done("apply", rollup, batch)
        done("prove", rollup, number, "--out", folder / "proof")
    return json.loads(done("evm", "submit", rollup, "--json"))
