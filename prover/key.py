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
from verifier.proof import Layout
from verifier.statement import ColumnKey


@dataclass(frozen=True)
class ProvingKey:
    """values, coefficients: of the fixed columns. powers, bases: those of the setup that the circuit needs, the latter
    by table size, prepared for many sums. blinding_points: by table size, [tau^(n+j)]_1 - [tau^j]_1."""

    verifying: VerifyingKey
    circuit: Circuit
    srs: SRS
    values: dict[ColumnKey, Values]
    coefficients: dict[ColumnKey, Vector]
    powers: Points
    bases: dict[int, Points]
    blinding_points: dict[int, Points]


def setup(circuit: Circuit, parameters: bytes, srs: SRS, backend: Backend, published_diff: bool = True) -> ProvingKey:
    """The keys of a circuit under an SRS.

    parameters: canonical bytes of what the circuit was built from.
    published_diff: whether statements list the state's differences.
    ProverError when the SRS has too few powers or a table is too small to hide its columns.
    """
    layout = Layout(circuit, published_diff)
    if len(srs.powers) < layout.powers:
        raise ProverError(f"setup: the circuit needs {layout.powers} powers of tau, there are {len(srs.powers)}")
    powers = backend.prepare(srs.powers[: layout.powers])
    bases = {size: backend.prepare(srs.lagrange(size)) for size in {table.size for table in circuit.tables}}
    values, coefficients, commitments = {}, {}, {}
    for table_name, name in circuit.columns(Kind.FIXED):
        key, table = (table_name, name), circuit.table(table_name)
        values[key] = column_values(backend, ".".join(key), table.fixed_values[name], table.size)
        coefficients[key] = interpolate(backend, values[key].vector(backend), [])
        commitments[key] = backend.msm(bases[table.size], values[key].scalars)
    verifying = VerifyingKey(circuit, parameters, published_diff, commitments, srs.tau_g2, srs.kind, srs.digest)
    blinding_points = _blinding_points(layout, srs, backend)
    return ProvingKey(verifying, circuit, srs, values, coefficients, powers, bases, blinding_points)


def _blinding_points(layout: Layout, srs: SRS, backend: Backend) -> dict[int, Points]:
    result = {}
    for size in {table.size for table in layout.circuit.tables}:
        count = max(layout.table_blinds(table) for table in layout.circuit.tables if table.size == size)
        if count > size:
            raise ProverError(f"a table of {size} rows is too small for {count} blinding scalars")
        low, high = (affine(backend, srs.powers[start : start + count]) for start in (0, size))
        result[size] = to_points(backend, [total([a, negative(b)]) for a, b in zip(high, low, strict=True)])
    return result
