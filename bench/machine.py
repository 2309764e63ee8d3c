"""What a figure was measured on, so that it can be read later."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from prover.backend.cuda_device import open_device
from prover.backend.kernels.host import kernel_set
from prover.backend.protocol import BackendError
from prover.backend.threads import workers

ROOT = Path(__file__).resolve().parent.parent


def describe_machine() -> dict[str, str | int | float]:
    """Processor, cores of this process, load, versions, commit and time."""
    return {
        "processor": processor(),
        "cores": workers(),
        "load": os.getloadavg()[0],
        "kernels": kernel_set(),
        "gpu": gpu(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("numba", "numpy")},
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def gpu() -> str:
    """The device of the `cuda` backend, or `none`: the plan says why, where it is asked for."""
    try:
        return open_device().describe()
    except BackendError:
        return "none"


def processor() -> str:
    """The model as Linux names it, elsewhere what Python knows."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the checkout, with `+` when files differ from it; `none` outside a checkout."""
    if not (ROOT / ".git").exists():
        return "none"
    try:
        revision = _git("rev-parse", "--short=12", "HEAD")
        return revision + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
