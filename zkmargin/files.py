"""Files that the command line reads and writes beside the store."""

import json
from collections.abc import Iterable
from pathlib import Path

from circuits.margin.parameters import ParameterError, Parameters, Shape
from circuits.margin.solvency_statement import SolvencyStatement
from circuits.strict_json import loads
from verifier.key import VerifyingKey
from zkmargin.history import Rules
from zkmargin.store import StoredBatch
from zkmargin.transactions import Transaction, encode


def read_parameters(path: Path) -> tuple[Parameters, Shape]:
    """A JSON file with `parameters` and `shape`; ParameterError names the file and the field."""
    try:
        data = loads(path.read_text())
        return Parameters.from_json(data["parameters"]), Shape.from_json(data["shape"])
    except ParameterError as error:
        raise ParameterError(f"{path}: {error.field}", str(error).removeprefix(f"{error.field}: ")) from None
    except ValueError as error:
        raise ParameterError(str(path), f"not JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise ParameterError(str(path), f"it needs `parameters` and `shape`: {error}") from error


def write_parameters(path: Path, parameters: Parameters, shape: Shape) -> None:
    path.write_text(json.dumps({"parameters": parameters.to_json(), "shape": shape.to_json()}, indent=1))


def write_transactions(path: Path, transactions: Iterable[Transaction]) -> Path:
    """One JSON object a line; returns the path."""
    path.write_bytes(b"".join(encode(transaction) + b"\n" for transaction in transactions))
    return path


def write_solvency(folder: Path, key: VerifyingKey, statement: SolvencyStatement, proof: bytes) -> None:
    """key.json, statement.json and proof.bin of a solvency proof."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.json").write_text(json.dumps(key.to_json()))
    (folder / "statement.json").write_text(statement.to_json())
    (folder / "proof.bin").write_bytes(proof)


def write_proof(folder: Path, rules: Rules, batch: StoredBatch) -> None:
    """key.json, statement.json and proof.bin: all that a verifier needs; amendment.json too, of the first batch under
    a key that follows another."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.json").write_text(json.dumps(rules.key.to_json()))
    (folder / "statement.json").write_text(batch.statement.to_json())
    (folder / "proof.bin").write_bytes(batch.proof or b"")
    if rules.amendment is not None and rules.first_batch == batch.number:
        (folder / "amendment.json").write_text(json.dumps(rules.amendment.to_json()))
