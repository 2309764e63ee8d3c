"""Runs PTX, NVIDIA's assembly, on the host: each function becomes Python, each thread a generator that stops at
barriers. Slow, but it executes the very carry chains that a GPU would; the host's compiler never sees those.

Values are unsigned. Global and local memory are the process's own, at its own addresses; a block's shared memory has
addresses of its own from zero on, which fit in 32 bits as on a device.
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

FORMATS = {"8": "B", "16": "H", "32": "I", "64": "Q"}
THREADS = 128
SHARED = 48 << 10  # bytes of a block
HEADER = re.compile(
    r"^(?:\.visible )?\.(?:entry|func)\s+(?:\([^)]*\)\s*)?(\w+)\(\n?(.*?)\n?\)\n.*?^{\n(.*?)^}", re.M | re.S
)
DECLARED = re.compile(r"^\s*\.(shared|local) \.align (\d+) \.b8\s+(\w+)\[(\d+)\];", re.M)
CALL = re.compile(r"call\.uni \((\w+)\),\s*(\w+),\s*\(([^)]*)\)")


def load(address: int, form: str) -> tuple[int, ...]:
    """Values from memory, at an address that is aligned to all of them together."""
    size = struct.calcsize(form)
    assert address % size == 0, f"{size} bytes at {address:#x}"
    return struct.unpack(form, ctypes.string_at(address, size))


def store(address: int, form: str, *values: int) -> None:
    """The reverse of `load`."""
    size = struct.calcsize(form)
    assert address % size == 0, f"{size} bytes at {address:#x}"
    ctypes.memmove(address, struct.pack(form, *values), size)


def buffer(size: int, align: int) -> tuple[Any, int]:
    """Memory and its address."""
    held = ctypes.create_string_buffer(size + align)
    return held, -(-ctypes.addressof(held) // align) * align


def signed(value: int, bits: int) -> int:
    """From two's complement."""
    return value - (1 << bits) if value >> (bits - 1) else value


def quotient(a: int, b: int, bits: int) -> int:
    """Towards zero."""
    x, y = signed(a, bits), signed(b, bits)
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def python_of(name: str, body: str) -> str:
    """The source of a generator function(parameters, place): parameters are integers, or bytes of a call's."""
    body = re.sub(r"//[^\n]*", "", DECLARED.sub("", body))
    body = CALL.sub(lambda m: "call " + " ".join([m[1], m[2], *re.findall(r"\w+", m[3])]), body)
    statements = [s.strip() for s in re.split(r";|(?<=:)\n|[{}](?=\s*$)|^\s*\{", body, flags=re.M)]
    lines = [
        "def function(parameters, place, thread):",
        "  space, carry, at = {}, 0, 0",
        "  while True:",
        "   if at == 0:",
    ]
    labels = re.findall(r"^(\$\w+):", body, re.M)
    number = {label: k + 1 for k, label in enumerate(labels)}
    for statement in statements:
        if statement.endswith(":"):
            lines += [f"    at = {number[statement[:-1]]}", f"   if at == {number[statement[:-1]]}:"]
        elif statement and not statement.startswith("."):
            lines += ["    " + line for line in translate(statement, number, name)]
    return "\n".join([*lines, "   if at is None:", "    yield"])  # a generator, with barriers or without


