"""What the machine, the laws and the arbiters say of a step in the story of the assets."""

from unittest.mock import patch

import pytest

from circuits.margin.statement import InvalidStatement
from circuits.margin.statement_rules import check_statement
from tests.circuits.margin.assets_story import (
    PARAMETERS,
    SHAPE,
    paper_of,
    stated,
    taken,
    until,
)
from tests.circuits.margin.forge import low_limbs
from zkmargin import columns
from zkmargin.rules import Refused
from zkmargin.state import Step
from zkmargin.transactions import Transaction


def forged(before: str, *steps: Step) -> set[str]:
    """The laws that a batch with these steps behind the story's breaks, or that its statement is refused."""
    batch = taken(until(before), steps)
    try:
        check_statement(stated(batch), PARAMETERS, SHAPE)
    except InvalidStatement:
        return {"statement"}
    with patch.object(columns, "_limbs", low_limbs):
        return paper_of(batch, stated(batch)).failures()


def made(before: str, transaction: Transaction) -> Step:
    """The machine's step, in the story before the named one."""
    return until(before).machine.transition(transaction)


def refusal(before: str, transaction: Transaction) -> str:
    with pytest.raises(Refused) as caught:
        made(before, transaction)
    return caught.value.code
