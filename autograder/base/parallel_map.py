"""The same work on many pieces, some at a time."""

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
) -> list[Result]:
    """Do the work in ``workers`` threads, which wait for processes; the results in the order of the pieces.

    ``on_done`` is called from this thread, with each result as soon as it is there. An error, or Ctrl-C, ends it all:
    what has not begun by then is given up.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, piece) for piece in pieces]
        try:
            for future in as_completed(futures):
                on_done(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
