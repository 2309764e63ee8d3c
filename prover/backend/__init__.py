"""Backends: the arithmetic under the prover, behind one small protocol; `get_backend` picks one."""

from importlib.util import find_spec

from prover.backend.protocol import Backend, BackendError, Points, Vector

__all__ = ["Backend", "BackendError", "Points", "Vector", "get_backend"]

NAMES = ("reference", "cpu", "auto")


def get_backend(name: str = "auto") -> Backend:
    """The backend of that name: `reference` (slow, the definition), `cpu` (Numba), `auto` (the fastest installed).

    BackendError for an unknown name, and for one whose packages are not installed.
    """
    match name:
        case "reference":
            _require(name, "galois", "py_ecc")
            from prover.backend.reference import ReferenceBackend

            return ReferenceBackend()
        case "cpu" | "auto":
            _require(name, "numba")
            from prover.backend.cpu import CpuBackend

            return CpuBackend()
        case _:
            raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(NAMES)}")


def _require(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BackendError(f"backend {name!r} needs packages that are not installed: {', '.join(missing)}")
