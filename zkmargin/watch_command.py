"""`zkmargin watch`: the scanner over a tape. It imports what it needs when it is called."""

import csv
from dataclasses import asdict, fields
from pathlib import Path

import click

from zkmargin.cli import FILE, FOLDER, NEW_FILE, as_json, progress_bar, show


@click.command()
@click.argument("tape", type=FILE)
@click.option("--rollup", "folder", type=FOLDER, help="Watch the isolated accounts of this rollup, not a made book.")
@click.option("--market", default=0, show_default=True, type=click.IntRange(0), help="Of the rollup: whose tape it is.")
@click.option("--accounts", default=100_000, show_default=True, type=click.IntRange(1), help="Of a made book.")
@click.option("--seed", default=0, show_default=True, help="Of a made book.")
@click.option("--ticks", type=click.IntRange(1), help="At most so many of the tape's prices.")
@click.option("--full-every", default=100, show_default=True, type=click.IntRange(1), help="Compare with a full scan.")
@click.option("--csv", "csv_file", type=NEW_FILE, help="A line a tick.")
@as_json
def watch(
    tape: Path,
    folder: Path | None,
    market: int,
    accounts: int,
    seed: int,
    ticks: int | None,
    full_every: int,
    csv_file: Path | None,
    as_json: bool,
) -> None:
    """Which accounts fall below maintenance as a tape of trades or bars goes by, and how few have to be looked at.

    Who is found is liquidated at once. A full scan at every 100th tick finds nobody else, or the command fails.
    """
    from circuits.margin.parameters import ParameterError
    from zkmargin.book import books_of
    from zkmargin.population import population_parameters
    from zkmargin.rollup import Rollup
    from zkmargin.watching import Watching, made_book, read_rows, summary
    from zkmargin.watching import watch as follow

    rows = read_rows(tape)[:ticks]
    if folder is None:
        from decimal import Decimal

        entry = population_parameters(Decimal(rows[0][0]) / 65536, 0).markets[0]
        market, book = 0, made_book(accounts, rows[0][0], seed)
    else:
        rollup = Rollup(folder, "cpu")
        if market >= len(rollup.parameters.markets):
            raise ParameterError("market", f"the rollup has {len(rollup.parameters.markets)} markets")
        entry = rollup.parameters.markets[market]
        state, _ = rollup.store.state()
        book = books_of(state, len(rollup.parameters.markets))[market]
        rows = [(price, state.rows[market][1]) for price, _ in rows]
    with progress_bar(as_json) as progress:
        told = list(follow(entry, market, book, rows, full_every, lambda done: progress("ticks", done, len(rows))))
    if csv_file is not None:
        with csv_file.open("w", newline="") as file:
            writer = csv.DictWriter(file, [part.name for part in fields(Watching)])
            writer.writeheader()
            writer.writerows(map(asdict, told))
    result = summary(told, len(book))
    show(result, as_json)
    if result["missed"]:
        raise click.ClickException(f"{result['missed']} accounts were missed, or found in vain")
