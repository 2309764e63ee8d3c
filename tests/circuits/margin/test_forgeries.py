"""Forged steps with any mixture of kinds, flags, rules and outcomes: those that pass are the state machine's own."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from circuits.margin.kinds import KINDS, L1_CODES
from tests.circuits.margin.agreement import Claim, begin, claims, finished
from tests.circuits.margin.forge import failures
from tests.circuits.margin.situations import situation
from zkmargin.machine import Machine
from zkmargin.state import Step
from zkmargin.transactions import (
    Close,
    Cover,
    Deleverage,
    Deposit,
    Liquidate,
    Open,
    Touch,
    Trade,
    Transaction,
    Transfer,
    Withdraw,
)

DIGITS = ("collateral", "position", "index", "market", "kind")
FLAGS = ("system", "oversized", "fresh_a", "fresh_b")


def distorted(rng: Random, claim: Claim) -> Claim:
    """The claim with one to three things changed."""
    kind, legs, stated = claim[0], claim[1], dict(claim[2])
    for _ in range(rng.choice((1, 1, 2, 3))):
        match rng.randrange(8):
            case 0:
                stated[rng.choice(FLAGS)] = rng.random() < 0.5
            case 1:
                stated[rng.choice(("rule_a", "rule_b"))] = rng.choice((None, "initial", "reducing"))
            case 2:
                stated["cash"] = stated.get("cash", 0) + rng.choice((1, -1, 1 << 32, -(1 << 32)))  # type: ignore[operator]
            case 3:
                stated["delta"] = rng.choice((-1, 0, 1, 2)) * stated.get("size", 1) + rng.choice((0, 1))  # type: ignore[operator]
            case 4:
                digit, value = rng.choice(DIGITS), rng.choice((0, 1, -1, 2, 5, 1 << 32))
                stated[rng.choice(("after_a", "after_b"))] = {digit: value % 2 if digit == "market" else value}
            case 5:
                stated[rng.choice(("fee_a", "fee_b"))] = rng.choice((0, 1, 5))
            case 6:
                legs = tuple(reversed(legs))
            case _:
                kind = rng.choice(KINDS[:-1])
    stated.setdefault("size", rng.choice((0, 0, 1, 5)))
    return kind, legs, stated


def transaction_of(step: Step) -> Transaction | None:
    """What the step claims to be, whatever it changes; None where a leg is missing."""
    a, b = (-1 if leg is None else leg.address for leg in (step.a, step.b))
    queue = -1 if step.queue is None else step.queue
    match step.kind:
        case "open":
            return Open(a, step.amount - 1, queue)
        case "close" | "refuse_close":
            return Close(a, queue)
        case "deposit":
            return Deposit(a, step.amount, queue)
        case "withdraw" | "refuse":
            return Withdraw(a, step.amount, queue)
        case "touch":
            return Touch(a)
        case "trade":
            return Trade(a, b, step.size, 1 if step.delta > 0 else -1, step.cash, step.fee_a, step.fee_b)
        case "transfer":
            return Transfer(a, b, step.size)
        case "liquidate":
            return Liquidate(a, b, step.size, step.cash, step.fee_b)
        case "deleverage":
            return Deleverage(a, b, step.size, step.cash)
        case "cover":
            return Cover(b, step.size)
    return None


def forgeries(rng: Random) -> Iterator[tuple[Machine, Step]]:
    """Distorted claims that the circuit lets pass."""
    machine, transaction = situation(rng)
    for claim in list(claims(machine, transaction)):
        kind, legs, stated = distorted(rng, claim)
        inside = all(0 <= address < machine.context.size for address in legs)
        if not inside or (kind == "open" and stated.get("amount") not in (1, 2)):
            continue  # no cell or no market that a column could name
        forge = begin(machine)
        step = forge.act(kind, *legs, **stated)
        if not failures(finished(forge)):
            yield machine, step


def effect(step: Step) -> object:
    """What a step does to whom, and what it takes from L1 and gives to the fees; a close has no use for its amount."""
    legs = [None if leg is None else (leg.address, leg.before, leg.after) for leg in (step.a, step.b)]
    amount = step.amount if step.kind != "close" else 1
    operation = (step.queue, amount) if step.kind in L1_CODES else None
    return step.kind, legs, operation, step.fee_a, step.fee_b


def passed(seeds: range) -> Counter[str]:
    """The kinds of what passed, each being the machine's own step."""
    kinds: Counter[str] = Counter()
    for seed in seeds:
        for machine, step in forgeries(Random(seed)):
            transaction = transaction_of(step)
            assert transaction is not None
            assert effect(machine.transition(transaction)) == effect(step), seed
            kinds[step.kind] += 1
    return kinds


def test_forgeries_that_pass_are_honest() -> None:
    """Refused raised here is a hole: the circuit lets pass what the machine refuses."""
    assert sum(passed(range(250)).values()) > 25


@pytest.mark.long
@pytest.mark.parametrize("first", range(1000, 11_000, 1000))
def test_many_forgeries(first: int) -> None:
    assert len(passed(range(first, first + 1000))) >= 6
