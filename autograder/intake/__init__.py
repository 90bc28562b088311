"""Students' folders, clones and archives → checked sources, or a clear reason for each that is not judged.

Nothing here runs, parses, extracts or follows what a student handed in.
"""

from autograder.intake.collect import take_in
from autograder.intake.notebooks import Answers, Grafted, graft, graft_answers, read_answers
from autograder.intake.submission import (
    Attachment,
    IntakeError,
    Owed,
    Refusal,
    RefusalReason,
    RefusedError,
    StageFiles,
    StageSubmission,
)

__all__ = [
    "Answers",
    "Attachment",
    "Grafted",
    "IntakeError",
    "Owed",
    "Refusal",
    "RefusalReason",
    "RefusedError",
    "StageFiles",
    "StageSubmission",
    "graft",
    "graft_answers",
    "read_answers",
    "take_in",
]
