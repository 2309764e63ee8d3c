"""One body of tests over each backend."""

import pytest

from prover.backend import Backend, get_backend


@pytest.fixture(scope="session", params=["reference", "cpu"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return get_backend(request.param)


@pytest.fixture(scope="session")
def reference() -> Backend:
    return get_backend("reference")


@pytest.fixture(scope="session")
def cpu() -> Backend:
    return get_backend("cpu")
