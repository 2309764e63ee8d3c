"""Programs on the CPU: operands become indices into one list of addresses, rows go to threads."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from circuits.program import CONSTANT, INPUT, SPACE_SHIFT, Program
from prover.backend.cpu_lazy import lazy_code
from prover.backend.kernels import select
from prover.backend.kernels.field import montgomery
from prover.backend.kernels.interpreter import ROWS
from prover.backend.kernels.lanes_interpreter import REGISTER_WORDS
from prover.backend.memory import blank
from prover.backend.protocol import BackendError
from prover.backend.threads import split

KERNELS = select()
LANES = hasattr(KERNELS, "interpret_lanes")


def run_program(program: Program, columns: list[np.ndarray], constants: np.ndarray) -> list[np.ndarray]:
    """The output columns, in words; columns: words of one length, constants: words of all constants."""
    if not columns or len(constants) != 4 * program.constants:
        raise BackendError(f"run: {len(columns)} columns and {len(constants) // 4} constants for the program given")
    n = len(columns[0]) // 4
    outputs = [blank(4 * n) for _ in program.outputs]
    run = _run_lanes if LANES and n and n % 8 == 0 else _run
    run(program, [columns[index] for index, _ in program.inputs], constants, outputs, n)
    return outputs


def _run(
    program: Program, inputs: Sequence[np.ndarray], constants: np.ndarray, outputs: Sequence[np.ndarray], n: int
) -> None:
    code, results = _plain_code(program)
    offsets, targets, columns = _offsets(program, n), _addresses(outputs), _addresses(inputs)
    values = constants.ctypes.data + 32 * np.arange(program.constants, dtype=np.uint64)

    def rows(start: int, stop: int) -> None:
        registers = np.empty((program.registers, 4 * ROWS), np.uint64)
        addresses = np.concatenate([_addresses(registers), columns, values])
        KERNELS.interpret(code, addresses, offsets, results, targets, n, start, stop)

    split(rows, n=n, least=ROWS)


def _run_lanes(
    program: Program, inputs: Sequence[np.ndarray], constants: np.ndarray, outputs: Sequence[np.ndarray], n: int
) -> None:
    code, results = lazy_code(program)
    offsets, targets, columns = _offsets(program, n), _addresses(outputs), _addresses(inputs)
    constants = np.concatenate([constants, montgomery(1)])

    def rows(start: int, stop: int) -> None:
        registers = np.empty((program.registers, REGISTER_WORDS), np.uint64)
        planar = np.empty((program.constants + 1, 40), np.uint64)
        addresses = np.concatenate([_addresses(registers), columns, _addresses(planar)])
        KERNELS.interpret_lanes(code, addresses, offsets, constants, results, targets, n, 8 * start, 8 * stop)

    split(rows, n=n // 8, least=ROWS // 8)


def _addresses(arrays: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    return np.array([array.ctypes.data for array in arrays], np.uint64)


def _offsets(program: Program, n: int) -> np.ndarray:
    """The rotation of each register, input and constant, in [0, n)."""
    offsets = np.zeros(program.registers + len(program.inputs), np.int64)
    offsets[program.registers :] = [rotation % n for _, rotation in program.inputs] if n else 0
    return offsets


@lru_cache(maxsize=64)
def _plain_code(program: Program) -> tuple[np.ndarray, np.ndarray]:
    code = np.array([(op, dst, _operand(program, a), _operand(program, b)) for op, dst, a, b in program.code], np.int64)
    return code.reshape(-1), np.array([_operand(program, operand) for operand in program.outputs], np.int64)


def _operand(program: Program, operand: int) -> int:
    """The kernel's operand: registers, inputs and constants share one list of addresses."""
    space, index = operand >> SPACE_SHIFT, operand & ((1 << SPACE_SHIFT) - 1)
    first = {INPUT: program.registers, CONSTANT: program.registers + len(program.inputs)}.get(space, 0)
    return space << 32 | first + index
