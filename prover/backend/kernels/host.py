"""Which kernels this machine can run. Machine code for a missing feature ends the process, so this is asked first."""

import os
from functools import cache
from typing import Any

from llvmlite import binding
from numba.core import config

from prover.backend.protocol import BackendError

VARIABLE = "ZKMARGIN_KERNELS"
PORTABLE, IFMA = "portable", "ifma"
IFMA_FEATURES = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512ifma")


def supports_ifma() -> bool:
    """Whether Numba compiles for this host and the host has AVX-512 with 52-bit integer multiply-add."""
    settings: Any = config
    if settings.CPU_NAME not in (None, "", "host") or settings.CPU_FEATURES is not None:
        return False  # compiled for another machine than this one
    features = binding.get_host_cpu_features()
    return all(features.get(name, False) for name in IFMA_FEATURES)


@cache
def kernel_set() -> str:
    """`ifma` or `portable`: what the environment variable ZKMARGIN_KERNELS says, else the faster one that runs here.

    BackendError for another value, and for `ifma` on a machine without it.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", PORTABLE, IFMA):
        raise BackendError(f"{VARIABLE}={wanted}: expected {PORTABLE} or {IFMA}")
    if wanted == IFMA and not supports_ifma():
        raise BackendError(f"{VARIABLE}={IFMA}: this processor lacks one of {', '.join(IFMA_FEATURES)}")
    return wanted or (IFMA if supports_ifma() else PORTABLE)


def radix_bits() -> int:
    """log2 of Montgomery's R: four words of 64 bits, or five of the 52 that the vector multiplier takes."""
    return 260 if kernel_set() == IFMA else 256
