"""Random programs against a plain interpreter, row by row."""

import random

import pytest

from circuits.field import MODULUS
from circuits.program import SPACE_SHIFT, Program
from prover.backend import Backend, BackendError

COLUMNS, CONSTANTS, REGISTERS = 3, 2, 5


def random_program(seed: int, n: int, length: int) -> Program:
    source = random.Random(seed)
    inputs = tuple((source.randrange(COLUMNS), source.choice([0, 1, -1, 2, n - 1, -n, 3 * n + 1])) for _ in range(6))

    def operand(registers: int) -> int:
        space = source.randrange(3 if registers else 2) + (0 if registers else 1)
        return space << SPACE_SHIFT | source.randrange((registers, len(inputs), CONSTANTS)[space])

    code = [(source.randrange(3), k, operand(k), operand(k)) for k in range(REGISTERS)]
    code += [
        (source.randrange(3), source.randrange(REGISTERS), operand(REGISTERS), operand(REGISTERS))
        for _ in range(length)
    ]
    outputs = (REGISTERS - 1, 0, 1 << SPACE_SHIFT | 2, 2 << SPACE_SHIFT | 1)
    return Program(inputs, CONSTANTS, REGISTERS, tuple(code), outputs)


def row_values(program: Program, columns: list[list[int]], constants: list[int], row: int) -> list[int]:
    """The outputs in one row."""
    registers = [0] * program.registers
    inputs = [columns[index][(row + rotation) % len(columns[index])] for index, rotation in program.inputs]

    def read(operand: int) -> int:
        return (registers, inputs, constants)[operand >> SPACE_SHIFT][operand & ((1 << SPACE_SHIFT) - 1)]

    for operation, target, a, b in program.code:
        x, y = read(a), read(b)
        registers[target] = (x + y, x - y, x * y)[operation] % MODULUS
    return [read(output) % MODULUS for output in program.outputs]


@pytest.mark.parametrize("n", [1, 2, 5, 64])
@pytest.mark.parametrize("seed", range(4))
def test_random_programs(backend: Backend, n: int, seed: int) -> None:
    check(backend, n, seed, 20)


@pytest.mark.parametrize("n", [127, 128, 129, 256, 300])
def test_rotations_across_chunks_and_threads(cpu: Backend, n: int) -> None:
    for seed in range(3):
        check(cpu, n, seed, 60)


def check(backend: Backend, n: int, seed: int, length: int) -> None:
    source = random.Random(seed)
    program = random_program(seed, n, length)
    columns = [[source.randrange(MODULUS) for _ in range(n)] for _ in range(COLUMNS)]
    constants = [source.randrange(MODULUS), MODULUS - 1]
    outputs = backend.run(program, [backend.vector(column) for column in columns], constants)
    rows = list(zip(*(backend.integers(output) for output in outputs), strict=True))
    assert rows == [tuple(row_values(program, columns, constants, row)) for row in range(n)]


def test_columns_of_two_lengths_are_refused(backend: Backend) -> None:
    with pytest.raises(BackendError, match="lengths 2 and 3 differ"):
        backend.run(random_program(0, 2, 3), [backend.vector([1] * k) for k in (2, 2, 3)], [1, 2])
