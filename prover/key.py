"""The proving key: the verifying key, the setup, and what a prover computes once for a circuit."""

from dataclasses import dataclass

from circuits.circuit import Circuit
from circuits.table import Kind
from prover.backend import Backend, Points, Vector
from prover.errors import ProverError
from prover.kzg import affine, to_points
from prover.polynomial import Values, column_values, interpolate
from prover.setup import SRS
from verifier.curve import negative, total
from verifier.key import VerifyingKey
from verifier.proof import Basis, Layout
from verifier.statement import ColumnKey


@dataclass(frozen=True)
class ProvingKey:
    """values, coefficients: of the fixed columns. powers, bases: those of the setup that the circuit needs, prepared
    for many sums. blinding_points: for each basis (n, k, i), [tau^(i+k(n+j))]_1 - [tau^(i+kj)]_1."""

    verifying: VerifyingKey
    circuit: Circuit
    srs: SRS
    values: dict[ColumnKey, Values]
    coefficients: dict[ColumnKey, Vector]
    powers: Points
    bases: dict[Basis, Points]
    blinding_points: dict[Basis, Points]


def setup(
    circuit: Circuit,
    parameters: bytes,
    srs: SRS,
    backend: Backend,
    published_diff: bool = True,
    packing: int = 1,
) -> ProvingKey:
    """The keys of a circuit under an SRS.

    parameters: canonical bytes of what the circuit was built from.
    published_diff: whether statements list the state's differences. packing: how many columns share a commitment.
    ProverError when the SRS has too few powers or a table is too small to hide its columns.
    """
    layout = Layout(circuit, published_diff, packing)
    if len(srs.powers) < layout.powers:
        raise ProverError(f"setup: the circuit needs {layout.powers} powers of tau, there are {len(srs.powers)}")
    powers = backend.prepare(srs.powers[: layout.powers])
    bases = {basis: backend.prepare(srs.lagrange(*basis)) for basis in layout.bases}
    values, coefficients, commitments = {}, {}, {}
    for pack in layout.packs_of(Kind.FIXED):
        shares = []
        for column in pack.members:
            table = circuit.table(column[0])
            values[column] = column_values(backend, ".".join(column), table.fixed_values[column[1]], table.size)
            coefficients[column] = interpolate(backend, values[column].vector(backend), [])
            shares.append(backend.msm(bases[layout.places[column]], values[column].scalars))
        commitments[pack.name] = total(shares)
    verifying = VerifyingKey(
        circuit, parameters, published_diff, packing, commitments, srs.tau_g2, srs.kind, srs.digest
    )
    blinding_points = {basis: _blinding_points(layout, basis, srs, backend) for basis in layout.bases}
    return ProvingKey(verifying, circuit, srs, values, coefficients, powers, bases, blinding_points)


def _blinding_points(layout: Layout, basis: Basis, srs: SRS, backend: Backend) -> Points:
    size, width, slot = basis
    count = max(layout.table_blinds(table) for table in layout.circuit.tables if table.size == size)
    if count > size:
        raise ProverError(f"a table of {size} rows is too small for {count} blinding scalars")
    low, high = (
        affine(backend, srs.powers[start + slot : start + slot + width * count])[::width] for start in (0, width * size)
    )
    return to_points(backend, [total([a, negative(b)]) for a, b in zip(high, low, strict=True)])
