"""Points of G1, y^2 = x^3 + 3: complete formulas in extended Jacobian form (x = X/ZZ, y = Y/ZZZ, infinity ZZ = 0)."""

from typing import Any

import numpy as np

from prover.backend.kernels.cache import kernel
from prover.backend.kernels.field import BASE
from prover.backend.kernels.wide import is_zero, less, load, store

Array = np.ndarray[Any, Any]
Extended = tuple[Any, Any, Any, Any]
add, sub, mul, inverse = BASE.add, BASE.sub, BASE.product, BASE.inverse
zero, one, plain_one, radix_squared = BASE.zero, BASE.one, BASE.plain_one, BASE.radix_squared


@kernel
def double(p: Extended) -> Extended:
    """2P (dbl-2008-s-1); also of infinity."""
    x, y, zz, zzz = p
    u = add(y, y)
    v = mul(u, u)
    w = mul(u, v)
    s = mul(x, v)
    xx = mul(x, x)
    m = add(add(xx, xx), xx)
    x3 = sub(mul(m, m), add(s, s))
    return x3, sub(mul(m, sub(s, x3)), mul(w, y)), mul(v, zz), mul(w, zzz)


@kernel
def add_affine(p: Extended, x2: Any, y2: Any) -> Extended:
    """P + (x2, y2) (madd-2008-s), where (0, 0) is infinity."""
    x1, y1, zz, zzz = p
    if is_zero(x2) and is_zero(y2):
        return p
    if is_zero(zz):
        return x2, y2, one(), one()
    h, r = sub(mul(x2, zz), x1), sub(mul(y2, zzz), y1)
    if is_zero(h):
        return double(p) if is_zero(r) else (zero(), zero(), zero(), zero())
    hh = mul(h, h)
    hhh = mul(h, hh)
    q = mul(x1, hh)
    x3 = sub(sub(mul(r, r), hhh), add(q, q))
    return x3, sub(mul(r, sub(q, x3)), mul(y1, hhh)), mul(zz, hh), mul(zzz, hhh)


@kernel
def add_extended(p: Extended, q: Extended) -> Extended:
    """P + Q (add-2008-s)."""
    if is_zero(p[2]):
        return q
    if is_zero(q[2]):
        return p
    u, s = mul(p[0], q[2]), mul(p[1], q[3])
    h, r = sub(mul(q[0], p[2]), u), sub(mul(q[1], p[3]), s)
    if is_zero(h):
        return double(p) if is_zero(r) else (zero(), zero(), zero(), zero())
    hh = mul(h, h)
    hhh = mul(h, hh)
    v = mul(u, hh)
    x3 = sub(sub(mul(r, r), hhh), add(v, v))
    y3 = sub(mul(r, sub(v, x3)), mul(s, hhh))
    return x3, y3, mul(mul(p[2], q[2]), hh), mul(mul(p[3], q[3]), hhh)


@kernel
def load_extended(memory: Array, i: int) -> Extended:
    """Extended point i of an array of 16 limbs a point."""
    return load(memory, 4 * i), load(memory, 4 * i + 1), load(memory, 4 * i + 2), load(memory, 4 * i + 3)


@kernel
def store_extended(memory: Array, i: int, p: Extended) -> None:
    """Writes where `load_extended` reads."""
    store(memory, 4 * i, p[0])
    store(memory, 4 * i + 1, p[1])
    store(memory, 4 * i + 2, p[2])
    store(memory, 4 * i + 3, p[3])


@kernel
def normalize(extended: Array, scratch: Array, out: Array, start: int, stop: int) -> None:
    """Affine points [start, stop) from extended ones, with one inversion; scratch: one element a point."""
    running = one()
    for i in range(start, stop):
        store(scratch, i, running)
        z = load(extended, 4 * i + 3)
        if not is_zero(z):
            running = mul(running, z)
    running = inverse(running)
    for i in range(stop - 1, start - 1, -1):
        x, y, zz, zzz = load_extended(extended, i)
        if is_zero(zz):
            store(out, 2 * i, zero())
            store(out, 2 * i + 1, zero())
        else:
            z3 = mul(running, load(scratch, i))  # 1/Z^3
            running = mul(running, zzz)
            z1 = mul(z3, zz)
            store(out, 2 * i, mul(x, mul(z1, z1)))
            store(out, 2 * i + 1, mul(y, z3))


@kernel
def encode_points(plain: Array, modulus: Array, out: Array, start: int, stop: int) -> int:
    """Coordinates [start, stop) into Montgomery form; the index of the first that is not below the modulus, else -1."""
    bound = load(modulus, 0)
    for i in range(start, stop):
        value = load(plain, i)
        if not less(value, bound):
            return i
        store(out, i, mul(value, radix_squared()))
    return -1


@kernel
def decode_points(points: Array, out: Array, start: int, stop: int) -> None:
    """Coordinates [start, stop) out of Montgomery form."""
    for i in range(start, stop):
        store(out, i, mul(load(points, i), plain_one()))


@kernel
def on_curve(points: Array, start: int, stop: int) -> bool:
    """Whether points [start, stop) are infinity or satisfy y^2 = x^3 + 3."""
    three = add(add(one(), one()), one())
    for i in range(start, stop):
        x, y = load(points, 2 * i), load(points, 2 * i + 1)
        error = sub(sub(mul(y, y), mul(mul(x, x), x)), three)
        if not (is_zero(error) or (is_zero(x) and is_zero(y))):
            return False
    return True
