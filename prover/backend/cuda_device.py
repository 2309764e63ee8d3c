"""The device under the CUDA backend: arrays, memory and launches, all through CuPy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from prover.backend.cuda_source import OPTIONS, THREADS, montgomery, source
from prover.backend.protocol import BackendError

INSTALL = "pip install 'zkmargin[cuda]'"
LEAST_CAPABILITY = (7, 5)  # CUDA 13 compiles for no older ones
LEAST_MEMORY = 2 << 30
Array = Any
"""An array of the device; one-dimensional."""


class Device:
    """One GPU and its one stream: what is launched runs in order, and only `download` waits for it."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
        self.name: str = properties["name"].decode()
        self.memory: int = properties["totalGlobalMem"]
        self.capability = (properties["major"], properties["minor"])
        self._functions: dict[tuple[str, str], Any] = {}
        self._modules: dict[str, Any] = {}
        if self.capability < LEAST_CAPABILITY:
            found, least = (".".join(map(str, version)) for version in (self.capability, LEAST_CAPABILITY))
            raise BackendError(f"backend 'cuda': {self.name} has compute capability {found}, {least} is needed")
        if self.memory < LEAST_MEMORY:
            raise BackendError(
                f"backend 'cuda': {self.name} has {self.memory >> 20} MiB of memory, {LEAST_MEMORY >> 20} are needed"
            )

    def empty(self, items: int, dtype: Any = np.uint64) -> Array:
        """An array of undefined contents."""
        with self.memory_guard():
            return self.cupy.empty(items, dtype)

    def zeros(self, items: int, dtype: Any = np.uint64) -> Array:
        with self.memory_guard():
            return self.cupy.zeros(items, dtype)

    def upload(self, array: np.ndarray) -> Array:
        """A copy on the device."""
        with self.memory_guard():
            return self.cupy.asarray(np.ascontiguousarray(array))

    def download(self, array: Array) -> np.ndarray:
        """A copy on the host; waits for what was launched before."""
        return np.asarray(self.cupy.asnumpy(array))

    def addresses(self, arrays: list[Array]) -> Array:
        """The arrays' places, as a kernel's list of pointers."""
        places = [array.__cuda_array_interface__["data"][0] for array in arrays]
        return self.upload(np.array(places, np.uint64))

    def flatnonzero(self, array: Array) -> Array:
        """The indices of what is not zero, int64."""
        with self.memory_guard():
            return self.cupy.flatnonzero(array)

    def running_totals(self, counts: Array) -> Array:
        """int64: zero, then the sums of the first counts, of all last."""
        totals = self.zeros(len(counts) + 1, np.int64)
        with self.memory_guard():
            self.cupy.cumsum(counts, out=totals[1:])
        return totals

    def largest(self, counts: Array) -> int:
        return int(counts.max())

    def sort(self, keys: Array) -> None:
        with self.memory_guard():
            keys.sort()

    def launch(self, unit: str, kernel: str, threads: int, *arguments: Any) -> None:
        """Runs a kernel in at least so many threads; an argument is an array, an integer of 64 bits, or None."""
        self.launch_blocks(unit, kernel, -(-threads // THREADS), *arguments)

    def launch_blocks(self, unit: str, kernel: str, blocks: int, *arguments: Any) -> None:
        if blocks:
            self._function(unit, kernel)((blocks,), (THREADS,), tuple(map(_argument, arguments)))

    def free_bytes(self) -> int:
        """What could still be allocated: the card's free memory and what the pool keeps."""
        free, _ = self.cupy.cuda.runtime.memGetInfo()
        return int(free + self.cupy.get_default_memory_pool().free_bytes())

    @property
    def peak_bytes(self) -> int:
        """The most memory that was held at once: CuPy's pool keeps what was given back, for the next proof."""
        return int(self.cupy.get_default_memory_pool().total_bytes())

    def wait(self) -> None:
        """Returns when what was launched is done."""
        self.cupy.cuda.runtime.deviceSynchronize()

    def probe(self) -> None:
        """One product on the device; ArithmeticError when it is wrong."""
        a, b, product = (self.upload(np.array(montgomery(value), np.uint64)) for value in (3, 5, 0))
        self.launch("vectors", "multiply", 1, a, b, product, 1)
        if tuple(self.download(product).tolist()) != montgomery(15):
            raise ArithmeticError(f"backend 'cuda': {self.name} computes a wrong product")

    def describe(self) -> str:
        """The card, its memory, and the versions under it."""
        runtime = self.cupy.cuda.runtime
        driver, toolkit = (_version(number) for number in (runtime.driverGetVersion(), runtime.runtimeGetVersion()))
        versions = f"driver for CUDA {driver}, CUDA {toolkit}, CuPy {self.cupy.__version__}"
        return f"{self.name}, {self.memory >> 20} MiB, {versions}"

    @contextmanager
    def memory_guard(self) -> Iterator[None]:
        """Turns too little memory into a BackendError."""
        try:
            yield
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            raise BackendError(f"backend 'cuda': {self.name} of {self.memory >> 20} MiB: {error}") from error

    def _function(self, unit: str, kernel: str) -> Any:
        """Compiled when first asked for; CuPy keeps what it compiles on disk."""
        found = self._functions.get((unit, kernel))
        if found is None:
            if unit not in self._modules:
                self._modules[unit] = self.cupy.RawModule(code=source(unit), options=OPTIONS, backend="nvrtc")
            found = self._functions[unit, kernel] = self._modules[unit].get_function(kernel)
        return found


def _version(number: int) -> str:
    """As CUDA counts: 13000 is 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _argument(value: Any) -> Any:
    """All of a kernel's arguments are pointers or integers of 64 bits."""
    if value is None:
        return np.uint64(0)
    return np.uint64(value & (1 << 64) - 1) if isinstance(value, int) else value


@cache
def open_device() -> Device:
    """The present GPU; BackendError with one line when CuPy, the driver, a GPU or what it must have is missing."""
    if find_spec("cupy") is None:
        raise BackendError(f"backend 'cuda' needs packages that are not installed: cupy ({INSTALL})")
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        raise BackendError(f"backend 'cuda': cupy does not load: {_first_line(error)}") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendError(f"backend 'cuda': no usable NVIDIA driver: {_first_line(error)}") from error
    if not count:
        raise BackendError("backend 'cuda': the driver shows no GPU")
    device = Device(cupy)
    try:
        device.probe()
    except (RuntimeError, OSError) as error:  # as CuPy's, of the driver and of a compiler that is not there
        raise BackendError(f"backend 'cuda': {device.name} ran no kernel: {_first_line(error)}") from error
    return device


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
