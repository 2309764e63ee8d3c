"""Compilation and its cache: a folder per version of the kernels, as Numba looks only at the outermost function's file.

A change to an emitter in another file would otherwise return the old machine code, that is, silent wrong arithmetic.
"""

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numpy as np
from numba.core import config, event

from prover.backend.kernels.host import kernel_set

F = TypeVar("F", bound=Callable[..., Any])


def digest(folder: Path) -> str:
    """Of every kernel source in the folder and of the versions of what compiles them; 16 hex digits."""
    state = hashlib.sha256()
    for version in (platform.python_version(), numba.__version__, llvmlite.__version__, np.__version__):
        state.update(version.encode() + b"\0")
    for source in sorted(folder.glob("*.py")):
        content = source.read_bytes()
        state.update(f"{source.name}\0{len(content)}\0".encode() + content)
    return state.hexdigest()[:16]


@cache
def cache_folder() -> str:
    """Where this version's kernels of the chosen set are: below NUMBA_CACHE_DIR or the user's cache, else a private
    temporary folder."""
    name = f"{kernel_set()}-{digest(Path(__file__).parent)}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zkmargin"
    folder = (Path(given) if given else user) / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError:
        return tempfile.mkdtemp(prefix=f"zkmargin-{name}-")


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell

    def on_start(self, event: Any) -> None:
        self.tell(event.data["dispatcher"].py_func.__name__.lstrip("_"))

    def on_end(self, event: Any) -> None:
        pass


def compiling(tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Within, `tell` is given the name of each kernel before it is compiled, which the first run does."""
    context: AbstractContextManager[None] = event.install_listener("numba:compile", _Listener(tell))
    return context


def kernel(function: F) -> F:
    """Compiled at its first call, cached, without the interpreter lock; indices are unchecked."""
    settings: Any = config
    previous, settings.CACHE_DIR = settings.CACHE_DIR, cache_folder()
    try:
        compiled = numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")(function)
    finally:
        settings.CACHE_DIR = previous
    return cast(F, compiled)
