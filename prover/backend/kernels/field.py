"""Arithmetic modulo a prime below 2^254 as intrinsics: `SCALAR` (r, the order of G1) and `BASE` (p, coordinates)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from circuits.field import MODULUS
from prover.backend.kernels.host import radix_bits
from prover.backend.kernels.inversion import make_inverse
from prover.backend.kernels.wide import I256, MASK, element, emit_add, emit_dot, emit_mul, emit_sub, intrinsic

BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583
RADIX = 1 << radix_bits()  # Montgomery's R
EXTRA_BITS = radix_bits() - 256


class Field(NamedTuple):
    """Intrinsics over Montgomery forms. `mul` is inlined where it stands; `product` is the same as a call."""

    modulus: int
    add: Any
    sub: Any
    mul: Any
    product: Any
    dot: Any  # x_0 y_0 + ... + x_3 y_3, reduced once
    inverse: Any  # of a non-zero element; 0 for 0
    zero: Any
    one: Any
    plain_one: Any  # the integer 1: x * plain_one leaves Montgomery form
    radix_squared: Any  # x * radix_squared enters it


def make_field(modulus: int, name: str) -> Field:
    """The intrinsics of one modulus, which must be odd and below 2^254."""
    sub, product = _binary(emit_sub, modulus), _called(f"zkmargin_mul_{name}", modulus)
    return Field(
        modulus,
        _binary(emit_add, modulus),
        sub,
        _binary(partial(emit_mul, extra_bits=EXTRA_BITS), modulus),
        product,
        _dot(modulus),
        make_inverse(modulus, RADIX, _constant, product, sub),
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


def _dot(modulus: int) -> Any:
    @intrinsic
    def dot(typing: Any, xs: Any, ys: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = [tuple(builder.extract_value(four, k) for four in args) for k in range(4)]
            return emit_dot(builder, pairs, modulus, EXTRA_BITS)

        four = types.UniTuple(element, 4)
        return element(four, four), generate

    return dot


def _constant(value: int) -> Any:
    @intrinsic
    def constant(typing: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return ir.Constant(I256, value)

        return element(), generate

    return constant


def _called(name: str, modulus: int) -> Any:
    """The product as one function per module, which keeps long formulas short in code and in time to compile."""

    def function(module: Any) -> Any:
        found = module.globals.get(name)
        if found is not None:
            return found
        new = ir.Function(module, ir.FunctionType(I256, [I256, I256]), name)
        new.linkage = "linkonce_odr"
        new.attributes.add("noinline")
        new.attributes.add("nounwind")
        builder = ir.IRBuilder(new.append_basic_block())
        builder.ret(emit_mul(builder, new.args[0], new.args[1], modulus, EXTRA_BITS))
        return new

    @intrinsic
    def product(typing: Any, x: Any, y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.call(function(builder.module), args)

        return element(element, element), generate

    return product


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
