"""Arithmetic modulo a prime below 2^254 as intrinsics: `SCALAR` (r, the order of G1) and `BASE` (p, coordinates)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from circuits.field import MODULUS
from prover.backend.kernels.wide import I64, I256, MASK, element, emit_add, emit_mul, emit_sub, intrinsic

BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583
RADIX = 1 << 256


class Field(NamedTuple):
    """Intrinsics over Montgomery forms. `mul` is inlined where it stands; `product` is the same as a call."""

    modulus: int
    add: Any
    sub: Any
    mul: Any
    product: Any
    inverse: Any  # of a non-zero element; 0 for 0
    zero: Any
    one: Any
    plain_one: Any  # the integer 1: x * plain_one leaves Montgomery form
    radix_squared: Any  # x * radix_squared enters it


def make_field(modulus: int, name: str) -> Field:
    """The intrinsics of one modulus, which must be odd and below 2^254."""
    return Field(
        modulus,
        _binary(emit_add, modulus),
        _binary(emit_sub, modulus),
        _binary(emit_mul, modulus),
        _called(f"zkmargin_mul_{name}", modulus),
        _inverse(name, modulus),
        _constant(0),
        _constant(RADIX % modulus),
        _constant(1),
        _constant(RADIX * RADIX % modulus),
    )


def _binary(emit: Callable[..., Any], modulus: int) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, args[0], args[1], modulus)

        return element(element, element), generate

    return operation


def _constant(value: int) -> Any:
    @intrinsic
    def constant(typing: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return ir.Constant(I256, value)

        return element(), generate

    return constant


def _function(module: Any, name: str, arguments: int) -> tuple[Any, bool]:
    """The LLVM function of that name in the module, and whether it is new and has no body yet."""
    found = module.globals.get(name)
    if found is not None:
        return found, False
    function = ir.Function(module, ir.FunctionType(I256, [I256] * arguments), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    return function, True


def _product(module: Any, name: str, modulus: int) -> Any:
    function, new = _function(module, name, 2)
    if new:
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(emit_mul(builder, function.args[0], function.args[1], modulus))
    return function


def _called(name: str, modulus: int) -> Any:
    @intrinsic
    def product(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.call(_product(builder.module, name, modulus), args)

        return element(element, element), generate

    return product


def _inverse(name: str, modulus: int) -> Any:
    @intrinsic
    def inverse(typing: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function, new = _function(builder.module, f"zkmargin_inverse_{name}", 1)
            if new:
                _emit_inverse(function, _product(builder.module, f"zkmargin_mul_{name}", modulus), modulus)
            return builder.call(function, args)

        return element(element), generate

    return inverse


def _emit_inverse(function: Any, product: Any, modulus: int) -> None:
    """x^(modulus - 2), squaring from the top bit down."""
    exponent = modulus - 2
    entry, loop, multiply, step, leave = (
        function.append_basic_block(label) for label in ("entry", "loop", "multiply", "step", "leave")
    )
    builder = ir.IRBuilder(entry)
    builder.branch(loop)
    builder.position_at_end(loop)
    bit, power = builder.phi(I64), builder.phi(I256)
    squared = builder.call(product, [power, power])
    shifted = builder.lshr(ir.Constant(I256, exponent), builder.zext(bit, I256))
    builder.cbranch(builder.trunc(shifted, ir.IntType(1)), multiply, step)
    builder.position_at_end(multiply)
    multiplied = builder.call(product, [squared, function.args[0]])
    builder.branch(step)
    builder.position_at_end(step)
    result = builder.phi(I256)
    result.add_incoming(squared, loop)
    result.add_incoming(multiplied, multiply)
    builder.cbranch(builder.icmp_unsigned("==", bit, ir.Constant(I64, 0)), leave, loop)
    bit.add_incoming(ir.Constant(I64, exponent.bit_length() - 2), entry)
    power.add_incoming(function.args[0], entry)
    builder.position_at_start(step)
    builder.position_before(step.instructions[1])
    bit.add_incoming(builder.sub(bit, ir.Constant(I64, 1)), step)
    power.add_incoming(result, step)
    builder.position_at_end(leave)
    builder.ret(result)


SCALAR = make_field(MODULUS, "r")
BASE = make_field(BASE_MODULUS, "p")


def limbs(value: int) -> np.ndarray:
    """An integer below 2^256 as four uint64 limbs."""
    return np.array([value >> 64 * k & MASK for k in range(4)], dtype=np.uint64)


def montgomery(value: int, modulus: int = MODULUS) -> np.ndarray:
    """The Montgomery form of an integer, as limbs."""
    return limbs(value * RADIX % modulus)


def integer(array: np.ndarray, modulus: int = MODULUS) -> int:
    """The integer of one Montgomery form."""
    return int.from_bytes(array.astype("<u8").tobytes(), "little") * pow(RADIX, -1, modulus) % modulus