def translate(statement: str, number: dict[str, int], name: str) -> list[str]:
    """One instruction."""
    guard, operation, rest = re.match(r"(?:@(!?%\w+)\s+)?([\w.:]+)\s*(.*)", statement, re.S).groups()  # type: ignore[union-attr]
    operands = [value(part) for part in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", rest)]
    done = instruction(operation.replace("::", "").split("."), operands, number, name)
    if guard is None:
        return done
    condition = f"not {value(guard[1:])}" if guard[0] == "!" else value(guard)
    return [f"if {condition}:", *("  " + line for line in done)]


def value(text: str) -> str:
    """An operand as Python: registers are names, symbols are places, constants integers."""
    special = {"%tid.x": "thread", "%ctaid.x": "place['%block']", "%nctaid.x": "place['%blocks']"}
    if text in special or re.fullmatch(r"-?\d+|0x[0-9a-fA-F]+|\$\w+", text) or text[0] in "[{":
        return special.get(text, text)
    return text.replace("%", "v_") if text[0] == "%" else f"place[{text!r}]" if text.startswith("_") else text


def instruction(op: list[str], x: list[str], number: dict[str, int], name: str) -> list[str]:
    """The Python of an operation and its operands."""
    bits = next((part[1:] for part in op[1:] if part[1:] in FORMATS and part[0] in "bus"), "32")
    width, mask = int(bits), (1 << int(bits)) - 1
    sign = any(part == f"s{bits}" for part in op)
    match op[0]:
        case "ret":
            return ["return space.get('func_retval0')"]
        case "bra":
            return [f"at = {number[x[0]]}", "continue"]
        case "bar":
            return ["yield"]
        case "call":
            result, function, *arguments = rest_of(x)
            listed = ", ".join(f"space[{argument!r}]" for argument in arguments)
            return [f"space[{result!r}] = yield from place[{function!r}]([{listed}], place, thread)"]
        case "ld" | "st" if "param" in op:
            return parameter(op[0], x, FORMATS[bits], name)
        case "ld" | "st":
            return access(op, x, FORMATS[bits], sign, width)
        case "setp":
            return [f"{x[0]} = {compared(x[1], sign, width)} {RELATIONS[op[1]]} {compared(x[2], sign, width)}"]
        case "selp":
            return [f"{x[0]} = ({x[1]} if {x[3]} else {x[2]}) & {mask}"]
        case "not" | "mov" if op[1] == "pred":
            return [f"{x[0]} = {'not ' if op[0] == 'not' else ''}bool({compared(x[1], True, 64)})"]
        case "and" | "or" | "xor" if op[1] == "pred":
            return [f"{x[0]} = bool({x[1]} {LOGIC[op[0]]} {x[2]})"]
    carried, sets = op[0] in ("madc", "addc", "subc"), "cc" in op
    result = arithmetic(op, x[1:], width, sign)
    if not sets:
        return [f"{x[0]} = ({result}{(' - carry' if op[0] == 'subc' else ' + carry') if carried else ''}) & {mask}"]
    borrow = op[0].startswith("sub")
    total = f"total = {result}{(' - carry' if borrow else ' + carry') if carried else ''}"
    return [total, f"{x[0]} = total & {mask}", "carry = int(total < 0)" if borrow else f"carry = total >> {width}"]


RELATIONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
LOGIC = {"and": "&", "or": "|", "xor": "^"}


def rest_of(x: list[str]) -> list[str]:
    """Names of functions and parameters as they were."""
    return [re.sub(r"^place\['(.*)'\]$", r"\1", part) for part in x]


def compared(operand: str, sign: bool, width: int) -> str:
    """An operand as an integer with its sign, or without."""
    if re.fullmatch(r"-?\d+", operand):
        return operand if sign else str(int(operand) % (1 << width))
    return f"signed({operand}, {width})" if sign else operand


def arithmetic(op: list[str], x: list[str], width: int, sign: bool) -> str:
    """What is computed, without the carry in and not yet reduced."""
    mask = (1 << width) - 1
    masked = [f"({operand} & {mask})" if re.fullmatch(r"-\d+|0x\w+", operand) else operand for operand in x]
    a, b, c, *more = [*masked, "", "", ""]
    match op[0]:
        case "cvta" if "shared" in op:
            return f"{a} {'-' if 'to' in op else '+'} place['%shared']"
        case "mov" | "cvta" | "cvt":
            return a
        case "add" | "addc":
            return f"{a} + {b}"
        case "sub" | "subc":
            return f"{a} - {b}"
        case "neg":
            return f"-{a}"
        case "not":
            return f"~{a}"
        case "and" | "or" | "xor":
            return f"({a} {LOGIC[op[0]]} {b})"
        case "shl":
            return f"({a} << min({b}, {width}))"
        case "shr":
            return f"({compared(a, True, width)} >> min({b}, {width}))" if sign else f"({a} >> min({b}, {width}))"
        case "mul" | "mad" | "madc":
            product = f"{compared(a, sign, width)} * {compared(b, sign, width)}"
            if op[1] == "wide":
                return f"({product}) & {(1 << 2 * width) - 1}"
            part = f"(({product}) & {mask})" if op[1] == "lo" else f"(({product}) >> {width})"
            return part if op[0] == "mul" else f"{part} + {c}"
        case "div" | "rem":
            whole = f"quotient({a}, {b}, {width})" if sign else f"{a} // {b}"
            return whole if op[0] == "div" else f"{compared(a, sign, width)} - {whole} * {compared(b, sign, width)}"
        case "min" | "max":
            return f"{op[0]}({compared(a, sign, width)}, {compared(b, sign, width)})"
        case "brev":
            return f"int(format({a}, '0{width}b')[::-1], 2)"
        case "bfi":  # insert `length` bits of a into b from `start`
            start, length = c, more[0]
            return f"(({b} & ~(((1 << {length}) - 1) << {start})) | ({a} & ((1 << {length}) - 1)) << {start})"
    raise NotImplementedError(".".join(op))


def parameter(what: str, x: list[str], form: str, name: str) -> list[str]:
    """Loads and stores of a function's parameters, and of those that it passes."""
    target, place = (x[0], x[1]) if what == "ld" else (x[1], x[0])
    [(symbol, offset)] = re.findall(r"\[(\w+)(?:\+(\d+))?\]", place)
    own = re.fullmatch(rf"{re.escape(name)}_param_(\d+)", symbol)
    if own:
        return [f"{target} = int(parameters[{own[1]}])"]
    if what == "st" and symbol.startswith("param"):
        return [f"space[{symbol!r}] = {target}"]
    if what == "st":
        return [f"struct.pack_into({form!r}, space.setdefault({symbol!r}, bytearray(256)), {offset or 0}, {target})"]
    return [f"[{target}] = struct.unpack_from({form!r}, space[{symbol!r}], {offset or 0})"]


def access(op: list[str], x: list[str], form: str, sign: bool, width: int) -> list[str]:
    """Loads and stores of memory."""
    values, place = (x[0], x[1]) if op[0] == "ld" else (x[1], x[0])
    names = [value(part) for part in re.findall(r"[^{},\s]+", values)]
    form = f"<{len(names)}{form}"
    base, _, offset = place.strip("[]").partition("+")
    address = f"{value(base)} + {offset or 0}" + (" + place['%shared']" if "shared" in op else "")
    if op[0] == "st":
        masked = ", ".join(f"{part} & {(1 << width) - 1}" for part in names)
        return [f"store({address}, {form!r}, {masked})"]
    loaded = [f"{', '.join(names)}, = load({address}, {form!r})"]
    return [*loaded, *(f"{part} = signed({part}, {width}) & 0xffff" for part in names if sign)]


class Module:
    """The functions of one text of PTX."""

    def __init__(self, text: str) -> None:
        self.functions: dict[str, Callable[..., Iterator[None]]] = {}
        self.declared: list[tuple[str, int, str, int]] = []
        self.counts: dict[str, int] = {}
        scope = {"load": load, "store": store, "struct": struct, "signed": signed, "quotient": quotient}
        for name, parameters, body in HEADER.findall(text):
            depot = f"_{name}_depot"
            body = re.sub(r"__local_depot\d+", depot, body)
            self.declared += [(kind, int(align), what, int(size)) for kind, align, what, size in DECLARED.findall(body)]
            made: dict[str, Any] = {}
            exec(compile(python_of(name, body), name, "exec"), scope, made)
            self.functions[name], self.counts[name] = made["function"], len(re.findall("_param_", parameters))

    def run(self, name: str, blocks: int, parameters: list[int]) -> None:
        """Every block, one after the other; its threads from barrier to barrier."""
        assert len(parameters) == self.counts[name]
        for block in range(blocks):
            shared: dict[str, Any] = {**self.functions, "%block": block, "%blocks": blocks}
            memory, shared["%shared"] = buffer(SHARED, 128)
            held, end = [memory], 0
            for kind, align, what, size in self.declared:
                if kind == "shared":
                    shared[what] = -(-end // align) * align
                    end = shared[what] + size
            assert end <= SHARED
            threads = []
            for thread in range(THREADS):
                place = dict(shared)
                for kind, align, what, size in self.declared:
                    if kind == "local":
                        memory, place[what] = buffer(size, max(align, 16))
                        held.append(memory)
                threads.append(self.functions[name](parameters, place, thread))
            while threads:
                threads = [thread for thread in threads if next(thread, _END) is not _END]


_END = object()
"""A thread that has returned."""


def module_of(text: str) -> SimpleNamespace:
    """As CuPy's RawModule."""
    module = Module(text)

    def get_function(name: str) -> Callable[..., None]:
        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            assert block == (THREADS,)
            words = [a.ctypes.data if isinstance(a, np.ndarray) else int(a) for a in arguments]
            module.run(name, grid[0], words)

        return launch

    return SimpleNamespace(get_function=get_function)
