"""Programs on the CPU: operands become indices into one list of addresses, rows go to threads."""

import numpy as np

from circuits.program import CONSTANT, INPUT, SPACE_SHIFT, Program
from prover.backend.kernels import select
from prover.backend.kernels.interpreter import ROWS
from prover.backend.protocol import BackendError
from prover.backend.threads import split

KERNELS = select()
REGISTER_BYTES = ROWS * 32


def run_program(program: Program, columns: list[np.ndarray], constants: np.ndarray) -> list[np.ndarray]:
    """The output columns, in limbs; columns: limbs of one length, constants: limbs of all constants."""
    if not columns or len(constants) != 4 * program.constants:
        raise BackendError(f"run: {len(columns)} columns and {len(constants) // 4} constants for the program given")
    n = len(columns[0]) // 4
    outputs = [np.empty(4 * n, np.uint64) for _ in program.outputs]
    targets = np.array([output.ctypes.data for output in outputs], np.uint64)
    code = np.array([(op, dst, _operand(program, a), _operand(program, b)) for op, dst, a, b in program.code], np.int64)
    results = np.array([_operand(program, operand) for operand in program.outputs], np.int64)
    offsets = np.zeros(program.registers + len(program.inputs), np.int64)
    offsets[program.registers :] = [rotation % n for _, rotation in program.inputs] if n else 0

    def rows(start: int, stop: int) -> None:
        registers = np.empty(program.registers * REGISTER_BYTES // 8, np.uint64)
        addresses = [registers.ctypes.data + k * REGISTER_BYTES for k in range(program.registers)]
        addresses += [columns[index].ctypes.data for index, _ in program.inputs]
        addresses += [constants.ctypes.data + 32 * k for k in range(program.constants)]
        KERNELS.interpret(code.reshape(-1), np.array(addresses, np.uint64), offsets, results, targets, n, start, stop)

    split(rows, n=n, least=ROWS)
    return outputs


def _operand(program: Program, operand: int) -> int:
    """The kernel's operand: registers, inputs and constants share one list of addresses."""
    space, index = operand >> SPACE_SHIFT, operand & ((1 << SPACE_SHIFT) - 1)
    first = {INPUT: program.registers, CONSTANT: program.registers + len(program.inputs)}.get(space, 0)
    return space << 32 | first + index
