"""Stand-ins for other shapes of the transitions table."""

from dataclasses import replace

import pytest

from bench.book import bench_parameters
from bench.shapes import SHAPES, Shape, StandIn
from circuits.margin.circuit import margin_circuit
from circuits.margin.parameters import Shape as MarginShape
from circuits.table import Kind
from prover.backend import get_backend
from verifier import verify
from verifier.errors import InvalidProof


def test_the_built_shape_is_that_of_the_margin_circuit() -> None:
    table = margin_circuit(bench_parameters(), MarginShape(64, 64, 16, True)).table("transitions")
    limbs = sum(register.bits // 16 for register in table.registers.values())
    others = len([name for name in table.of_kind(Kind.WITNESS) if name != "bus_mask"]) - limbs
    assert (limbs, others) == (SHAPES[0].limbs, SHAPES[0].small + SHAPES[0].wide)


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[2]], ids=lambda shape: shape.name)
def test_a_stand_in_is_proved_and_verified(shape: Shape) -> None:
    backend = get_backend("cpu")
    case = StandIn.build(replace(shape, limbs=5, small=2, cell_limbs=min(shape.cell_limbs, 2)), 5, backend)
    proof = case.prove(backend)
    verify(case.key.verifying, case.statement, proof, allow_insecure=True)
    with pytest.raises(InvalidProof):
        verify(case.key.verifying, case.statement, proof[:-1] + bytes([proof[-1] ^ 1]), allow_insecure=True)
