"""The pytest plugin: one fresh session and one record per hidden check.

pytest collects and runs the tests; only this plugin's records count. Exit codes, reports and printed
text are ignored. A check passes if each of its collected runs finished without an error; a skip, an
expected failure or a run that did not happen is not a pass.
"""

import functools
import hashlib
import inspect
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import hypothesis
import pytest
from hypothesis.errors import StopTest, UnsatisfiedAssumption

from autograder.course.check_titles import title_and_hint
from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.proxy import Session, Student
from autograder.judge.attachments import Attachments
from autograder.judge.sessions import CheckedSession, SessionFault, close, give_back

OpenSession = Callable[[], Session]
OpenForCheck = Callable[[str, str | None], Session]


class NothingChecked(Exception):
    """A Hypothesis check rejected every example, so it checked nothing."""


class ReferenceFault(Exception):
    """The reference raised an error in a check that uses it as an oracle."""


@dataclass
class CheckRecord:
    """The record of one check.

    Attributes:
        title: the first line of the check's docstring.
        hint: the hint in its docstring.
        due: number of collected runs: 1, or the number of parameter sets.
        runs: number of runs that finished without an error.
        error: the first error of any run.
        seconds: time spent, set-up and teardown included.
    """

    title: str = ""
    hint: str = ""
    due: int = 0
    runs: int = 0
    error: BaseException | None = None
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every collected run finished without an error."""
        return 0 < self.due == self.runs


class JudgePlugin:
    """Runs each hidden check against a session of its own.

    Args:
        open_session: opens a session in which the submission is loaded; called with the check and the check after it.
        open_reference: opens a session in which the reference is loaded, for the fixture ``reference``.
        seed: the seed of the course; each check draws its examples from this seed and its own id.
        only: ids of the checks to run; all when None.
        attachments: the files submitted beside the module, for the fixture ``attachments``.
        targets: the targets of the stage in ``grading.yml``, for the fixture ``targets``.

    Attributes:
        seed: the seed of the course.
        records: check → its record.
        problems: errors of the hidden tests themselves.
        interruption: the exception that ended the run early, such as Ctrl-C.
        on_example: called before each example of a check that Hypothesis draws.
    """

    def __init__(
        self,
        open_session: OpenForCheck,
        open_reference: OpenSession,
        seed: int,
        only: frozenset[str] | None = None,
        attachments: Attachments | None = None,
        targets: Mapping[str, float] | None = None,
    ) -> None:
        self._open_session = open_session
        self._open_reference = open_reference
        self.seed = seed
        self._only = only
        self._attachments = attachments or Attachments({})
        self._targets = targets or {}
        self._following: dict[str, str] = {}  # item → the check after it
        self.records: dict[str, CheckRecord] = {}
        self.problems: list[str] = []
        self.interruption: BaseException | None = None
        self.on_example: Callable[[], None] = lambda: None

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Generator[Student, None, None]:
        """The submission under test."""
        name = check_of(request.node)
        session = _opened(lambda: self._open_session(name, self._following.get(request.node.nodeid)))
        try:
            yield Student(CheckedSession(session))
        finally:
            end = give_back if self.records[name].error is None else close
            end(session)

    @pytest.fixture
    def twin(self, request: pytest.FixtureRequest) -> Generator[Student, None, None]:
        """The submission in a second session, which shares no state with the first."""
        name = check_of(request.node)
        session = _opened(lambda: self._open_session(name, None))
        try:
            yield Student(CheckedSession(session))
        finally:
            close(session)

    @pytest.fixture
    def reference(self) -> Student:
        """The instructor's solution, as another oracle."""
        return Student(_Oracle(_opened(self._open_reference)))

    @pytest.fixture
    def attachments(self) -> Attachments:
        """The files submitted beside the module."""
        return self._attachments

    @pytest.fixture
    def targets(self) -> Mapping[str, float]:
        """What trained models must reach, by name, from ``grading.yml``."""
        return MappingProxyType(dict(self._targets))

    def pytest_configure(self, config: pytest.Config) -> None:
        """Write tracebacks, which are not read, in the one style that does not parse the test's file."""
        config.option.tbstyle = "native"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note why hidden tests could not be collected: an error, or a skip of the whole file."""
        if not report.passed:
            self.problems.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read each check's title and hint, and deselect the checks that are not to run."""
        chosen = [item for item in items if self._only is None or check_of(item) in self._only]
        functions: dict[str, str] = {}
        for item in chosen:
            name, function = check_of(item), item.nodeid.partition("[")[0]
            if functions.setdefault(name, function) != function:
                self.problems.append(f"{function}: {functions[name]} has the same name; rename one of the checks")
            if name not in self.records:
                docstring = inspect.getdoc(getattr(item, "function", None)) or ""
                self.records[name] = CheckRecord(*title_and_hint(docstring))
            self.records[name].due += 1
        items[:] = chosen
        self._following = {item.nodeid: check_of(after) for item, after in pairwise(chosen)}

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that pytest or this plugin failed."""
        self.problems.append(f"pytest failed: {excinfo.exconly()}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep the exception of Ctrl-C, or of a test that called ``pytest.exit``.

        A session with ``shouldstop`` set ends here too. The checks that it did not finish are incomplete, and
        fail closed.
        """
        if not isinstance(excinfo.value, pytest.Session.Interrupted):
            self.interruption = excinfo.value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Time the check, set-up and teardown included."""
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.records[check_of(item)].seconds += time.perf_counter() - started

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Count a fixture's error as the check's error."""
        with self._noting_errors(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run one check; its first error counts."""
        assert isinstance(item, pytest.Function)
        seed = check_seed(self.seed, check_of(item))
        with self._noting_errors(item), _Examples(item.function, seed, self.on_example).watched():
            result = yield
        self.records[check_of(item)].runs += 1
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Count an error in a fixture's teardown as the check's error."""
        with self._noting_errors(item):
            return (yield)

    @contextmanager
    def _noting_errors(self, item: pytest.Item) -> Iterator[None]:
        """Record the error inside the block, unless an earlier run of the check has recorded its own."""
        record = self.records[check_of(item)]
        try:
            yield
        except BaseException as error:
            if record.error is None:
                record.error = error
            raise


def check_seed(seed: int, check: str) -> int:
    """Return the seed of one check's examples: independent of the other checks, and of the submission."""
    return int.from_bytes(hashlib.sha256(f"{seed} {check}".encode()).digest()[:8], "big")


class _Examples:
    """Watches the examples of a Hypothesis test; has no effect on other tests.

    Hypothesis runs a failing example again to confirm it. A worker that has died, or gives a different
    result the second time, would turn a plain failure into a "flaky" error, and a slow example would cost
    twice. So the first error is kept, and every later example fails with it at once.
    """

    def __init__(self, function: Callable[..., Any], seed: int, on_example: Callable[[], None] = lambda: None) -> None:
        self._function = function
        self._on_example = on_example
        self._seed = seed
        self._handle = getattr(function, "hypothesis", None)
        self._error: BaseException | None = None
        self._checked = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the test that runs inside the block.

        Raises:
            NothingChecked: no example finished.
            BaseException: the first error of any example, even if Hypothesis raised a different error or nothing.
        """
        if self._handle is None:
            yield
            return
        hypothesis.seed(self._seed)(self._function)
        # Without it, Hypothesis parses the source of the test for a key to the database, which is not used.
        vars(self._function).setdefault("_hypothesis_internal_database_key", None)
        inner = self._handle.inner_test
        self._handle.inner_test = self._watching(inner)
        try:
            yield
        finally:
            self._handle.inner_test = inner
            if self._error is not None:
                raise self._error
        if not self._checked:
            raise NothingChecked

    def _watching(self, test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def watching(*args: Any, **kwargs: Any) -> Any:
            if self._error is not None:
                raise self._error
            self._on_example()
            try:
                result = test(*args, **kwargs)
            except (UnsatisfiedAssumption, StopTest):  # Hypothesis abandons the example
                raise
            except BaseException as error:
                self._error = error
                raise
            self._checked += 1
            return result

        return watching


class _Oracle:
    """The reference's session, whose errors are not the submission's errors."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def request(self, op: str, **arguments: Any) -> Any:
        try:
            return self._session.request(op, **arguments)
        except SubmissionError as error:
            raise ReferenceFault(str(error)) from error


def _opened(open_session: OpenSession) -> Session:
    """Open a session; turn any error that is not the submission's into a ``SessionFault``."""
    try:
        return open_session()
    except (SubmissionError, WorkerDied):
        raise
    except Exception as error:
        raise SessionFault(f"a session could not be opened: {error}") from error


def check_of(item: pytest.Item) -> str:
    """Return the check's id: the test function's name, without parameters."""
    return getattr(item, "originalname", None) or item.name
