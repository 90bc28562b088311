"""One run at a time in a folder: two runs would overwrite each other's results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class BusyError(Exception):
    """Another run works in the folder; the message says what to do."""


@contextmanager
def only_run(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock on the runs with the checkpoint `name` in a folder; make the folder if it is missing.

    The system frees the lock if the process ends, however it ends. A file system without locks has one run at a time
    only if you take care of it.

    Raises:
        BusyError: another run holds the lock.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f".{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another run is training in {folder}: wait until it ends, or choose another folder with --out"
        ) from None
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
