"""Students' folders, clones and archives → checked sources, or a clear reason why a file is not graded.

This package does not run or extract any file of a student, and follows no link. Students' bytes are parsed in a process
with limits on time and memory (``limited``).
"""

from autograder.intake.collect import Look, look_in, take_in, take_in_student
from autograder.intake.git import is_commit_note
from autograder.intake.grafting import Grafted, graft, graft_answers
from autograder.intake.notebooks import Answers, read_answers
from autograder.intake.refusals import IntakeError, Refusal, RefusalReason, RefusedError
from autograder.intake.roster import Roster, read_roster
from autograder.intake.submission import Attachment, Owed, StageFiles, StageSubmission, TimeSource
from autograder.intake.time_table import KnownTimes, read_times

__all__ = [
    "Answers",
    "Attachment",
    "Grafted",
    "IntakeError",
    "KnownTimes",
    "Look",
    "Owed",
    "Refusal",
    "RefusalReason",
    "RefusedError",
    "Roster",
    "StageFiles",
    "StageSubmission",
    "TimeSource",
    "graft",
    "graft_answers",
    "is_commit_note",
    "look_in",
    "read_answers",
    "read_roster",
    "read_times",
    "take_in",
    "take_in_student",
]
