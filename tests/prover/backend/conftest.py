"""One body of tests over each backend."""

import pytest

from prover.backend import Backend, get_backend
from prover.backend.cuda import CudaBackend


@pytest.fixture(scope="session")
def reference() -> Backend:
    return get_backend("reference")


@pytest.fixture(scope="session")
def cpu() -> Backend:
    return get_backend("cpu")


@pytest.fixture(scope="session", params=["cpu", "cuda"])
def fast(request: pytest.FixtureRequest) -> Backend:
    return _backend(request)


@pytest.fixture(scope="session", params=["reference", "cpu", "cuda"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return _backend(request)


def _backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "cuda":
        return CudaBackend(request.getfixturevalue("cuda_device"))
    return get_backend(request.param)
