"""A change to any kernel source must recompile: Numba alone would see only the file of the outermost function."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from prover.backend.kernels import cache

ROOT = Path(__file__).parents[3]
ADD_UP = """
import numpy as np
from prover.backend.kernels.field import integer, montgomery
from prover.backend.kernels.scalars import prefix_sums

values = np.concatenate([montgomery(k) for k in (5, 7, 0)])
out = np.empty(12, np.uint64)
prefix_sums(values, out, 3)
print(integer(out[8:]), len(prefix_sums.stats.cache_hits))
"""


def add_up(folder: Path, **environment: str) -> tuple[int, bool]:
    """5 + 7 by the copy of the project in the folder, and whether the kernel was compiled, not cached."""
    variables = {**os.environ, "PYTHONPATH": str(folder), **environment}
    run = [sys.executable, "-B", "-c", ADD_UP]
    output = subprocess.run(run, env=variables, cwd=folder, check=True, capture_output=True, text=True).stdout
    total, hits = output.split()
    return int(total), hits == "0"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("prover", "circuits"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_an_edited_emitter_is_compiled_again(copy: Path) -> None:
    cache = {"NUMBA_CACHE_DIR": str(copy / "cache")}
    assert add_up(copy, **cache) == (12, True)
    assert add_up(copy, **cache) == (12, False)
    emitters = copy / "prover/backend/kernels/wide.py"
    source = emitters.read_text()
    assert source.count("builder.add(x, y)") == 1
    emitters.write_text(source.replace("builder.add(x, y)", "builder.add(x, builder.add(y, y))"))
    total, compiled = add_up(copy, **cache)
    assert compiled and total != 12


def test_a_home_without_a_cache_is_no_error(copy: Path) -> None:
    home = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": "", "TMPDIR": str(copy)}
    assert add_up(copy, **home) == (12, True)
    [folder] = copy.glob("zkmargin-*-*")
    assert list(folder.rglob("*.nbi"))


def test_compilation_is_told() -> None:
    told: list[str] = []

    @numba.njit
    def _twice(x: int) -> int:
        return 2 * x

    with cache.compiling(told.append):
        assert _twice(21) == 42
        assert _twice(4) == 8
    _twice(1.5)
    assert told == ["twice"]


@pytest.mark.parametrize("source", ["wide.py", "lanes_field.py", "lanes.py", "host.py"])
def test_every_source_names_the_folder(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "kernels"
    shutil.copytree(ROOT / "prover/backend/kernels", folder)
    before = cache.digest(folder)
    assert before == cache.digest(ROOT / "prover/backend/kernels")
    (folder / source).write_text((folder / source).read_text() + "\n")
    assert cache.digest(folder) != before
