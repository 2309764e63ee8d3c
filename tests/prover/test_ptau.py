"""Import of ceremonies' files: what holds is read exactly, and what does not is named with its file."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prover.backend import Backend, get_backend
from prover.errors import SetupError
from prover.kzg import affine
from prover.ptau import open_ptau
from prover.setup import CEREMONY, SRS, import_ptau
from tests.prover.ptau_files import (
    POWER,
    TAU,
    PtauWriter,
    g1_multiple,
    g2_multiple,
    header,
    lagrange_section,
    montgomery,
    outside_the_subgroup,
)  # fmt: skip
from verifier.curve import BASE_MODULUS, MODULUS, in_g2

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "srs"
real_files = pytest.mark.skipif(not DATA.is_dir(), reason="the ceremony files in ../shared/data are not here")
COUNT = (2 << POWER) - 1
GOOD = PtauWriter.of()


@pytest.fixture(scope="module")
def cpu() -> Backend:
    return get_backend("cpu")


def imported(backend: Backend, path: Path, writer: PtauWriter = GOOD, size: int = COUNT) -> SRS:
    return import_ptau(backend, writer.write(path / "t.ptau"), size)


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_powers_and_bases_are_those_of_tau(tmp_path: Path, name: str) -> None:
    srs = imported(get_backend(name), tmp_path)
    assert affine(srs.backend, srs.powers) == [g1_multiple(pow(TAU, i, MODULUS)) for i in range(COUNT)]
    assert (srs.kind, srs.tau_g2) == (CEREMONY, g2_multiple(TAU)) and sorted(srs.bases) == [(2, 1, 0), (4, 1, 0)]


def test_a_file_without_bases_gives_the_same_ones(cpu: Backend, tmp_path: Path) -> None:
    stored, derived = imported(cpu, tmp_path), imported(cpu, tmp_path, GOOD.without(12))
    assert not derived.bases
    for n in (1, 2, 4):
        assert affine(cpu, derived.lagrange(n)) == affine(cpu, stored.lagrange(n))


def test_fewer_powers_are_read_when_fewer_are_asked_for(cpu: Backend, tmp_path: Path) -> None:
    few = imported(cpu, tmp_path, size=3)
    assert len(few.powers) == 3 and sorted(few.bases) == [(2, 1, 0)]
    assert few.digest == imported(cpu, tmp_path).digest
    with pytest.raises(SetupError, match=f"{COUNT + 1} powers of tau are needed, the file has {COUNT}"):
        imported(cpu, tmp_path, size=COUNT + 1)


def test_a_pinned_hash(cpu: Backend, tmp_path: Path) -> None:
    path = GOOD.write(tmp_path / "t.ptau")
    source = import_ptau(cpu, path, 4).source
    assert len(source) == 128 and import_ptau(cpu, path, 4, source.upper()).source == source
    with pytest.raises(SetupError, match=r"t\.ptau: its BLAKE2b is .* not the pinned one"):
        import_ptau(cpu, path, 4, source[:-1] + ("0" if source[-1] != "0" else "1"))


def cut(section: int, count: int = 1) -> PtauWriter:
    return GOOD.having(section, GOOD.sections[section][:-count])


def test_structure_is_checked(tmp_path: Path) -> None:
    def opened(writer: PtauWriter) -> None:
        open_ptau(writer.write(tmp_path / "t.ptau"))

    wrong: list[tuple[str, PtauWriter]] = [
        ("not a ptau file of version 1", replace(GOOD, magic=b"zkey")),
        ("not a ptau file of version 1", replace(GOOD, version=2)),
        ("section 1 is missing", GOOD.without(1)),
        ("section 2 is missing", GOOD.without(2)),
        ("section 3 is missing", GOOD.without(3)),
        ("section 2 has another length", cut(2)),
        ("section 2 has another length", GOOD.having(2, GOOD.sections[2] + bytes(64))),
        ("section 3 has another length", cut(3, 128)),
        ("section 12 is too short", GOOD.having(12, GOOD.sections[12][: 7 * 64 - 1])),
        ("section 1 is not the header", GOOD.having(1, header(size=48))),
        ("section 1 is not the header", cut(1)),
        ("of another curve", GOOD.having(1, header(modulus=MODULUS))),
        ("power 0 is outside 1..28", GOOD.having(1, header(power=0))),
        ("power 29 is outside 1..28", GOOD.having(1, header(power=29))),
        ("section 2 has another length", GOOD.having(1, header(power=POWER + 1))),
    ]  # fmt: skip
    for message, writer in wrong:
        with pytest.raises(SetupError, match=rf"t\.ptau: {message}"):
            opened(writer)
    opened(GOOD.having(12, GOOD.sections[12][: 7 * 64]))  # older files end with the domain of 2^power


def test_a_section_twice(tmp_path: Path) -> None:
    data = bytearray(GOOD.encode())
    data[8] += 1
    path = tmp_path / "t.ptau"
    path.write_bytes(bytes(data) + struct.pack("<IQ", 2, 64) + bytes(64))
    with pytest.raises(SetupError, match="section 2 comes twice"):
        open_ptau(path)


def test_every_prefix_is_refused(tmp_path: Path) -> None:
    data, path = GOOD.encode(), tmp_path / "t.ptau"
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(SetupError, match=r"t\.ptau: (truncated|section \d+ is)"):
            open_ptau(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ptau", tmp_path):
        with pytest.raises(SetupError, match=str(path)):
            open_ptau(path)


P_3, TAU_2 = 3 * 64, 128
OTHER = PtauWriter.of(TAU + 1)
(TWIST_X, TWIST_Y) = outside_the_subgroup()
CONTENT: dict[str, tuple[Callable[[], PtauWriter], str]] = {
    "x is p": (lambda: GOOD.patched(2, P_3, BASE_MODULUS.to_bytes(32, "little")), "a coordinate is not below"),
    "y is 2^256 - 1": (lambda: GOOD.patched(2, P_3 + 32, b"\xff" * 32), "a coordinate is not below"),
    "off the curve": (lambda: GOOD.patched(2, P_3, montgomery(1, 3)), "a point is not on the curve"),
    "infinity": (lambda: GOOD.patched(2, P_3, bytes(64)), "or is infinity"),
    "not Montgomery": (lambda: GOOD.patched(2, 0, (1).to_bytes(32, "little") + (2).to_bytes(32, "little")), "curve"),
    "no generator": (lambda: GOOD.having(2, GOOD.sections[2][64:] + montgomery(1, 2)), "first power is not the gen"),
    "tau is 1": (lambda: PtauWriter.of(1, bases=False), "tau is 1, nobody has contributed"),
    "another power": (lambda: GOOD.patched(2, P_3, OTHER.sections[2][P_3 : P_3 + 64]), "not the powers of one tau"),
    "negated power": (lambda: GOOD.patched(2, P_3, montgomery(*g1_multiple(-(TAU**3)))), "not the powers of one tau"),
    # the sum of all powers stays what it was: only unequal weights tell
    "two swapped": (
        lambda: GOOD.patched(2, P_3, GOOD.sections[2][P_3 + 64 : P_3 + 128] + GOOD.sections[2][P_3 : P_3 + 64]),
        "not the powers of one tau",
    ),
    "last power": (lambda: GOOD.patched(2, (COUNT - 1) * 64, montgomery(1, 2)), "not the powers of one tau"),
    "[tau]_2 of another tau": (lambda: GOOD.having(3, OTHER.sections[3]), "not the powers of one tau"),
    "[tau]_2 coordinate": (lambda: GOOD.patched(3, TAU_2, b"\xff" * 32), "a coordinate is not below"),
    "[tau]_2 off the twist": (lambda: GOOD.patched(3, TAU_2, montgomery(1, 1)), r"\[tau\]_2 is not in G2"),
    "[tau]_2 infinity": (lambda: GOOD.patched(3, TAU_2, bytes(128)), r"\[tau\]_2 is not in G2"),
    "[tau]_2 outside the subgroup": (
        lambda: GOOD.patched(3, TAU_2, montgomery(*TWIST_X, *TWIST_Y)), r"\[tau\]_2 is not in G2",
    ),
    "basis of another tau": (
        lambda: GOOD.having(12, lagrange_section(TAU + 1, POWER)), "section of 2 points does not belong",
    ),
    "a basis point": (lambda: GOOD.patched(12, 4 * 64, montgomery(1, 2)), "section of 4 points does not belong"),
    "two basis points swapped": (
        lambda: GOOD.patched(12, 3 * 64, GOOD.sections[12][256:320] + GOOD.sections[12][192:256]),
        "section of 4 points does not belong",
    ),
    "basis point off the curve": (lambda: GOOD.patched(12, 4 * 64, montgomery(5, 5)), "a point is not on the curve"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENT)
def test_points_are_checked(cpu: Backend, tmp_path: Path, name: str) -> None:
    write, message = CONTENT[name]
    with pytest.raises(SetupError, match=rf"t\.ptau: .*{message}"):
        imported(cpu, tmp_path, write())


def test_the_point_outside_the_subgroup_is_on_the_twist() -> None:
    """Else the test above would not test the subgroup; py_ecc's own equation says so in `outside_the_subgroup`."""
    assert not in_g2((TWIST_X, TWIST_Y)) and in_g2(g2_multiple(TAU))


