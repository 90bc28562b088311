"""A class and its judges, for tests of the pipeline that start no processes."""

import threading
from collections.abc import Iterable
from pathlib import Path

from tiny_lab import MODULE, STAGE, build_tiny_lab

from autograder.base.results import IsolationLevel, Outcome, StageReport
from autograder.course.lab import Lab
from autograder.intake import take_in
from autograder.isolation.in_process import InProcessSession
from autograder.judge.attachments import Attachments
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.run import judge_stage
from autograder.judge.unrun import unrun_stage
from autograder.pipeline.grade import Graded, Grader, Regrading, Reuse, stage_files

SECOND, SECOND_MODULE = "2_more", "more"
AS_USUAL, USUAL = Reuse(), Regrading()

SECOND_STAGE = """\
  2_more:
    title: More of it
    module: more
    needs: [1_tiny]
    exercises:
      quadruple:
        checks:
          test_quadruple_multiplies_by_four: 2
"""

SECOND_FILES = {
    f"solutions/{SECOND}/more.py": "import tiny\n\n\ndef quadruple(x):\n    return tiny.double(tiny.double(x))\n",
    f"solutions/{SECOND}/exercises.yml": """\
quadruple:
  title: Four times the input
  minutes: 5
  hints: ["What is twice twice?", "The first stage doubles.", "Each element x becomes 2·2·x."]
""",
    f"solutions/{SECOND}/mistakes.py": "MISTAKES = {}\n",
    f"tests/hidden/{SECOND}/test_more.py": '''\
"""Hidden tests of the second stage."""

import torch

from autograder.judge.compare import check_close


def test_quadruple_multiplies_by_four(student):
    """quadruple: every element is quadrupled.

    Hint: double twice.
    """
    check_close(student.quadruple(torch.tensor([1.0, 3.0])), torch.tensor([4.0, 12.0]))
''',
}


def build_two_stages(folder: Path) -> Lab:
    """Write the tiny lab with a second stage that builds on the first."""
    build_tiny_lab(folder)
    grading = folder / "grading.yml"
    grading.write_text(grading.read_text(encoding="utf-8") + SECOND_STAGE, encoding="utf-8")
    write_files(folder, SECOND_FILES)
    return Lab(folder)


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class ScriptedJudges:
    """Judges that look for words in the source: ``wrong`` fails every check, ``crash`` breaks the judge."""

    def __init__(self, lab: Lab, level: IsolationLevel = IsolationLevel.KERNEL) -> None:
        self.level = level
        self.jobs: list[Job] = []
        self._lab = lab
        self._lock = threading.Lock()

    def judge(self, job: Job) -> Judged | Broken:
        with self._lock:
            self.jobs.append(job)
        stage = self._lab.stage(job.stage)
        source = job.modules[stage.spec.module]
        if "crash" in source:
            return Broken("Traceback\n  …\nMemoryError: \x1b[2J")
        outcome = Outcome.FAILED if "wrong" in source else Outcome.PASSED
        return Judged(unrun_stage(stage, "", "", outcome))

    def stop(self) -> None:
        """Nothing runs in another process."""

    @property
    def judged(self) -> list[tuple[str, str]]:
        """Stage and source of every job so far, sorted."""
        return sorted((job.stage, job.modules[self._lab.stage(job.stage).spec.module]) for job in self.jobs)


class InProcessJudges:
    """The real judge with the real hidden tests, for code that needs no isolation."""

    level = IsolationLevel.NONE

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lock = threading.Lock()

    def judge(self, job: Job) -> Judged | Broken:
        stage = self._lab.stage(job.stage)
        with self._lock:
            code, attachments = read_course_code(self._lab, stage), Attachments(job.attachments, job.class_secret)
            checks = judge_stage(
                stage,
                job.modules,
                InProcessSession,
                code,
                job.seed,
                own=job.own,
                forbid=job.forbid,
                only=job.checks,
                attachments=attachments,
            )
        return Judged(checks)

    def stop(self) -> None:
        """Nothing runs in another process."""


class Class:
    """A folder of students that a test grades, once or repeatedly."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder

    def hands_in(self, student: str, source: str, stage: str = STAGE, module: str = MODULE) -> Path:
        path = self.folder / student / stage / f"{module}.py"
        write_files(self.folder, {str(path.relative_to(self.folder)): source})
        return path

    def grade(
        self,
        reuse: Reuse = AS_USUAL,
        judges: ScriptedJudges | InProcessJudges | None = None,
        stages: Iterable[str] = (),
        regrading: Regrading = USUAL,
    ) -> "Run":
        judges = judges or ScriptedJudges(Lab(self.lab.root))
        lab = Lab(self.lab.root)  # reads grading.yml again, as a new process does
        submissions = take_in([self.folder], stage_files(lab, stages))
        return Run(Grader(lab, judges, reuse, regrading).grade_all(submissions, workers=3), judges)


class Run:
    """The result of one run of the pipeline."""

    def __init__(self, graded: list[Graded], judges: ScriptedJudges | InProcessJudges) -> None:
        self.graded = graded
        self.judged = judges.judged if isinstance(judges, ScriptedJudges) else None
        self.jobs = judges.jobs if isinstance(judges, ScriptedJudges) else []

    def report(self, student: str, stage: str = STAGE) -> StageReport:
        (report,) = (
            graded.report
            for graded in self.graded
            if (graded.submission.student, graded.submission.stage) == (student, stage)
        )
        return report

    @property
    def scores(self) -> dict[tuple[str, str], int]:
        return {(graded.report.student, graded.report.stage): graded.report.score for graded in self.graded}

    @property
    def cached(self) -> list[str]:
        return [graded.submission.student for graded in self.graded if graded.cached]
