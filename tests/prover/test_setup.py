"""Structured reference strings: what they hold, and that a stored one comes back whole or not at all."""

import hashlib
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuits.field import MODULUS, lagrange_evaluations
from prover.backend import Backend, get_backend
from prover.errors import SetupError
from prover.kzg import affine, to_points
from prover.setup import CEREMONY, SRS, check_basis, check_powers, insecure_srs, load_srs, save_srs
from tests.prover.ptau_files import g1_multiple, g2_multiple
from verifier.key import INSECURE

SIZE, SEED = 9, b"test"


def tau_of(seed: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"zkmargin insecure setup" + seed).digest(), "big") % MODULUS


@pytest.fixture(scope="module", params=["cpu", "reference"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return get_backend(request.param)


@pytest.fixture(scope="module")
def cpu() -> Backend:
    return get_backend("cpu")


@pytest.fixture(scope="module")
def with_bases(backend: Backend) -> SRS:
    made = insecure_srs(backend, SIZE, SEED)
    for basis in ((4, 1, 0), (8, 1, 0), (4, 2, 1)):
        made.lagrange(*basis)
    return made


@pytest.fixture
def srs(with_bases: SRS) -> SRS:
    """Of one test alone: asking for a basis adds it."""
    return replace(with_bases, bases=dict(with_bases.bases))


def test_an_insecure_setup_is_that_of_its_seed(srs: SRS) -> None:
    tau = tau_of(SEED)
    assert affine(srs.backend, srs.powers) == [g1_multiple(pow(tau, i, MODULUS)) for i in range(SIZE)]
    assert (srs.kind, srs.tau_g2, srs.source) == (INSECURE, g2_multiple(tau), f"seed {SEED.hex()}")
    assert affine(srs.backend, srs.lagrange(8)) == [g1_multiple(v) for v in lagrange_evaluations(8, range(8), tau)]


def test_bases_by_scalars_and_by_group_transform_agree(srs: SRS) -> None:
    unknown = replace(srs, bases={}, make_basis=None)
    for n in (1, 2, 4, 8):
        assert affine(srs.backend, unknown.lagrange(n)) == affine(srs.backend, srs.lagrange(n))


def test_a_basis_is_made_once_and_only_while_there_are_powers(srs: SRS) -> None:
    assert srs.lagrange(8) is srs.lagrange(8)
    with pytest.raises(SetupError, match="a domain of 16 points needs 16 powers of tau, there are 9"):
        srs.lagrange(16)
    with pytest.raises(SetupError, match="a domain of 4 points needs 12 powers of tau, there are 9"):
        srs.lagrange(4, 3)


def test_the_basis_of_a_pack_is_its_definition(srs: SRS) -> None:
    """tau^i * L_j(tau^k), from the secret and from the powers."""
    unknown, tau = replace(srs, make_basis=None, bases={}), tau_of(SEED)
    for n, width, slot in ((4, 2, 0), (4, 2, 1), (2, 3, 2), (8, 1, 0)):
        values = lagrange_evaluations(n, range(n), pow(tau, width, MODULUS))
        expected = [g1_multiple(pow(tau, slot, MODULUS) * v) for v in values]
        assert affine(srs.backend, srs.lagrange(n, width, slot)) == expected
        assert affine(srs.backend, unknown.lagrange(n, width, slot)) == expected


def test_the_digest_names_the_setup_and_not_its_size(srs: SRS, backend: Backend) -> None:
    assert insecure_srs(backend, 3, SEED).digest == srs.digest
    others = [
        insecure_srs(backend, 3, b"other"),
        replace(srs, kind=CEREMONY),
        replace(srs, source="seed"),
        replace(srs, tau_g2=g2_multiple(2)),
        replace(srs, powers=insecure_srs(backend, 3, b"other").powers),
    ]
    assert len({srs.digest, *(other.digest for other in others)}) == 6


def test_powers_are_checked(srs: SRS, backend: Backend) -> None:
    check_powers(backend, srs.powers, srs.tau_g2, "here")
    points = affine(backend, srs.powers)
    for wrong in (
        [*points[:3], points[4], points[3], *points[5:]],
        [*points[:-1], (1, 2)],
        [*points[:5], None, *points[6:]],
    ):
        with pytest.raises(SetupError, match="here: the points are not the powers of one tau"):
            check_powers(backend, to_points(backend, wrong), srs.tau_g2, "here")
    with pytest.raises(SetupError, match="not the powers of one tau"):
        check_powers(backend, srs.powers, g2_multiple(3), "here")
    with pytest.raises(SetupError, match="first power is not the generator"):
        check_powers(backend, srs.powers[1:], srs.tau_g2, "here")


def test_a_basis_is_checked(srs: SRS, backend: Backend) -> None:
    check_basis(backend, srs.powers, srs.lagrange(4), "here")
    first, second, *others = affine(backend, srs.lagrange(4))
    for wrong in ([second, first, *others], [None, second, *others], affine(backend, srs.powers[:4])):
        with pytest.raises(SetupError, match="here: the Lagrange section of 4 points"):
            check_basis(backend, srs.powers, to_points(backend, wrong), "here")


def same(left: SRS, right: SRS) -> bool:
    """Whether two setups hold the same points under the same name."""
    names = (left.kind, left.source, left.tau_g2) == (right.kind, right.source, right.tau_g2)
    points = [
        {0: affine(s.backend, s.powers)} | {n: affine(s.backend, basis) for n, basis in s.bases.items()}
        for s in (left, right)
    ]
    return names and points[0] == points[1]


@pytest.fixture
def stored(srs: SRS, tmp_path: Path) -> Path:
    save_srs(srs, tmp_path / "setup.npz")
    return tmp_path / "setup.npz"


@pytest.mark.parametrize("reader", ["cpu", "reference"])
def test_what_is_stored_comes_back_in_any_backend(srs: SRS, stored: Path, reader: str) -> None:
    loaded = load_srs(get_backend(reader), stored)
    assert (
        same(loaded, srs) and loaded.digest == srs.digest and sorted(loaded.bases) == [(4, 1, 0), (4, 2, 1), (8, 1, 0)]
    )
    assert affine(loaded.backend, loaded.lagrange(2)) == affine(srs.backend, srs.lagrange(2))


def test_storing_is_whole_or_not_at_all(srs: SRS, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    before = stored.read_bytes()
    monkeypatch.setattr(np, "savez", break_off)
    with pytest.raises(OSError, match="no space left"):
        save_srs(srs, stored)
    assert stored.read_bytes() == before and list(stored.parent.iterdir()) == [stored]


def test_truncated_files_are_named(cpu: Backend, stored: Path) -> None:
    data = stored.read_bytes()
    for length in range(0, len(data), 61):
        stored.write_bytes(data[:length])
        with pytest.raises(SetupError, match=r"setup\.npz: not a setup file, or truncated"):
            load_srs(cpu, stored)


def test_changed_bytes_are_refused_or_change_nothing(cpu: Backend, srs: SRS, stored: Path) -> None:
    data, source = stored.read_bytes(), random.Random(11)
    refused = 0
    for _ in range(400):
        changed = bytearray(data)
        changed[source.randrange(len(data))] ^= 1 << source.randrange(8)
        stored.write_bytes(bytes(changed))
        try:
            assert same(load_srs(cpu, stored), srs)  # times and attributes of the archive's members
        except SetupError as error:
            refused += 1
            assert str(error).startswith(str(stored))
    assert refused > 300


def test_files_of_another_kind(cpu: Backend, tmp_path: Path) -> None:
    path = tmp_path / "setup.npz"
    with pytest.raises(SetupError, match=r"setup\.npz: No such file"):
        load_srs(cpu, path)
    with pytest.raises(SetupError, match="directory"):
        load_srs(cpu, tmp_path)
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(path, other=np.zeros(3))
    (tmp_path / "text").write_text("{}")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("header", "{}")
    for other in (path, *(tmp_path / name for name in ("array.npy", "text", "archive.zip"))):
        with pytest.raises(SetupError, match=f"{other.name}: not a setup file"):
            load_srs(cpu, other)


HEADERS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "version": (lambda h: h | {"format": "zkmargin setup 3"}, "of version 'zkmargin setup 3', not 'zkmargin setup 2'"),
    "kind": (lambda h: h | {"kind": CEREMONY}, "checksum does not fit"),
    "source": (lambda h: h | {"source": "seed 00"}, "checksum does not fit"),
    "tau": (lambda h: h | {"tau_g2": [["1", "2"], ["3", "4"]]}, "checksum does not fit"),
    "checksum": (lambda h: h | {"checksum": ""}, "checksum does not fit"),
    "no checksum": (lambda h: {k: v for k, v in h.items() if k != "checksum"}, "not a setup file"),
    "a list": (lambda h: [h], "not a setup file"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_checked(cpu: Backend, stored: Path, name: str) -> None:
    change, message = HEADERS[name]
    with np.load(stored) as data:
        arrays = dict(data)
    header = change(json.loads(arrays["header"].tobytes()))
    np.savez(stored, **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    with pytest.raises(SetupError, match=message):
        load_srs(cpu, stored)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: replace(s, kind="other"), "its header is not that of a setup"),
        (lambda s: replace(s, tau_g2=((1, 2), (3, 4))), "its header is not that of a setup"),
        (lambda s: replace(s, powers=s.backend.points(bytes([5] + [0] * 63))), "a point is not on the curve"),
        (
            lambda s: replace(s, bases={(1, 1, 0): s.backend.points(bytes([5] + [0] * 63))}),
            "a point is not on the curve",
        ),
        (lambda s: replace(s, bases={("x", 1, 0): s.powers}), "not a setup file"),
    ],
)
def test_a_setup_that_was_stored_wrong(
    cpu: Backend, srs: SRS, tmp_path: Path, change: Callable[[SRS], SRS], message: str
) -> None:
    save_srs(change(srs), tmp_path / "setup.npz")
    with pytest.raises(SetupError, match=message):
        load_srs(cpu, tmp_path / "setup.npz")
