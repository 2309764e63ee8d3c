"""Which kernels are chosen, and that every choice gives right answers: each in a process of its own."""

import os
import platform
import subprocess
import sys

import pytest

from prover.backend.kernels.host import VARIABLE, supports_ifma

PROGRAM = """
import numpy as np
from circuits.field import MODULUS
from prover.backend import get_backend
from prover.backend.kernels import select
cpu = get_backend("cpu")
values = [pow(3, i, MODULUS) for i in range(300)]
points = cpu.fixed_base(cpu.powers(5, 300))
assert cpu.integers(cpu.intt(cpu.ntt(cpu.vector(values[:256]), 256))) == values[:256]
total = sum(v * pow(5, i, MODULUS) for i, v in enumerate(values)) % MODULUS
assert cpu.point_bytes(cpu.fixed_base(cpu.vector([total]))) == b"".join(
    c.to_bytes(32, "little") for c in cpu.msm(points, cpu.vector(values)))
print(select().name)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "NUMBA_CPU_NAME")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=inherited | environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("name", ["generic", "haswell"] if platform.machine() == "x86_64" else ["generic"])
def test_a_processor_without_vectors_of_integers_has_the_portable_kernels(name: str) -> None:
    """Machine code for what is missing would end the process: not an exception, and no second chance."""
    result = run(NUMBA_CPU_NAME=name)
    assert (result.returncode, result.stdout, result.stderr) == (0, "portable\n", "")


def test_the_portable_kernels_on_request() -> None:
    result = run(**{VARIABLE: "portable"})
    assert (result.returncode, result.stdout) == (0, "portable\n"), result.stderr


def test_the_fastest_kernels_by_default() -> None:
    result = run()
    expected = "ifma\n" if supports_ifma() else "portable\n"
    assert (result.returncode, result.stdout) == (0, expected), result.stderr


def test_kernels_that_are_not_there() -> None:
    wrong, missing = run(**{VARIABLE: "avx"}), run(**{VARIABLE: "ifma", "NUMBA_CPU_NAME": "generic"})
    assert wrong.returncode == 1 and f"BackendError: {VARIABLE}=avx: expected portable or ifma" in wrong.stderr
    assert missing.returncode == 1 and "BackendError: ZKMARGIN_KERNELS=ifma: this processor lacks" in missing.stderr
