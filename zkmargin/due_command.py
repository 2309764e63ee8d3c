"""`zkmargin due`: which accounts have to be checked, and the transactions that do it."""

from pathlib import Path

import click

from zkmargin.cli import NEW_FILE, as_json, rollup_argument, show


@click.command()
@rollup_argument
@click.option("--by", type=int, help="Time in seconds; without it, that of the last tick.")
@click.option("--out", type=NEW_FILE, help="Write a `check` for every two of them there, as JSON Lines.")
@as_json
def due(folder: Path, by: int | None, out: Path | None, as_json: bool) -> None:
    """Accounts that are due by a time, in a rollup whose key has a cadence.

    Whose check would be refused is told apart: below maintenance, a liquidation is due instead.
    """
    from zkmargin.dues import checks_for, due_by
    from zkmargin.files import write_transactions
    from zkmargin.machine import machine_under
    from zkmargin.rollup import Rollup
    from zkmargin.rules import Refused
    from zkmargin.transactions import Check

    rollup = Rollup(folder)
    if rollup.parameters.cadence is None:
        raise click.UsageError(f"{folder}: the key of this rollup has no cadence")
    state, _ = rollup.store.state()
    machine = machine_under(state, rollup.parameters, rollup.shape, rollup.last_scenarios())
    time = state.time if by is None else by
    found, refused = due_by(state, time), {}
    for _, cell in found:
        try:
            machine.transition(Check((cell,)))
        except Refused as refusal:
            refused[cell] = str(refusal)
    if out is not None:
        write_transactions(out, checks_for([cell for _, cell in found if cell not in refused]))
    told = {"by": time, "due": len(found), "overdue": sum(when < state.time for when, _ in found)}
    lines = refused if as_json else "".join(f"\n  {reason}" for reason in refused.values()) or "none"
    show(told | {"refused": lines} | ({} if out is None else {"checks": str(out)}), as_json)
