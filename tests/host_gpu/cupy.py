"""The part of CuPy that `cuda_device.Device` asks for, over numpy arrays and kernels compiled for the host."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SHIM = Path(__file__).with_name("shim.h")
COMPILER = shutil.which("g++") or shutil.which("clang++")
MEMORY = 8 << 30


class DeviceArray(np.ndarray):
    """An array that numpy's own functions would take, but that says where a device would find it."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"data": (self.ctypes.data, False), "shape": self.shape, "version": 3}


class OutOfMemoryError(Exception):
    """What CuPy raises when the device is full."""


class RawModule:
    """A module of kernels, compiled in `folder`."""

    def __init__(self, folder: Path, flags: tuple[str, ...], code: str) -> None:
        assert COMPILER is not None
        source = folder / f"{abs(hash((code, flags)))}.cpp"
        source.write_text(f'#include "{SHIM}"\n{code}')
        library = source.with_suffix(".so")
        warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-parameter")
        command = [COMPILER, "-std=c++17", "-O3", "-fPIC", "-shared", *warnings, "-Wno-unknown-pragmas", *flags]
        done = subprocess.run([*command, str(source), "-o", str(library)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self.library = ctypes.CDLL(str(library))

    def get_function(self, name: str) -> Kernel:
        return Kernel(self.library[f"launch_{name}"], self.library[f"arguments_{name}"]())


class Kernel:
    """Called as CuPy's kernels are: (grid, block, arguments)."""

    def __init__(self, function: Any, count: int) -> None:
        self.function, self.count = function, count

    def __call__(self, grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
        assert len(arguments) == self.count, f"{len(arguments)} arguments for {self.count}"
        assert block == (128,) and 0 < grid[0] < 1 << 31
        words = np.array([_word(argument) for argument in arguments], np.uint64)
        places = (ctypes.c_void_p * len(words))(*(words.ctypes.data + 8 * k for k in range(len(words))))
        self.function(ctypes.c_uint(grid[0]), places)


def _word(argument: Any) -> int:
    if isinstance(argument, DeviceArray):
        assert argument.flags.c_contiguous
        return int(argument.ctypes.data)
    assert isinstance(argument, np.uint64), f"an argument of type {type(argument).__name__}"
    return int(argument)


def make_cupy(folder: Path, flags: tuple[str, ...] = (), **changes: Any) -> SimpleNamespace:
    """The module `cupy`; changes: of what the device says of itself."""

    def allocate(make: Any, items: int, dtype: Any) -> DeviceArray:
        if items * np.dtype(dtype).itemsize > MEMORY:
            raise OutOfMemoryError(f"Out of memory allocating {items * np.dtype(dtype).itemsize:,} bytes")
        made: DeviceArray = make(items, dtype).view(DeviceArray)
        return made

    properties = {"name": b"Host", "totalGlobalMem": MEMORY, "major": 9, "minor": 0, **changes}
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda _: properties,
        getDeviceCount=lambda: 1,
        deviceSynchronize=lambda: None,
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 12090,
        memGetInfo=lambda: (properties["totalGlobalMem"], properties["totalGlobalMem"]),
        CUDARuntimeError=RuntimeError,
    )
    pool = SimpleNamespace(free_bytes=lambda: 0, total_bytes=lambda: 1 << 20)
    return SimpleNamespace(
        empty=lambda items, dtype: allocate(np.empty, items, dtype),
        zeros=lambda items, dtype: allocate(np.zeros, items, dtype),
        asarray=lambda array: np.array(array).view(DeviceArray),
        asnumpy=lambda array: np.array(array).view(np.ndarray),
        flatnonzero=lambda array: np.flatnonzero(array).view(DeviceArray),
        cumsum=lambda array, out: np.cumsum(array, out=out),
        __version__="of the host",
        RawModule=lambda code, options, backend: RawModule(folder, flags, code),
        get_default_memory_pool=lambda: pool,
        cuda=SimpleNamespace(runtime=runtime, memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError)),
    )
