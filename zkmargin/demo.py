"""The main job: from trades to batches, and from batches to verified proofs, with what it took."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from circuits.margin.parameters import Parameters, Shape
from prover.backend import get_backend
from prover.setup import insecure_srs
from zkmargin.files import write_transactions
from zkmargin.population import FIRST_ACCOUNT, Population, population_parameters
from zkmargin.price_model import model_trades
from zkmargin.proving import layout_of
from zkmargin.rollup import Rollup, create_rollup
from zkmargin.tape import Trade, read_bars, read_trades
from zkmargin.transactions import InputError, Transaction

TRADED = 0.56  # of a batch's transitions; the others are for ticks, risk and what people do besides

Batches = Iterator[list[Transaction]]


def make_batches(
    tapes: Sequence[Path],
    oracle: Path | None,
    day: str | None,
    accounts: int,
    transitions: int,
    limb_bits: int,
    packing: int,
    seed: str,
) -> tuple[Parameters, Shape, Batches]:
    """Parameters, shape, and the batches of a population on a tape: the trades of the files, else of the price model.

    Of more trades than a batch holds, evenly spaced ones are taken. With `oracle`, minute bars (of the given day),
    the trades keep their sizes and happen at the bars' times and closes.
    """
    count = int(transitions * TRADED)
    prints = read_tapes(tapes) or model_trades(count, seed)
    prints = prints[:: -(-len(prints) // count)]
    if oracle is not None:
        prints = on_bars(prints, read_bars(oracle), oracle, day)
    shape = Shape(transitions, 1 << (accounts + FIRST_ACCOUNT - 1).bit_length(), limb_bits, True, packing)
    parameters = population_parameters(prints[0].price, prints[0].time)
    return parameters, shape, Population(prints, parameters, shape, accounts, seed).batches()


def read_tapes(paths: Sequence[Path]) -> list[Trade]:
    """The trades of all files, one after the other; InputError for a file that begins before the one before it ends."""
    prints: list[Trade] = []
    for path in paths:
        more = read_trades(path)
        if prints and more[0].time < prints[-1].time:
            raise InputError(path, 2, "trade_time_ms", "before the last trade of the tape before it")
        prints += more
    return prints


def on_bars(prints: Sequence[Trade], bars: Sequence[tuple[int, Any]], path: Path, day: str | None) -> list[Trade]:
    """The trades spread evenly over the bars (of a day, if one is given), at their times and closes."""
    chosen = [bar for bar in bars if day is None or datetime.fromtimestamp(bar[0], UTC).date().isoformat() == day]
    if not chosen:
        raise InputError(path, 1, "time", f"no bar of {day}")
    places = [chosen[i * len(chosen) // len(prints)] for i in range(len(prints))]
    return [replace(trade, time=when, price=close) for trade, (when, close) in zip(prints, places, strict=True)]


def run_demo(
    parameters: Parameters,
    shape: Shape,
    batches: Batches,
    seed: str,
    backend_name: str,
    progress: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Sets up, applies, proves and verifies every batch in a rollup of its own; the figures of each."""
    started, backend = time.perf_counter(), get_backend(backend_name)
    powers = layout_of(parameters, shape).powers
    with tempfile.TemporaryDirectory(prefix="zkmargin-") as name:
        folder = Path(name)
        create_rollup(folder, parameters, shape, insecure_srs(backend, powers, seed.encode()), backend)
        rollup = Rollup(folder, backend_name)
        rollup.proving_key()
        ready = time.perf_counter()
        proven = [
            _prove(rollup, write_transactions(folder / f"{i}.jsonl", batch), progress)
            for i, batch in enumerate(batches)
        ]
    seconds = {"setup": round(ready - started, 2), "all": round(time.perf_counter() - started, 2)}
    return {"backend": backend.name, "cells": shape.cells, "setup": "insecure", "seconds": seconds, "batches": proven}


def _prove(rollup: Rollup, path: Path, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    applied = rollup.apply_file(path)
    number, laps = applied["batch"], [time.perf_counter()]
    proof = rollup.prove(number, progress)
    laps.append(time.perf_counter())
    rollup.verify(number)
    laps.append(time.perf_counter())
    return {
        **{name: value for name, value in applied.items() if name != "refusals"},
        "proof bytes": proof["proof bytes"],
        "prove seconds": round(laps[1] - laps[0], 2),
        "verify seconds": round(laps[2] - laps[1], 2),
    }


COLUMNS = (
    "batch",
    "transitions",
    "position changes",
    "liquidate",
    "deleverage",
    "refused",
    "prove seconds",
    "verify seconds",
    "proof bytes",
)


def demo_table(report: dict[str, Any]) -> Any:
    """The figures as a table of rich."""
    from rich.table import Table

    seconds = report["seconds"]
    sizes = f"{report['cells']} cells, backend {report['backend']}, insecure setup {seconds['setup']} s"
    title = f"{sizes}; all {seconds['all']} s; every proof verified"
    table = Table(*COLUMNS, title=title)
    for batch in report["batches"]:
        table.add_row(*[str(batch.get(name, 0)) for name in COLUMNS])
    return table