def test_changed_bytes_are_refused(cpu: Backend, tmp_path: Path) -> None:
    """Whatever byte of what is used changes; the header's last word, the ceremony's power, is not used."""
    source = random.Random(5)
    for section, used in ((1, 40), (2, COUNT * 64), (3, 256), (12, 7 * 64)):
        for _ in range(5):
            at = source.randrange(128 if section == 3 else 64 if section == 12 else 0, used)
            byte = bytes([GOOD.sections[section][at] ^ 1 << source.randrange(8)])
            with pytest.raises(SetupError, match=r"t\.ptau: "):
                imported(cpu, tmp_path, GOOD.patched(section, at, byte))


HERMEZ_11 = (  # as snarkjs' README publishes it
    "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28e"
    "a07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33"
)


@real_files
def test_the_hermez_ceremony_imports(cpu: Backend) -> None:
    srs = import_ptau(cpu, DATA / "powersOfTau28_hez_final_11.ptau", 4095, HERMEZ_11)
    assert len(srs.powers) == 4095 and max(srs.bases) == (2048, 1, 0)
    assert affine(cpu, cpu.lagrange(srs.powers[:1024])) == affine(cpu, srs.bases[1024, 1, 0])


@real_files
def test_a_file_for_kzg_alone_imports(cpu: Backend) -> None:
    srs = import_ptau(cpu, DATA / "ppot0085_plonkonly_14.ptau", 32767)
    assert len(srs.powers) == 32767 and max(srs.bases) == (16384, 1, 0)


@real_files
def test_a_truncated_ceremony_is_refused(tmp_path: Path) -> None:
    data = (DATA / "powersOfTau28_hez_final_11.ptau").read_bytes()
    path = tmp_path / "half.ptau"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SetupError, match=r"half\.ptau: truncated in section"):
        open_ptau(path)
