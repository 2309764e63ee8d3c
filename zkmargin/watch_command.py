"""`zkmargin watch`: the scanner over tapes. It imports what it needs when it is called."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkmargin.cli import FILE, FOLDER, NEW_FILE, as_json, progress_bar, show

if TYPE_CHECKING:
    from zkmargin.machine import Machine


@click.command()
@click.argument("tapes", type=FILE, nargs=-1, required=True)
@click.option("--rollup", "folder", type=FOLDER, help="Watch all accounts of this rollup, not a made book.")
@click.option(
    "--market", "markets", type=click.IntRange(0), multiple=True, help="Of the rollup, one a tape; else 0, 1, 2, …"
)
@click.option(
    "--accounts", default=100_000, show_default=True, type=click.IntRange(0), help="Isolated, of a made book."
)
@click.option(
    "--groups", default=0, show_default=True, type=click.IntRange(0), help="Cross and portfolio, of a made book."
)
@click.option("--seed", default=0, show_default=True, help="Of a made book.")
@click.option("--ticks", type=click.IntRange(1), help="At most so many of the tapes' ticks.")
@click.option("--full-every", default=100, show_default=True, type=click.IntRange(1), help="Compare with a full scan.")
@click.option("--csv", "csv_file", type=NEW_FILE, help="A line a tick.")
@as_json
def watch(
    tapes: tuple[Path, ...],
    folder: Path | None,
    markets: tuple[int, ...],
    accounts: int,
    groups: int,
    seed: int,
    ticks: int | None,
    full_every: int,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Which accounts fall below maintenance as tapes of trades or bars go by, and how few have to be looked at.

    A tape a market, merged by time. Who is found is liquidated at once. A full scan at every 100th tick finds nobody
    else, or the command fails.
    """
    from zkmargin.made_book import made_machine
    from zkmargin.tapes import read_ticks
    from zkmargin.watching import watch as follow

    if folder is None and markets:
        raise click.UsageError("--market is of a rollup")
    if folder is not None and groups:
        raise click.UsageError("--groups is of a made book, not of a rollup")
    if folder is None and not accounts + groups:
        raise click.UsageError("a book of no --accounts and no --groups")
    prices = read_ticks(tapes)[:ticks]
    chosen = markets or tuple(range(len(tapes)))
    machine = made_machine(prices[0], accounts, groups, seed) if folder is None else _of_rollup(folder, tapes, chosen)
    with progress_bar(as_json) as progress:
        told = follow(machine, chosen, prices, full_every, lambda done: progress("ticks", done, len(prices)))
    if csv_file is not None:
        lines = [tick.line() for tick in told.ticks]
        with csv_file.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    result, bands = told.summary(), told.by_band()
    show(result | ({"bands": bands} if as_json else {}), as_json)
    if not as_json:
        _print(bands)
    if result["missed"]:
        raise click.ClickException(f"{result['missed']} accounts were missed, or found in vain")


def _of_rollup(folder: Path, tapes: tuple[Path, ...], chosen: tuple[int, ...]) -> "Machine":
    """The state of a rollup, if these can be the tapes of these markets."""
    from circuits.margin.parameters import ParameterError
    from zkmargin.machine import machine_under
    from zkmargin.rollup import Rollup

    rollup = Rollup(folder, "cpu")
    names = [market.name for market in rollup.parameters.markets]
    if len(chosen) != len(tapes) or len(set(chosen)) < len(chosen):
        raise click.UsageError(f"{len(tapes)} tapes need as many different --market, or none")
    if max(chosen) >= len(names):
        raise ParameterError("market", f"there is no market {max(chosen)}: the rollup has {len(names)} markets")
    portfolio = rollup.parameters.portfolio
    for market in chosen:
        if portfolio is not None and portfolio.instruments[market].option is not None:
            raise ParameterError("market", f"{market}, {names[market]}, is an option: no tape has its scenarios")
    state, _ = rollup.store.state()
    return machine_under(state, rollup.parameters, rollup.shape, rollup.last_scenarios())


def _print(bands: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*bands[0])
    for band in bands:
        table.add_row(*("" if value is None else str(value) for value in band.values()))
    Console(width=100).print(table)
