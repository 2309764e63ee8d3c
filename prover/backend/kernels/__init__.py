"""Kernels of the CPU backend: pure functions of arrays, compiled by Numba, each in a file of its own subject.

An element is four little-endian 64-bit words, in Montgomery form with the R of the kernel set; a point is x and y,
infinity zeros. The `portable` set works on one element at a time, on any CPU; the `ifma` set on eight (files lanes_*),
and where it has no kernel of its own it uses the portable one.
"""

from types import ModuleType, SimpleNamespace

from prover.backend.kernels.host import IFMA, kernel_set


def select() -> SimpleNamespace:
    """The kernels for this machine."""
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

    found = _kernels(scalars, polynomials, transforms, interpreter, points, buckets, windows, multiples)
    if kernel_set() == IFMA:
        from prover.backend.kernels import (
            lanes_buckets,
            lanes_groups,
            lanes_interpreter,
            lanes_multiples,
            lanes_polynomials,
            lanes_scalars,
            lanes_transforms,
            lanes_windows,
        )

        found |= _kernels(lanes_scalars, lanes_polynomials, lanes_transforms, lanes_interpreter)
        found |= _kernels(lanes_groups, lanes_buckets, lanes_windows, lanes_multiples)
    return SimpleNamespace(name=kernel_set(), **found)


def _kernels(*modules: ModuleType) -> dict[str, object]:
    """What the modules define; a later one replaces a kernel of the same name."""
    return {name: value for module in modules for name, value in vars(module).items() if hasattr(value, "py_func")}
