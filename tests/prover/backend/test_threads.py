"""Threads under the kernels: their number can be set, and does not change a result."""

import pytest

from prover.backend.protocol import BackendError
from prover.backend.threads import ranges, run_all, set_workers, workers


def test_any_number_of_threads_gives_the_results_in_order() -> None:
    before = workers()
    try:
        for count in (1, 2, 3):
            set_workers(count)
            assert workers() == count
            assert len(ranges(1000, 1)) == count
            assert run_all(lambda k=k: k * k for k in range(20)) == [k * k for k in range(20)]
    finally:
        set_workers(before)


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(BackendError, match="0 threads"):
        set_workers(0)
