"""The edges in the state machine's own tests, seen by the circuit: applied is proved, refused cannot be proved."""

from collections.abc import Iterator

import pytest

from tests.circuits.margin.agreement import agree
from tests.zkmargin import test_budget, test_edges
from tests.zkmargin.machines import account, machine
from zkmargin.machine import Machine
from zkmargin.state import Step
from zkmargin.transactions import Touch, Transaction

mirrored: list[type] = []


@pytest.fixture(autouse=True)
def _mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    apply = Machine.apply

    def apply_and_agree(machine: Machine, transaction: Transaction) -> Step | None:
        if machine.state.tick:
            mirrored.append(type(transaction))
            agree(machine, transaction)
        return apply(machine, transaction)

    monkeypatch.setattr(Machine, "apply", apply_and_agree)
    yield


for module in (test_edges, test_budget):
    globals().update({name: test for name, test in vars(module).items() if name.startswith("test_")})


def test_the_mirror_looks() -> None:
    mirrored.clear()
    machine({2: account(0)}).apply(Touch(2))
    assert mirrored == [Touch]
