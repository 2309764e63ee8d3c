"""Who of a state is below maintenance, isolated accounts and groups: by looking at everyone, or tick by tick at those
who can be below by now."""

from collections.abc import Iterable, Sequence

import numpy as np

from circuits.margin.cell import ACCOUNT, EMPTY_CELL, Cell
from zkmargin.bands import count
from zkmargin.book import Evaluator, Row, book_of, books_of
from zkmargin.machine import Machine
from zkmargin.watch import Watched
from zkmargin.watch_groups import WatchedGroups

Accounts = list[list[int]]
"""The cells of each account, by address: one, or the members of a group."""


def accounts_below(machine: Machine) -> Accounts:
    """Everyone below maintenance, where nobody was watched so far."""
    return WatchedState(machine).scan()


class WatchedState:
    """The accounts of a machine's state under its parameters, from batch to batch; after each change of cells they are
    touched."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        markets = machine.context.parameters.markets
        books = books_of(machine.state, len(markets))
        pairs = enumerate(zip(markets, books, strict=True))
        self.isolated = [Watched(Evaluator(market, number), book) for number, (market, book) in pairs]
        self.places = [{address: i for i, address in enumerate(book.address.tolist())} for book in books]
        self.groups = WatchedGroups(machine)

    def __len__(self) -> int:
        return sum(len(watched.book) for watched in self.isolated) + len(self.groups.heads)

    @property
    def checks(self) -> np.ndarray:
        """How often accounts were looked at so far, by band."""
        return sum((watched.checks for watched in self.isolated), self.groups.checks)

    def tick(self) -> Accounts:
        """Everyone below maintenance at the state's last tick."""
        found = [watched.book.address[watched.tick(row)] for watched, row in self._markets()]
        return self._accounts(found, self.groups.tick())

    def scan(self) -> Accounts:
        """The same, by looking at everyone."""
        found = [watched.book.address[watched.evaluator.scan(watched.book, row)] for watched, row in self._markets()]
        return self._accounts(found, self.groups.scan())

    def bands(self) -> np.ndarray:
        """How many accounts are in each band of distance."""
        return sum((count(watched.distances(row)) for watched, row in self._markets()), count(self.groups.distances()))

    def touch(self, addresses: Iterable[int]) -> None:
        """Cells that something has written: their accounts, new ones too, are due at the next tick."""
        cells = {address: self.machine.state.cell(address) for address in addresses}
        for market in range(len(self.isolated)):
            self._touch(market, cells)
        heads = {address for address, cell in cells.items() if cell.is_head}
        self.groups.touch(heads | {address - cell.offset for address, cell in cells.items() if cell.is_member})

    def _touch(self, market: int, cells: dict[int, Cell]) -> None:
        """A cell that is no longer an account of the market leaves a place without a position behind."""
        watched, places = self.isolated[market], self.places[market]
        held = {address: cell for address, cell in cells.items() if cell.kind == ACCOUNT and cell.market == market}
        known = [address for address in cells if address in places]
        for address in known:
            watched.book.put(places[address], held.pop(address, EMPTY_CELL))
        if known:
            watched.touch(np.array([places[address] for address in known]))
        if held:
            places |= {address: place for place, address in enumerate(held, len(watched.book))}
            watched.add(book_of(list(held.items())))

    def _markets(self) -> Iterable[tuple[Watched, Row]]:
        return zip(self.isolated, self.machine.state.rows, strict=True)

    def _accounts(self, isolated: Sequence[np.ndarray], heads: Sequence[int]) -> Accounts:
        state, alone = self.machine.state, np.concatenate(isolated).tolist()
        groups = [list(range(head + 1, head + state.cell(head).position)) for head in heads]
        return sorted([[address] for address in alone] + groups)
