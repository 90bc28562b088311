"""Runs a function on many items in a pool of threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def parallel_map(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    workers: int,
    on_done: Callable[[Result], object] = lambda result: None,
    on_stop: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Map ``work`` over ``pieces`` in ``workers`` threads, which mostly wait for processes.

    ``on_done`` is called from the calling thread with each result as soon as it is available. An error or Ctrl-C
    stops the map and cancels all pieces that have not started; ``on_stop`` is then called, to end those that run.

    Returns:
        The results in the order of the pieces.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, piece) for piece in pieces]
        try:
            for future in as_completed(futures):
                on_done(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            on_stop()
            raise
    return [future.result() for future in futures]
