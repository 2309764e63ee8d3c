"""NVIDIA's compiler as a library, from its wheel: compiles for any GPU without one."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from prover.backend.cuda_source import OPTIONS, source

PACKAGE = "nvidia-cuda-nvrtc"
ADDED = ("--device-as-default-execution-space",)  # by CuPy


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None where its wheel is not installed."""
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(path.locate())) for path in listed if ".so" in path.name and ".alt." not in path.name]
    builtins = [path for path in paths if "builtins" in path.name]
    for path in builtins:  # which the compiler would look for by name
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    [compiler] = [path for path in paths if path not in builtins]
    return ctypes.CDLL(str(compiler))


def compile_unit(unit: str, architecture: str) -> str:
    """PTX of a unit of kernels for compute_NN, or nothing for sm_NN, for which machine code is made as well.

    AssertionError with the compiler's log for a source that is not accepted.
    """
    nvrtc = library()
    assert nvrtc is not None
    program = ctypes.c_void_p()
    text, name = source(unit).encode(), f"{unit}.cu".encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, name, 0, None, None) == 0
    try:
        options = [f"--gpu-architecture={architecture}".encode(), *(option.encode() for option in (*OPTIONS, *ADDED))]
        result = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        assert result == 0, _text(nvrtc, program, "ProgramLog")
        if architecture.startswith("compute"):
            return _text(nvrtc, program, "PTX")
        size = ctypes.c_size_t()
        assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0 and size.value > 0
        return ""
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> str:
    size = ctypes.c_size_t()
    assert getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)) == 0
    buffer = ctypes.create_string_buffer(size.value)
    assert getattr(nvrtc, f"nvrtcGet{what}")(program, buffer) == 0
    return buffer.value.decode()
