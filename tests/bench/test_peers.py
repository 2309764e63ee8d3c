"""The comparison with other provers: results are held against closed forms, and what is left out is named."""

import json
import os
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.peers.comparison import PEERS, Compared, compare
from bench.peers.ours import OurKernel
from bench.peers.process import Peer, UnavailableError, build_with, one_core, require_tools, timing_of
from bench.peers.session import PeerOptions
from bench.peers.tables import kernels_table, margin_table
from bench.peers.work import POINT_BASE, SCALAR_BASE, Timing, Work, answer, checked
from bench.plan import BenchError
from circuits.field import MODULUS
from prover.backend.threads import set_workers, workers
from verifier.curve import G1, linear_combination
from zkmargin.cli import main

MSM, NTT, MARGIN = Work("msm", 3), Work("ntt", 3), Work("margin", 4)


@dataclass(frozen=True)
class Stub:
    """A peer that says what it is told to."""

    check: str = ""
    tools: tuple[str, ...] = (sys.executable,)
    name: str = "stub"
    kinds: tuple[str, ...] = ("msm", "margin")

    def build(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UnavailableError("no folder")

    def measure(self, folder: Path, work: Work, runs: int) -> Timing:
        return Timing((9.0,) * runs, (8.0,) * runs, self.check or answer(work))


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(work: Work, runs: int) -> Timing:
        return Timing((9.0,) * runs, (2.0,) * runs, answer(work), {"changes": 254})

    monkeypatch.setattr("bench.peers.comparison.measure_ours", measure)


def test_answers_are_those_of_the_definition() -> None:
    scalars = [pow(SCALAR_BASE, i, MODULUS) for i in range(1, 9)]
    point = linear_combination(
        [G1] * 8, [s * pow(POINT_BASE, i, MODULUS) % MODULUS for s, i in zip(scalars, count(1), strict=False)]
    )
    assert point is not None and answer(MSM) == str(point[0])
    assert answer(NTT) == str(sum(scalars) % MODULUS)


@pytest.mark.parametrize("work", [MSM, NTT])
def test_our_kernels_give_the_answers(work: Work) -> None:
    before = workers()
    try:
        timing = OurKernel(work, 2).measure()
    finally:
        set_workers(before)
    assert checked(work, timing) is timing and len(timing.seconds) == 2


def test_a_wrong_result_is_no_timing() -> None:
    with pytest.raises(BenchError, match="the result 7 is not"):
        checked(NTT, Timing((1.0,), (1.0,), "7"))


def test_the_same_work_side_by_side(ours: None, tmp_path: Path) -> None:
    results, left_out = compare([MSM, NTT, MARGIN], 8, [Stub()], 1, tmp_path)
    assert kernels_table(results) == [
        {"processor time, one core": "msm 2^3", "zkmargin": "2.00 s", "stub": "8.00 s", "stub / zkmargin": "4.00"},
        {"processor time, one core": "ntt 2^3", "zkmargin": "2.00 s", "stub": "–", "stub / zkmargin": "–"},
    ]
    assert [(row["changes a second"], row["zkmargin / it"]) for row in margin_table(results)] == [
        ("0.50", "254.0"),
        ("127.00", "1.0"),
    ]
    assert left_out[-1] == "stub, ntt 2^3: not among what its runner does"


def test_peers_that_fail_are_named_and_the_rest_goes_on(ours: None, tmp_path: Path) -> None:
    wrong, absent = Stub(check="7", name="wrong"), Stub(tools=("no-such-compiler",), name="absent")
    results, left_out = compare([MSM], 8, [wrong, absent], 1, tmp_path)
    assert results == [Compared("zkmargin", MSM, Timing((9.0,), (2.0,), answer(MSM), {"changes": 254}))]
    assert "absent: not installed: no-such-compiler" in left_out
    assert left_out[-1].startswith("wrong, msm 2^3: the result 7 is not")


def test_programs_that_fail_say_why_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="not installed: no-such-tool"):
        require_tools(["no-such-tool"])
    with pytest.raises(UnavailableError, match=r"broken$"):
        build_with([sys.executable, "-c", "import sys; sys.exit('first\\nbroken')"], tmp_path)
    with pytest.raises(BenchError, match=r"broken$"):
        timing_of([sys.executable, "-c", "import sys; sys.exit('broken')"], tmp_path)
    with pytest.raises(BenchError, match="printed no measurement"):
        timing_of([sys.executable, "-c", "print('{}')"], tmp_path)


def test_what_a_program_prints_is_read(tmp_path: Path) -> None:
    printed = json.dumps({"seconds": [9.0, 9.0, 9.0], "cpu": [2.0, 1.0, 4.0], "check": "7", "detail": {"version": "1"}})
    timing = timing_of([sys.executable, "-c", f"print({printed!r})"], tmp_path)
    assert timing == Timing((9.0, 9.0, 9.0), (2.0, 1.0, 4.0), "7", {"version": "1"}) and timing.median == 2.0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
def test_one_core_for_all_and_back() -> None:
    before = os.sched_getaffinity(0)
    with one_core() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_sizes_alone_say_what_is_compared() -> None:
    options = PeerOptions.of_sizes((3,), 1)
    assert options.works == [Work("msm", 3), Work("ntt", 3), Work("margin", 4), Work("margin", 16)]
    assert options.proof == 5


def test_the_command_asks_for_the_comparison(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr("bench.peers.session.run_peers", lambda options, output: asked.append((options, output)))
    done = CliRunner().invoke(main, ["bench", "--peers", "--sizes", "6..7", "--runs", "2", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert asked == [(PeerOptions.of_sizes((6, 7), 2), tmp_path)]


@pytest.mark.long
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_give_the_answers(peer: Peer, tmp_path: Path) -> None:
    require_tools(peer.tools)
    peer.build(tmp_path)
    for work in (Work("msm", 8), Work("ntt", 8), Work("margin", 1)):
        assert checked(work, peer.measure(tmp_path, work, 1)).median > 0
