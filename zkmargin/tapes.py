"""Tapes of several markets, merged by time into ticks that list every market."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from zkmargin.population import oracle_price
from zkmargin.tape import BAR_COLUMNS, CAPTURE_GAP, TRADE_COLUMNS, numbered_bars, numbered_trades
from zkmargin.transactions import InputError

Prices = tuple[int, ...]
"""Of each market, as an oracle's row has it."""


@dataclass
class Capture:
    """What a file says without a gap. prices: (milliseconds since 1970, oracle's price); line: of the last one; field:
    the column that has its time."""

    field: str
    prices: list[tuple[int, int]]
    line: int = 1

    @property
    def start(self) -> int:
        return self.prices[0][0]

    @property
    def end(self) -> int:
        return self.prices[-1][0]


def read_ticks(paths: Sequence[Path]) -> list[Prices]:
    """The markets' prices whenever some have changed, from when all tapes have begun until the first one ends; of files
    with several captures, those that first have a time in common.

    Markets that move at the same time do so in one tick, one that moves several times in as many. A bar counts at its
    file's time. InputError as the readers of bars and trades, and for tapes with no common time.
    """
    captures = _common(paths, [_captures(path) for path in paths])
    end = min(capture.end for capture in captures)
    events = [(time, market, price) for market, each in enumerate(captures) for time, price in each.prices]
    events = sorted((event for event in events if event[0] <= end), key=lambda event: event[0])
    now, ticks = [0] * len(paths), list[Prices]()
    for _, together in groupby(events, key=lambda event: event[0]):
        moved = set[int]()
        for _, market, price in together:
            if market in moved and price != now[market]:
                ticks.append(tuple(now))
                moved.clear()
            if price != now[market]:
                moved.add(market)
            now[market] = price
        if moved:
            ticks.append(tuple(now))
    return [tick for tick in ticks if all(tick)]


def _captures(path: Path) -> list[Capture]:
    """Of a file of bars one, of trades those that gaps make."""
    try:
        bars = Capture(BAR_COLUMNS[0], [])
        for line, time, close in numbered_bars(path):
            bars.prices.append((1000 * time, oracle_price(close)))
            bars.line = line
        return [bars]
    except InputError as error:
        if error.field not in BAR_COLUMNS or error.line != 1:
            raise
    captures: list[Capture] = []
    for line, time, trade in numbered_trades(path):
        if not captures or time - captures[-1].end > 1000 * CAPTURE_GAP:
            captures.append(Capture(TRADE_COLUMNS[0], []))
        last = captures[-1]
        last.line, time = line, max(time, last.end if last.prices else 0)  # within a second they may be out of order
        last.prices.append((time, oracle_price(trade.price)))
    return captures


def _common(paths: Sequence[Path], tapes: Sequence[list[Capture]]) -> list[Capture]:
    """A capture of each file, the first ones that have a time in common."""
    places = [0] * len(tapes)
    while True:
        chosen = [tape[place] for tape, place in zip(tapes, places, strict=True)]
        early = min(range(len(chosen)), key=lambda i: chosen[i].end)
        late = max(range(len(chosen)), key=lambda i: chosen[i].start)
        if chosen[late].start <= chosen[early].end:
            return chosen
        places[early] += 1
        if places[early] == len(tapes[early]):
            last = chosen[early]
            raise InputError(paths[early], last.line, last.field, f"it ends before {paths[late]} begins")
