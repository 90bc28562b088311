"""Reference solutions for students, stage by stage, once a stage can no longer be handed in."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from autograder.base.json_bytes import decode_json
from autograder.course.lab import Lab
from autograder.course.policy import last_hand_in
from autograder.release.errors import ReleaseError
from autograder.release.folders import FileContent
from autograder.release.stubs import BEGIN, END

# Not a module beside the student's: a clone with two files of one name is not graded.
SOLUTIONS_FILE = "lab/solutions.json"


def solutions_files(lab: Lab, stages: Collection[str]) -> dict[str, FileContent]:
    """Return the file with the references of some stages, without markers, by its path; empty without stages.

    Raises:
        LabError: a stage has no reference, or is unknown.
    """
    texts = {stage_id: _without_markers(lab.stage(stage_id).reference_source()) for stage_id in sorted(stages)}
    if not texts:
        return {}
    return {SOLUTIONS_FILE: FileContent(msgspec.json.format(msgspec.json.encode(texts), indent=1) + b"\n")}


def released_solutions(lab: Lab) -> frozenset[str]:
    """Return the stages whose solutions ``assignments`` holds: a further release keeps them.

    Raises:
        ReleaseError: the file cannot be read.
    """
    file = lab.root / "assignments" / SOLUTIONS_FILE
    try:
        return frozenset(decode_json(file.read_bytes(), dict[str, str]))
    except FileNotFoundError:
        return frozenset()
    except (OSError, msgspec.MsgspecError) as error:
        raise ReleaseError(f"{file} cannot be read ({error}); remove it, and release the solutions again") from None


def refuse_open_stages(lab: Lab, stages: Collection[str], now: datetime) -> None:
    """Refuse to release the solutions of a stage that can still be handed in.

    Raises:
        ReleaseError: a stage can still be handed in.
        LabError: a stage is unknown.
    """
    for stage_id in stages:
        until = last_hand_in(lab.config.policies, stage_id, lab.stage(stage_id).spec.due)
        if until is not None and now <= until:
            raise ReleaseError(
                f"{stage_id} can be handed in until {until:%Y-%m-%d %H:%M %Z}, late days and extensions included; "
                "release its solutions after that"
            )


def _without_markers(reference: str) -> str:
    return "\n".join(line for line in reference.split("\n") if line.strip() not in (BEGIN, END))
