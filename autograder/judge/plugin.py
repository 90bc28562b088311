"""The pytest plugin: one fresh session and one record per hidden check.

pytest collects and runs; what counts is what this plugin writes down. Exit codes, reports and
printed text are ignored, and a check without a record is a grader error.
"""

import functools
import inspect
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest

from autograder.isolation.proxy import Student
from autograder.judge.recorder import Exchange, Recorder, Session

OpenSession = Callable[[], Session]


@dataclass
class CheckRecord:
    """What happened in one check."""

    title: str = ""
    hint: str = ""
    ran: bool = False
    error: BaseException | None = None
    seconds: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)


class JudgePlugin:
    """Runs each hidden check against a session of its own.

    Args:
        open_session: opens a session in which the submission is loaded.
        open_reference: the same for the reference, the fixture ``reference``.
        seed: what Hypothesis draws from.
        only: run these checks alone; all when None.
    """

    def __init__(
        self,
        open_session: OpenSession,
        open_reference: OpenSession,
        seed: int,
        only: frozenset[str] | None = None,
    ) -> None:
        self._open_session = open_session
        self._open_reference = open_reference
        self._seed = seed
        self._only = only
        self.records: dict[str, CheckRecord] = {}
        self.collection_errors: list[str] = []

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Generator[Student, None, None]:
        """The submission under test."""
        session = self._open_session()
        recorder = Recorder(session)
        try:
            yield Student(recorder)
        finally:
            record = self.records[request.node.originalname]
            record.exchanges = recorder.exchanges if recorder.complete else []
            close(session)

    @pytest.fixture
    def reference(self) -> Student:
        """The instructor's solution, as a further oracle."""
        return Student(self._open_reference())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong while the hidden tests were imported."""
        if report.failed:
            self.collection_errors.append(str(report.longrepr))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read each check's title and hint, and leave out what was not asked for."""
        chosen = [item for item in items if self._only is None or _name(item) in self._only]
        for item in chosen:
            title, hint = title_and_hint(getattr(item, "function", None))
            self.records.setdefault(_name(item), CheckRecord(title, hint))
        items[:] = chosen

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Time the check, and note an error in its set-up too."""
        record = self.records[_name(item)]
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            record.seconds += time.perf_counter() - started

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A fixture that fails is recorded as the check's error."""
        try:
            return (yield)
        except BaseException as error:
            self._note(item, error)
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run one check; the first error inside it is the one that counts."""
        assert isinstance(item, pytest.Function)
        with _first_error(item, self._seed) as first:
            try:
                result = yield
            except BaseException as error:
                self._note(item, first.error or error)
                raise
        self._note(item, None)
        return result

    def _note(self, item: pytest.Item, error: BaseException | None) -> None:
        """Several parameter sets make one check: the first error among them stays."""
        record = self.records[_name(item)]
        record.ran = True
        record.error = record.error or error


class _first_error:
    """Remember the first error of a Hypothesis test, and fail every later example with it.

    Hypothesis runs a failing example again to be sure of it. A worker that died or answers another
    way the second time would turn a plain failure into a "flaky" one, and a slow one costs twice.
    """

    def __init__(self, item: pytest.Function, seed: int) -> None:
        self.error: BaseException | None = None
        self._handle = getattr(item.obj, "hypothesis", None)
        if self._handle is not None:
            hypothesis.seed(seed)(item.obj)

    def __enter__(self) -> "_first_error":
        if self._handle is not None:
            self._inner = self._handle.inner_test
            self._handle.inner_test = self._remember(self._inner)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._handle.inner_test = self._inner

    def _remember(self, test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def remembering(*args: Any, **kwargs: Any) -> Any:
            if self.error is not None:
                raise self.error
            try:
                return test(*args, **kwargs)
            except hypothesis.errors.UnsatisfiedAssumption:
                raise
            except BaseException as error:
                self.error = error
                raise

        return remembering


def title_and_hint(function: Callable[..., Any] | None) -> tuple[str, str]:
    """A check's title (its docstring's first line) and hint (the paragraph that begins ``Hint:``)."""
    text = inspect.getdoc(function) or ""
    title, _, rest = text.partition("\n")
    _, found, hint = rest.partition("Hint:")
    first_paragraph = hint.strip().split("\n\n")[0] if found else ""
    return title.strip().rstrip("."), " ".join(first_paragraph.split())


def judge_profile(max_examples: int) -> hypothesis.settings:
    """How Hypothesis runs while grading: no shrinking, no database, no deadline, no second bug."""
    return hypothesis.settings(
        max_examples=max_examples,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def _name(item: pytest.Item) -> str:
    """The check's id: the test function's name, without parameters."""
    return getattr(item, "originalname", None) or item.name


def close(session: Session) -> None:
    """End a worker; trusted sessions have nothing to end."""
    kill = getattr(session, "kill", None)
    if kill is not None:
        kill()
