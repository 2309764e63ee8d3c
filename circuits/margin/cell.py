"""A cell of the state: the signed digits of an account, packed into one field element.

value = collateral + 2^64 position + 2^130 index + 2^194 market + 2^210 kind  (mod r)

A non-empty cell has kind >= 1, so its value is an integer in (2^209, 2^247): the digits are unique and nothing wraps r.
"""

from dataclasses import dataclass
from typing import Any

from circuits.field import MODULUS
from circuits.margin.modules import Module, with_id

EMPTY, ACCOUNT, SYSTEM = 0, 1, 2
ORDER = 3  # counts the fills of an order
HEAD, MEMBER = 4, 5  # of a group: what makes the kind is in the low bits, above it a module or the member's offset
OFFSET_UNIT = MODULE_UNIT = DUE_UNIT = 16  # above the kind of an account of one cell is when it is due
GROUP_MAX = 64  # cells of a group, its head included
ROOM_UNIT = 1 << 16  # an L1 `open` of an account has its market + 1 as amount, of a group its room in these units

COLLATERAL_BITS = 64  # signed
POSITION_BITS = 64  # of the absolute value
INDEX_BITS = 64  # signed
MARKET_BITS = 16
KIND_BITS = 16
DUE_BITS = 32  # a time in seconds
NEVER = (1 << DUE_BITS) - 1  # an account without positions, of which no price makes anything
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
_LIMIT = 1 << 210 + 4 + DUE_BITS


def packed(collateral: Any, position: Any, index: Any, market: Any, kind: Any) -> Any:
    """The value of these digits, integers or expressions, not reduced."""
    low = collateral + position * (1 << POSITION_SHIFT) + index * (1 << INDEX_SHIFT)
    return low + market * (1 << MARKET_SHIFT) + kind * (1 << KIND_SHIFT)


@dataclass(frozen=True, slots=True)
class Cell:
    """Digits of a cell.

    collateral: quote units; position: signed, base units; index: funding index last settled, 32 fractional bits.
    The head of a group holds its room (the most cells it may have) as collateral and the number it has as position, a
    slot the id of an order and what is filled of it. due: of an account alone, or a group's head, when it has to be
    checked again (`circuits.margin.cadence`), in a key that asks for it.
    """

    collateral: int = 0
    position: int = 0
    index: int = 0
    market: int = 0
    kind: int = EMPTY
    due: int = 0

    def pack(self) -> int:
        """The field element in [0, r) of these digits; the empty cell is 0."""
        value: int = packed(self.collateral, self.position, self.index_digit, self.market, self.kind_digit)
        return value % MODULUS

    @property
    def index_digit(self) -> int:
        """What stands in the place of the index: of a head, when its group is due."""
        return self.due if self.is_head else self.index

    @property
    def kind_digit(self) -> int:
        """What stands in the place of the kind: of an account alone, above it when it is due."""
        return self.kind + DUE_UNIT * self.due if self.kind == ACCOUNT else self.kind

    @property
    def is_dated(self) -> bool:
        """Whether it may say when an account is due."""
        return self.kind == ACCOUNT or self.is_head

    @property
    def is_member(self) -> bool:
        return self.kind % OFFSET_UNIT == MEMBER

    @property
    def is_head(self) -> bool:
        return self.kind % MODULE_UNIT == HEAD

    @property
    def module(self) -> type[Module]:
        """Of a head, the risk module that its group is judged by; ValueError where none is registered."""
        module = with_id(self.kind // MODULE_UNIT)
        if module is None:
            raise ValueError(f"no module has the id {self.kind // MODULE_UNIT}")
        return module

    @property
    def offset(self) -> int:
        """How far a member is behind its head."""
        return self.kind // OFFSET_UNIT

    @property
    def holds_money(self) -> bool:
        """An account, alone or in a group."""
        return self.kind == ACCOUNT or self.is_member

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
    kind, due = biased >> KIND_SHIFT, 0
    index = (biased >> INDEX_SHIFT & (1 << 64) - 1) - (1 << 63)
    if kind % DUE_UNIT == ACCOUNT:
        kind, due = ACCOUNT, kind // DUE_UNIT
    elif kind % MODULE_UNIT == HEAD and 0 <= index <= NEVER:
        index, due = 0, index
    cell = Cell(
        (biased & (1 << 64) - 1) - (1 << 63),
        (biased >> POSITION_SHIFT & (1 << 66) - 1) - (1 << 65),
        index,
        biased >> MARKET_SHIFT & MARKET_MAX,
        kind,
        due,
    )
    member = cell.is_member and 1 <= cell.offset < GROUP_MAX
    module = with_id(kind // MODULE_UNIT) if cell.is_head else None
    head = module is not None and module.groups
    if not (member or head or kind in (ACCOUNT, SYSTEM, ORDER)) or not -POSITION_MAX <= cell.position <= POSITION_MAX:
        raise ValueError(f"no cell has the value {value}")
    if kind == SYSTEM and (cell.position or cell.index or cell.market):
        raise ValueError(f"a system cell holds collateral alone, not the value {value}")
    if head and (cell.index or cell.market or not 1 <= cell.position <= cell.collateral <= GROUP_MAX):
        raise ValueError(f"no head of a group has the value {value}")
    if kind == ORDER and (cell.index or cell.market or cell.collateral < 1 or cell.position < 1):
        raise ValueError(f"no slot of orders has the value {value}")
    return cell


def head_kind(module: Module | type[Module]) -> int:
    """The kind of the head of a group that is judged by this module."""
    return HEAD + MODULE_UNIT * module.id


def member_kind(offset: int) -> int:
    """The kind of a group's member so far behind its head."""
    return MEMBER + OFFSET_UNIT * offset
