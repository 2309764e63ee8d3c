"""What a transition may look at: the state, the parameters, the number of cells."""

from dataclasses import dataclass, replace

from circuits.margin.cell import Cell
from circuits.margin.modules import ISOLATED, Module, taken
from circuits.margin.parameters import Parameters
from circuits.margin.statement_rules import most_room
from zkmargin.rules import Rest, Scan, Settled, require
from zkmargin.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """size: the number of cells of the state. groups: rows of the table that passes groups, 0 where there are none;
    scenarios: of that which judges portfolios; slots: cells at the end of the state that count fills of orders; sweep:
    a batch ends with the solvency of the book."""

    state: State
    parameters: Parameters
    size: int
    groups: int = 0
    scenarios: int = 0
    slots: int = 0
    sweep: bool = False

    @property
    def accounts(self) -> int:
        """Cells that accounts may have."""
        return self.size - self.slots

    def cell(self, address: int) -> Cell:
        """The cell at an address; Refused outside the state."""
        require(0 <= address < self.size, "address", f"there is no cell {address}")
        return self.state.cell(address)

    def account(self, address: int) -> Cell:
        """Refused unless the cell is an account."""
        cell = self.cell(address)
        require(cell.holds_money, "kind", f"cell {address} is no account")
        return cell

    def settled(self, address: int) -> Settled:
        """The account's cell with its funding paid at the last tick; Refused unless the cell is an account's."""
        return self._settled(address, self.account(address))

    def judged(self, address: int, refusable: bool = False) -> Settled:
        """As `settled`, with what the rest of its group is worth and requires, where it belongs to one; Refused where a
        member has left the tiers, unless that is a reason to prove a refusal."""
        account = self.settled(address)
        if not account.before.is_member:
            return account
        group = self.state.group(address, account.before)
        require(len(group.cells) <= self.groups, "group", f"{len(group.cells)} cells do not fit the groups' table")
        portfolio, module = group.is_portfolio, self.parameters.module(group.cells[0].module.id)
        others = [(group.head + i, cell) for i, cell in enumerate(group.cells) if i and group.head + i != address]
        rest = Rest.of([self._settled(place, cell, module) for place, cell in others])
        require(refusable or not rest.beyond, "group", f"a member of the group of cell {group.head} has left the tiers")
        if portfolio and self.parameters.portfolio is not None:
            vectors = self.state.vectors
            losses = [taken(cell.position, max(-cell.position, 0), vectors[cell.market]) for _, cell in others]
            scan = Scan(
                tuple(map(sum, zip(*losses, strict=True))) or (0,) * len(vectors[0]),
                vectors[account.before.market],
                self.parameters.portfolio.initial_factor,
            )
            rest = replace(rest, scan=scan)
        return replace(self._settled(address, account.before, module), group=group, rest=rest)

    def _settled(self, address: int, cell: Cell, module: Module = ISOLATED) -> Settled:
        markets = self.parameters.portfolio_markets if module.scans else self.parameters.markets
        return Settled.of(address, cell, markets[cell.market], *self.state.rows[cell.market], module)

    def pair(self, a: int, b: int) -> tuple[Settled, Settled]:
        """Two cells of one market that are of different accounts, settled and judged."""
        self.require_two(a, b)
        first, second = self.judged(a), self.judged(b)
        require(first.before.market == second.before.market, "market", f"cells {a} and {b} are of two markets")
        return first, second

    def room(self, module: Module) -> int:
        """The most cells that a group may have."""
        portfolio = self.parameters.portfolio if module.scans else None
        return most_room(portfolio, self.groups, self.scenarios, self.sweep)

    def require_two(self, a: int, b: int) -> None:
        """Refused where both are one account's."""
        require(a != b, "same-cell", f"both legs are cell {a}")
        heads = {address - cell.offset for address, cell in ((a, self.cell(a)), (b, self.cell(b))) if cell.is_member}
        both = self.cell(a).is_member and self.cell(b).is_member
        require(not both or len(heads) == 2, "same-group", f"cells {a} and {b} are of one group")

    def is_system(self, address: int) -> bool:
        return address in (self.parameters.fee_cell, self.parameters.insurance_cell)
