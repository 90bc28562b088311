"""Stored results by the current ``grading.yml``, for a regrade that needs no hand-ins: nothing is judged."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from autograder.course.lab import Lab
from autograder.intake import Refusal, RefusalReason, StageSubmission
from autograder.pipeline.final_grade import FreeDays, with_attempts, with_rules
from autograder.pipeline.fingerprint import is_current, stage_fingerprint
from autograder.pipeline.grade import Graded
from autograder.pipeline.hand_in import HandInError, filed_hand_in
from autograder.pipeline.regrade import Regraded
from autograder.pipeline.store import StoredResult
from autograder.pipeline.stored_reports import result_store


@dataclass(frozen=True)
class Recomputed:
    """Stored results by the current ``grading.yml``.

    Attributes:
        regraded: the results that need no hand-in.
        outdated: stage → number of results that were made with other tests or versions, or are not believed. Their
            hand-ins must be judged again.
    """

    regraded: Sequence[Regraded]
    outdated: Mapping[str, int]


def recomputed(lab: Lab, stage_ids: Sequence[str] = ()) -> Recomputed:
    """Recompute the stored results of these stages, of all if empty; nothing is stored.

    Raises:
        LabError: a stage does not exist.
        SecretError: the secret that seals the results is lost or damaged.
    """
    store = result_store(lab)
    chosen = [lab.stage(stage_id) for stage_id in stage_ids] or lab.stages()
    fingerprints = {stage.id: stage_fingerprint(lab, stage) for stage in chosen}
    outdated: Counter[str] = Counter()
    regraded = []
    free, order = FreeDays(lab.config), {stage: index for index, stage in enumerate(lab.config.stages)}
    for student, stage in sorted(store.keys(), key=lambda key: (key[0], order.get(key[1], len(order)))):
        report, result = store.shown(student, stage) if stage in fingerprints or free.days else (None, None)
        after = with_rules(report, lab.config, free.left(student)) if report is not None else None
        if after is not None:
            free.spend(after)
        if stage not in fingerprints:
            continue
        if report is None or after is None or not _is_current(result, fingerprints[stage]):
            outdated[stage] += 1
        else:
            after = with_attempts(after, lab.config, result.attempts if result is not None else ())
            regraded.append(Regraded(report, after))
    return Recomputed(regraded, outdated)


def _is_current(result: StoredResult | None, fingerprint: str) -> bool:
    """Whether the result was made with the current tests; a report that waits for a person may have none."""
    return result is None or is_current(result.key, fingerprint)


def keep(lab: Lab, regraded: Iterable[Regraded]) -> list[Graded]:
    """Store recomputed results, and return them with the hand-ins as they were filed in nbgrader's folder.

    Where a hand-in is not filed there, or is not the graded one, the gradebook gets the scores alone. Attachments are
    not filed, so that the filed module of a stage with attachments is taken for the graded one.
    """
    store = result_store(lab)
    filed: dict[str, Mapping[str, StageSubmission]] = {}
    graded = []
    for item in regraded:
        report = item.after
        shown, result = store.shown(report.student, report.stage)
        if result is not None and shown is result.report:  # and not a later report that waits for a person
            store.put(result.key, report, is_attempt=False)
        if report.student not in filed:
            filed[report.student] = _filed(lab, report.student)
        own = filed[report.student].get(report.stage) or _missing(lab, report.student, report.stage)
        if own.source is not None and lab.stage(report.stage).spec.attachments:
            report = msgspec.structs.replace(report, digest=own.digest)
        graded.append(Graded(own, report, cached=True, before=item.before))
    return graded


def _filed(lab: Lab, student: str) -> Mapping[str, StageSubmission]:
    try:
        return {submission.stage: submission for submission in filed_hand_in(lab, student)}
    except HandInError:
        return {}


def _missing(lab: Lab, student: str, stage_id: str) -> StageSubmission:
    file = f"{stage_id}/{lab.stage(stage_id).spec.module}.py"
    return StageSubmission(student, stage_id, None, Refusal(RefusalReason.MISSING, f"{file} is not filed", file))
