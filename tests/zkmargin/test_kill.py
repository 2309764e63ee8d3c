"""Processes that are killed, and write-ahead logs that a power cut tears: what was applied is all there or not at
all, and never there twice."""

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.zkmargin.stores import PARAMETERS, PRICE, ROOT, add_batch, make_rollup, state_after
from zkmargin.files import write_transactions
from zkmargin.rollup import STORE, Rollup
from zkmargin.state import State
from zkmargin.store import Store
from zkmargin.transactions import Deposit, Open, Tick, Transaction

CREATED = ("file made", "schema written", "rollup written", "created")
APPLIED = ("built", "committed", "batch written", "refusals written", "cells written", "head written", "applied")
PROVEN = ("witness built", "proven", "proof written", "proof stored")
STEPS = (*APPLIED, *PROVEN, "verdict written", "verified")

STOP = """
import os, sys
from pathlib import Path
path, stop = Path(sys.argv[1]), sys.argv[2]
def checkpoint(step):
    if step == stop:
        os.kill(os.getpid(), 9)
"""
CREATE = f"""{STOP}
from tests.zkmargin.stores import PARAMETERS
from zkmargin.state import State
from zkmargin.store import Store
Store.create(path, '{{"key": 1}}', State.genesis(PARAMETERS), checkpoint)
"""
PROVE = f"""{STOP}
from zkmargin.rollup import Rollup
rollup = Rollup(path / "rollup", "cpu", checkpoint)
rollup.apply_file(path / "first.jsonl")
rollup.prove(0)
rollup.verify(0)
"""
APPLY_ALL = """
import sys
from pathlib import Path
from zkmargin.rollup import Rollup
folder = Path(sys.argv[1])
rollup = Rollup(folder / "rollup", "cpu")
for path in sorted(folder.glob("batch-*.jsonl")):
    rollup.apply_file(path)
    print(path.name, flush=True)
"""


def kill_at(program: str, path: Path, step: str) -> None:
    """Runs a program that kills itself at a step; fails when it did not come to it."""
    command = [sys.executable, "-c", program, str(path), step]
    child = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True)
    assert child.returncode == -9, child.stderr.decode()


@pytest.mark.parametrize("step", CREATED)
def test_a_kill_while_it_is_created_leaves_all_or_nothing(tmp_path: Path, step: str) -> None:
    path = tmp_path / STORE
    kill_at(CREATE, path, step)
    assert path.exists() == (step == "created")
    if step != "created":
        Store.create(path, '{"key": 1}', State.genesis(PARAMETERS))
        assert [p.name for p in tmp_path.iterdir()] == [STORE]
    with closing(Store.open(path)) as store:
        assert store.key == '{"key": 1}' and store.state()[0].batch == 0 and store.batches() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_any_two_steps_loses_nothing_and_repeats_nothing(tmp_path: Path, step: str) -> None:
    folder = make_rollup(tmp_path)
    kill_at(PROVE, folder, step)
    reached = STEPS.index(step)
    applied, proven, verified = (reached >= STEPS.index(name) for name in ("applied", "proof stored", "verified"))
    rollup = Rollup(folder / "rollup", "cpu")
    state, commitment = rollup.store.state()
    assert state.batch == state.tick == applied and len(state.cells) == 2 * applied
    assert state.queue == 4 * applied and (commitment is not None) == applied
    assert rollup.store.batches() == ([(0, proven, verified)] if applied else [])
    assert rollup.apply_file(folder / "first.jsonl")["batch"] == 0
    assert len(rollup.store.refusals(0)) == 1
    assert rollup.prove(0)["new proof"] == (not proven)
    rollup.verify(0)
    assert rollup.store.batches() == [(0, True, True)] and rollup.store.state()[0].queue == 4
    assert rollup.apply_file(folder / "second.jsonl")["batch"] == 1
    assert rollup.check(1) == []


def test_every_step_of_the_code_is_a_step_of_these_tests(tmp_path: Path) -> None:
    seen: list[str] = []
    rollup = Rollup(make_rollup(tmp_path) / "rollup", "cpu", seen.append)
    rollup.apply_file(tmp_path / "first.jsonl")
    rollup.prove(0)
    rollup.verify(0)
    Store.create(tmp_path / "another", "{}", State.genesis(PARAMETERS), seen.append)
    assert tuple(seen) == STEPS + CREATED


def test_kills_at_any_moment(tmp_path: Path) -> None:
    """A process that applies one file after the other is killed and started again. What it reported as applied is
    applied, each file once, and the money is that of the deposits."""
    folder, count, source = make_rollup(tmp_path), 400, random.Random(5)
    for number in range(count):
        first: list[Transaction] = [Open(2, 0, 0)] if number == 0 else []
        tick = Tick(10 + number, ((PRICE, 0),))
        write_transactions(folder / f"batch-{number:03}.jsonl", [tick, *first, Deposit(2, 1000, number + 1)])
    done = 0
    for _ in range(6):
        reported = kill_after(folder, done + source.randrange(1, 40), source.uniform(0, 0.006))
        with closing(Store.open(folder / "rollup" / STORE)) as store:
            state, before, done = store.state()[0], done, len(store.batches())
        assert before < reported <= done < count and state.batch == state.tick == done
        assert state.queue == done + 1 and state.cell(2).collateral == 1000 * done
    rollup = Rollup(folder / "rollup", "cpu")
    assert rollup.check(done // 2) == [] and rollup.store.cells_before(0) == {}


def kill_after(folder: Path, lines: int, seconds: float) -> int:
    """Kills a process some time after it has reported so many files; returns how many it reported until it died."""
    command = [sys.executable, "-c", APPLY_ALL, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(lines):
            assert child.stdout.readline()
        time.sleep(seconds)
        child.kill()
        return lines + len(child.stdout.read().splitlines())


def test_a_torn_log_holds_the_first_batches(tmp_path: Path) -> None:
    """Whatever beginning of the write-ahead log is on the disk, the state is that after some batch, and a longer
    beginning never holds fewer."""
    path, torn, count = tmp_path / STORE, tmp_path / "torn" / STORE, 4
    Store.create(path, "{}", State.genesis(PARAMETERS))
    ends = []
    with closing(Store.open(path)) as store:
        for number in range(count):
            add_batch(store, number)
            ends.append(Path(f"{path}-wal").stat().st_size)
        store.add_proof(0, b"proof")
        database, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    held = []
    for length in [*range(0, len(log), 2008), *ends, len(log)]:
        shutil.rmtree(torn.parent, ignore_errors=True)
        torn.parent.mkdir()
        torn.write_bytes(database)
        Path(f"{torn}-wal").write_bytes(log[:length])
        with closing(Store.open(torn)) as store:
            state, batches = store.state()[0], store.batches()
            assert len(batches) == state.batch and all(store.batch(n).number == n for n, *_ in batches)
            held.append((length, state.batch))
            assert state == (state_after(state.batch - 1) if batches else State.genesis(PARAMETERS))
            for number in range(state.batch, count):
                add_batch(store, number)
            assert store.state()[0] == state_after(count - 1)
    assert all(batches == sum(end <= length for end in ends) for length, batches in held)
    assert {batches for _, batches in held} == set(range(count + 1))
