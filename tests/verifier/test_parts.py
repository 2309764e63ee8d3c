"""Transcript, curve, openings, keys, and what importing the verifier loads."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from functools import reduce

import pytest
from py_ecc.optimized_bn128 import G2, multiply, normalize

from circuits.circuit import PublicTerm
from circuits.field import MODULUS
from tests.toy_circuits import plain
from tests.verifier.cases import case
from verifier import InvalidKey, InvalidProof, VerifyingKey
from verifier.curve import (
    BASE_MODULUS,
    G1,
    G2Point,
    Point,
    decode_point,
    encode_point,
    in_g2,
    linear_combination,
    negative,
    on_curve,
    pairings_agree,
    total,
)
from verifier.identity import check_balance, public_fractions
from verifier.kzg import Opening, interpolate_at, opening_weights
from verifier.transcript import ProofReader, ProofWriter, Transcript


def test_importing_the_verifier_loads_py_ecc_and_nothing_else() -> None:
    code = """
import sys
before = set(sys.modules)
import verifier
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded & {"numpy", "numba", "galois", "click", "msgspec", "rich", "prover", "zkmargin"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=".")
    assert done.stdout.strip() == "[]"


def multiple(scalar: int) -> Point:
    return linear_combination([G1], [scalar])


def test_linear_combinations_are_sums_of_multiples() -> None:
    source = random.Random(1)
    scalars = [0, 1, MODULUS - 1, MODULUS, MODULUS + 5, -3, *(source.randrange(MODULUS) for _ in range(5))]
    logs = [source.randrange(MODULUS) for _ in scalars]
    points = [multiple(log) for log in logs]
    points[2], logs[2] = None, 0
    expected = multiple(sum(s * log for s, log in zip(scalars, logs, strict=True)))
    assert linear_combination(points, scalars) == expected
    assert linear_combination([], []) is None
    assert total([multiple(3), multiple(4), None]) == multiple(7)
    assert total([multiple(3), negative(multiple(3))]) is None
    assert multiple(5) == reduce(lambda point, _: total([point, G1]), range(5), None)


def test_points_have_one_encoding() -> None:
    for point in (None, G1, multiple(12345)):
        assert decode_point(encode_point(point)) == point
    for x, y in ((1, 3), (1 + BASE_MODULUS, 2), (1, 2 + BASE_MODULUS), (0, 1), (BASE_MODULUS, 0), (0, BASE_MODULUS)):
        with pytest.raises(ValueError, match=r"modulus|curve"):
            decode_point(x.to_bytes(32, "big") + y.to_bytes(32, "big"))
        assert not on_curve((x, y))


def g2_multiple(scalar: int) -> G2Point:
    x, y = normalize(multiply(G2, scalar))
    return (int(x.coeffs[0]), int(x.coeffs[1])), (int(y.coeffs[0]), int(y.coeffs[1]))


def test_pairings() -> None:
    assert pairings_agree(multiple(6), None, multiple(2), g2_multiple(3))
    assert not pairings_agree(multiple(6), None, multiple(2), g2_multiple(4))
    assert pairings_agree(None, None, None, g2_multiple(3))
    assert not pairings_agree(multiple(6), None, None, g2_multiple(3))
    assert not pairings_agree(None, None, multiple(6), g2_multiple(3))


def test_g2_membership() -> None:
    (x_0, x_1), (y_0, y_1) = point = g2_multiple(7)
    assert in_g2(point)
    assert not in_g2(((x_0 + BASE_MODULUS, x_1), (y_0, y_1)))
    assert not in_g2(((x_0, x_1), (y_0 + 1, y_1)))
    assert not in_g2(((0, 0), (0, 0)))


def test_challenges_bind_label_order_and_length() -> None:
    def after(*pieces: bytes, label: str = "a") -> int:
        transcript = Transcript()
        for piece in pieces:
            transcript.absorb_message(piece)
        return transcript.challenge(label)

    values = {after(), after(b""), after(b"ab"), after(b"a", b"b"), after(b"b", b"a"), after(b"ab", label="b")}
    assert len(values) == 6
    assert all(0 <= value < MODULUS for value in values)
    transcript = Transcript()
    assert transcript.challenge("a") != transcript.challenge("a")


def test_reading_is_absorbing() -> None:
    writer = ProofWriter()
    writer.write_point("P", G1)
    first = writer.challenge("x")
    writer.write_scalar("s", 7)
    second = writer.challenge("y")
    reader = ProofReader(writer.proof, 96)
    assert reader.read_point("P") == G1
    assert reader.challenge("x") == first
    assert reader.read_scalar("s") == 7
    assert reader.challenge("y") == second
    reader.finish()
    with pytest.raises(InvalidProof, match=r"ends early"):
        reader.read_scalar("t")
    with pytest.raises(InvalidProof, match=r"left over"):
        ProofReader(writer.proof, 96).finish()


