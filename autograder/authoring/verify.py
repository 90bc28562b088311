"""The lab's proof: properties that every change to a stage must preserve.

- The reference earns all points, also on the course's stand-ins.
- The stub earns no points; a stub that returns None everywhere earns none either.
- Every alternative earns all points. As a student's module, it is refused exactly on the lines that it marks.
- Every mistake loses exactly the checks that the lock file lists for it. The diagnosis names no other mistake, and it
  names at least 90 % of the mistakes that outputs can identify.
- Every check that reads no attachment is lost by some mistake.
- A mistake loses checks of its own exercise only, or says why it loses others.
- A solution whose values are all wrong earns at most a tenth of the points, and every exercise has a check of values.
- Every sentence of a docstring has a check that holds it and a mistake that breaks it, listed in ``promises.yml``.
- The docstring of an exercise names what the exercise forbids.
- The hidden tests follow their rules, and ``assignments`` equals a fresh release.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.authoring.wrong_values import check_kinds, earns_too_much, kind_problems, wrong_solutions
from autograder.base.parallel_map import parallel_map
from autograder.base.results import CheckResult, Outcome
from autograder.course.alternatives import REFUSED, load_alternatives
from autograder.course.config import Stage
from autograder.course.forbidden import in_docstring
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.mistakes import Mistake, lock_problems
from autograder.course.promises import promise_problems
from autograder.course.python_source import parse_python
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.lint import lint_hidden_tests
from autograder.judge.messages import Attached, Broken, Job
from autograder.pipeline.judging import Judges
from autograder.pipeline.stand_ins import modules_for
from autograder.release import differences, strip_solutions

# The smallest share of the mistakes that outputs can identify that the diagnosis must name.
NAMED_SHARE = 0.9
WRONG_VALUES = "wrong values"
_LINE = re.compile(r", line (\d+)")
_STUB_LINE = re.compile(r'raise NotImplementedError\(".*"\)')


@dataclass(frozen=True)
class Variant:
    """One solution to judge, and its expected result.

    Attributes:
        kind: reference, stub, alternative, mistake or wrong values; the first three have the course's attachments.
        name: name in messages; the id of a mistake.
        modules: text of each module, by name.
        fails: ids of the checks that it must lose.
        named: whether the diagnosis can name it.
        forbid: whether calls that its exercises forbid are refused.
        refused: the lines that must be refused.
    """

    kind: str
    name: str
    modules: Mapping[str, str]
    fails: frozenset[str] = frozenset()
    named: bool = False
    forbid: bool = True
    refused: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """The result of one variant.

    Attributes:
        stage: id of the stage.
        variant: the variant.
        problems: what differs from the expected result; empty if nothing does.
        identified: whether the diagnosis named the mistake.
        kept: the checks that found nothing wrong.
        score: the points earned.
    """

    stage: str
    variant: Variant
    problems: tuple[str, ...]
    identified: bool = False
    kept: frozenset[str] = frozenset()
    score: int = 0


def verify_stage(
    lab: Lab,
    stage: StageFolders,
    judges: Judges,
    *,
    seeds: Sequence[int],
    workers: int,
    with_mistakes: bool = True,
    chosen: Callable[[Variant], bool] = lambda variant: True,
    on_done: Callable[[Verdict], None] = lambda verdict: None,
) -> list[str]:
    """Judge the variants of a stage with each seed and return every problem, one line each.

    Most variants are mistakes; without them the proof takes a tenth of the time. ``chosen`` selects from the rest.
    """
    code = read_course_code(lab, stage)
    inspections = (_mistake_problems, _check_problems, _docstring_problems)
    static = (*(problem for inspect in inspections for problem in inspect(stage, code)), *lint_hidden_tests(stage))
    problems = [f"{stage.id}: {problem}" for problem in static]
    selected = [variant for variant in variants(lab, stage, code, with_mistakes) if chosen(variant)]
    jobs = [(variant, seed) for seed in seeds for variant in selected]
    verdicts = parallel_map(lambda job: _judge(stage, judges, *job), jobs, workers, on_done, judges.stop)
    problems += [
        f"{stage.id}: {verdict.variant.kind} {verdict.variant.name}: {problem}"
        for verdict in verdicts
        for problem in verdict.problems
    ]
    problems += [f"{stage.id}: {problem}" for problem in _wrong_value_problems(stage, code, verdicts)]
    return [*problems, *_naming_problems(stage, verdicts)]


def variants(lab: Lab, stage: StageFolders, code: CourseCode, with_mistakes: bool = True) -> Iterator[Variant]:
    """Yield every solution to judge for a stage, with its expected result.

    The mistakes run on the course's stand-ins for the earlier stages: a mistake must not need what only the references
    have.

    Raises:
        LabError: the stage cannot be released, or a module that it needs has no stand-in.
    """
    main, every = stage.spec.module, frozenset(stage.spec.check_ids)
    reference = code.modules[main]

    def changed(source: str) -> dict[str, str]:
        return {**code.modules, main: source}

    on_stand_ins, _ = modules_for(lab, stage, reference, {})

    yield Variant("reference", main, code.modules)
    if stage.spec.needs:
        yield Variant("reference", f"{main} on stand-ins", on_stand_ins)
    stub = strip_solutions(reference, str(stage.reference))
    yield Variant("stub", main, changed(stub), every)
    yield Variant("stub", f"{main} that returns None", changed(_STUB_LINE.sub("return None", stub)), every)
    for alternative in load_alternatives(stage):
        modules, refused = changed(alternative.source), alternative.refused
        yield Variant("alternative", alternative.name, modules, forbid=not refused)
        if refused:
            yield Variant("alternative", f"{alternative.name} as a student's module", modules, refused=refused)
    for mistake in code.mistakes if with_mistakes else ():
        if not _application_problem(mistake, reference):
            modules = {**on_stand_ins, main: mistake.apply(reference)}
            yield Variant("mistake", mistake.id, modules, mistake.fails, mistake.named)
    for name, spoiled in wrong_solutions(stage.spec, code.modules) if with_mistakes else ():
        yield Variant(WRONG_VALUES, name, spoiled)


def count_variants(lab: Lab, stage: StageFolders, with_mistakes: bool = True) -> int:
    """Return the number of solutions that ``verify_stage`` judges with each seed."""
    return sum(1 for _ in variants(lab, stage, read_course_code(lab, stage), with_mistakes))


def released_problems(lab: Lab) -> list[str]:
    """Return the differences between ``assignments`` and a fresh release, one line each."""
    return [f"assignments: {difference}" for difference in differences(lab)]


def _judge(stage: StageFolders, judges: Judges, variant: Variant, seed: int) -> Verdict:
    is_mistake, is_wrong = variant.kind == "mistake", variant.kind == WRONG_VALUES
    job = Job(
        stage=stage.id,
        modules=dict(variant.modules),
        seed=seed,
        forbid=variant.forbid,
        checks=stage.spec.code_checks if is_mistake or is_wrong else None,
        attachments={}
        if is_mistake or is_wrong
        else {name: Attached(path.read_bytes()) for name, path in stage.attachments.items()},
    )
    reply = judges.judge(job)
    if isinstance(reply, Broken):
        return Verdict(stage.id, variant, (f"the judge failed: {reply.reason.strip()}",))
    named = {check.mistake for check in reply.checks if check.mistake}
    problems = reply.notes if is_wrong else (*reply.notes, *_problems(variant, reply.checks, named))
    kept = frozenset(check.id for check in reply.checks if check.holds)
    identified = is_mistake and named == {variant.name}
    return Verdict(stage.id, variant, problems, identified, kept, sum(check.score for check in reply.checks))


def _problems(variant: Variant, checks: Sequence[CheckResult], named: set[str]) -> Iterator[str]:
    refused = [check for check in checks if check.forbidden] if variant.refused else []
    yield from _refusal_problems(variant, refused)
    failed = {check.id: check for check in checks if not check.holds and check not in refused}
    for check in sorted(failed.keys() - variant.fails):
        yield f"loses check {check}: {failed[check].outcome}, {failed[check].what} ({failed[check].where})"
    for check in sorted(variant.fails - failed.keys()):
        yield f"does not lose check {check}"
    if any(check.outcome is Outcome.GRADER_ERROR for check in checks):
        yield "a check ended in a grader error"
    if named and (variant.kind != "mistake" or named != {variant.name}):
        yield f"is diagnosed as {', '.join(sorted(named))}"


def _refusal_problems(variant: Variant, refused: Sequence[CheckResult]) -> Iterator[str]:
    """Yield a problem for each line that is either refused or marked, but not both."""
    lines = {int(line) for check in refused for line in _LINE.findall(check.where)}
    for line in sorted(lines ^ variant.refused):
        if line in lines:
            yield f"line {line} is refused but not marked `{REFUSED}`"
        else:
            yield f"line {line} is marked `{REFUSED}` but not refused"


def _docstring_problems(stage: StageFolders, code: CourseCode) -> Iterator[str]:
    """Yield a problem for each forbidden function that the docstring of its exercise does not name."""
    tree = parse_python(code.modules[stage.spec.module])
    docstrings = {
        node.name: ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for exercise_name, exercise in stage.spec.exercises.items():
        for name in exercise.forbid:
            if (words := in_docstring(name)) not in " ".join(docstrings.get(exercise_name, "").split()):
                yield f"the docstring of {exercise_name} does not name {words}, which the exercise forbids"


def _mistake_problems(stage: StageFolders, code: CourseCode) -> Iterator[str]:
    """Yield the problems of the mistakes that can be detected without judging."""
    yield from lock_problems(stage, code.mistakes)
    yield from promise_problems(stage, code.mistakes)
    for mistake in code.mistakes:
        if problem := _application_problem(mistake, code.modules[stage.spec.module]):
            yield problem
        if problem := _elsewhere_problem(mistake, stage.spec):
            yield f"mistake {mistake.id} {problem}"
        if not mistake.fails:
            yield f"mistake {mistake.id} loses no check: the hidden tests accept it, or the lock file is out of date"
        if not mistake.says or mistake.says.endswith("."):
            sentence = "“your output is what you get when …”"
            yield f"mistake {mistake.id}: `says` must complete {sentence}, without a full stop"


def _elsewhere_problem(mistake: Mistake, stage: Stage) -> str:
    outside = lost_elsewhere(mistake, stage)
    if outside and not mistake.elsewhere:
        return f"of {mistake.exercise} loses checks of other exercises: {', '.join(outside)}; `elsewhere` must say why"
    if mistake.elsewhere and not outside:
        return "loses checks of its own exercise only: delete its `elsewhere`"
    return ""


def lost_elsewhere(mistake: Mistake, stage: Stage) -> list[str]:
    """Return the checks of other exercises that the mistake loses."""
    return [check.id for check in stage.checks if check.id in mistake.fails and check.exercise != mistake.exercise]


def _application_problem(mistake: Mistake, reference: str) -> str:
    try:
        mistake.apply(reference)
    except LabError as error:
        return str(error)
    return ""


def _check_problems(stage: StageFolders, code: CourseCode) -> Iterator[str]:
    lost = frozenset[str]().union(*(mistake.fails for mistake in code.mistakes))
    for check in stage.spec.check_ids:
        if check in stage.spec.code_checks - lost:
            yield f"no mistake loses check {check}: the check may assert nothing"


def _wrong_value_problems(stage: StageFolders, code: CourseCode, verdicts: Sequence[Verdict]) -> Iterator[str]:
    wrong = [verdict for verdict in verdicts if verdict.variant.kind == WRONG_VALUES]
    if not wrong or any(verdict.problems for verdict in wrong):
        return
    kept: dict[str, frozenset[str]] = {}
    for verdict in wrong:
        kept[verdict.variant.name] = kept.get(verdict.variant.name, frozenset()) | verdict.kept
        yield from earns_too_much(stage.spec, verdict.variant.name, verdict.score)
    yield from kind_problems(stage, code.check_kinds, check_kinds(stage.spec, kept))


def _naming_problems(stage: StageFolders, verdicts: Sequence[Verdict]) -> list[str]:
    nameable = [verdict for verdict in verdicts if verdict.variant.named]
    named = sum(verdict.identified for verdict in nameable)
    if nameable and named < NAMED_SHARE * len(nameable):
        missed = ", ".join(sorted({verdict.variant.name for verdict in nameable if not verdict.identified}))
        counts = f"the diagnosis names {named} of {len(nameable)} mistakes, fewer than {NAMED_SHARE:.0%}"
        return [f"{stage.id}: {counts}; not named: {missed}"]
    return []
