"""What the contract says a cell holds and is worth, against the digits of the circuits and the rules in fractions."""

from fractions import Fraction
from importlib.resources import files
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.margin.cell import ACCOUNT, COLLATERAL_MAX, COLLATERAL_MIN, INDEX_MAX, INDEX_MIN, POSITION_MAX, Cell

DIGITS = st.tuples(
    st.integers(COLLATERAL_MIN, COLLATERAL_MAX),
    st.integers(-POSITION_MAX, POSITION_MAX),
    st.integers(INDEX_MIN, INDEX_MAX),
    st.integers(0, (1 << 16) - 1),
)
EDGES = [
    (COLLATERAL_MIN, -POSITION_MAX, INDEX_MIN, 0),
    (COLLATERAL_MAX, POSITION_MAX, INDEX_MAX, (1 << 16) - 1),
    (-1, -1, -1, 1),
    (0, 0, 0, 0),
]


@pytest.fixture(scope="module")
def module() -> Any:
    """The functions of cells.vy, which are internal."""
    return boa.loads(files("verifier.evm").joinpath("cells.vy").read_text()).internal


def agree(module: Any, digits: tuple[int, int, int, int], price: int, index: int) -> None:
    collateral, position, settled, _ = digits
    content = Cell(*digits, ACCOUNT).pack()
    held = module.unpack(content)
    assert tuple(held) == (*digits, ACCOUNT)
    due = -(-Fraction(position * (index - settled), 1 << 32) // 1)
    value = collateral - due + Fraction(position * price, 1 << 16)
    told = module.total_value(held, price, index)
    assert told == value * (1 << 16) and module.whole(told) == max(value // 1, 0)


@pytest.mark.parametrize("digits", EDGES)
def test_edges(module: Any, digits: tuple[int, int, int, int]) -> None:
    for price in (1, (1 << 48) - 1):
        for index in (INDEX_MIN + 1, -1, 0, 1, INDEX_MAX):
            agree(module, digits, price, index)


@settings(max_examples=60, deadline=None)
@given(DIGITS, st.integers(1, (1 << 48) - 1), st.integers(INDEX_MIN + 1, INDEX_MAX))
def test_any_cell(module: Any, digits: tuple[int, int, int, int], price: int, index: int) -> None:
    agree(module, digits, price, index)
