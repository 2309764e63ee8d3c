"""Ranges over threads: kernels release the interpreter lock, so a pool of Python threads runs them side by side."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

from prover.backend.protocol import BackendError

_inside = threading.local()  # .run_all: whether this thread is at work on a task of `run_all`
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers() -> int:
    """Threads that work at once, the caller's included: one for each core of this process unless set."""
    return _workers


def set_workers(count: int) -> None:
    """From now on that many threads, for a process that shares its cores; not while kernels run."""
    global _pool, _workers
    if count < 1:
        raise BackendError(f"{count} threads: at least one is needed")
    with _lock:
        if _pool is not None:
            _pool.shutdown()
        _pool, _workers = None, count


def _forget() -> None:
    """A forked child has the object but not the threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _get_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(_workers - 1, "zkmargin-kernel")
        return _pool


def run_all(tasks: Iterable[Callable[[], Any]]) -> list[Any]:
    """The results of all tasks, in order. The caller works beside the pool, and whoever is free takes the next task.

    A task that calls it again has its tasks done one after the other: the outermost split keeps all threads busy.
    """
    listed = list(tasks)
    if len(listed) <= 1 or _workers == 1 or getattr(_inside, "run_all", False):
        return [task() for task in listed]
    results: list[Any] = [None] * len(listed)
    left = iter(range(len(listed)))  # next() on it is one step under the interpreter lock

    def work() -> None:
        _inside.run_all = True
        try:
            for k in left:
                results[k] = listed[k]()
        finally:
            _inside.run_all = False

    helpers = [_get_pool().submit(work) for _ in range(min(_workers, len(listed)) - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    return results


def ranges(n: int, least: int, parts: int = 0) -> list[tuple[int, int]]:
    """[0, n) in `parts` (default: one per thread) even ranges, fewer so that each has at least `least` items."""
    count = max(1, min(parts or _workers, n // max(least, 1)))
    edges = [n * k // count for k in range(count + 1)]
    return list(pairwise(edges))


def split(kernel: Callable[..., Any], *arguments: Any, n: int, least: int = 2048) -> list[Any]:
    """kernel(*arguments, start, stop) over even ranges of [0, n)."""
    return run_all(partial(kernel, *arguments, a, b) for a, b in ranges(n, least))
