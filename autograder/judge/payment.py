"""Which passed checks are paid: the form of a result is worth nothing where its values are wrong."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from autograder.base.results import CheckResult, Outcome
from autograder.course.check_kinds import CheckKind
from autograder.judge.source_map import SourceMap

UNPAID = "this part is right, but it earns points only once the exercise gives some right values"
_UNDECIDED = (Outcome.PASSED, Outcome.GRADER_ERROR, Outcome.NOT_GRADED)


def withhold_points(
    results: Sequence[CheckResult], kinds: Mapping[str, CheckKind], source: SourceMap
) -> Iterable[CheckResult]:
    """Yield the results, without points for the form of results where no check of values passed.

    Args:
        results: the results of the checks that ran.
        kinds: check → what it looks at.
        source: the student's file.
    """
    values: dict[str, list[CheckResult]] = {}
    for result in results:
        if kinds.get(result.id) is CheckKind.VALUES:
            values.setdefault(result.exercise, []).append(result)
    for result in results:
        seen = values.get(result.exercise, ())
        wrong = bool(seen) and not any(check.outcome in _UNDECIDED for check in seen)
        if wrong and result.passed and kinds.get(result.id) is CheckKind.FORM:
            where = str(source.of_exercise(result.exercise))
            yield msgspec.structs.replace(result, outcome=Outcome.UNPAID, what=UNPAID, where=where)
        else:
            yield result
