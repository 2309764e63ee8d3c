"""What a deployment needs, and what a user needs to leave, as files and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eth_abi.abi import decode

from circuits.margin.cell import unpack
from circuits.margin.statement import InvalidStatement, Point, Statement, encode_oracle
from prover.backend import get_backend
from prover.setup import load_srs
from verifier.errors import InvalidKey
from verifier.evm.contracts import contracts_of, rollup_sources
from verifier.key import VerifyingKey
from verifier.margin import decode_parameters, load_key
from zkmargin.evm.compile import Compiled, compile_contract, compile_rollup, creation_of
from zkmargin.evm.exit import open_cell, rebuild

SELECTOR = 4


def export_contracts(key: VerifyingKey, folder: Path) -> dict[str, Any]:
    """Writes sources and, in the order of their deployment, the contracts; what was written, by name."""
    contracts, sources = contracts_of(key), rollup_sources(key)
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    for name, text in (contracts.sources | sources).items():
        (folder / "sources" / name).write_text(text)
    verifier, (rollup, leaving) = compile_contract("verifier.vy", contracts.sources), compile_rollup(sources)
    emitted = {"transcript": contracts.transcript}
    emitted |= {f"evaluator-{i}": code for i, code in enumerate(contracts.evaluators)}
    files = {name: {"bytecode": "0x" + creation_of(code).hex()} for name, code in emitted.items()}
    files["verifier"] = _described(verifier, {"transcript": "address", "evaluators": "addresses, in order"})
    files["leaving"] = _described(leaving, {})
    files["rollup"] = _described(rollup, {part["name"]: part["type"] for part in _constructor(rollup)})
    for number, (name, content) in enumerate(files.items()):
        (folder / f"{number}-{name}.json").write_text(json.dumps(content, indent=1))
    sizes = {name: len(code) for name, code in emitted.items()}
    compiled = {"verifier": verifier, "leaving": leaving, "rollup": rollup}
    sizes |= {name: contract.runtime_size for name, contract in compiled.items()}
    return {"key": key.digest.hex(), "folder": str(folder), **{f"{name}, bytes": size for name, size in sizes.items()}}


def exit_of(batches: Sequence[Path], key_file: Path, setup_file: Path, cell: int, backend_name: str) -> dict[str, Any]:
    """The arguments of `escape` for a cell, or of `escape_group` for the head of a group; InvalidStatement where the
    batches do not give the last one's state."""
    try:
        key = load_key(key_file.read_text())
    except (InvalidKey, UnicodeDecodeError) as error:
        raise InvalidKey(f"{key_file}: {error}") from error
    statements = [read_statement(path) for path in batches]
    cells, (_, shape) = rebuild(statements), decode_parameters(key.parameters)
    backend = get_backend(backend_name)
    srs, held = load_srs(backend, setup_file), unpack(cells.get(cell, 0))
    if held.is_member:
        raise InvalidStatement(
            f"cell {cell} is a member of the group of cell {cell - held.offset}, which leaves as one"
        )
    count = held.position if held.is_head else 1
    openings = [open_cell(cells, place, shape.cells, srs, backend) for place in range(cell, cell + count)]
    last = statements[-1]
    if openings[0].root != last.new:
        raise InvalidStatement(f"{batches[-1]}: the differences do not give its state under this key and setup")
    rows = [row for row in last.oracle if row.tick == last.oracle[-1].tick]
    contents, proofs = [hex(each.content) for each in openings], [_words(each.proof) for each in openings]
    told = {"contents": contents, "proofs": proofs} if held.is_head else {"content": contents[0], "proof": proofs[0]}
    return {"batch": last.batch, "cell": cell, **asdict(held), **told, "rows": "0x" + encode_oracle(rows).hex()}


def read_statement(path: Path) -> Statement:
    """A statement from its JSON, or from the calldata of `submit_batch` in hexadecimal; InvalidStatement names the
    file."""
    try:
        text = path.read_text().strip()
        if not text.startswith("0x"):
            return Statement.from_json(text)
        call, _ = decode(["bytes", "bytes"], bytes.fromhex(text[2:])[SELECTOR:])
        statement, _ = decode(["bytes", "bytes"], call[SELECTOR:])
        return Statement.decode(statement)
    except InvalidStatement as error:
        raise InvalidStatement(f"{path}: {error}") from error
    except Exception as error:  # eth_abi has its own for every way in which bytes are no calldata
        if isinstance(error, OSError):
            raise
        raise InvalidStatement(f"{path}: neither a statement nor calldata of submit_batch: {error}") from error


def _words(point: Point) -> list[str]:
    return [hex(part) for part in point or (0, 0)]


def _described(compiled: Compiled, arguments: dict[str, str]) -> dict[str, Any]:
    return {"abi": list(compiled.abi), "bytecode": "0x" + compiled.creation.hex(), "constructor": arguments}


def _constructor(compiled: Compiled) -> list[dict[str, Any]]:
    [constructor] = [entry for entry in compiled.abi if entry["type"] == "constructor"]
    return list(constructor["inputs"])
