"""One judge process that starts with the first job: a stored result needs none."""

from contextlib import ExitStack
from types import TracebackType

from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgePool
from autograder.lab import Lab
from autograder.results import IsolationLevel


class LazyPool:
    """For callers that grade one submission after the other, most of them from the store.

    Use as a context manager. ``level`` is ``NONE`` until a process has proved more.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open = ExitStack()
        self._pool: JudgePool | None = None
        self.level = IsolationLevel.NONE

    def __enter__(self) -> "LazyPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._open.close()

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job, starting the process if this is the first.

        Raises:
            JudgeError: no judge could start, or this machine does not isolate student code.
        """
        if self._pool is None:
            self._pool = self._open.enter_context(JudgePool(self._lab.root, size=1))
            self.level = self._pool.level
        return self._pool.judge(job)
