"""The course data of the students' companion: one file, made from ``grading.yml`` and ``exercises.yml``.

It holds only data that students may read: titles, points, hints, public tests, forbidden functions, the text of
each question's cell, and the stubs that ``reset`` restores. Of the hidden checks it holds only the sum of their points.
"""

from typing import Any

import msgspec

from autograder.course.lab import Lab, StageFolders
from autograder.course.python_versions import NEWEST, OLDEST, added_names, dotted
from autograder.course.surroundings import USABLE, importable_only
from autograder.release.public_tests import public_tests
from autograder.release.sheets import question_cells
from autograder.release.stubs import refuse_leaks, released_stub

COURSE_FILE = "lab/course.json"
FORMAT_VERSION = 1


def course_file(lab: Lab) -> bytes:
    """Generate the file's content, the same bytes for the same lab.

    Raises:
        ReleaseError: a stage has no stub, or its exercises and public tests do not match.
        LabError: a stage has no reference.
    """
    course = {
        "format_version": FORMAT_VERSION,
        "course": lab.config.course,
        "grading": {
            "python": dotted(OLDEST),
            "newest": dotted(NEWEST),
            "added": added_names(),
            "usable": USABLE,
            "importable": importable_only(lab),
        },
        "stages": [_stage(stage) for stage in lab.stages()],
    }
    return msgspec.json.format(msgspec.json.encode(course), indent=1) + b"\n"


def _stage(stage: StageFolders) -> dict[str, Any]:
    tests = public_tests(stage)
    prompts = question_cells(stage)
    reference = stage.reference_source()
    texts = stage.exercise_texts()
    hints = {f"{stage.exercises_file}, hints of {name}": "\n".join(text.hints) for name, text in texts.items()}
    refuse_leaks(reference, str(stage.reference), hints)
    return {
        "id": stage.id,
        "title": stage.spec.title,
        "module": stage.spec.module,
        "needs": list(stage.spec.needs),
        "due": stage.spec.due,
        "exercises": [
            {
                "name": name,
                "title": texts[name].title,
                "minutes": texts[name].minutes,
                "points": exercise.points,
                "bonus": exercise.bonus,
                "hints": list(texts[name].hints),
                "attachments": list(exercise.attachments),
                "tests": list(tests[name]),
                "forbid": list(exercise.forbidden),
            }
            for name, exercise in stage.spec.graded.items()
        ],
        "questions": [
            {"name": name, "title": question.title, "points": question.points, "text": prompts[name]}
            for name, question in stage.spec.questions.items()
        ],
        "attachments": {**stage.spec.attachments, **stage.spec.entries},
        "speedrun": stage.spec.speedrun,
        "model_limits": stage.spec.model_limits,
        "targets": stage.spec.targets,
        "stub": released_stub(stage),
    }
