"""What the circuit is and costs, in a committed file: `python -m tests.test_golden` writes it anew."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.book import bench_parameters
from bench.modules import CADENCE, SAMPLES
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Shape
from circuits.table import Kind
from prover.backend import get_backend
from prover.setup import insecure_srs
from verifier.proof import Layout
from zkmargin.proving import margin_key

PATH = Path(__file__).with_name("golden.json")
SHAPES = {
    "demo": Shape(4096, 8192, 16, True),
    "small": Shape(64, 32, 8, True),
    "unpublished diff": Shape(4096, 8192, 16, False),
    "cadence": Shape(4096, 8192, 16, True, samples=SAMPLES),
}


def measure(shape: Shape) -> dict[str, Any]:
    circuit = margin_circuit(replace(bench_parameters(), cadence=CADENCE if shape.samples else None), shape)
    layout = Layout(circuit, shape.published_diff)
    tables = {
        table.name: {
            "rows": table.size,
            "columns": {str(kind): len(table.of_kind(kind)) for kind in Kind},
            "constraints": len(table.constraints),
            "degree": circuit.degrees[table.name],
            "fractions": len(table.terms),
        }
        for table in circuit.tables
    }
    return {
        "circuit digest": circuit.digest.hex(),
        "tables": tables,
        "commitments in a proof": layout.points,
        "evaluations in a proof": len(layout.queries),
        "proof bytes": layout.size,
        "powers of tau": layout.powers,
    }


def golden() -> dict[str, Any]:
    backend = get_backend("cpu")
    key = margin_key(bench_parameters(), SHAPES["small"], insecure_srs(backend, 512, b"golden"), backend)
    return {name: measure(shape) for name, shape in SHAPES.items()} | {"small key digest": key.verifying.digest.hex()}


def test_the_circuit_is_what_the_committed_file_says() -> None:
    assert golden() == json.loads(PATH.read_text())


@pytest.mark.parametrize("transitions", [64, 1 << 12, 1 << 16, 1 << 17])
@pytest.mark.parametrize("published", [True, False])
def test_a_proof_has_at_most_20_kilobytes_whatever_the_batch_size(transitions: int, published: bool) -> None:
    shape = Shape(transitions, transitions, 16, published)
    assert Layout(margin_circuit(bench_parameters(), shape), published).size <= 20_000


if __name__ == "__main__":
    PATH.write_text(json.dumps(golden(), indent=1) + "\n")
