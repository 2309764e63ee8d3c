"""A whole proof of a margin batch is the same, bit for bit, on every backend."""

from itertools import count

from circuits.margin.parameters import Shape
from prover.backend import get_backend
from prover.prove import prove
from prover.setup import insecure_srs
from tests.margin_worlds import World
from verifier import verify
from verifier.margin import MarginStatement
from zkmargin.proving import batch_assignment, batch_statement, layout_of, margin_key


def test_backends_give_the_same_margin_proof(cuda_anywhere: None) -> None:
    world = World(3, Shape(16, 16, 8, True))
    batch = world.batch(10)
    proofs = []
    for name in ("cpu", "reference", "cuda"):
        backend, random = get_backend(name), count(1)
        srs = insecure_srs(backend, layout_of(world.parameters, world.shape).powers, b"twins")
        key = margin_key(world.parameters, world.shape, srs, backend)
        statement = batch_statement(batch, None, srs, backend, world.shape)
        assignment = batch_assignment(key.circuit, world.parameters, statement, batch)
        public = MarginStatement.under(key.verifying, statement)
        proofs.append(prove(key, public, assignment, backend, lambda numbers=random: next(numbers)))  # type: ignore[misc]
        verify(key.verifying, public, proofs[-1], allow_insecure=True)
    assert proofs[0] == proofs[1] == proofs[2]
