// Straight-line programs (circuits/program.py), a thread for each row. Interpreted, not generated: a program of the
// margin circuit has thousands of instructions, of which each would be some 300 of the machine, far beyond its
// instruction cache and minutes of compilation; the interpreter's loop stays in the cache, and reading an instruction,
// the same in all threads, is little beside a multiplication. Registers lie in the thread's local memory.

typedef Element<Scalar> Value;

#define SPACE_SHIFT 24
#define INDEX_MASK ((1u << SPACE_SHIFT) - 1)

struct Rows {
    const u64 *columns;    // of each input
    const i64 *rotations;  // of each input, in [0, n)
    const u32 *constants;
    i64 row, n;
};

DEVICE Value operand(const u32 (*registers)[8], const Rows &rows, u32 code) {
    u32 index = code & INDEX_MASK;
    switch (code >> SPACE_SHIFT) {
        case 0: {
            Value x;
            UNROLL for (int k = 0; k < 8; k++) x.word[k] = registers[index][k];
            return x;
        }
        case 1: {
            i64 row = rows.row + rows.rotations[index];
            return load<Scalar>((const u32 *)rows.columns[index], row < rows.n ? row : row - rows.n);
        }
        default:
            return load<Scalar>(rows.constants, index);
    }
}

// code: (operation, register, operand, operand) for each instruction.
template <int REGISTERS>
DEVICE void run_row(const uint4 *code, i64 length, const Rows &rows, const u32 *results, const u64 *outputs, i64 count) {
    u32 registers[REGISTERS][8];
    KEEP_LOOP for (i64 i = 0; i < length; i++) {
        uint4 instruction = code[i];
        Value a = operand(registers, rows, instruction.z), b = operand(registers, rows, instruction.w);
        if (instruction.x == 2) a = a * b;
        else a = instruction.x ? a - b : a + b;
        UNROLL for (int k = 0; k < 8; k++) registers[instruction.y][k] = a.word[k];
    }
    KEEP_LOOP for (i64 k = 0; k < count; k++) store((u32 *)outputs[k], rows.row, operand(registers, rows, results[k]));
}

#define INTERPRETER(registers)                                                                                        \
    KERNEL(interpret_##registers, const uint4 *code, i64 length, const u64 *columns, const i64 *rotations,             \
           const u32 *constants, const u32 *results, const u64 *outputs, i64 count, i64 n) {                         \
        PHASE {                                                                                                       \
            i64 row = thread_index();                                                                                 \
            if (row < n) run_row<registers>(code, length, {columns, rotations, constants, row, n}, results, outputs, count); \
        }                                                                                                             \
    }

INTERPRETER(16)
INTERPRETER(64)
INTERPRETER(256)
