"""A statement whose parts do not fit the circuit is refused before the proof is read."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from circuits.circuit import PublicTerm
from tests.toy_circuits import ToyStatement
from tests.verifier.cases import case
from verifier import InvalidProof, StateDifference


@dataclass(frozen=True)
class Override:
    """A statement with one method replaced."""

    inner: ToyStatement
    name: str
    value: object

    def __getattr__(self, name: str) -> object:
        return (lambda: self.value) if name == self.name else getattr(self.inner, name)


def refuse(statement: object, match: str, name: str = "ledger") -> None:
    with pytest.raises(InvalidProof, match=match):
        case(name).verify(statement=statement)  # type: ignore[arg-type]


def test_the_statements_own_check() -> None:
    statement = case("ledger").statement
    refuse(replace(statement, deposits=((1, 256),)), "^statement: a deposit out of range$")


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("scalars", lambda s: {}, "no public scalar first_tick"),
        ("public_columns", lambda s: {}, "public columns"),
        ("public_columns", lambda s: {**s.public_columns(), ("steps", "tick"): {}}, "public columns"),
        (
            "public_columns",
            lambda s: {**s.public_columns(), ("lookups", "tick"): {16: 1}},
            "row of lookups.tick outside",
        ),
        (
            "public_columns",
            lambda s: {**s.public_columns(), ("lookups", "tick"): {-1: 1}},
            "row of lookups.tick outside",
        ),
        (
            "public_columns",
            lambda s: {**s.public_columns(), ("lookups", "tick"): [1] * 17},
            "row of lookups.tick outside",
        ),
        ("public_terms", lambda s: [PublicTerm("l2", 1, (1, 2))], "unknown channel l2"),
        ("state_commitments", lambda s: {("cells", "old"): s.old}, "state commitments"),
        ("state_commitments", lambda s: {**s.state_commitments(), ("cells", "new"): (1, 3)}, "cells.new is not on the"),
        (
            "state_commitments",
            lambda s: {**s.state_commitments(), ("cells", "new"): (-1, 2)},
            "cells.new is not on the",
        ),
        ("state_differences", lambda s: [], "state differences"),
        ("state_differences", lambda s: [StateDifference("cells", "new", "old", {})], "state differences"),
        ("state_differences", lambda s: [StateDifference("cells", "old", "new", None)], "published"),
        ("state_differences", lambda s: [StateDifference("cells", "old", "new", {32: 1})], "row of cells.new outside"),
        ("state_differences", lambda s: [StateDifference("cells", "old", "new", {-1: 1})], "row of cells.new outside"),
    ],
)
def test_parts_that_do_not_fit(name: str, change: Callable[[ToyStatement], object], match: str) -> None:
    statement = case("ledger").statement
    refuse(Override(statement, name, change(statement)), match)


def test_a_published_difference_where_the_key_keeps_it_private() -> None:
    made = case("private ledger")
    refuse(replace(made.statement, difference={}), "published", "private ledger")
