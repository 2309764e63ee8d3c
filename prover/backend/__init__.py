"""Backends: the arithmetic under the prover, behind one small protocol; `get_backend` picks one."""

from importlib.util import find_spec

from prover.backend.protocol import Backend, BackendError, Points, Vector

__all__ = ["Backend", "BackendError", "Points", "Vector", "choose_backend", "get_backend"]

NAMES = ("reference", "cpu", "cuda", "auto")


def get_backend(name: str = "auto") -> Backend:
    """The backend of that name: `reference` (slow, the definition), `cpu` (Numba), `cuda` (CuPy and an NVIDIA GPU),
    `auto` (what `choose_backend` says).

    BackendError for an unknown name, and for one whose packages or device are missing: no other takes its place.
    """
    match name:
        case "reference":
            _require(name, "galois", "py_ecc")
            from prover.backend.reference import ReferenceBackend

            return ReferenceBackend()
        case "cpu":
            _require(name, "numba")
            from prover.backend.cpu import CpuBackend

            return CpuBackend()
        case "cuda":
            from prover.backend.cuda import CudaBackend

            return CudaBackend()
        case "auto":
            return get_backend(choose_backend()[0])
        case _:
            raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(NAMES)}")


def choose_backend() -> tuple[str, str]:
    """(name, reason) of what `auto` stands for: `cuda` where it can run, else `cpu`."""
    from prover.backend.cuda_device import open_device

    try:
        device = open_device()
    except BackendError as error:
        return "cpu", str(error)
    return "cuda", device.name


def _require(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BackendError(f"backend {name!r} needs packages that are not installed: {', '.join(missing)}")
