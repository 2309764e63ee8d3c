"""What the verifier asks of a statement; the rollup's own statement and those of the tests fulfil it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from circuits.circuit import PublicTerm
from verifier.curve import Point

ColumnKey = tuple[str, str]
"""(table, column)"""


@dataclass(frozen=True)
class StateDifference:
    """new - old of two state columns: {row: delta} where the key publishes it, None where it stays private."""

    table: str
    old: str
    new: str
    rows: Mapping[int, int] | None


class Statement(Protocol):
    """A public statement. Its integers are checked by `check` before anything else looks at them."""

    def check(self) -> None:
        """ValueError or InvalidProof when a condition on the statement's own integers does not hold."""
        ...

    def encode(self) -> bytes:
        """The whole statement, every list with its length: different statements never give the same bytes."""
        ...

    def scalars(self) -> Mapping[str, int]:
        """The public scalars of the circuit by name, all but `sigma`."""
        ...

    def public_columns(self) -> Mapping[ColumnKey, Mapping[int, int] | Sequence[int]]:
        """The public columns: {row: value} with zeros elsewhere, or the values from row 0 on."""
        ...

    def public_terms(self) -> Sequence[PublicTerm]:
        """What the statement itself puts on the bus."""
        ...

    def state_commitments(self) -> Mapping[ColumnKey, Point]:
        """The commitment of every state column."""
        ...

    def state_differences(self) -> Sequence[StateDifference]:
        """One difference for every pair of state columns, in the order of the key."""
        ...


def column_rows(values: Mapping[int, int] | Sequence[int]) -> dict[int, int]:
    """{row: value} of a public column, without its zeros."""
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    return {row: value for row, value in pairs if value}
