"""The bench: what it measures, what it leaves out and says so, and what it writes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.machine import describe_machine
from bench.measurement import KERNEL_STAGES, PROOF_STAGES, Measurement
from bench.plan import Options, make_plan
from bench.proofs import device_peak
from bench.ratios import cpu_against_gpu, ratios
from bench.report import format_seconds, write_results
from prover.backend import get_backend
from prover.backend.cuda import CudaBackend
from prover.backend.cuda_device import Device
from prover.backend.threads import workers
from zkmargin.cli import main


def measured(stage: str, size: int, seconds: float, threads: int = 1, backend: str = "cpu") -> Measurement:
    return Measurement(stage, backend, size, threads, (seconds, 3 * seconds, seconds), (seconds,) * 3)


def plan(**changes: Any) -> tuple[list[Any], list[str]]:
    asked = {"stages": ("msm", "proof"), "backends": ("cpu",), "sizes": (5, 7), "threads": (1,), "runs": 1}
    return make_plan(Options(**{**asked, "limb_bits": 8, "accounts": None, **changes}))


def test_the_least_size_is_measured_and_written(tmp_path: Path) -> None:
    stages = ",".join(["ntt", *PROOF_STAGES])
    arguments = f"bench --stages {stages} --backends cpu --sizes 5 --threads 1 --runs 1 --limb-bits 8"
    done = CliRunner().invoke(main, [*arguments.split(), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "results.json").read_text())
    ntt, *rounds, proof = report["results"]
    assert (ntt["stage"], [row["stage"] for row in rounds]) == ("ntt", list(PROOF_STAGES[:-1]))
    assert sum(row["median_s"] for row in rounds) == pytest.approx(proof["median_s"])
    assert proof["changes"] == proof["accounts"] == 30
    assert proof["peak_bytes"] > 1 << 26
    assert min(proof["limb_cells"], proof["other_witness_cells"], proof["bus_cells"]) > 0
    assert report["machine"]["kernels"] in ("ifma", "portable")


def test_each_stage_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.plan.workers", lambda: 2)
    jobs, left_out = plan(backends=("cpu", "reference"), sizes=(3, 5, 10), threads=(1, 2))
    assert [job.title for job in jobs] == [
        "msm on cpu",
        "proof of 2^5 changes on cpu",
        "proof of 2^10 changes on cpu",
        "msm on reference",
        "proof of 2^5 changes on reference",
    ]
    assert left_out == [
        "proof of 2^3 on cpu: proofs begin at 2^5 changes",
        "reference with several threads: it has no threads",
        "msm of 2^10 on reference: it would take minutes above 2^8",
        "proof of 2^3 on reference: proofs begin at 2^5 changes",
        "proof of 2^10 on reference: it would take minutes above 2^5",
    ]


def test_a_backend_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from prover.backend import BackendError

    def missing(name: str) -> None:
        raise BackendError("no such device")

    monkeypatch.setattr("bench.plan.get_backend", missing)
    assert plan(backends=("cuda",)) == ([], ["backend cuda: no such device"])


def test_a_device_is_fed_by_one_thread(cuda_anywhere: None) -> None:
    jobs, left_out = plan(backends=("cuda",), threads=(1, 2), sizes=(5,))
    assert [(job.title, job.threads) for job in jobs] == [("msm on cuda", (1,)), ("proof of 2^5 changes on cuda", (1,))]
    assert "cuda with several threads: one thread feeds the GPU" in left_out


def test_the_stages_run_on_a_device(cuda_anywhere: None) -> None:
    jobs, _ = plan(backends=("cuda",), stages=KERNEL_STAGES, sizes=(5,))
    found = [m for job in jobs for m in job.measure()]
    assert [m.stage for m in found] == list(KERNEL_STAGES)
    assert all(m.backend == "cuda" and m.median > 0 for m in found)


def test_the_memory_of_a_device_is_that_of_its_pool(cuda_device: Device) -> None:
    backend = CudaBackend(cuda_device)
    backend.integers(backend.powers(3, 1000))
    assert device_peak(backend)["device_peak_bytes"] > 0
    assert device_peak(get_backend("cpu")) == {}


def test_the_device_is_named(cuda_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.machine.open_device", lambda: cuda_device)
    assert str(describe_machine()["gpu"]).startswith(f"{cuda_device.name}, {cuda_device.memory >> 20} MiB, driver for")


def test_columns_that_memory_cannot_hold_are_left_out() -> None:
    jobs, left_out = plan(stages=("expression",), sizes=(10, 24))
    assert [job.sizes for job in jobs] == [{"expression": (10,)}]
    assert len(left_out) == 1 and "expression of 2^24 on cpu" in left_out[0]


def test_threads_without_cores_are_left_out() -> None:
    jobs, left_out = plan(stages=("msm",), threads=(1, workers() + 1))
    assert [job.threads for job in jobs] == [(1,)]
    assert left_out == [f"{workers() + 1} threads: this process may use {workers()} cores"]


def test_ratios() -> None:
    times = [measured("msm", 10, 8.0), measured("msm", 10, 4.0, threads=2), measured("msm16", 10, 0.5)]
    found = {(r.ratio, r.of): r.value for r in ratios([*times, measured("msm", 20, 8.0 * 2**10 * 2)])}
    assert found == {
        ("speed of 2 threads against 1", "msm"): 2,
        ("time against full scalars", "msm16, threads: 1"): 1 / 16,
        ("growth over n log n", "msm, threads: 1"): 1,
    }


def test_cpu_against_gpu_takes_the_fastest_of_each() -> None:
    times = [measured("ntt", 10, 8.0), measured("ntt", 10, 4.0, threads=2), measured("ntt", 10, 0.5, backend="cuda")]
    assert cpu_against_gpu(times[:2]) == []
    assert cpu_against_gpu(times) == [{"stage": "ntt", "size": 10, "cpu_s": 4.0, "cuda_s": 0.5, "ratio": 8.0}]


def test_results_in_three_files(tmp_path: Path) -> None:
    times = [measured("msm", 10, 8.0), measured("proof", 11, 9.0)]
    write_results(tmp_path, times, ["ntt: not asked"], {"cores": 2}, {"runs": 3})
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], float(row["median_s"]), float(row["max_s"])) for row in rows] == [
        ("msm", 8.0, 24.0),
        ("proof", 9.0, 27.0),
    ]
    assert json.loads((tmp_path / "results.json").read_text())["left out"] == ["ntt: not asked"]
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_the_plot_is_asked_for_before_measuring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.report.find_spec", lambda _: None)
    done = CliRunner().invoke(main, ["bench", "--output", str(tmp_path / "results")])
    assert done.exit_code == 2
    assert done.output == "zkmargin: the plot in --output needs matplotlib: pip install 'zkmargin[bench]'\n"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--stages", "msm,nothing", "'nothing' is none of msm,"),
        ("--sizes", "14..", "neither a list"),
        ("--sizes", "16..14", "not within 1 to 28"),
        ("--sizes", "29", "not within 1 to 28"),
        ("--threads", "0", "not within 1 to"),
        ("--threads", str(workers() + 1), "nothing is left to measure"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(option: str, value: str, message: str) -> None:
    done = CliRunner().invoke(main, ["bench", "--backends", "cpu", option, value])
    assert done.exit_code == 2 and message in done.output


@pytest.mark.parametrize(
    ("seconds", "text"), [(1234.5, "1,234 s"), (12.34, "12.3 s"), (0.0123, "12.3 ms"), (3e-7, "0.30 µs")]
)
def test_seconds_have_three_digits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
