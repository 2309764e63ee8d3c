"""`zkmargin bench`: stages by backend, size and threads."""

from pathlib import Path
from typing import Any

import click

from bench.measurement import STAGES
from circuits.margin.parameters import PACKING_MAX

LARGEST = 28


class Names(click.ParamType):
    """A list of names with commas between, out of some."""

    name = "names"

    def __init__(self, *known: str) -> None:
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        names = tuple(dict.fromkeys(value.split(",")))
        for name in names:
            if name not in self.known:
                self.fail(f"{name!r} is none of {', '.join(self.known)}", param, context)
        return names


class Numbers(click.ParamType):
    """A list as 14,16 or a range as 14..20, of numbers within bounds."""

    name = "numbers"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        numbers: list[int] = []
        try:
            for part in value.split(","):
                first, dots, last = part.partition("..")
                numbers += range(int(first), int(last if dots else first) + 1)
        except ValueError:
            self.fail(f"{value!r} is neither a list as 14,16 nor a range as 14..20", param, context)
        if not numbers or not all(self.least <= number <= self.most for number in numbers):
            self.fail(f"{value!r} is not within {self.least} to {self.most}", param, context)
        return tuple(sorted(set(numbers)))


@click.command()
@click.option("--stages", type=Names(*STAGES), default=",".join(STAGES), show_default=True)
@click.option("--backends", type=Names("cpu", "reference", "cuda"), default="cpu,reference,cuda", show_default=True)
@click.option(
    "--sizes", type=Numbers(1, LARGEST), default="8,12,14,16", show_default=True, help="log2: a list or a range a..b."
)
@click.option("--threads", type=Numbers(1, 1024), default="1,2", show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="The median counts.")
@click.option("--accounts", type=click.IntRange(min=2), help="Of a proof; default: as many as position changes.")
@click.option("--limb-bits", type=click.Choice(["8", "16"]), default="16", show_default=True)
@click.option(
    "--packing", type=click.IntRange(1, PACKING_MAX), default=1, show_default=True, help="Columns a commitment."
)
@click.option("--peers", is_flag=True, help="Instead of stages: MSM, NTT and proofs beside other provers, on one core.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Write the results there.")
def bench(
    stages: tuple[str, ...],
    backends: tuple[str, ...],
    sizes: tuple[int, ...],
    threads: tuple[int, ...],
    runs: int,
    accounts: int | None,
    limb_bits: str,
    packing: int,
    peers: bool,
    output: Path | None,
) -> None:
    """Times the stages of proving by backend, size and threads; says what it leaves out."""
    if peers:
        from bench.peers.session import PeerOptions, run_peers

        run_peers(PeerOptions.of_sizes(sizes, runs), output)
        return
    from bench.plan import Options
    from bench.session import run_session

    run_session(Options(stages, backends, sizes, threads, runs, int(limb_bits), accounts, packing), output)
