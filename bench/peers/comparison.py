"""The comparison: every peer that runs here, on the same work, one after the other on one core."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.gnark import Gnark
from bench.peers.ours import measure_ours
from bench.peers.process import Peer, UnavailableError, require_tools
from bench.peers.snarkjs import Snarkjs
from bench.peers.work import Timing, Work, checked
from bench.plan import BenchError

OURS = "zkmargin"
PEERS: tuple[Peer, ...] = (Gnark(), Snarkjs())
NO_RUNNER = {
    "constantine": "needs a Nim compiler; there is no runner for it here",
    "barretenberg": "there is no runner for it here",
}


@dataclass(frozen=True)
class Compared:
    """One prover's timing of one work."""

    prover: str
    work: Work
    timing: Timing

    @property
    def per_second(self) -> float:
        """Position changes a second, on one core."""
        return int(self.timing.detail.get("changes", self.work.size)) / self.timing.median


def compare(
    works: Sequence[Work],
    proof_size: int,
    peers: Sequence[Peer],
    runs: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[list[Compared], list[str]]:
    """All timings, and a line for each that is left out. proof_size: log2 of the changes of our own proof, where works
    ask for margin batches."""
    results, left_out = [], [f"{name}: {reason}" for name, reason in NO_RUNNER.items()]
    ready = _build(peers, folder, left_out, progress)
    for work in works:
        for peer in ready:
            if work.kind not in peer.kinds:
                left_out.append(f"{peer.name}, {work}: not among what its runner does")
                continue
            progress(f"{work}: {peer.name}")
            try:
                timing = checked(work, peer.measure(folder / peer.name, work, runs))
                results.append(Compared(peer.name, work, timing))
            except BenchError as error:
                left_out.append(f"{peer.name}, {work}: {error}")
        if work.kind != "margin":
            progress(f"{work}: {OURS}")
            results.append(Compared(OURS, work, checked(work, measure_ours(work, runs))))
    if any(work.kind == "margin" for work in works):
        progress(f"margin: {OURS}")
        results.append(_our_proof(proof_size, runs))
    return results, left_out


def _our_proof(size: int, runs: int) -> Compared:
    timing = measure_ours(Work("margin", size), runs)
    return Compared(OURS, Work("margin", timing.detail["changes"]), timing)


def _build(peers: Sequence[Peer], folder: Path, left_out: list[str], progress: Callable[[str], None]) -> list[Peer]:
    """The peers that can run here."""
    ready = []
    for peer in peers:
        progress(f"building {peer.name}")
        place = folder / peer.name
        place.mkdir(parents=True, exist_ok=True)
        try:
            require_tools(peer.tools)
            peer.build(place)
            ready.append(peer)
        except UnavailableError as error:
            left_out.append(f"{peer.name}: {error}")
    return ready
