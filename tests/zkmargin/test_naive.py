"""The machine and the naive model agree on every input: accepted or not, what happened, and every cell."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.margin.parameters import Shape
from tests.margin_scenario import every_kind
from tests.margin_worlds import SMALL, World
from tests.zkmargin.naive import Naive, Rejected
from zkmargin.machine import Machine, Refused, Step
from zkmargin.transactions import Transaction


def step_names(step: Step | None) -> tuple[str, ...]:
    return ("tick",) if step is None else (step.kind, *(rule for rule in (step.rule_a, step.rule_b) if rule))


def compare(machine: Machine, naive: Naive, transaction: Transaction) -> str:
    """Applies to both; the kind of what happened, or "refused"."""
    before = dict(machine.state.cells)
    try:
        expected = naive.apply(transaction)
    except Rejected as rejected:
        with pytest.raises(Refused):
            pytest.fail(f"{transaction} was applied as {machine.apply(transaction)}, but: {rejected}")
        assert machine.state.cells == before
        return "refused"
    assert step_names(machine.apply(transaction)) == expected, transaction
    assert machine.state.cells == naive.values(), transaction
    assert machine.state.queue == naive.queue
    return expected[0]


def end_batch(machine: Machine, naive: Naive) -> None:
    naive.collect()
    if machine.state.trade_fees or machine.state.liquidation_fees:
        machine.state.write(machine.collect(machine.state.tick))
    assert machine.state.cells == naive.values()


def run(seed: int, length: int, spoiled: float) -> set[str]:
    world = World(seed)
    machine = Machine(world.state, world.parameters, SMALL.cells)
    naive = Naive(world.parameters, SMALL.cells)
    seen = set()
    for i in range(length):
        proposal = world.transaction()
        seen.add(compare(machine, naive, world.spoiled(proposal) if world.rng.random() < spoiled else proposal))
        if i % 37 == 36:
            end_batch(machine, naive)
    return seen


@pytest.mark.parametrize("seed", range(20))
def test_agrees_on_random_streams(seed: int) -> None:
    assert {"refused", "deposit", "open", "tick"} <= run(seed, 300, spoiled=0.2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 32), st.floats(0, 1))
def test_agrees_on_any_seed(seed: int, spoiled: float) -> None:
    run(seed, 60, spoiled)


def test_streams_reach_every_kind() -> None:
    kinds = {"open", "close", "refuse_close", "deposit", "withdraw", "refuse", "touch", "cover", "tick", "refused"}
    kinds |= {"trade", "transfer", "liquidate", "deleverage"}
    assert kinds == set().union(*(run(seed, 300, 0.1) for seed in range(100, 112)))


def test_scenario_reaches_every_row() -> None:
    batches, _ = every_kind(Shape(32, 16, 4, True))
    steps = [step for batch in batches for step in batch.steps]
    rules = {(step.kind, step.rule_a, step.rule_b) for step in steps}
    assert {step.kind for step in steps} == {
        "open", "close", "refuse_close", "deposit", "withdraw", "refuse", "touch", "trade", "transfer", "liquidate",
        "deleverage", "cover", "collect", "pad",
    }  # fmt: skip
    assert {rule for rule in rules if rule[2]} >= {
        ("trade", "initial", "initial"), ("trade", "reducing", "reducing"), ("liquidate", "initial", "reducing"),
        ("liquidate", "reducing", "reducing"), ("deleverage", "initial", "reducing"),
        ("deleverage", "reducing", "reducing"),
    }  # fmt: skip
    refused = [step for step in steps if step.kind == "refuse"]
    assert {(step.system, step.oversized) for step in refused} == {(True, False), (False, True), (False, False)}
    assert any(step.fresh_a for step in steps) and not any(batch.refusals for batch in batches)
