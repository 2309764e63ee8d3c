"""A cell of the state: the signed digits of an account, packed into one field element.

value = collateral + 2^64 position + 2^130 index + 2^194 market + 2^210 kind  (mod r)

A non-empty cell has kind >= 1, so its value is an integer in (2^209, 2^212): the digits are unique and nothing wraps r.
"""

from dataclasses import dataclass

from circuits.field import MODULUS

EMPTY, ACCOUNT, SYSTEM = 0, 1, 2

COLLATERAL_BITS = 64  # signed
POSITION_BITS = 64  # of the absolute value
INDEX_BITS = 64  # signed
MARKET_BITS = 16
KIND_BITS = 16
COLLATERAL_MIN, COLLATERAL_MAX = -(1 << 63), (1 << 63) - 1
POSITION_MAX = (1 << 64) - 1
INDEX_MIN, INDEX_MAX = -(1 << 63), (1 << 63) - 1
MARKET_MAX = (1 << 16) - 1

POSITION_SHIFT = 64
INDEX_SHIFT = 130
MARKET_SHIFT = 194
KIND_SHIFT = 210

# One addition turns every signed digit into an unsigned one in a field of its own width: 64, 66, 64, 16 and 16 bits.
_BIAS = (1 << 63) + (1 << 65 << POSITION_SHIFT) + (1 << 63 << INDEX_SHIFT)
_LIMIT = 1 << 226


@dataclass(frozen=True, slots=True)
class Cell:
    """Digits of a cell.

    collateral: quote units; position: signed, base units; index: funding index last settled, 32 fractional bits.
    """

    collateral: int = 0
    position: int = 0
    index: int = 0
    market: int = 0
    kind: int = EMPTY

    def pack(self) -> int:
        """The field element in [0, r) of these digits; the empty cell is 0."""
        return (
            self.collateral
            + (self.position << POSITION_SHIFT)
            + (self.index << INDEX_SHIFT)
            + (self.market << MARKET_SHIFT)
            + (self.kind << KIND_SHIFT)
        ) % MODULUS

    @property
    def fits(self) -> bool:
        """Whether collateral and position are inside the bit budget of a written cell."""
        return COLLATERAL_MIN <= self.collateral <= COLLATERAL_MAX and -POSITION_MAX <= self.position <= POSITION_MAX


EMPTY_CELL = Cell()


def unpack(value: int) -> Cell:
    """The one cell inside the bit budget that packs to value; ValueError when there is none."""
    if value == 0:
        return EMPTY_CELL
    biased = value + _BIAS
    if not _BIAS < biased < _LIMIT:
        raise ValueError(f"no cell has the value {value}")
    kind = biased >> KIND_SHIFT
    cell = Cell(
        (biased & (1 << 64) - 1) - (1 << 63),
        (biased >> POSITION_SHIFT & (1 << 66) - 1) - (1 << 65),
        (biased >> INDEX_SHIFT & (1 << 64) - 1) - (1 << 63),
        biased >> MARKET_SHIFT & MARKET_MAX,
        kind,
    )
    if kind not in (ACCOUNT, SYSTEM) or not -POSITION_MAX <= cell.position <= POSITION_MAX:
        raise ValueError(f"no cell has the value {value}")
    if kind == SYSTEM and (cell.position or cell.index or cell.market):
        raise ValueError(f"a system cell holds collateral alone, not the value {value}")
    return cell
