"""What is said where there is no GPU, and what the device layer and the sources owe each other."""

import random
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from circuits.field import MODULUS
from prover.backend import BackendError, choose_backend, cuda_device, get_backend
from prover.backend.cuda import CudaBackend
from prover.backend.cuda_device import Device, open_device
from tests.host_gpu.cupy import COMPILER, make_cupy


class DriverError(Exception):
    """CuPy's CUDARuntimeError."""


@pytest.fixture
def without_device(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `open_device` find the CuPy given, or none."""

    def install(cupy: Any) -> None:
        open_device.cache_clear()
        spec = None if cupy is None else ModuleSpec("cupy", None)
        monkeypatch.setattr(cuda_device, "find_spec", lambda name: spec)

        def load(name: str) -> Any:
            if isinstance(cupy, Exception):
                raise cupy
            return cupy

        monkeypatch.setattr(cuda_device, "import_module", load)

    yield install
    open_device.cache_clear()


def broken_driver(message: str) -> Any:
    def count() -> int:
        raise DriverError(message)

    return SimpleNamespace(
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=count, CUDARuntimeError=DriverError))
    )


def no_gpu() -> Any:
    runtime = SimpleNamespace(getDeviceCount=lambda: 0, CUDARuntimeError=DriverError)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


def no_compiler() -> Any:
    def module(**_: Any) -> None:
        raise RuntimeError("CuPy failed to load libnvrtc\nmore lines")

    cupy = make_cupy(Path(), name=b"Bare")
    cupy.RawModule = module
    return cupy


CASES = [
    (None, "needs packages that are not installed: cupy"),
    (ImportError("libcudart.so.13: cannot open\nmore lines"), "cupy does not load: libcudart.so.13: cannot open"),
    (broken_driver("cudaErrorNoDevice: none\nmore"), "no usable NVIDIA driver: cudaErrorNoDevice: none"),
    (no_gpu(), "the driver shows no GPU"),
    (make_cupy(Path(), major=6, minor=1, name=b"Old"), "Old has compute capability 6.1, 7.5 is needed"),
    (no_compiler(), "Bare ran no kernel: CuPy failed to load libnvrtc"),
    (make_cupy(Path(), totalGlobalMem=1 << 30, name=b"Small"), "Small has 1024 MiB of memory, 2048 are needed"),
]


@pytest.mark.parametrize(("cupy", "message"), CASES, ids=[message for _, message in CASES])
def test_what_is_missing_is_said_in_one_line(without_device: Any, cupy: Any, message: str) -> None:
    without_device(cupy)
    with pytest.raises(BackendError) as raised:
        get_backend("cuda")
    assert message in str(raised.value) and len(str(raised.value).splitlines()) == 1
    assert "'cuda'" in str(raised.value)
    name, reason = choose_backend()
    assert (name, message in reason) == ("cpu", True)
    assert get_backend("auto").name == "cpu"


@pytest.mark.skipif(COMPILER is None, reason="no compiler for the host (g++ or clang++)")
def test_auto_takes_a_device(without_device: Any, tmp_path: Path) -> None:
    without_device(make_cupy(tmp_path, name=b"Fine"))
    assert choose_backend() == ("cuda", "Fine")
    assert get_backend("auto").name == "cuda"


def test_a_device_that_computes_wrongly_is_an_error(without_device: Any) -> None:
    cupy = make_cupy(Path(), name=b"Broken")
    cupy.RawModule = lambda **_: SimpleNamespace(get_function=lambda name: lambda grid, block, arguments: None)
    without_device(cupy)
    for choose in (choose_backend, lambda: get_backend("cuda"), lambda: get_backend("auto")):
        with pytest.raises(ArithmeticError, match="Broken computes a wrong product"):
            choose()


def test_too_little_memory_is_said_in_one_line() -> None:
    with pytest.raises(BackendError, match=r"Host of 8192 MiB: Out of memory allocating 17,179,869,184 bytes"):
        Device(make_cupy(Path())).empty(1 << 31)


def test_a_program_of_too_many_registers_is_refused(cuda_device: Device) -> None:
    from circuits.program import Program

    backend = CudaBackend(cuda_device)
    for registers in (1, 16, 17, 64, 65, 256, 257):
        program = Program(((0, 0),), 0, registers, ((2, registers - 1, 1 << 24, 1 << 24),), (registers - 1,))
        if registers > 256:
            with pytest.raises(BackendError, match="a program of 257 registers, of at most 256"):
                backend.run(program, [backend.vector([3, 5])], [])
        else:
            [squares] = backend.run(program, [backend.vector([3, 5])], [])
            assert backend.integers(squares) == [9, 25]


@pytest.mark.parametrize("kind", ["values", "tables", "integers", "few integers", "zeros first"])
def test_sums_in_pieces_are_the_same(cuda_device: Device, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    backend, n, source = CudaBackend(cuda_device), 1100 if kind == "tables" else 300, random.Random(kind)
    points = backend.fixed_base(backend.vector(list(range(n))))
    scalars: Any = backend.vector([source.randrange(MODULUS) for _ in range(n)])
    if kind == "tables":
        points = backend.prepare(points)
    elif kind == "integers":
        scalars = np.arange(-100, n - 100)
    elif kind == "zeros first":
        scalars = np.where(np.arange(n) < 200, 0, 5)
    elif kind == "few integers":
        scalars = np.where(np.arange(n) % 50 == 3, np.arange(n), 0)
    whole = backend.msm(points, scalars)
    monkeypatch.setattr(type(cuda_device), "free_bytes", lambda self: 1 << (17 if kind == "tables" else 14))
    assert backend.msm(points, scalars) == whole


def test_tables_are_made_only_where_memory_allows(cuda_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CudaBackend(cuda_device)
    points = backend.fixed_base(backend.vector(list(range(1100))))
    monkeypatch.setattr(type(cuda_device), "free_bytes", lambda self: 1 << 20)
    assert backend.prepare(points) is points


@pytest.mark.skipif(COMPILER is None, reason="no compiler for the host (g++ or clang++)")
def test_threads_and_blocks_may_run_in_any_order(tmp_path: Path, cuda_device: Device) -> None:
    """On the host, backwards: what agrees has no race within a phase."""
    backwards = CudaBackend(Device(make_cupy(tmp_path, ("-DBACKWARDS",))))
    assert _results(backwards) == _results(CudaBackend(cuda_device))


def _results(backend: CudaBackend) -> list[object]:
    n, source = 3000, random.Random(5)
    v = backend.powers(3, n, 7)
    points = backend.fixed_base(backend.slice(v, 0, 300))
    vectors = [
        backend.ntt(v, 1 << 12, 5),
        backend.intt(backend.ntt(v, 1 << 9), 7),
        backend.inverse(v),
        backend.prefix_sums(v),
        backend.divide_linear(v, 11),
        backend.combine([v, backend.slice(v, 0, 9)], [5, 6]),
        backend.interleave([v, backend.slice(v, 0, 9)]),
    ]
    groups = [points, backend.lagrange(points[:64]), backend.multiply_points(points, backend.slice(v, 0, 300))]
    sums = [
        backend.msm(points, backend.slice(v, 100, 400)),
        backend.msm(points, np.array([source.randrange(1 << 16) for _ in range(300)])),
        backend.evaluate(v, 13),
    ]
    return [*map(backend.integers, vectors), *map(backend.point_bytes, groups), *sums]
