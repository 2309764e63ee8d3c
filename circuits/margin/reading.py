"""Dataclasses of the key from JSON: nothing missing, nothing unknown, and errors that name the field."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from circuits.margin.tiers import ParameterError

T = TypeVar("T")


def at_path(path: str, kind: type[T], data: object) -> T:
    """kind(**data), with the path put before the field that an error names."""
    values = exact_fields(kind, data, path)
    try:
        return kind(**values)
    except ParameterError as error:
        raise ParameterError(f"{path}.{error.field}", str(error).removeprefix(f"{error.field}: ")) from None


def exact_fields(kind: Any, data: object, path: str) -> dict[str, Any]:
    """The fields of a dataclass, all of them and no other; ParameterError names the first that is not so."""
    if not isinstance(data, Mapping):
        raise ParameterError(path, f"an object is needed, not {data!r}")
    names = {field.name for field in fields(kind)}
    for name in sorted(names - data.keys()):
        raise ParameterError(f"{path}.{name}", "missing")
    for name in sorted(map(str, data.keys() - names)):
        raise ParameterError(f"{path}.{name}", "unknown")
    return dict(data)


def read_list(data: object, path: str) -> list[Any]:
    """ParameterError unless it is a list."""
    if not isinstance(data, list):
        raise ParameterError(path, f"a list is needed, not {data!r}")
    return data
