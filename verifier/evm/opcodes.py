"""EVM instructions, as bytes."""

OPCODES = {
    "add": 0x01, "mul": 0x02, "sub": 0x03, "mod": 0x06, "addmod": 0x08, "mulmod": 0x09, "lt": 0x10, "eq": 0x14,
    "iszero": 0x15, "and": 0x16, "calldataload": 0x35, "calldatasize": 0x36, "calldatacopy": 0x37,
    "returndatasize": 0x3D, "pop": 0x50, "mload": 0x51, "mstore": 0x52, "mstore8": 0x53, "jumpi": 0x57, "pc": 0x58,
    "gas": 0x5A, "jumpdest": 0x5B, "return": 0xF3, "staticcall": 0xFA, "revert": 0xFD,
}  # fmt: skip
WORD = 32
ECADD, ECMUL, PAIRING, SHA256, MODEXP = 6, 7, 8, 2, 5
"""Precompiles: EIP-196, EIP-197, the yellow paper, EIP-198"""


def op(*names: str) -> bytes:
    return bytes(OPCODES[name] for name in names)


def push(*values: int) -> bytes:
    """The shortest PUSH of each integer (EIP-3855: PUSH0)."""
    return b"".join(bytes([0x5F + size]) + value.to_bytes(size, "big") for value in values for size in [_bytes(value)])


def dup(depth: int) -> bytes:
    """A copy of the word below `depth` others."""
    return bytes([0x80 + depth])


def swap(depth: int) -> bytes:
    """Exchanges the top with the word `depth` below it."""
    return bytes([0x8F + depth])


def call(address: bytes, start: int, size: int, target: int, target_size: int) -> bytes:
    """Whether a staticcall of memory[start, start + size) succeeds and returns exactly target_size bytes, to `target`.

    address: code that pushes it.
    """
    arguments = push(target_size, target, size, start) + address
    return arguments + op("gas", "staticcall", "returndatasize") + push(target_size) + op("eq", "and")


def demand() -> bytes:
    """Reverts when the top of the stack is zero; jumps by the distance from here, wherever that will lie."""
    return push(6) + op("pc", "add", "jumpi") + push(0, 0) + op("revert", "jumpdest")


def _bytes(value: int) -> int:
    return (value.bit_length() + 7) // 8
