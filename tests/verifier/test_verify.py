"""True proofs pass; a proof with one word changed, under another statement or another key, is refused by name."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.field import MODULUS
from prover.backend import get_backend
from prover.key import setup
from tests.toy_circuits import ToyStatement
from tests.verifier.cases import NAMES, Case, case, srs
from verifier import InvalidProof, verify
from verifier.curve import BASE_MODULUS, encode_point, total
from verifier.proof import Layout

WORD = 32


@pytest.mark.parametrize("name", NAMES)
def test_true_proofs_pass(name: str) -> None:
    made = case(name)
    assert len(made.proof) == Layout(made.key.circuit, "private" not in name, made.key.verifying.packing).size
    made.verify()


def refuse(made: Case, proof: bytes, match: str | None = None) -> None:
    with pytest.raises(InvalidProof, match=match):
        made.verify(proof)


def elements(layout: Layout) -> list[tuple[int, bool]]:
    """(offset, whether it is a point) of each element of a proof."""
    points = [True] * (layout.points - layout.chunks - 2)
    scalars = [False] * (len(layout.queries) + 3 * len(layout.reversals))
    kinds = points + [False] * len(layout.sigmas) + [True] * layout.chunks + scalars + [True, True]
    offsets, position = [], 0
    for point in kinds:
        offsets.append((position, point))
        position += 2 * WORD if point else WORD
    assert position == layout.size
    return offsets


def other_element(proof: bytes, offset: int, point: bool) -> bytes:
    """The proof with another valid element of the group or the field in this place."""
    if not point:
        value = int.from_bytes(proof[offset : offset + WORD], "big")
        return spliced(proof, offset, ((value + 1) % MODULUS).to_bytes(WORD, "big"))
    x, y = (int.from_bytes(proof[at : at + WORD], "big") for at in (offset, offset + WORD))
    return spliced(proof, offset, encode_point(total([(x, y) if x else None, (1, 2)])))


def spliced(proof: bytes, offset: int, part: bytes) -> bytes:
    return proof[:offset] + part + proof[offset + len(part) :]


@pytest.mark.parametrize(
    ("name", "step"), [("plain", 1), ("twins", 3), ("private ledger", 11), ("packed private ledger", 5)]
)
def test_elements_replaced_by_valid_ones_are_refused(name: str, step: int) -> None:
    made = case(name)
    for offset, point in elements(made.key.verifying.layout)[::step]:
        refuse(made, other_element(made.proof, offset, point))


@pytest.mark.long
@pytest.mark.parametrize("name", ["twins", "ledger", "private ledger", "packed ledger"])
def test_every_element_replaced_by_a_valid_one_is_refused(name: str) -> None:
    made = case(name)
    for offset, point in elements(made.key.verifying.layout):
        refuse(made, other_element(made.proof, offset, point))


@pytest.mark.parametrize("name", ["private ledger", "twins", "packed ledger"])
def test_every_word_that_is_not_canonical_is_refused_by_name(name: str) -> None:
    made = case(name)
    for offset, point in elements(made.key.verifying.layout):
        for at in (offset, offset + WORD) if point else (offset,):
            value = int.from_bytes(made.proof[at : at + WORD], "big") + (BASE_MODULUS if point else MODULUS)
            refuse(made, spliced(made.proof, at, value.to_bytes(WORD, "big")), r"^(point|scalar) .*modulus")
        if point:
            refuse(made, spliced(made.proof, offset, bytes([0xFF]) * WORD), "^point .*modulus")
            refuse(made, spliced(made.proof, offset + WORD, (5).to_bytes(WORD, "big")), "^point .*curve")


def test_neighbouring_words_swapped_are_refused() -> None:
    made = case("plain")
    for offset in range(0, len(made.proof) - WORD, WORD):
        one, two = made.proof[offset : offset + WORD], made.proof[offset + WORD : offset + 2 * WORD]
        if one != two:
            refuse(made, spliced(made.proof, offset, two + one))


def test_other_lengths_are_refused() -> None:
    made = case("plain")
    for proof in (
        b"",
        made.proof[:-1],
        made.proof[:-WORD],
        made.proof + b"\0",
        made.proof + bytes(WORD),
        made.proof * 2,
    ):
        refuse(made, proof, "^proof length")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bytes_make_verify_raise_anything_else(data: st.DataObject) -> None:
    made = case("plain")
    cut = data.draw(st.integers(0, len(made.proof) // WORD - 1)) * WORD
    part = data.draw(st.binary(min_size=WORD, max_size=4 * WORD))[: len(made.proof) - cut]
    proof = spliced(made.proof, cut, part)
    if proof != made.proof:
        refuse(made, proof)


def changes(statement: ToyStatement) -> list[ToyStatement]:
    """The statement with one field changed, in every way that its own check lets pass."""
    assert statement.old is not None and statement.difference is not None
    (tick, price), (cell, amount) = statement.oracle[0], statement.deposits[0]
    row, delta = next(iter(statement.difference.items()))
    untouched = next(row for row in range(32) if row not in statement.difference)
    return [
        replace(statement, note=1),
        replace(statement, first_tick=statement.first_tick + 1),
        replace(statement, oracle=((tick, price + 1), *statement.oracle[1:])),
        replace(statement, oracle=((tick + 1, price), *statement.oracle[1:])),
        replace(statement, oracle=statement.oracle[1:]),
        replace(statement, oracle=(*statement.oracle, (tick + 9, price))),
        replace(statement, deposits=((cell, amount % 255 + 1), *statement.deposits[1:])),
        replace(statement, deposits=((cell + 1, amount), *statement.deposits[1:])),
        replace(statement, deposits=statement.deposits[1:]),
        replace(statement, deposits=(*statement.deposits, statement.deposits[0])),
        replace(statement, old=statement.new),
        replace(statement, new=statement.old),
        replace(statement, old=None),
        replace(statement, new=(1, 2)),
        replace(statement, difference={**statement.difference, row: delta + 1}),
        replace(statement, difference={**statement.difference, untouched: 1}),
        replace(statement, difference={key: value for key, value in statement.difference.items() if key != row}),
    ]


def test_every_other_statement_is_refused() -> None:
    made = case("ledger")
    for statement in changes(made.statement):
        with pytest.raises(InvalidProof):
            made.verify(statement=statement)


def test_other_keys_are_refused() -> None:
    made, backend = case("ledger"), get_backend("cpu")
    others = [
        setup(made.key.circuit, b"other parameters", srs(), backend).verifying,
        setup(made.key.circuit, b"ledger", srs(seed=b"other secret"), backend).verifying,
        replace(made.key.verifying, srs_digest=bytes(32)),
        replace(made.key.verifying, fixed={**made.key.verifying.fixed, ("steps", "time"): (1, 2)}),
    ]
    for key in others:
        with pytest.raises(InvalidProof):
            verify(key, made.statement, made.proof, allow_insecure=True)


def test_insecure_setups_need_permission() -> None:
    made = case("plain")
    with pytest.raises(InvalidProof, match=r"^setup: its secret is known"):
        verify(made.key.verifying, made.statement, made.proof)
    with pytest.raises(InvalidProof):  # claiming a ceremony is another key
        verify(replace(made.key.verifying, srs_kind="ceremony"), made.statement, made.proof)
