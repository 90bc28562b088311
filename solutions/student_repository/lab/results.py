"""Results of public tests, as data that travels as lines of JSON from the process that runs the tests."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from lab.values import ValuePair, ValueTable


class TestOutcome(StrEnum):
    """How one public test ended."""

    __test__ = False  # pytest must not take it for a test class

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "not written yet"
    HUNG = "no answer"
    CRASHED = "Python itself stopped"
    GONE = "test not found"


@dataclass(frozen=True)
class TestResult:
    """Result of one public test.

    Attributes:
        stage: id of the stage.
        test: name of the test, with its parameters.
        outcome: how it ended.
        message: why it failed; this field and the next five are those of ``Explanation``.
        missing: the exercise that is not written yet, if that is the reason.
        test_line: the line of the test that failed.
        student_line: the student's own line.
        pair: both sides of the comparison that failed.
        values: names and values that explain the failure.
        printed: output of the test.
    """

    __test__ = False  # pytest must not take it for a test class

    stage: str
    test: str
    outcome: TestOutcome
    message: str = ""
    missing: str | None = None
    test_line: dict[str, Any] | None = None
    student_line: dict[str, Any] | None = None
    pair: ValuePair | None = None
    values: list[tuple[str, ValueTable]] = field(default_factory=list)
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test passed."""
        return self.outcome is TestOutcome.PASSED

    @property
    def base(self) -> str:
        """The test's name without its parameters."""
        return self.test.split("[")[0]

    @property
    def imported_line(self) -> str | None:
        """The file and the line that raised while the student's modules were imported; None for other results."""
        line = self.student_line
        outside = line is not None and line["function"] in ("", "<module>")
        return f"{line['file']}, line {line['line']}" if line and outside else None

    def to_json(self) -> str:
        """Return the result as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "TestResult":
        """Read a line that ``to_json`` made."""
        data = json.loads(line)
        data["outcome"] = TestOutcome(data["outcome"])
        if data["pair"] is not None:
            both = {side: _table(data["pair"][side]) for side in ("found", "expected")}
            data["pair"] = ValuePair(**both, part=data["pair"]["part"])
        data["values"] = [(name, _table(value)) for name, value in data["values"]]
        return cls(**data)


def no_answer(limit: float) -> str:
    """Return what to say of a test that did not end in time."""
    return f"no answer within {limit:g} s: is there a loop that does not end?"


def _table(data: dict[str, Any]) -> ValueTable:
    marked = tuple((row, column) for row, column in data["marked"])
    return ValueTable(data["kind"], data["rows"], data["cut"], marked)
