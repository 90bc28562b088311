"""Work on many pieces: results in order, told at once, and a stop that gives up the rest."""

import threading
import time

import pytest

from autograder.base.parallel_map import parallel_map


def test_results_keep_the_order_of_the_pieces_and_are_told_as_they_come():
    second_is_told = threading.Event()
    told = []

    def work(piece: str) -> str:
        if piece == "first":
            second_is_told.wait(timeout=60)
        return piece.upper()

    def tell(result: str) -> None:
        told.append(result)
        second_is_told.set()

    assert parallel_map(work, ["first", "second"], 2, tell) == ["FIRST", "SECOND"]
    assert told == ["SECOND", "FIRST"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_error_gives_up_what_has_not_begun(stop):
    begun = []

    def work(piece: int) -> int:
        begun.append(piece)
        if piece == 0:
            raise stop
        time.sleep(0.05)  # on a busy machine, the error needs its time to be heard of
        return piece

    with pytest.raises(stop):
        parallel_map(work, range(1000), 1)
    assert len(begun) < 1000
