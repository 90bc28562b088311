"""What came of public tests, as data: it travels from the process that runs them as lines of JSON."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from lab.values import Pair, Table


class Outcome(StrEnum):
    """What became of one public test."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "not written yet"
    HUNG = "no answer"
    CRASHED = "Python itself stopped"
    GONE = "test not found"


@dataclass(frozen=True)
class TestResult:
    """One public test; what ``Explanation`` says of its failure, and what was printed meanwhile."""

    __test__ = False  # pytest must not take it for a test class

    stage: str
    test: str
    outcome: Outcome
    message: str = ""
    missing: str | None = None
    asks: dict[str, Any] | None = None
    where: dict[str, Any] | None = None
    pair: Pair | None = None
    values: list[tuple[str, Table]] = field(default_factory=list)
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test found nothing wrong."""
        return self.outcome is Outcome.PASSED

    @property
    def base(self) -> str:
        """The test's name without its parameters."""
        return self.test.split("[")[0]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "TestResult":
        """Read ``to_json`` back."""
        data = json.loads(line)
        data["outcome"] = Outcome(data["outcome"])
        if data["pair"] is not None:
            both = {side: _table(data["pair"][side]) for side in ("found", "expected")}
            data["pair"] = Pair(**both, part=data["pair"]["part"])
        data["values"] = [(name, _table(value)) for name, value in data["values"]]
        return cls(**data)


def _table(data: dict[str, Any]) -> Table:
    marked = tuple((row, column) for row, column in data["marked"])
    return Table(data["kind"], data["rows"], data["cut"], marked)
