"""What a transition may look at: the state, the parameters, the number of cells."""

from dataclasses import dataclass

from circuits.margin.cell import ACCOUNT, Cell
from circuits.margin.parameters import Parameters
from zkmargin.rules import Settled, require
from zkmargin.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """size: the number of cells of the state."""

    state: State
    parameters: Parameters
    size: int

    def cell(self, address: int) -> Cell:
        """The cell at an address; Refused outside the state."""
        require(0 <= address < self.size, "address", f"there is no cell {address}")
        return self.state.cell(address)

    def account(self, address: int) -> Cell:
        """Refused unless the cell is an account."""
        cell = self.cell(address)
        require(cell.kind == ACCOUNT, "kind", f"cell {address} is no account")
        return cell

    def settled(self, address: int) -> Settled:
        """The account with its funding paid at the last tick; Refused unless the cell is an account."""
        cell = self.account(address)
        market = self.parameters.markets[cell.market]
        return Settled.of(address, cell, market, *self.state.rows[cell.market])

    def pair(self, a: int, b: int) -> tuple[Settled, Settled]:
        """Two different accounts of one market, settled."""
        require(a != b, "same-cell", f"both legs are cell {a}")
        first, second = self.settled(a), self.settled(b)
        require(first.before.market == second.before.market, "market", f"cells {a} and {b} are of two markets")
        return first, second

    def is_system(self, address: int) -> bool:
        return address in (self.parameters.fee_cell, self.parameters.insurance_cell)
