"""What NVIDIA's compiler makes of the kernels, executed instruction by instruction: carry chains, alignment, barriers,
calls. Small inputs against the reference backend; the host's compiler runs the large ones."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.field import MODULUS
from prover.backend import Backend
from prover.backend.cuda import CudaBackend
from prover.backend.cuda_arrays import affine
from prover.backend.cuda_device import Device
from prover.backend.cuda_source import UNITS, source
from tests.host_gpu.cupy import make_cupy
from tests.host_gpu.nvrtc import PACKAGE, compile_unit, library
from tests.host_gpu.ptx import module_of
from tests.prover.backend.test_backend_programs import check

pytestmark = pytest.mark.skipif(library() is None, reason=f"the wheel {PACKAGE} is not installed (Linux)")
EDGES = [0, 1, MODULUS - 1, MODULUS - 2, (1 << 253) - 1, 1 << 128]
SOURCE = random.Random(1)
VALUES = EDGES + [SOURCE.randrange(MODULUS) for _ in range(26)]
LOGS = [1, 2, 0, 5, -1, 7, 7, -7, 9, 12, 3, 3]


@pytest.fixture(scope="module")
def emulated() -> CudaBackend:
    """The CUDA backend over compiled kernels that are interpreted."""

    def module(code: str, options: tuple[str, ...], backend: str) -> Any:
        [unit] = [unit for unit in UNITS if source(unit) == code]
        return module_of(compile_unit(unit, "compute_90"))

    cupy = make_cupy(Path())
    cupy.RawModule = module
    return CudaBackend(Device(cupy))


OPERATIONS: dict[str, Callable[[Backend], Any]] = {
    "integers": lambda b: b.vector(np.array([-3, 5, -128, 127, 0], np.int8)),
    "wide integers": lambda b: b.vector(np.array([-3, -(1 << 63), (1 << 63) - 1])),
    "multiply": lambda b: b.multiply(b.vector(VALUES), b.vector(VALUES[::-1])),
    "combine": lambda b: b.combine([b.vector(VALUES), b.vector(VALUES[:-4:-1])], [5, -1]),
    "interleave": lambda b: b.interleave([b.vector(VALUES[:5]), b.vector(VALUES[:3])]),
    "powers": lambda b: b.powers(3, 40, 7),
    "inverse": lambda b: b.inverse(b.vector(VALUES[1:9])),
    "ntt": lambda b: b.ntt(b.vector(VALUES), 32, 5),
    "intt": lambda b: b.intt(b.vector(VALUES), 5),
    "long ntt": lambda b: b.ntt(b.vector(VALUES), 512),
    "prefix sums": lambda b: b.prefix_sums(b.vector(VALUES)),
    "divide": lambda b: b.divide_linear(b.vector(VALUES), 77),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_columns(emulated: CudaBackend, reference: Backend, name: str) -> None:
    found, expected = (b.integers(OPERATIONS[name](b)) for b in (emulated, reference))
    assert found == expected


def test_a_lost_carry_is_noticed() -> None:
    """The interpreter is no better than its carries."""
    text = compile_unit("vectors", "compute_90")
    products = []
    for changed in (text, text.replace("madc.hi.cc.u32", "mad.hi.cc.u32")):
        cupy = make_cupy(Path())
        cupy.RawModule = lambda code, options, backend, text=changed: module_of(text)
        backend = CudaBackend(Device(cupy))
        products.append(backend.integers(backend.vector(VALUES)) == VALUES)
    assert products == [True, False]


def test_tiles(emulated: CudaBackend, reference: Backend) -> None:
    """More elements than a tile of a scan has."""
    coefficients = [k * k for k in range(600)]
    assert emulated.evaluate(emulated.vector(coefficients), 7) == reference.evaluate(reference.vector(coefficients), 7)
    sums = emulated.integers(emulated.prefix_sums(emulated.vector(coefficients)))
    assert sums == [sum(coefficients[:i]) for i in range(600)]


def test_programs(emulated: CudaBackend) -> None:
    for seed in range(3):
        check(emulated, 5, seed, 20)


@pytest.fixture(scope="module")
def data(cpu: Backend) -> bytes:
    """Points of known logarithms."""
    return cpu.point_bytes(cpu.fixed_base(cpu.vector(LOGS)))


def test_points(emulated: CudaBackend, reference: Backend, cpu: Backend, data: bytes) -> None:
    points = emulated.points(data)
    assert emulated.point_bytes(points) == data
    assert emulated.on_curve(points)
    assert not emulated.on_curve(emulated.points(data[:64] + data[64:96] + data[:32]))
    scalars = [3, 0, VALUES[9]]
    found, expected = (
        b.point_bytes(b.multiply_points(b.points(data[:192]), b.vector(scalars))) for b in (emulated, reference)
    )
    assert found == expected
    doubled = emulated.device.empty(8 * len(points))
    emulated._each(affine(points), "double_points", (3,), doubled)
    assert (
        emulated.device.download(doubled).tobytes()
        == emulated.device.download(
            affine(emulated.points(cpu.point_bytes(cpu.fixed_base(cpu.vector([8 * log for log in LOGS])))))
        ).tobytes()
    )


def test_fixed_base(emulated: CudaBackend, reference: Backend, cpu: Backend) -> None:
    factors = [d << (8 * w) for w in range(32) for d in range(1, 129)]
    table = cpu.point_bytes(cpu.fixed_base(cpu.vector(factors)))
    emulated.__dict__["_generator_table"] = affine(emulated.points(table))  # which would take minutes to compute
    found, expected = (b.point_bytes(b.fixed_base(b.vector(VALUES[:7]))) for b in (emulated, reference))
    assert found == expected


@pytest.mark.parametrize("n", [1, 4])
def test_lagrange(emulated: CudaBackend, reference: Backend, data: bytes, n: int) -> None:
    found, expected = (b.point_bytes(b.lagrange(b.points(data[: 64 * n]))) for b in (emulated, reference))
    assert found == expected


@pytest.mark.parametrize(
    "scalars",
    [VALUES[4:10], [5] * 12, np.arange(-5, 7), np.arange(12, dtype=np.uint64)],
    ids=["full", "equal", "signed", "unsigned"],
)
def test_sums(emulated: CudaBackend, reference: Backend, data: bytes, scalars: Any) -> None:
    found, expected = (
        b.msm(b.points(data), scalars if isinstance(scalars, np.ndarray) else b.vector(scalars))
        for b in (emulated, reference)
    )
    assert found == expected
