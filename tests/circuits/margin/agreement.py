"""State machine and circuit on the same input: what the one accepts the other proves, what it refuses nobody can."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from circuits.margin.cell import unpack
from circuits.margin.parameters import Shape
from circuits.margin.statement import InvalidStatement, OracleRow
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.forge import Case, Forge, failures
from zkmargin.machine import Machine, Refused
from zkmargin.state import Rule, Step
from zkmargin.transactions import (
    Close,
    Cover,
    Deleverage,
    Deposit,
    Liquidate,
    Open,
    Tick,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)

Claim = tuple[str, tuple[int, ...], dict[str, object]]
RULES: tuple[Rule, Rule] = ("initial", "reducing")


def agree(machine: Machine, transaction: Transaction) -> Step | None:
    """The machine's step, not yet written, or None (refused, or a tick); AssertionError where the circuit disagrees."""
    if isinstance(transaction, Tick):
        return _agree_on_tick(machine, transaction)
    try:
        step = machine.transition(transaction)
    except Refused as refusal:
        _all_fail(machine, transaction, refusal.code, None)
        return None
    forge = begin(machine)
    forge.take(step)
    assert failures(finished(forge)) == set(), f"{transaction} is accepted and has no proof"
    if isinstance(transaction, Withdraw):
        _all_fail(machine, transaction, "other outcome", (step.kind, step.oversized))
    return step


def _agree_on_tick(machine: Machine, tick: Tick) -> None:
    """No circuit judges oracle rows; the arbiters' check of the statement does."""
    forge = begin(machine)
    before, number = tuple(forge.oracle), forge.oracle[0].tick + 1
    rows = tuple(OracleRow(number, tick.time, market, *row) for market, row in enumerate(tick.rows))
    statement = replace(forge.case().statement, last_oracle=before, oracle=rows)
    try:
        machine.require_tick(tick)
    except Refused:
        with pytest.raises(InvalidStatement):
            check_statement(statement, forge.parameters, forge.shape)
    else:
        check_statement(statement, forge.parameters, forge.shape)


def _all_fail(machine: Machine, transaction: Transaction, code: str, done: tuple[str, bool] | None) -> None:
    """No forged step of the transaction is provable, but for the outcome that was chosen."""
    for forge in forced(machine, transaction):
        step = forge.steps[-1]
        if (step.kind, step.oversized) != done:
            assert failures(finished(forge)), f"{transaction} has a proof, against the refusal {code}: {step}"


def begin(machine: Machine) -> Forge:
    """A batch that starts in the machine's state, whose last tick it lists."""
    state = machine.state
    cells = {address: unpack(value) for address, value in state.cells.items()}
    forge = Forge(machine.context.parameters, Shape(4, machine.context.size, 8, True), cells, next_queue=state.queue)
    forge.oracle = list(state.oracle_rows())
    forge.last_oracle = [replace(row, tick=row.tick - 1) for row in forge.oracle]
    return forge


def credit_fees(forge: Forge, machine: Machine) -> None:
    """Puts the fees of the machine's open batch into their cells, as far as there is one."""
    state, parameters = machine.state, machine.context.parameters
    for address, fees in ((parameters.fee_cell, state.trade_fees), (parameters.insurance_cell, state.liquidation_fees)):
        if address in forge.cells:
            cell = forge.cells[address]
            forge.cells[address] = forge.old[address] = replace(cell, collateral=cell.collateral + fees)


def finished(forge: Forge) -> Case:
    """The batch with its fees collected."""
    if any(step.fee_a or step.fee_b for step in forge.steps):
        forge.collect()
    return forge.case()


def forced(machine: Machine, transaction: Transaction) -> Iterator[Forge]:
    """A batch for each way in which a prover could claim the transaction."""
    for kind, legs, stated in claims(machine, transaction):
        forge = begin(machine)
        if isinstance(transaction, Trade | Liquidate | Deposit):
            credit_fees(forge, machine)
        size = machine.context.size
        if any(not 0 <= address < size for address in legs):
            continue  # no row of the cells table; tests/circuits/margin/test_attacks.py tries
        forge.act(kind, *legs, **stated)
        yield forge


def claims(machine: Machine, transaction: Transaction) -> Iterator[Claim]:
    """Kind, addresses and what else is stated, for each rule or outcome that could be claimed."""
    system = getattr(transaction, "cell", None) in (
        machine.context.parameters.fee_cell,
        machine.context.parameters.insurance_cell,
    )
    fresh = system and getattr(transaction, "cell", None) not in machine.state.cells
    operation = {"system": system, "fresh_a": fresh, "queue": getattr(transaction, "queue", None)}
    match transaction:
        case Open(cell, market) if 0 <= market < len(machine.state.rows):
            yield "open", (cell,), {"amount": market + 1, "queue": transaction.queue}
        case Close(cell):
            for kind in ("close", "refuse_close"):
                yield kind, (cell,), {"amount": 1, "queue": transaction.queue}
        case Deposit(cell, amount):
            yield "deposit", (cell,), {"amount": amount, **operation}
        case Withdraw(cell, amount):
            rule = None if system else "initial"
            yield "withdraw", (cell,), {"amount": amount, "rule_a": rule, **operation}
            for oversized in (False,) if system else (False, True):
                yield "refuse", (cell,), {"amount": amount, "oversized": oversized, **operation}
        case Touch(cell):
            yield "touch", (cell,), {}
        case Transfer(a, b, amount):
            yield "transfer", (a, b), {"size": amount, "rule_a": "initial"}
        case Cover(cell, amount):
            yield "cover", (machine.context.parameters.insurance_cell, cell), {"size": amount}
        case Trade() | Liquidate() | Deleverage():
            yield from _exchanges(machine, transaction)


def _exchanges(machine: Machine, transaction: Trade | Liquidate | Deleverage) -> Iterator[Claim]:
    fees = {}
    direction = 1 if machine.state.cell(transaction.b).position > 0 else -1
    if isinstance(transaction, Trade):
        fees = {"fee_a": transaction.fee_a, "fee_b": transaction.fee_b}
        direction = transaction.direction
    elif isinstance(transaction, Liquidate):
        fees = {"fee_b": transaction.fee}
    stated = {"size": transaction.size, "delta": direction * transaction.size, "cash": transaction.cash, **fees}
    for rule_a, rule_b in product(RULES, RULES):
        kind = type(transaction).__name__.lower()
        yield kind, (transaction.a, transaction.b), {**stated, "rule_a": rule_a, "rule_b": rule_b}
