"""Peers as programs: found, built outside the tree, run on one core, and understood by their JSON."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.peers.work import Timing, Work
from bench.plan import BenchError

SOURCES = Path(__file__).resolve().parent
BUILD_SECONDS = 900
RUN_SECONDS = 1800


class UnavailableError(ValueError):
    """Why a peer cannot run here; one line."""


class Peer(Protocol):
    """Another prover. name: as the table has it; tools: programs that it needs; kinds: of the work that it does."""

    @property
    def name(self) -> str: ...

    @property
    def tools(self) -> Sequence[str]: ...

    @property
    def kinds(self) -> Sequence[str]: ...

    def build(self, folder: Path) -> None:
        """Makes it ready in a folder of its own; UnavailableError when that fails."""
        ...

    def measure(self, folder: Path, work: Work, runs: int) -> Timing:
        """BenchError when the peer fails or takes too long."""
        ...


def cache_folder() -> Path:
    """Where peers are built."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zkmargin" / "peers"


def require_tools(tools: Sequence[str]) -> None:
    """UnavailableError with the names of the tools that are not installed."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise UnavailableError(f"not installed: {', '.join(missing)}")


def build_with(command: Sequence[str], cwd: Path, extra: dict[str, str] | None = None) -> None:
    """Runs a step of a build; UnavailableError with its last line when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(extra or {})}, capture_output=True, text=True, timeout=BUILD_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]}: the build took more than {BUILD_SECONDS} s") from error
    if done.returncode:
        raise UnavailableError(f"{command[0]}: {_last_line(done.stderr or done.stdout)}")


def timing_of(command: Sequence[str], cwd: Path) -> Timing:
    """What a peer's program prints: {"seconds": [...], "cpu": [...], "check": ..., "detail": {...}}."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]}: took more than {RUN_SECONDS} s") from error
    if done.returncode:
        raise BenchError(f"{command[0]}: {_last_line(done.stderr)}")
    try:
        printed = json.loads(done.stdout)
        return Timing(tuple(printed["seconds"]), tuple(printed["cpu"]), printed["check"], printed.get("detail", {}))
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{command[0]}: printed no measurement") from error


@contextmanager
def one_core() -> Iterator[int | None]:
    """Everything that is started within runs on this core; None where the system has no such setting."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield max(before)
    finally:
        os.sched_setaffinity(0, before)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["failed without a word"])[-1]
