"""Packed cells: one value for each cell of the bit budget, and none for anything else."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits.field import MODULUS
from circuits.margin.cell import ACCOUNT, EMPTY_CELL, SYSTEM, Cell, unpack

SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
POSITIONS = st.integers(1 - (1 << 64), (1 << 64) - 1)
EDGES_SIGNED = (-(1 << 63), -1, 0, 1, (1 << 63) - 1)
EDGES_POSITION = (1 - (1 << 64), -1, 0, 1, (1 << 64) - 1)


def test_the_formula() -> None:
    value = Cell(-3, 5, -7, 11, ACCOUNT).pack()
    assert value == -3 + 5 * 2**64 - 7 * 2**130 + 11 * 2**194 + 2**210
    assert EMPTY_CELL.pack() == 0 and unpack(0) == EMPTY_CELL


def test_edges_round_trip() -> None:
    cells = [
        Cell(c, q, i, m, ACCOUNT) for c, q, i, m in product(EDGES_SIGNED, EDGES_POSITION, EDGES_SIGNED, (0, 65535))
    ]
    values = [cell.pack() for cell in cells]
    assert [unpack(value) for value in values] == cells
    assert len(set(values)) == len(values) and max(values) < 1 << 212 and min(values) > 1 << 209


@given(SIGNED, POSITIONS, SIGNED, st.integers(0, 65535))
def test_round_trip(c: int, q: int, i: int, market: int) -> None:
    assert unpack(Cell(c, q, i, market, ACCOUNT).pack()) == Cell(c, q, i, market, ACCOUNT)
    assert unpack(Cell(c, kind=SYSTEM).pack()) == Cell(c, kind=SYSTEM)


@given(st.integers(0, MODULUS - 1))
def test_whatever_unpacks_packs_to_itself(value: int) -> None:
    try:
        cell = unpack(value)
    except ValueError:
        return
    assert cell.pack() == value


@pytest.mark.parametrize(
    "value",
    [
        1,
        -1,
        MODULUS - 1,
        MODULUS + Cell(1, kind=ACCOUNT).pack(),
        Cell(1).pack(),
        Cell(0, 0, 0, 1).pack(),
        Cell(0, 1 << 64, kind=ACCOUNT).pack(),
        Cell(0, -(1 << 64), kind=ACCOUNT).pack(),
        Cell(kind=3).pack(),
        Cell(0, 1, kind=SYSTEM).pack(),
        Cell(0, 0, 1, kind=SYSTEM).pack(),
        Cell(0, 0, 0, 1, kind=SYSTEM).pack(),
        1 << 226,
    ],
)
def test_no_cell(value: int) -> None:
    with pytest.raises(ValueError, match=r"value"):
        unpack(value)


def test_fits() -> None:
    for c, q, fits in (
        ((1 << 63) - 1, (1 << 64) - 1, True), (-(1 << 63), 1 - (1 << 64), True), (1 << 63, 0, False),
        (-(1 << 63) - 1, 0, False), (0, 1 << 64, False), (0, -(1 << 64), False),
    ):  # fmt: skip
        assert Cell(c, q, kind=ACCOUNT).fits is fits
