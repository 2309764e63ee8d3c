"""Kernels of the CPU backend: pure functions of arrays, compiled by Numba, each in a file of its own subject.

An element is four little-endian 64-bit limbs, in Montgomery form with R = 2^256; a point is x and y, infinity zeros.
`portable()` is the only set so far; the backend asks `select()`, so a set for wider vector units is chosen here.
"""

from types import SimpleNamespace


def select() -> SimpleNamespace:
    """The kernels for this machine. A set that needs CPU features must test for them here, before it compiles."""
    return portable()


def portable() -> SimpleNamespace:
    """64-bit scalar kernels, for any CPU that LLVM knows."""
    from prover.backend.kernels import (
        buckets,
        interpreter,
        multiples,
        points,
        polynomials,
        scalars,
        transforms,
        windows,
    )

    modules = (scalars, polynomials, transforms, interpreter, points, buckets, windows, multiples)
    found = {name: value for module in modules for name, value in vars(module).items() if hasattr(value, "py_func")}
    return SimpleNamespace(name="portable", **found)
