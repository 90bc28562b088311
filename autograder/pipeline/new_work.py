"""How much of a class is new, so that judges can be started before they are needed."""

from collections.abc import Iterable

from autograder.course.lab import Lab
from autograder.intake import StageSubmission
from autograder.pipeline.grade import Reuse
from autograder.pipeline.store import ResultStore
from autograder.pipeline.stored_reports import result_store


def students_to_judge(lab: Lab, submissions: Iterable[StageSubmission], reuse: Reuse) -> int:
    """Count the students with a submission that has no stored result.

    Others may have to be judged too: a change of the course is detected only when their stage is graded.

    Raises:
        SecretError: the secret that seals the results is lost or damaged.
    """
    store = result_store(lab)
    return len({submission.student for submission in submissions if _is_new(store, submission, reuse)})


def _is_new(store: ResultStore, submission: StageSubmission, reuse: Reuse) -> bool:
    if submission.source is None:
        return False
    stored = store.get(submission.student, submission.stage)
    return reuse.nothing or stored is None or stored.digest != submission.digest
