"""`zkmargin risk`: what an account is worth, and what it requires. Each command imports what it needs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkmargin.cli import BAD_INPUT, FILE, FOLDER, NEW_FILE, as_json, fail

if TYPE_CHECKING:
    from zkmargin.account_risk import Account, AccountRisk


@click.group()
def risk() -> None:
    """Equity, requirements and liquidation prices of an account."""


@risk.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option("--cell", type=int, help="Of the rollup in FOLDER: an account's cell, or any cell of a group.")
@click.option("--portfolio", "portfolio_file", type=FILE, help="An account in a JSON file instead (docs/risk.md).")
@click.option("--parameters", "parameters_file", type=FILE, help="JSON with `parameters`, for --portfolio.")
@click.option("--plot", type=NEW_FILE, help="Also draw equity and requirements against the price of --market.")
@click.option("--market", type=int, help="Whose price the plot moves; the account's first one with a position.")
@as_json
def show(
    folder: Path | None,
    cell: int | None,
    portfolio_file: Path | None,
    parameters_file: Path | None,
    plot: Path | None,
    market: int | None,
    as_json: bool,
) -> None:
    """An account's equity E, maintenance M and initial requirement I, each scenario, and its liquidation prices.

    Of a cell of a rollup at its last oracle rows, or of an account in a file.
    """
    from zkmargin.risk_file import read_account
    from zkmargin.rules import Refused

    if (folder is None) == (portfolio_file is None) or (folder is None) != (cell is None):
        raise click.UsageError("either FOLDER and --cell are needed, or --portfolio and --parameters")
    if (portfolio_file is None) != (parameters_file is None):
        raise click.UsageError("--portfolio and --parameters go together")
    try:
        if portfolio_file is not None and parameters_file is not None:
            account = read_account(portfolio_file, parameters_file)
        else:
            account = _of_rollup(Path(str(folder)), int(str(cell)))
        report = describe(account)
    except Refused as refusal:
        fail(str(refusal), BAD_INPUT)
    if plot is not None:
        _draw(account, market, plot)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(account, report)


def describe(account: "Account") -> dict[str, Any]:
    """The account in plain values: equity, notional and losses in quote * 2^-16, requirements and buffer in * 2^-32."""
    from zkmargin.bands import band

    risk = account.risk()
    held = sorted({holding.market for holding in risk.holdings if holding.position})
    found = [account.liquidation(market) for market in held]
    distances = [each.distance(account.rows[each.market][0]) for each in found]
    distance = min((each for each in distances if each is not None), default=None)
    near = "below maintenance" if risk.buffer < 0 else band(distance)
    return _cadence(account, risk) | {
        "module": risk.module,
        "equity": risk.equity,
        "maintenance": risk.maintenance,
        "initial": risk.initial,
        "buffer": risk.buffer,
        "standing": risk.standing,
        "distance": distance,
        "band": near,
        "liquidation": [asdict(each) for each in found],
        "losses": list(risk.losses),
        "holdings": [asdict(holding) | {"losses": list(holding.losses)} for holding in risk.holdings],
    }


def _cadence(account: "Account", risk: "AccountRisk") -> dict[str, Any]:
    """When the account has to be checked, and every how many seconds in the band that it is in now, where the key says
    so."""
    from circuits.margin.cell import NEVER

    if account.parameters.cadence is None:
        return {}
    found = account.parameters.cadence.band(risk.equity, risk.maintenance)
    every = None if found is None or not risk.maintenance else found.interval
    return {"due": None if account.due == NEVER else account.due, "checked every": every}


def _of_rollup(folder: Path, cell: int) -> "Account":
    from zkmargin.account_risk import Account
    from zkmargin.rollup import Rollup

    rollup = Rollup(folder)
    state, _ = rollup.store.state()
    return Account(state, rollup.parameters, rollup.shape.cells, cell, rollup.last_scenarios())


def _draw(account: "Account", market: int | None, path: Path) -> None:
    from zkmargin.risk_plot import draw

    held = [holding.market for holding in account.risk().holdings if holding.position]
    if market is None and not held:
        raise click.UsageError("the account has no position, so no price moves its equity")
    chosen = held[0] if market is None else market
    if not 0 <= chosen < len(account.rows):
        raise click.UsageError(f"there is no market {chosen}")
    draw(account, chosen, path)


def _print(account: "Account", report: dict[str, Any]) -> None:
    """Quote units with their fraction cut to two digits, and prices as quote per base unit."""
    from rich.console import Console
    from rich.table import Table

    def price(value: int | None) -> str:
        return "none" if value is None else f"{value / 65536:.6g}"

    def amount(value: int, bits: int) -> str:
        return f"{value / (1 << bits):,.2f}"

    names = [market.name for market in account.parameters.markets]
    console = Console(width=120)
    told = {name: amount(report[name], 16 if name == "equity" else 32) for name in TOTALS}
    told |= {name: str(report[name]) for name in ("module", "standing", "band")}
    if report["distance"] is not None:
        told["distance"] = f"{report['distance']:.2%} of the price"
    if "due" in report:
        told["due"] = "never" if report["due"] is None else f"{report['due']} s"
        told["checked every"] = "no band" if report["checked every"] is None else f"{report['checked every']} s"
    totals = Table("account", "quote units", show_header=True)
    for name, value in told.items():
        totals.add_row(name, value)
    required_by = ("add-on M", "add-on I") if report["losses"] else ("maintenance", "initial")
    cells = Table("cell", "market", "collateral", "position", "price", "equity", *required_by, "below", "above")
    ends = {each["market"]: each for each in report["liquidation"]}
    for each in report["holdings"]:
        end = ends.get(each["market"], {"below": None, "above": None})
        required = amount(each["maintenance"], 32), amount(each["initial"], 32)
        values = str(each["collateral"]), str(each["position"]), price(each["price"]), amount(each["equity"], 16)
        row = str(each["cell"]), names[each["market"]], *values, *required, price(end["below"]), price(end["above"])
        cells.add_row(*row)
    console.print(totals, cells)
    if report["losses"]:
        scenarios = Table("scenario", "takes", "")
        for number, loss in enumerate(report["losses"]):
            worst = "worst" if loss == max(report["losses"]) else ""
            scenarios.add_row(str(number) if number else "short charge", amount(loss, 16), worst)
        console.print(scenarios)


TOTALS = ("equity", "maintenance", "initial", "buffer")
