"""`zkmargin amend`: other parameters, with notice."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zkmargin.cli import BAD_INPUT, FILE, as_json, backend_option, fail, rollup_argument, show

SHOWN = 10


@click.command()
@rollup_argument
@click.option("--parameters", "parameters_file", type=FILE, help="JSON with the new `parameters` and `shape`.")
@click.option("--start", type=int, help="The time, in seconds, of the first tick under them.")
@click.option("--dry-run", is_flag=True, help="Say whom it would hurt, and announce nothing.")
@click.option("--force", is_flag=True, help="Also where healthy accounts would be below maintenance.")
@click.option("--withdraw", is_flag=True, help="Take back what is announced and does not count yet.")
@backend_option
@as_json
def amend(
    folder: Path,
    parameters_file: Path | None,
    start: int | None,
    dry_run: bool,
    force: bool,
    withdraw: bool,
    backend_name: str,
    as_json: bool,
) -> None:
    """Announces other parameters for a rollup, under a new key over the same cells and setup.

    They count from the first batch on that begins at --start or later. Whoever keeps maintenance margin today and would
    not under them is listed, with what equity is above maintenance (quote * 2^-32) before and after.
    """
    from zkmargin.amend import propose
    from zkmargin.files import read_parameters
    from zkmargin.rollup import Rollup

    rollup = Rollup(folder, backend_name)
    if withdraw:
        if parameters_file is not None or start is not None or dry_run or force:
            raise click.UsageError("--withdraw goes alone")
        rollup.store.withdraw()
        show({"withdrawn": True}, as_json)
        return
    if parameters_file is None or start is None:
        raise click.UsageError("--parameters and --start are needed")
    proposal = propose(rollup, *read_parameters(parameters_file), start)
    hurt = [asdict(each) for each in proposal.hurt]
    if hurt and not (force or dry_run):
        first = ", ".join(str(each.cells[0]) for each in proposal.hurt[:SHOWN])
        fail(f"{len(hurt)} accounts would be below maintenance at today's prices: cells {first}", BAD_INPUT)
    told: dict[str, Any] = {
        "announced": proposal.amendment.announced,
        "start": start,
        "below maintenance": proposal.below,
    }
    if not dry_run:
        told |= {"key": rollup.announce(proposal.amendment, proposal.parameters, proposal.shape).digest.hex()}
    lines = "".join(f"\n  cells {each['cells']}: {each['before']} -> {each['after']}" for each in hurt[:SHOWN])
    more = f"\n  and {len(hurt) - SHOWN} more" if len(hurt) > SHOWN else ""
    show(told | {"hurt": hurt if as_json else f"{len(hurt)}{lines}{more}"}, as_json)
