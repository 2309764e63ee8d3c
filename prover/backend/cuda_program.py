"""Programs on the device: one launch, a thread for each row."""

from __future__ import annotations

import numpy as np

from circuits.program import Program
from prover.backend.cuda_device import Array, Device
from prover.backend.protocol import BackendError

REGISTERS = (16, 64, 256)  # of the interpreters in programs.cu
KEPT_PROGRAMS = 64


class Programs:
    """The code of programs, kept on the device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._code: dict[Program, tuple[Array, Array]] = {}

    def run(self, program: Program, columns: list[Array], constants: Array) -> list[Array]:
        """The output columns; columns: words of one length, constants: words of all constants."""
        if not columns or len(constants) != 4 * program.constants:
            raise BackendError(f"run: {len(columns)} columns and {len(constants) // 4} constants for the program given")
        device, n = self.device, len(columns[0]) // 4
        code, results = self._upload(program)
        outputs = [device.empty(4 * n) for _ in program.outputs]
        inputs = device.addresses([columns[index] for index, _ in program.inputs])
        rotations = device.upload(np.array([rotation % max(n, 1) for _, rotation in program.inputs], np.int64))
        targets, length, count = device.addresses(outputs), len(program.code), len(outputs)
        arguments = (code, length, inputs, rotations, constants, results, targets, count, n)
        device.launch("programs", f"interpret_{_interpreter(program)}", n, *arguments)
        return outputs

    def _upload(self, program: Program) -> tuple[Array, Array]:
        """Code and results."""
        if program not in self._code:
            if len(self._code) >= KEPT_PROGRAMS:
                self._code.clear()
            code = np.array(program.code, np.uint32).reshape(-1)
            self._code[program] = self.device.upload(code), self.device.upload(np.array(program.outputs, np.uint32))
        return self._code[program]


def _interpreter(program: Program) -> int:
    """The least number of registers that an interpreter has and the program fits in."""
    for registers in REGISTERS:
        if program.registers <= registers:
            return registers
    raise BackendError(f"run: a program of {program.registers} registers, of at most {REGISTERS[-1]}")
