"""The story of groups in a key with a cadence, and checks at its end: who is in which band, who is late, a sample."""

from dataclasses import replace
from functools import lru_cache

from circuits.margin.cadence import Band, Cadence
from circuits.margin.cell import ACCOUNT, NEVER, Cell
from circuits.margin.parameters import Parameters
from tests.circuits.margin.groups_story import BTC, CELLS, Story, parameters, told
from zkmargin.transactions import Check, Transaction

SAMPLES = 64
BANDS = (Band(0, 60), Band(1 << 14, 600), Band(1 << 16, 86_400))
LATE = 1030  # before the first tick of the batch, after the last one before it
OVERDUE = 900  # before that
NEAR = {7: Cell(1_080, -10, 0, BTC, ACCOUNT), 61: Cell(10**6, 10, 0, BTC, ACCOUNT)}  # between the margins
CELLS_DATED = {
    address: replace(cell, due=1 << 20) if cell.is_dated else cell
    for address, cell in (CELLS | {62: Cell(70, 0, 0, BTC, ACCOUNT), 63: Cell(5, 0, 0, BTC, ACCOUNT), **NEAR}).items()
} | {
    2: replace(CELLS[2], due=LATE),
    3: replace(CELLS[3], due=OVERDUE),
    8: replace(CELLS[8], due=LATE),
    12: replace(CELLS[12], due=OVERDUE),
    63: Cell(5, 0, 0, BTC, ACCOUNT, NEVER),
}
CHECKS: list[tuple[str, Transaction]] = [
    ("check", Check((44,))),
    ("check_flat", Check((62,))),
    ("check_pair", Check((6, 45))),
    ("check_group", Check((9,))),
    ("check_portfolio", Check((14, 3))),
    ("check_near", Check((7,))),
]


def rules() -> Parameters:
    return replace(parameters(), cadence=Cadence(BANDS))


@lru_cache(maxsize=2)
def tell(sweep: bool = False) -> Story:
    return told(rules(), CELLS_DATED, sweep, ("cross", "portfolio"), SAMPLES, CHECKS)
