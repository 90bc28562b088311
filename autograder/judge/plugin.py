"""The pytest plugin: one fresh session and one record per hidden check.

pytest collects and runs; what counts is what this plugin writes down. Exit codes, reports and
printed text are ignored. A check passes when every run of it that was collected came to its end
without an error; a skip, an expected failure or a run that never happened is not that.
"""

import functools
import inspect
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import hypothesis
import pytest
from hypothesis.errors import StopTest, UnsatisfiedAssumption

from autograder.isolation.errors import SubmissionError, WorkerDied
from autograder.isolation.proxy import Student
from autograder.judge.attachments import Attachments
from autograder.judge.recorder import Exchange, Recorder, Session, SessionFault, close

OpenSession = Callable[[], Session]
OpenForCheck = Callable[[str, str | None], Session]


class NothingChecked(Exception):
    """A Hypothesis check rejected every example: it has looked at nothing."""


class ReferenceFault(Exception):
    """The reference raised, in a check that uses it as an oracle."""


@dataclass
class CheckRecord:
    """What happened in one check.

    A check has one run, or one per parameter set: ``due`` were collected, ``runs`` came to an end.
    """

    title: str = ""
    hint: str = ""
    due: int = 0
    runs: int = 0
    error: BaseException | None = None
    seconds: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every run that was collected came to its end."""
        return 0 < self.due == self.runs


class JudgePlugin:
    """Runs each hidden check against a session of its own.

    Args:
        open_session: opens a session for a check, in which the submission is loaded; it is told which check comes next.
        open_reference: the same for the reference, the fixture ``reference``.
        seed: what Hypothesis draws from.
        only: run these checks alone; all when None.
        attachments: what was handed in beside the module, the fixture ``attachments``.

    Attributes:
        records: check → what happened in it.
        problems: what is wrong with the hidden tests themselves.
        interruption: what ended the run before its time, such as Ctrl-C.
    """

    def __init__(
        self,
        open_session: OpenForCheck,
        open_reference: OpenSession,
        seed: int,
        only: frozenset[str] | None = None,
        attachments: Attachments | None = None,
    ) -> None:
        self._open_session = open_session
        self._open_reference = open_reference
        self._seed = seed
        self._only = only
        self._attachments = attachments or Attachments({})
        self._following: dict[str, str] = {}  # item → the check after it
        self.records: dict[str, CheckRecord] = {}
        self.problems: list[str] = []
        self.interruption: BaseException | None = None

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Generator[Student, None, None]:
        """The submission under test."""
        name = _name(request.node)
        record = self.records[name]
        session = _opened(lambda: self._open_session(name, self._following.get(request.node.nodeid)))
        recorder = Recorder(session)
        undecided = record.error is None
        try:
            yield Student(recorder)
        finally:
            # Of several parameter sets, those exchanges count in which the check first failed.
            if undecided:
                record.exchanges = recorder.exchanges
            close(session)

    @pytest.fixture
    def twin(self, request: pytest.FixtureRequest) -> Generator[Student, None, None]:
        """The submission once more, in a session of its own: what the one was shown the other has not seen."""
        name = _name(request.node)
        session = _opened(lambda: self._open_session(name, None))
        try:
            yield Student(session)
        finally:
            close(session)

    @pytest.fixture
    def reference(self) -> Student:
        """The instructor's solution, as a further oracle."""
        return Student(_Oracle(_opened(self._open_reference)))

    @pytest.fixture
    def attachments(self) -> Attachments:
        """The files that were handed in beside the module."""
        return self._attachments

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what kept hidden tests from being collected: an error, or a skip of the whole file."""
        if not report.passed:
            self.problems.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read each check's title and hint, and leave out what was not asked for."""
        chosen = [item for item in items if self._only is None or _name(item) in self._only]
        places: dict[str, str] = {}
        for item in chosen:
            name, place = _name(item), item.nodeid.partition("[")[0]
            if places.setdefault(name, place) != place:
                self.problems.append(f"{place}: a check of this name is also at {places[name]}")
            if name not in self.records:
                self.records[name] = CheckRecord(*title_and_hint(getattr(item, "function", None)))
            self.records[name].due += 1
        items[:] = chosen
        self._following = {item.nodeid: _name(after) for item, after in pairwise(chosen)}

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Pytest, or this plugin, failed."""
        self.problems.append(f"pytest failed: {excinfo.exconly()}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Someone pressed Ctrl-C, or a test called ``pytest.exit``.

        A run that something told to stop ends here too; what it did not get to has no record, and fails closed.
        """
        if not isinstance(excinfo.value, pytest.Session.Interrupted):
            self.interruption = excinfo.value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Time the check, its set-up included."""
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.records[_name(item)].seconds += time.perf_counter() - started

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A fixture that fails is the check's error."""
        with self._noting_errors(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run one check; the first error inside it is the one that counts."""
        assert isinstance(item, pytest.Function)
        with self._noting_errors(item), _Examples(item.function, self._seed).watched():
            result = yield
        self.records[_name(item)].runs += 1
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A fixture that fails while it is taken down is the check's error too."""
        with self._noting_errors(item):
            return (yield)

    @contextmanager
    def _noting_errors(self, item: pytest.Item) -> Iterator[None]:
        """Several parameter sets make one check: the first error among them stays."""
        record = self.records[_name(item)]
        try:
            yield
        except BaseException as error:
            if record.error is None:
                record.error = error
            raise


class _Examples:
    """Watches the examples of a Hypothesis test; other tests are left alone.

    Hypothesis runs a failing example again to be sure of it. A worker that died or answers another
    way the second time would turn a plain failure into a "flaky" one, and a slow one costs twice:
    so the first error is remembered, and every later example fails with it at once.
    """

    def __init__(self, function: Callable[..., Any], seed: int) -> None:
        self._function = function
        self._seed = seed
        self._handle = getattr(function, "hypothesis", None)
        self._error: BaseException | None = None
        self._checked = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Run the test inside.

        Raises:
            NothingChecked: no example came to its end.
            BaseException: the first error of any example, whatever Hypothesis made of it.
        """
        if self._handle is None:
            yield
            return
        hypothesis.seed(self._seed)(self._function)
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
            try:
                result = test(*args, **kwargs)
            except (UnsatisfiedAssumption, StopTest):  # how Hypothesis gives an example up
                raise
            except BaseException as error:
                self._error = error
                raise
            self._checked += 1
            return result

        return watching


class _Oracle:
    """The reference's session: what it raises is not the submission's error."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def request(self, op: str, **arguments: Any) -> Any:
        try:
            return self._session.request(op, **arguments)
        except SubmissionError as error:
            raise ReferenceFault(str(error)) from error


def title_and_hint(function: Callable[..., Any] | None) -> tuple[str, str]:
    """A check's title (its docstring's first line) and hint (the paragraph that begins ``Hint:``)."""
    text = inspect.getdoc(function) or ""
    title, _, rest = text.partition("\n")
    _, found, hint = rest.partition("Hint:")
    first_paragraph = hint.strip().split("\n\n")[0] if found else ""
    return title.strip().rstrip("."), " ".join(first_paragraph.split())


def _opened(open_session: OpenSession) -> Session:
    """A session, with errors of ours told from those of the submission."""
    try:
        return open_session()
    except (SubmissionError, WorkerDied):
        raise
    except Exception as error:
        raise SessionFault(f"a session could not be opened: {error}") from error


def _name(item: pytest.Item) -> str:
    """The check's id: the test function's name, without parameters."""
    return getattr(item, "originalname", None) or item.name
