"""`python -m bench.peers`: this prover beside others, on one core."""

from pathlib import Path

import click

from bench.command import LARGEST, Names, Numbers
from bench.peers.comparison import PEERS
from bench.peers.session import PeerOptions, run_peers
from bench.plan import BenchError

EVERY = tuple(peer.name for peer in PEERS)


@click.command()
@click.option("--msm", type=Numbers(1, LARGEST), default="14,16,18,20", show_default=True, help="log2 of points.")
@click.option("--ntt", type=Numbers(1, LARGEST), default="14,16,18,20", show_default=True, help="log2 of elements.")
@click.option(
    "--changes", type=Numbers(1, 1 << 10), default="4,16", show_default=True, help="Of a peer's proof in a tree."
)
@click.option("--proof", type=click.IntRange(5, LARGEST), default=16, show_default=True, help="log2 of our changes.")
@click.option("--peers", type=Names(*EVERY), default=",".join(EVERY), show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="The median counts.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Write peers.json there.")
def main(
    msm: tuple[int, ...],
    ntt: tuple[int, ...],
    changes: tuple[int, ...],
    proof: int,
    peers: tuple[str, ...],
    runs: int,
    output: Path | None,
) -> None:
    """Times the same work in this prover and in others; says what it leaves out."""
    try:
        run_peers(PeerOptions(msm, ntt, changes, proof, peers, runs), output)
    except BenchError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
