"""Which polynomial is opened where, in the order of the key: the same list for prover and verifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from circuits.field import MODULUS
from verifier.curve import Point
from verifier.identity import Query, query_point
from verifier.kzg import Commitment, Opening
from verifier.proof import QUOTIENT, Layout, Pack
from verifier.statement import ColumnKey


@dataclass(frozen=True)
class Evaluations:
    """What the proof says of its polynomials.

    columns: by (table, column, rotation), at zeta*omega^rotation. reversals: by (table, new column), the reversed
    difference at zeta, then the old and the new column at 1/zeta.
    """

    columns: Mapping[Query, int]
    reversals: Mapping[ColumnKey, tuple[int, int, int]] = field(default_factory=dict)


def reversal_key(table: str, new: str) -> ColumnKey:
    """The name under which the reversed difference of a state pair is opened."""
    return table, f"{new} reversed"


def pack_points(layout: Layout, pack: Pack, zeta: int) -> tuple[int, ...]:
    """Where the columns of a pack are opened."""
    table, (name, column) = layout.circuit.table(pack.members[0][0]), pack.members[0]
    reversed_columns = {(owner, state) for owner, *pair in layout.reversals for state in pair}
    back = (pow(zeta, -1, MODULUS),) if (name, column) in reversed_columns else ()
    return (*(query_point(table, rotation, zeta) for rotation in layout.rotations[name, column]), *back)


def openings(layout: Layout, evaluations: Evaluations, quotient: int, zeta: int) -> list[Opening]:
    """All openings in the order of the powers of v; quotient: the value of the folded chunks at zeta."""
    values: dict[ColumnKey, tuple[int, ...]] = {
        (table, column): tuple(evaluations.columns[table, column, rotation] for rotation in rotations)
        for (table, column), rotations in layout.rotations.items()
    }
    for table, old, new in layout.reversals:
        reversal, old_back, new_back = evaluations.reversals[table, new]
        values[table, old] += (old_back,)
        values[table, new] += (new_back,)
        values[reversal_key(table, new)] = (reversal,)
    values[QUOTIENT] = (quotient,)
    packs = [
        Opening(
            pack.name,
            pack.members,
            pack_points(layout, pack, zeta),
            tuple(values[column] for column in pack.members),
            pack.width,
        )
        for pack in layout.packs
    ]
    single = [*(reversal_key(table, new) for table, _, new in layout.reversals), QUOTIENT]
    return packs + [Opening(key, (key,), (zeta,), (values[key],)) for key in single]


def commitments_of(
    layout: Layout, points: Mapping[ColumnKey, Point], chunks: Sequence[Point], zeta: int
) -> dict[ColumnKey, Commitment]:
    """What each opening is of: a pack's commitment; for the quotient its chunks folded, sum zeta^(i*L) [Q_i]."""
    step = pow(zeta, layout.chunk_length, MODULUS)
    folded = [(pow(step, i, MODULUS), chunk) for i, chunk in enumerate(chunks)]
    return {**{key: [(1, point)] for key, point in points.items()}, QUOTIENT: folded}
