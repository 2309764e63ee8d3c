"""Orders that owners sign and the contract authenticates, as rows of a statement."""

from dataclasses import astuple, dataclass, fields

ORDER_TYPE = (
    "Order(uint256 cell,uint256 market,bool sells,uint256 size,uint256 limit,uint256 fee,uint256 expiry,uint256 slot,"
    "uint256 id)"
)
"""What owners sign (EIP-712): the words of a row behind `fills`."""


ID_SHIFT = 20
"""An id is at most the present time in seconds with so many bits behind it: nobody uses up a slot's ids."""


@dataclass(frozen=True)
class OrderRow:
    """An order, and how many legs of the batch fill it.

    size: base units, the most that is filled in all; limit: price with 16 fractional bits, the highest when it buys and
    the lowest when it sells; fee: over 2^16, the highest share of the cash of a fill; expiry: in seconds, the last time
    of a batch's oracle rows; slot: the cell that counts its fills; id: in this slot, orders with a smaller one are dead
    once this one is filled; above its lowest ID_SHIFT bits no time of the future.
    """

    fills: int
    cell: int
    market: int
    sells: int
    size: int
    limit: int
    fee: int
    expiry: int
    slot: int
    id: int

    def words(self) -> tuple[int, ...]:
        return astuple(self)

    def terms(self) -> tuple[int, ...]:
        """What the circuit sees of it: who may have filled it, and when, the arbiters see to."""
        return self.slot, self.id, self.cell, self.market, self.sells, self.size, self.limit, self.fee


ORDER_WORDS = len(fields(OrderRow))
