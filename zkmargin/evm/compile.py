"""Vyper sources to ABI and creation code, once a process."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePath
from typing import Any

from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import JSONInputBundle


@dataclass(frozen=True)
class Compiled:
    """abi: of the contract, as JSON objects. creation: its code, to which the constructor's arguments are appended.
    storage: where each variable, or module of them, lies."""

    abi: tuple[Mapping[str, Any], ...]
    creation: bytes
    runtime_size: int
    storage: Mapping[str, Any] = field(default_factory=dict)


def compile_contract(name: str, sources: Mapping[str, str]) -> Compiled:
    """The contract in the file of that name, which may import the others; Vyper's own exceptions where it is wrong."""
    return _compile(name, tuple(sorted(sources.items())))


def compile_rollup(sources: Mapping[str, str]) -> tuple[Compiled, Compiled]:
    """The rollup contract, with the ABI of all that it answers, and the contract whose code it runs for some of it."""
    rollup, leaving = compile_contract("rollup.vy", sources), compile_contract("leaving.vy", sources)
    handed_on = tuple(entry for entry in leaving.abi if entry not in rollup.abi and entry["type"] != "constructor")
    return replace(rollup, abi=rollup.abi + handed_on), leaving


@cache
def _compile(name: str, sources: tuple[tuple[str, str], ...]) -> Compiled:
    contents = {PurePath(path): {"content": text} for path, text in sources}
    bundle = JSONInputBundle(contents, search_paths=[PurePath(".")])
    output = compile_from_file_input(
        bundle.load_file(name),
        input_bundle=bundle,
        output_formats=("abi", "bytecode", "bytecode_runtime", "layout"),
    )
    creation, runtime = (bytes.fromhex(output[part][2:]) for part in ("bytecode", "bytecode_runtime"))
    return Compiled(tuple(output["abi"]), creation, len(runtime), output["layout"].get("storage_layout", {}))


def creation_of(runtime: bytes) -> bytes:
    """Creation code that returns this runtime code: PUSH2 n, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN."""
    return b"\x61" + len(runtime).to_bytes(2, "big") + b"\x80\x60\x0a\x5f\x39\x5f\xf3" + runtime
