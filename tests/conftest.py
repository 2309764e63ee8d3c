"""Settings of all tests, and the device under the CUDA backend."""

import os

import pytest
from hypothesis import settings

from prover.backend import BackendError
from prover.backend.cuda_device import Device, open_device
from tests.host_gpu.cupy import COMPILER, make_cupy

# Machines are shared, so no example has a deadline; in CI the examples are the same in every run.
settings.register_profile("zkmargin", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("zkmargin")


@pytest.fixture(scope="session")
def cuda_device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The GPU where there is one, else the host, which runs the same sources through its compiler."""
    try:
        return open_device()
    except BackendError as error:
        if COMPILER is None:
            pytest.skip(f"neither a GPU ({error}) nor a compiler for the host (g++ or clang++)")
    return Device(make_cupy(tmp_path_factory.mktemp("kernels")))


@pytest.fixture
def cuda_anywhere(cuda_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within, get_backend("cuda") takes that device."""
    monkeypatch.setattr("prover.backend.cuda.open_device", lambda: cuda_device)
