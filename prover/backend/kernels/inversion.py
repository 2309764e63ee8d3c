"""The inverse modulo a prime by Bernstein and Yang's divsteps (safegcd, 2019, with half deltas), 62 steps at a time.

f = p and g = x shrink to +-1 and 0 under 2x2 matrices of words; d and e follow modulo p, so d x = f (mod p) throughout.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import extending, types

from prover.backend.kernels.wide import I64, I256, element, intrinsic

I320 = ir.IntType(320)
STEPS = 62


class WideType(types.Type):
    """A signed integer below 2^319 in absolute value."""

    def __init__(self) -> None:
        super().__init__(name="Wide320")


wide = WideType()


@extending.register_model(WideType)
class WideModel(extending.models.PrimitiveModel):
    """In registers and on the stack: the integer itself."""

    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, I320)


@intrinsic
def low_word(typing: Any, x: Any) -> Any:
    """The low 64 bits as int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.trunc(args[0], I64)

    return types.int64(wide), generate


@intrinsic
def sign(typing: Any, x: Any) -> Any:
    """-1, 0 or 1."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(I320, 0)
        positive = builder.zext(builder.icmp_signed(">", args[0], zero), I64)
        return builder.sub(positive, builder.zext(builder.icmp_signed("<", args[0], zero), I64))

    return types.int64(wide), generate


@intrinsic
def widen(typing: Any, x: Any) -> Any:
    """An element as an integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(args[0], I320)

    return wide(element), generate


@intrinsic
def narrow(typing: Any, x: Any) -> Any:
    """An integer in [0, 2^256) as an element."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.trunc(args[0], I256)

    return element(wide), generate


def _weighted_sum(builder: Any, args: Any) -> Any:
    x, y, u, v = args
    return builder.add(builder.mul(x, builder.sext(u, I320)), builder.mul(y, builder.sext(v, I320)))


@intrinsic
def step_exact(typing: Any, x: Any, y: Any, u: Any, v: Any) -> Any:
    """(u x + v y) / 2^62, which is exact for the matrix of 62 divsteps of x and y."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ashr(_weighted_sum(builder, args), ir.Constant(I320, STEPS))

    return wide(wide, wide, types.int64, types.int64), generate


def _step_modular(modulus: int) -> Any:
    """(u x + v y) / 2^62 mod modulus, canonical for canonical x and y and |u| + |v| <= 2^62."""

    @intrinsic
    def step(typing: Any, x: Any, y: Any, u: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            total, p, zero = _weighted_sum(builder, args), ir.Constant(I320, modulus), ir.Constant(I320, 0)
            factor = ir.Constant(I64, -pow(modulus, -1, 1 << STEPS) % (1 << STEPS))
            low = builder.and_(builder.mul(builder.trunc(total, I64), factor), ir.Constant(I64, (1 << STEPS) - 1))
            lifted = builder.add(total, builder.mul(builder.zext(low, I320), p))
            value = builder.ashr(lifted, ir.Constant(I320, STEPS))  # in (-p, 2p)
            value = builder.add(value, builder.select(builder.icmp_signed("<", value, zero), p, zero))
            return builder.sub(value, builder.select(builder.icmp_signed("<", value, p), zero, p))

        return wide(wide, wide, types.int64, types.int64), generate

    return step


def make_inverse(modulus: int, radix: int, constant: Callable[[int], Any], product: Any, sub: Any) -> Any:
    """The inverse in Montgomery form, 0 for 0; a function for kernels to call, which are cached with it inside.

    constant(k) makes an intrinsic of no arguments; product and sub are the field's.
    """
    first, zero, one = constant(modulus), constant(0), constant(1)
    correction = constant(pow(radix, 3, modulus))  # (x R)^-1 times R^3, by a product that takes off one R
    step_modular = _step_modular(modulus)

    @numba.njit(nogil=True, boundscheck=False, error_model="numpy")
    def inverse(x: Any) -> Any:
        f, g, d, e = widen(first()), widen(x), widen(zero()), widen(one())
        zeta = -1  # -(delta + 1/2)
        while sign(g) != 0:
            a, b = low_word(f), low_word(g)
            u, v, q, r = 1, 0, 0, 1
            for _ in range(STEPS):
                swap, odd = zeta >> 63, -(b & 1)
                b += ((a ^ swap) - swap) & odd
                q += ((u ^ swap) - swap) & odd
                r += ((v ^ swap) - swap) & odd
                swap &= odd
                zeta = (zeta ^ swap) - 1
                a += b & swap
                u += q & swap
                v += r & swap
                b, u, v = b >> 1, u << 1, v << 1
            f, g = step_exact(f, g, u, v), step_exact(f, g, q, r)
            d, e = step_modular(d, e, u, v), step_modular(d, e, q, r)
        result = product(narrow(d), correction())
        return sub(zero(), result) if sign(f) < 0 else result

    return inverse
