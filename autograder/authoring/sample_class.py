"""A sample class, built from the lab's own files, and the expected score of each submission.

It has references, alternatives, named mistakes, unfinished work, careless files and hostile code. ``autograder demo``
grades it; a score that differs from the design is a defect. The short class has every kind of submission; the full
class has more students of a kind, who hand in every stage.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from autograder.base.atomic_files import write_atomically
from autograder.course.alternatives import load_alternatives
from autograder.course.lab import StageFolders
from autograder.course.mistakes import load_mistakes
from autograder.release import strip_solutions
from autograder.release.sheets import build_notebook

ALTERNATIVE_STUDENTS = ("bela", "chidi", "dora", "emeka", "farah", "gita")
MISTAKEN_STUDENTS = ("hana", "igor", "jun", "kofi", "lena", "mateo", "nadia", "omar", "priya", "quentin")
# The share of a stage's exercises that each student has finished, from the first exercise on.
UNFINISHED_STUDENTS = {"rosa": 0.0, "samir": 0.25, "tala": 0.5, "uma": 0.75}
# The short class has these students in every stage. It has the others in the first stage, without those of a kind that
# it has already.
_SHORT_THROUGHOUT = ("ada", "bela", "hana", "nadia", "tala")
_SHORT_OMITTED = frozenset((*ALTERNATIVE_STUDENTS, *MISTAKEN_STUDENTS, "samir", "uma")) - {*_SHORT_THROUGHOUT}


@dataclass(frozen=True)
class Sample:
    """One student's submission for one stage.

    Attributes:
        student: name of the student.
        stage: id of the stage.
        kind: description of the submission, for messages.
        lost: ids of the checks that it must lose; it must pass all others.
        files: content of each file in the stage's folder, by name.
        link: if not None, the module is a symbolic link to this file.
    """

    student: str
    stage: str
    kind: str
    lost: frozenset[str]
    files: dict[str, bytes] = field(default_factory=dict)
    link: Path | None = None


def sample_class(stages: Sequence[StageFolders], *, full: bool) -> list[Sample]:
    """Return the class, student by student, with the stages in order."""
    return [
        sample
        for student, make in _students().items()
        if full or student not in _SHORT_OMITTED
        for index, stage in enumerate(stages)
        if full or student in _SHORT_THROUGHOUT or index == 0
        if (sample := make(_Maker(stage, student, first=index == 0))) is not None
    ]


def write_class(samples: Iterable[Sample], folder: Path) -> None:
    """Write the class in the layout of nbgrader: ``STUDENT/STAGE/MODULE.py`` and the notebook beside it."""
    for sample in samples:
        target = folder / sample.student / sample.stage
        target.mkdir(parents=True, exist_ok=True)
        for name, content in sample.files.items():
            write_atomically(target / name, content)
        if sample.link is not None:
            (target / sample.link.name).symlink_to(sample.link)


@dataclass(frozen=True)
class _Maker:
    """Makes one student's submission for one stage; ``first`` marks the first stage."""

    stage: StageFolders
    student: str
    first: bool

    @property
    def module(self) -> str:
        return f"{self.stage.spec.module}.py"

    @property
    def all_checks(self) -> frozenset[str]:
        return frozenset(self.stage.spec.check_ids)

    def of_source(self, kind: str, source: str | bytes, lost: frozenset[str]) -> Sample:
        """Return a submission of the module and the lab sheet, without attachments."""
        content = source.encode() if isinstance(source, str) else source
        lost |= self.stage.spec.attached_checks
        return Sample(self.student, self.stage.id, kind, lost, {self.module: content, **self._notebook()})

    def reference(self) -> Sample:
        return self.of_source("reference", self.stage.reference_source(), frozenset())

    def everything(self) -> Sample:
        """Return a submission of the reference with its attachments."""
        files = {name: path.read_bytes() for name, path in self.stage.attachments.items()}
        sample = self.reference()
        return replace(sample, files=sample.files | files, lost=frozenset())

    def alternative(self, number: int) -> Sample:
        allowed = [alternative for alternative in load_alternatives(self.stage) if not alternative.refused]
        chosen = allowed[number % len(allowed)]
        return self.of_source(f"alternative {chosen.name}", chosen.source, frozenset())

    def mistaken(self, number: int) -> Sample:
        mistakes = load_mistakes(self.stage)
        # Spread the students over the catalogue, which is in the order of the exercises.
        mistake = mistakes[number * len(mistakes) // len(MISTAKEN_STUDENTS)]
        return self.of_source(f"mistake {mistake.id}", mistake.apply(self.stage.reference_source()), mistake.fails)

    def unfinished(self, share: float) -> Sample:
        exercises = self.stage.spec.exercises
        done = list(exercises)[: round(share * len(exercises))]
        helpers = {name for name in _defined(self.stage.reference_source()) if name not in exercises}
        source = strip_solutions(self.stage.reference_source(), str(self.stage.reference), {*done, *helpers})
        lost = {check for name, exercise in exercises.items() if name not in done for check in exercise.checks}
        return self.of_source(f"{len(done)} of {len(exercises)} exercises", source, frozenset(lost))

    def careless(self, kind: str, content: bytes) -> Sample:
        """Return a faulty file in the first stage and the reference in all other stages."""
        return self.of_source(kind, content, self.all_checks) if self.first else self.reference()

    def hostile(self, kind: str, source: str) -> Sample:
        return self.of_source(kind, source, self.all_checks)

    def _notebook(self) -> dict[str, bytes]:
        """Return the lab sheet with an answer to each question."""
        notebook = json.loads(build_notebook(self.stage))
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") in self.stage.spec.questions:
                cell["source"] = [f"An answer by {self.student}, in words."]
        return {f"{self.stage.spec.module}.ipynb": json.dumps(notebook).encode()}


def _defined(source: str) -> Iterator[str]:
    """Yield the names of the functions and classes at a module's top level."""
    for line in source.split("\n"):
        if line.startswith(("def ", "class ")):
            yield line.split()[1].split("(")[0].rstrip(":")


def _students() -> dict[str, Callable[[_Maker], Sample | None]]:
    """Return the students by name, each with the function that makes the student's submissions."""
    students: dict[str, Callable[[_Maker], Sample | None]] = {"ada": _Maker.everything}
    for number, name in enumerate(ALTERNATIVE_STUDENTS):
        students[name] = partial(_Maker.alternative, number=number)
    for number, name in enumerate(MISTAKEN_STUDENTS):
        students[name] = partial(_Maker.mistaken, number=number)
    for name, share in UNFINISHED_STUDENTS.items():
        students[name] = partial(_Maker.unfinished, share=share)
    students["viktor"] = lambda maker: maker.reference() if maker.first else None
    for name, (kind, content) in _CARELESS.items():
        students[name] = partial(_Maker.careless, kind=kind, content=content)
    students["yusuf"] = _linked
    for name, (kind, source) in _HOSTILE.items():
        students[name] = partial(_Maker.hostile, kind=kind, source=source)
    students["trent"] = _edits_gradebook
    return students


def _linked(maker: _Maker) -> Sample:
    """Return a link to the reference in the first stage; the grader must not follow it."""
    if not maker.first:
        return maker.reference()
    link = maker.stage.reference.resolve()
    return Sample(maker.student, maker.stage.id, "a link to the reference", maker.all_checks, link=link)


def _edits_gradebook(maker: _Maker) -> Sample:
    """Return correct code that also tries to change the gradebook; it must pass and change no grade."""
    return maker.of_source("edits the gradebook", maker.stage.reference_source() + _GRADEBOOK_EDIT, frozenset())


_CARELESS = {
    "wanda": ("not UTF-8", "def f(): pass\n".encode("utf-16")),
    "xenia": ("a line too long", b"x = [" + b"1," * 100_000 + b"]\n"),
    "zoe": ("a syntax error", b"import math\n\ndef broken(:\n    return 1\n"),
}

_GRADEBOOK_EDIT = """

try:
    import sqlite3

    book = sqlite3.connect("gradebook.db")
    book.execute("UPDATE grade SET auto_score = max_score")
    book.commit()
except Exception:
    pass
"""

# Code that is hostile in every stage: the module's `__getattr__` supplies every name.
_HOSTILE = {
    "mallory": (
        "equal to everything",
        '''\
class Yes:
    """Equal to every object, and true."""

    def __eq__(self, other):
        return True

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        return self

    __hash__ = None


def __getattr__(name):
    return Yes()
''',
    ),
    "oscar": (
        "patches every comparison",
        """\
import numpy
import torch

torch.allclose = torch.equal = numpy.allclose = lambda *args, **kwargs: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *args, **kwargs: None
torch.Tensor.__eq__ = lambda self, other: torch.tensor(True)


def __getattr__(name):
    return lambda *args, **kwargs: torch.zeros(1)
""",
    ),
    "eve": ("exits with code 0", "import os\n\nos._exit(0)\n"),
    "loki": ("loops forever", "while True:\n    pass\n"),
    "kraken": (
        "allocates 8 GiB",
        """\
import torch


def __getattr__(name):
    return lambda *args, **kwargs: torch.ones(2**30, dtype=torch.float64)
""",
    ),
    "flood": ("prints forever", 'while True:\n    print("A" * 65536, flush=True)\n'),
}
