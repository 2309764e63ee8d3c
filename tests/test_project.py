"""What the project promises of itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_ci_calls_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.S)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()


LOADED = """
import sys
before = set(sys.modules)
import {}
print(*{{name.split(".")[0] for name in set(sys.modules) - before}})
"""


def top_level_modules(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_verifier_is_light() -> None:
    standard = set(sys.stdlib_module_names) | {"verifier", "circuits"}
    needed_by_py_ecc = top_level_modules("py_ecc.optimized_bn128")
    assert top_level_modules("verifier, verifier.margin") <= standard | needed_by_py_ecc
    assert "numpy" not in needed_by_py_ecc


def test_the_circuits_need_the_standard_library_alone() -> None:
    modules = "circuits.check, circuits.margin.circuit, circuits.margin.statement"
    assert top_level_modules(modules) <= set(sys.stdlib_module_names) | {"circuits"}


ORDER = ["circuits", "verifier", "prover", "zkmargin", "bench"]


@pytest.mark.parametrize("package", ORDER)
def test_imports_point_one_way(package: str) -> None:
    later = "|".join(ORDER[ORDER.index(package) + 1 :]) or "nothing"
    pattern = re.compile(rf"^\s*(from|import) ({later})\b", re.M)
    wrong = [path for path in (ROOT / package).rglob("*.py") if pattern.search(path.read_text())]
    assert not wrong
