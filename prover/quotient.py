"""The quotient Q = sum_t alpha^e_t * C_t / (X^n_t - 1), table by table and coset by coset.

On shift*H_n the divisor is the constant shift^n - 1, and interpolation there gives Q mod (X^n - y), y = shift^n.
A share of c*n + e coefficients with small e takes c such cosets, and for its last coefficients one coset of only about
e points: Q = L + T * prod_i (X^n - y_i), where L comes from the c cosets and T from the small one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from circuits.field import GENERATOR, MODULUS, inverse, root_of_unity
from circuits.program import LAGRANGE_COLUMN, X_COLUMN, Compiled, compile_program
from circuits.table import Table
from prover.backend import Backend, Vector
from prover.polynomial import fold
from prover.program import Scalars, run_compiled
from verifier.kzg import powers
from verifier.proof import Layout

# the y_i are GENERATOR^n times 2^k-th roots of unity; GENERATOR^(2n) is none of them, for the generator's order is not
# a power of two
SMALL_SHIFT = GENERATOR * GENERATOR


def table_quotient(
    backend: Backend, layout: Layout, table: Table, coefficients: Mapping[str, Vector], scalars: Scalars
) -> Vector:
    """C_t / (X^n - 1) in `layout.quotient_length(table)` coefficients, for columns given by theirs.

    scalars: all challenges, the table's sigma and the statement's. Where a constraint is violated there is no such
    polynomial, and the result does not satisfy the identity.
    """
    size, length = table.size, layout.quotient_length(table)
    lagrange = {LAGRANGE_COLUMN: backend.powers(1, size, inverse(size))}  # L_0 = (1 + X + ... + X^(n-1)) / n
    share = _Share(
        backend, size, compile_program([layout.circuit.folded(table)]), {**coefficients, **lagrange}, scalars
    )
    cosets, small = split_length(length, size)
    step = root_of_unity(_power_of_two(cosets) * size)
    shifts = [GENERATOR * power % MODULUS for power in powers(step, cosets)]
    nodes = [pow(shift, size, MODULUS) for shift in shifts]
    blocks = _interpolate(backend, [share.remainder(shift) for shift in shifts], nodes)
    if small:
        blocks = _with_tail(backend, blocks, nodes, share, small)
    return backend.slice(backend.concatenate(blocks), 0, length)


def split_length(length: int, size: int) -> tuple[int, int]:
    """(whole cosets, points of the small coset or 0) that determine `length` coefficients of a table of `size` rows."""
    cosets, rest = divmod(length, size)
    small = _power_of_two(rest) if rest else 0
    return (cosets + 1, 0) if 2 * small > size else (cosets, small)


@dataclass(frozen=True)
class _Share:
    """The folded constraints of a table of `size` rows; coefficients: of the columns, and of L_0 as `#lagrange`."""

    backend: Backend
    size: int
    compiled: Compiled
    coefficients: Mapping[str, Vector]
    scalars: Scalars

    def remainder(self, shift: int) -> Vector:
        """Q mod (X^n - shift^n), n coefficients."""
        inputs = self.backend.each(lambda name: self._column(name, self.size, shift), self.compiled.columns)
        [values] = run_compiled(self.backend, self.compiled, inputs, self.size, self.scalars)
        divisor = inverse(pow(shift, self.size, MODULUS) - 1)
        return self.backend.intt(self.backend.combine([values], [divisor]), shift)

    def small_values(self, points: int) -> Vector:
        """Q on SMALL_SHIFT*H_points, where a rotation is no step: each f(omega^rho * X) is evaluated for itself."""
        program, omega = self.compiled.program, root_of_unity(self.size)

        def rotated(entry: tuple[int, int]) -> Vector:
            index, rotation = entry
            shift = SMALL_SHIFT * pow(omega, rotation, MODULUS) % MODULUS
            return self._column(self.compiled.columns[index], points, shift)

        inputs = self.backend.each(rotated, program.inputs)
        unrotated = replace(self.compiled, program=replace(program, inputs=tuple((i, 0) for i in range(len(inputs)))))
        [values] = run_compiled(self.backend, unrotated, inputs, points, self.scalars)
        return self.backend.combine([values], [inverse(pow(SMALL_SHIFT, self.size, MODULUS) - 1)])

    def _column(self, name: str, points: int, shift: int) -> Vector:
        if name == X_COLUMN:
            return self.backend.powers(root_of_unity(points), points, shift)
        coefficients = self.coefficients[name]
        if len(coefficients) > 2 * points:  # in few steps, where the backend would take one for each block
            coefficients = fold(self.backend, coefficients, points, shift)
        return self.backend.ntt(coefficients, points, shift)


def _interpolate(backend: Backend, remainders: Sequence[Vector], nodes: Sequence[int]) -> list[Vector]:
    """The blocks q_j of L = sum_j X^(jn) q_j that leaves remainder R_i mod X^n - y_i: sum_j y_i^j q_j = R_i."""
    rows = []  # of the inverse Vandermonde matrix, transposed: the coefficients of each node's Lagrange polynomial
    for i, node in enumerate(nodes):
        polynomial = _product([other for j, other in enumerate(nodes) if j != i])
        scale = inverse(sum(c * power for c, power in zip(polynomial, powers(node, len(nodes)), strict=True)))
        rows.append([c * scale % MODULUS for c in polynomial])
    return [backend.combine(list(remainders), [row[j] for row in rows]) for j in range(len(nodes))]


def _with_tail(
    backend: Backend, blocks: Sequence[Vector], nodes: Sequence[int], share: _Share, points: int
) -> list[Vector]:
    """The blocks of L + T * prod_i (X^n - y_i), where T has as many coefficients as the small coset has points."""
    values, node = share.small_values(points), pow(SMALL_SHIFT, share.size, MODULUS)
    for block, power in zip(blocks, powers(node, len(blocks)), strict=True):  # X^(jn) is constant on the small coset
        values = backend.combine(
            [values, backend.ntt(fold(backend, block, points, SMALL_SHIFT), points, SMALL_SHIFT)], [1, MODULUS - power]
        )
    product = _product(nodes)
    at_node = sum(c * power for c, power in zip(product, powers(node, len(product)), strict=True))
    tail = backend.intt(backend.combine([values], [inverse(at_node)]), SMALL_SHIFT)
    return [*(backend.combine([block, tail], [1, c]) for block, c in zip(blocks, product, strict=False)), tail]


def _product(nodes: Sequence[int]) -> list[int]:
    """The coefficients of prod (Y - y), lowest first."""
    result = [1]
    for node in nodes:
        shifted, scaled = [0, *result], [*(c * node for c in result), 0]
        result = [(a - b) % MODULUS for a, b in zip(shifted, scaled, strict=True)]
    return result


def _power_of_two(value: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(value - 1, 0).bit_length()
