"""The kernels' sources are accepted by NVIDIA's compiler, for an older and a present architecture."""

import pytest

from prover.backend.cuda_source import UNITS
from tests.host_gpu.nvrtc import PACKAGE, compile_unit, library

needs_compiler = pytest.mark.skipif(library() is None, reason=f"the wheel {PACKAGE} is not installed (Linux, Windows)")


@needs_compiler
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_every_source_compiles_to_machine_code(unit: str, architecture: str) -> None:
    assert compile_unit(unit, architecture) == ""
