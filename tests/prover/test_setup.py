"""Setups: what a ceremony's file must be, and what is refused of it; the insecure seed; storage."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prover.backend import Backend, get_backend
from prover.kzg import affine
from prover.ptau import LAGRANGE_G1, MONTGOMERY, TAU_G1, TAU_G2, open_ptau
from prover.setup import SRS, SetupError, import_ptau, insecure_srs, load_srs, save_srs
from verifier.curve import BASE_MODULUS

CEREMONIES = Path(__file__).resolve().parents[3] / "shared" / "data" / "srs"
POWER = 4
# https://github.com/iden3/snarkjs#7-prepare-phase-2 publishes the hash of powersOfTau28_hez_final_11.ptau
HERMEZ_11 = (
    "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28e"
    "a07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33"
)
real_files = pytest.mark.skipif(not CEREMONIES.is_dir(), reason="the ceremony files in ../shared/data/srs are not here")


@pytest.fixture(scope="module")
def backend() -> Backend:
    return get_backend("cpu")


def coordinate(value: int) -> bytes:
    """As the format has it: Montgomery form, little-endian."""
    return (value * pow(MONTGOMERY, -1, BASE_MODULUS) % BASE_MODULUS).to_bytes(32, "little")


def sections_of(srs: SRS) -> dict[int, bytes]:
    """The sections of a file of power POWER with these powers."""

    def points(which: object) -> bytes:
        return b"".join(coordinate(c) for point in affine(srs.backend, which) for c in point or (0, 0))  # type: ignore[arg-type]

    header = struct.pack("<I", 32) + BASE_MODULUS.to_bytes(32, "little") + struct.pack("<II", POWER, POWER)
    g2 = b"".join(coordinate(c) for pair in srs.tau_g2 for c in pair)
    return {
        1: header,
        TAU_G1: points(srs.powers),
        TAU_G2: bytes(128) + g2 + bytes(128 * ((1 << POWER) - 2)),
        LAGRANGE_G1: b"".join(points(srs.lagrange(1 << level)) for level in range(POWER + 1)),
    }


def write(path: Path, sections: dict[int, bytes], magic: bytes = b"ptau", version: int = 1) -> Path:
    body = b"".join(struct.pack("<IQ", kind, len(data)) + data for kind, data in sections.items())
    path.write_bytes(struct.pack("<4sII", magic, version, len(sections)) + body)
    return path


@pytest.fixture(scope="module")
def srs(backend: Backend) -> SRS:
    return insecure_srs(backend, (2 << POWER) - 1, b"a ceremony of one")


def test_a_file_gives_back_its_powers_and_bases(backend: Backend, srs: SRS, tmp_path: Path) -> None:
    imported = import_ptau(backend, write(tmp_path / "t.ptau", sections_of(srs)), 20)
    assert affine(backend, imported.powers) == affine(backend, srs.powers[:20])
    assert imported.tau_g2 == srs.tau_g2 and imported.kind == "ceremony" and sorted(imported.bases) == [2, 4, 8, 16]
    assert affine(backend, imported.lagrange(8)) == affine(backend, srs.lagrange(8))


def test_bases_are_computed_where_the_file_has_none(backend: Backend, srs: SRS, tmp_path: Path) -> None:
    sections = sections_of(srs)
    del sections[LAGRANGE_G1]
    imported = import_ptau(backend, write(tmp_path / "t.ptau", sections), 16)
    assert affine(backend, imported.lagrange(16)) == affine(backend, srs.lagrange(16))


def changed(kind: int, position: int, new: bytes) -> Callable[[dict[int, bytes]], dict[int, bytes]]:
    return lambda s: s | {kind: s[kind][:position] + new + s[kind][position + len(new) :]}


WRONG = {
    "a point off the curve": (changed(TAU_G1, 64 * 3, coordinate(5)), "not on the curve"),
    "a point at infinity": (changed(TAU_G1, 64 * 3, bytes(64)), "infinity"),
    "a coordinate beyond p": (changed(TAU_G1, 64 * 3, b"\xff" * 32), "modulus"),
    "a power of another tau": (lambda s: changed(TAU_G1, 64 * 5, s[TAU_G1][64 * 6 : 64 * 7])(s), "powers of one tau"),
    "another generator": (lambda s: s | {TAU_G1: s[TAU_G1][64:] + s[TAU_G1][-64:]}, "generator"),
    "the generator as tau in G2": (changed(TAU_G2, 128, coordinate(1) * 4), "not in G2"),
    "a foreign Lagrange point": (lambda s: changed(LAGRANGE_G1, 64 * 8, s[TAU_G1][:64])(s), "Lagrange section of 8"),
    "a short section": (lambda s: s | {TAU_G1: s[TAU_G1][:-64]}, "section 2"),
    "no header": (lambda s: {kind: data for kind, data in s.items() if kind != 1}, "section 1 is missing"),
    "no powers": (lambda s: {kind: data for kind, data in s.items() if kind != TAU_G1}, "section 2"),
    "another curve": (changed(1, 4, b"\x01"), "another curve"),
    "an absurd power": (changed(1, 36, b"\xff"), "power 255"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_and_named(backend: Backend, srs: SRS, tmp_path: Path, name: str) -> None:
    change, message = WRONG[name]
    path = write(tmp_path / "wrong.ptau", change(sections_of(srs)))
    with pytest.raises(SetupError, match=rf"wrong\.ptau: .*{message}"):
        import_ptau(backend, path, 20)


def test_other_files_are_refused(backend: Backend, srs: SRS, tmp_path: Path) -> None:
    path = write(tmp_path / "t.ptau", sections_of(srs))
    whole = path.read_bytes()
    for size in (0, 5, 20, 200, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(SetupError, match=r"t\.ptau: (truncated|not a ptau)"):
            open_ptau(path)
    with pytest.raises(SetupError, match="not a ptau file of version 1"):
        open_ptau(write(path, sections_of(srs), version=2))
    with pytest.raises(SetupError, match="No such file"):
        open_ptau(tmp_path / "nowhere.ptau")
    with pytest.raises(SetupError, match="32 powers of tau are needed, the file has 31"):
        import_ptau(backend, write(path, sections_of(srs)), 32)
    with pytest.raises(SetupError, match="not the pinned one"):
        import_ptau(backend, path, 20, "00" * 64)


@real_files
@pytest.mark.parametrize(
    ("name", "size", "pinned"),
    [("powersOfTau28_hez_final_11.ptau", 2048, HERMEZ_11), ("ppot0085_plonkonly_14.ptau", 4096, None)],
)
def test_real_ceremonies(backend: Backend, name: str, size: int, pinned: str | None) -> None:
    srs = import_ptau(backend, CEREMONIES / name, size, pinned)
    assert len(srs.powers) == size and max(srs.bases) == size
    del srs.bases[64]
    assert affine(backend, srs.lagrange(64)) == affine(backend, import_ptau(backend, CEREMONIES / name, 64).bases[64])


def test_the_seed_decides(backend: Backend, srs: SRS) -> None:
    same, other = insecure_srs(backend, 31, b"a ceremony of one"), insecure_srs(backend, 31, b"another")
    assert same.digest == srs.digest != other.digest and srs.kind == "insecure"
    assert insecure_srs(backend, 8, b"another").digest == other.digest
    with pytest.raises(SetupError, match="a domain of 64 points"):
        srs.lagrange(64)


def test_storage(backend: Backend, srs: SRS, tmp_path: Path) -> None:
    path = tmp_path / "setup.npz"
    srs.lagrange(8)
    save_srs(srs, path)
    loaded = load_srs(backend, path)
    assert loaded.digest == srs.digest and 8 in loaded.bases
    assert affine(backend, loaded.powers) == affine(backend, srs.powers)
    assert [file.name for file in tmp_path.iterdir()] == ["setup.npz"]


def test_damaged_storage_is_refused(backend: Backend, srs: SRS, tmp_path: Path) -> None:
    path = tmp_path / "setup.npz"
    save_srs(srs, path)
    whole = path.read_bytes()
    for data in (b"", b"x", whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(data)
        with pytest.raises(SetupError, match=r"setup\.npz: not a setup file"):
            load_srs(backend, path)
    path.write_bytes(whole)
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files}
    header = json.loads(arrays["header"].tobytes())
    for change, message in (({"format": "zkmargin setup 0"}, "of version"), ({"checksum": "0"}, "checksum")):
        changed_header = np.frombuffer(json.dumps(header | change).encode(), np.uint8)
        np.savez(path, allow_pickle=False, **(arrays | {"header": changed_header}))
        with pytest.raises(SetupError, match=message):
            load_srs(backend, path)
    with pytest.raises(SetupError, match="No such file"):
        load_srs(backend, tmp_path / "nowhere.npz")
