"""parallel_map: ordered results, immediate reports of results, and cancellation after an error."""

import threading
import time

import pytest

from autograder.base.parallel_map import parallel_map


def test_results_keep_the_order_of_the_pieces_and_are_reported_immediately():
    second_is_done = threading.Event()
    reported = []

    def work(piece: str) -> str:
        if piece == "first":
            second_is_done.wait(timeout=60)
        return piece.upper()

    def report(result: str) -> None:
        reported.append(result)
        second_is_done.set()

    assert parallel_map(work, ["first", "second"], 2, report) == ["FIRST", "SECOND"]
    assert reported == ["SECOND", "FIRST"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_error_cancels_pieces_that_have_not_started(stop):
    started = []

    def work(piece: int) -> int:
        started.append(piece)
        if piece == 0:
            raise stop
        time.sleep(0.05)  # leaves time for the error to arrive on a busy machine
        return piece

    with pytest.raises(stop):
        parallel_map(work, range(1000), 1)
    assert len(started) < 1000
