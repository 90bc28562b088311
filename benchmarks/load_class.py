"""A large class for ``benchmarks.load``: copies of the sample class's honest students, and pathological hand-ins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from autograder.authoring.sample_class import (
    ALTERNATIVE_STUDENTS,
    MISTAKEN_STUDENTS,
    UNFINISHED_STUDENTS,
    Sample,
    sample_class,
    write_class,
)
from autograder.course.lab import StageFolders

_EVERY_NAME = "def __getattr__(name):\n    return lambda *args, **kwargs: {}\n"

# Description → a module that is pathological in every stage.
PATHOLOGICAL = {
    "loops while it is imported": "while True:\n    pass\n",
    "loops in every call": "def loop():\n    while True:\n        pass\n\n\n" + _EVERY_NAME.format("loop()"),
    "sleeps 14 s in every call": "import time\n\n\n" + _EVERY_NAME.format("time.sleep(14)"),
    "allocates 8 GiB": "import torch\n\n\n" + _EVERY_NAME.format("torch.ones(2**30, dtype=torch.float64)"),
    "keeps 100 MB of every call": (
        "import torch\n\nkept = []\n\n\n" + _EVERY_NAME.format("kept.append(torch.ones(25_000_000)) or kept[-1]")
    ),
    "prints without end": 'while True:\n    print("A" * 65536, flush=True)\n',
    "ends the process": "import os\n\nos._exit(0)\n",
    "raises with 10 MB of text": (
        "def fail():\n    raise ValueError('A' * 10_000_000)\n\n\n" + _EVERY_NAME.format("fail()")
    ),
    "recurses without end": "def deeper():\n    return deeper()\n\n\n" + _EVERY_NAME.format("deeper()"),
    "nests 4000 parentheses": "x = " + "(" * 4000 + "\n",
    "repeats a forbidden word 8000 times": "# " + "\n# ".join(["torch import softmax"] * 8000) + "\n",
    "starts processes and threads": (
        "import os\nimport threading\n\n\ndef start():\n    for _ in range(1000):\n"
        "        threading.Thread(target=os.fork).start()\n\n\n" + _EVERY_NAME.format("start()")
    ),
}


@dataclass(frozen=True)
class LargeClass:
    """A class on disk.

    Attributes:
        submissions: number of submissions.
        expected: student and stage → the checks that an honest student must lose.
        pathological: student → what is wrong with all of the student's modules.
    """

    submissions: int
    expected: dict[tuple[str, str], frozenset[str]]
    pathological: dict[str, str]


def write_large_class(stages: Sequence[StageFolders], folder: Path, students: int, share: float) -> LargeClass:
    """Write a class in nbgrader's layout.

    Args:
        stages: the stages; every student hands in each.
        folder: the folder of the class.
        students: number of students.
        share: the share of pathological students, who are spread evenly.
    """
    honest_names = ("ada", *ALTERNATIVE_STUDENTS, *MISTAKEN_STUDENTS, *UNFINISHED_STUDENTS)
    samples = sample_class(stages, full=True)
    templates = cycle([[sample for sample in samples if sample.student == name] for name in honest_names])
    kinds = cycle(PATHOLOGICAL.items())
    every = round(1 / share) if share else students + 1
    written: list[Sample] = []
    pathological: dict[str, str] = {}
    for number in range(students):
        student = f"student{number:03}"
        if number % every == every // 2:
            kind, source = next(kinds)
            pathological[student] = kind
            written += [_pathological(stage, student, kind, source) for stage in stages]
        else:
            (template,) = islice(templates, 1)
            written += [replace(sample, student=student) for sample in template]
    write_class(written, folder)
    expected = {(made.student, made.stage): made.lost for made in written if made.student not in pathological}
    return LargeClass(len(written), expected, pathological)


def _pathological(stage: StageFolders, student: str, kind: str, source: str) -> Sample:
    files = {f"{stage.spec.module}.py": source.encode()}
    return Sample(student, stage.id, kind, frozenset(stage.spec.check_ids), files)
