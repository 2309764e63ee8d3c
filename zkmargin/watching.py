"""Tapes past a book: what the watch finds at each tick, what it costs, and that a full scan finds no one else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from zkmargin.bands import WATCHED
from zkmargin.machine import Machine
from zkmargin.tapes import Prices
from zkmargin.watch_state import Accounts, WatchedState


@dataclass(frozen=True)
class Watching:
    """One tick. prices: of the tapes; checks: how many accounts were looked at; found: below maintenance, and
    liquidated; missed: by a full scan besides, None where none was made. seconds: of the watch, and of the full
    scan."""

    tick: int
    prices: Prices
    checks: int
    found: int
    missed: int | None
    seconds: float
    full_seconds: float | None

    def line(self) -> dict[str, Any]:
        """With a column for each price."""
        told = dict(vars(self))
        prices = told.pop("prices")
        return {"tick": told.pop("tick")} | {f"price_{i}": price for i, price in enumerate(prices)} | told


@dataclass(frozen=True)
class Report:
    """What a watch came to. bands: how many accounts were in each band of distance, at each full scan and after the
    last tick; first, checks: how often accounts were looked at that were in it then, at the first tick and in all."""

    accounts: int
    ticks: list[Watching]
    bands: list[np.ndarray]
    first: np.ndarray
    checks: np.ndarray

    def summary(self) -> dict[str, Any]:
        """Over all ticks; the first looks at everyone, and is counted."""
        ticks, checks = self.ticks, int(self.checks.sum())
        scans = [tick.full_seconds for tick in ticks if tick.full_seconds is not None]
        return {
            "accounts": self.accounts,
            "ticks": len(ticks),
            "found": sum(tick.found for tick in ticks),
            "missed": sum(tick.missed or 0 for tick in ticks),
            "full scans compared": len(scans),
            "checks of full scans": self.accounts * len(ticks),
            "checks": checks,
            "times less": round(self.accounts * len(ticks) / max(checks, 1), 1),
            "ms a tick": round(1000 * sum(tick.seconds for tick in ticks) / len(ticks), 3),
            "ms a full scan": round(1000 * sum(scans) / max(len(scans), 1), 3),
        }

    def by_band(self) -> list[dict[str, Any]]:
        """Checks after the first tick; ticks a check: how many an account that stays in the band goes unseen, by the
        mean of how many were in it at full scans. None where that is too few to tell; who is below does not stay."""
        later = self.checks - self.first
        seen = np.mean(self.bands[:-1], axis=0) * len(self.ticks)
        rows = zip(WATCHED, self.bands[0], self.bands[-1], later, seen, strict=True)
        return [
            {
                "distance": name,
                "at the start": int(start),
                "at the end": int(end),
                "checks": int(checks),
                "ticks a check": round(ticks / checks, 1) if ticks >= checks > 0 and name != WATCHED[0] else None,
            }
            for name, start, end, checks, ticks in rows
        ]


def watch(
    machine: Machine,
    markets: Sequence[int],
    ticks: Sequence[Prices],
    full_every: int,
    progress: Callable[[int], None],
) -> Report:
    """The ticks of tapes of these markets; the rows of others stay.

    full_every: everyone is looked at, and counted by band, at every so manieth tick.
    """
    watched, told, bands = WatchedState(machine), list[Watching](), list[np.ndarray]()
    accounts, first = len(watched), watched.checks
    for tick, prices in enumerate(ticks):
        _move(machine, dict(zip(markets, prices, strict=True)))
        before, began = watched.checks.sum(), perf_counter()
        found = watched.tick()
        seconds, missed, full_seconds = perf_counter() - began, None, None
        checks = int(watched.checks.sum() - before)
        first = first if tick else watched.checks
        if tick % full_every == 0:
            began = perf_counter()
            everyone = watched.scan()
            full_seconds = perf_counter() - began
            missed = len({*map(tuple, everyone)} ^ {*map(tuple, found)})
            bands.append(watched.bands())
        _liquidate(machine, found)
        began = perf_counter()
        watched.touch(cell for cells in found for cell in cells)
        seconds += perf_counter() - began
        told.append(Watching(tick, prices, checks, len(found), missed, seconds, full_seconds))
        progress(tick + 1)
    return Report(accounts, told, [*bands, watched.bands()], first, watched.checks)


def _move(machine: Machine, prices: Mapping[int, int]) -> None:
    """Other prices at the same time and indices; what the oracle said of options' scenarios stays."""
    state, portfolio = machine.state, machine.context.parameters.portfolio
    state.rows = tuple((prices.get(market, price), index) for market, (price, index) in enumerate(state.rows))
    if state.vectors and portfolio is not None:
        asked = [each.option and not portfolio.expired(i, state.time) for i, each in enumerate(portfolio.instruments)]
        given = [vector[1:] if ask else () for ask, vector in zip(asked, state.vectors, strict=True)]
        state.vectors = portfolio.vectors([price for price, _ in state.rows], state.time, given)


def _liquidate(machine: Machine, accounts: Accounts) -> None:
    """Who is found has no position, and a unit of collateral in each cell, from then on."""
    state = machine.state
    for address in (address for cells in accounts for address in cells):
        cell = state.cell(address)
        index = state.rows[cell.market][1]
        state.cells[address] = replace(cell, collateral=1, position=0, index=index).pack()