def test_interpolation_at_a_point() -> None:
    points, values = [3, 5, 11], [3**2 + 1, 5**2 + 1, 11**2 + 1]
    for count in (1, 2):
        slope = 8 if count == 2 else 0  # of the line through (3, 10) and (5, 26)
        assert interpolate_at(points[:count], values[:count], 7) == 10 + slope * 4
    assert interpolate_at(points, values, 7) == 50


def test_z_among_the_points_is_refused() -> None:
    names = (("t", "c"), ("t", "d"))
    opening = Opening(names[0], names[:1], (3, 5), ((0, 0),))
    assert opening_weights([opening, opening], 2, 4) == [MODULUS - 1, MODULUS - 2]
    with pytest.raises(InvalidProof, match=r"^challenge z"):
        opening_weights([opening], 2, 5)
    packed = Opening(names[0], names, (3, 25), ((0, 0), (0, 0)), 2)
    assert opening_weights([packed], 2, 4) == [pow(13 * -9, -1, MODULUS)]
    with pytest.raises(InvalidProof, match=r"^challenge z"):
        opening_weights([packed], 2, -5)


def test_remainder_of_a_pack() -> None:
    """F(X) = f(X^2) + X*g(X^2) with f = 7 + Y and g = 2 - Y is its own remainder on the roots of two points."""
    names = (("t", "f"), ("t", "g"))
    opening = Opening(names[0], names, (3, 5), ((10, 12), (-1, -3)), 2)
    assert opening.remainder(4) % MODULUS == (7 + 16 + 4 * (2 - 16)) % MODULUS


def test_the_bus_balances_with_the_public_rows() -> None:
    circuit = case("ledger").key.circuit
    term, beta, gamma = PublicTerm("l1", 2, (7, -3)), 11, 10**9
    fingerprint = circuit.channels.index("l1") + 1 + beta * 7 - beta**2 * 3
    share = 2 * pow(gamma - fingerprint, -1, MODULUS)
    fractions = public_fractions(circuit, [term], {"beta": beta, "gamma": gamma})
    check_balance({"steps": -share - 5, "cells": 5}, fractions)
    with pytest.raises(InvalidProof, match=r"^bus: "):
        check_balance({"steps": -share - 5, "cells": 6}, fractions)
    with pytest.raises(InvalidProof, match=r"^challenge gamma"):
        public_fractions(circuit, [term], {"beta": beta, "gamma": fingerprint % MODULUS})


def test_keys_survive_json() -> None:
    for name in ("ledger", "private ledger"):
        key = case(name).key.verifying
        read = VerifyingKey.from_json(json.loads(json.dumps(key.to_json())), key.circuit)
        assert read == key
        assert read.digest == key.digest


def test_every_part_of_a_key_is_in_its_digest() -> None:
    key = case("plain").key.verifying
    others = [
        replace(key, parameters=b"x"),
        replace(key, published_diff=False),
        replace(key, fixed={("plain", "node"): (1, 2)}),
        replace(key, tau_g2=g2_multiple(5)),
        replace(key, srs_kind="ceremony"),
        replace(key, srs_digest=bytes(32)),
    ]
    assert len({key.digest, *(other.digest for other in others)}) == 7


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("format", "zkmargin verifying key 0"),
        ("circuit", "00"),
        ("parameters", "zz"),
        ("published_diff", 1),
        ("fixed", []),
        ("fixed", [["plain", "node", "00"]]),
        ("fixed", [["plain", "node", "01" * 64]]),
        ("tau_g2", [["0x0", "0x0"], ["0x0", "0x0"]]),
        ("tau_g2", [["0x0"], ["0x0", "0x0"]]),
        ("srs_kind", "secure"),
        ("srs_digest", "00"),
        ("srs_digest", None),
    ],
)
def test_keys_with_a_wrong_part_are_refused(part: str, value: object) -> None:
    key = case("plain").key.verifying
    with pytest.raises(InvalidKey, match=r"^key: "):
        VerifyingKey.from_json({**key.to_json(), part: value}, key.circuit)
    data = key.to_json()
    del data[part]
    with pytest.raises(InvalidKey, match=r"^key: "):
        VerifyingKey.from_json(data, key.circuit)


def test_a_key_is_for_one_circuit() -> None:
    key = case("ledger").key.verifying
    with pytest.raises(InvalidKey, match=r"another circuit"):
        VerifyingKey.from_json(key.to_json(), plain())
