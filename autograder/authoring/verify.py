"""The lab's proof of itself: what every change to a stage has to leave true.

The reference earns all, on the course's stand-ins too; the stub nothing, nor does one that returns
None everywhere; every alternative all, or it is refused in the lines that it marks. Every mistake
loses exactly the checks it is listed for and is named rightly or not at all; every check is lost by
some mistake; no mistake costs more than 60 % of its stage. What an exercise forbids stands in its
docstring. The hidden tests keep to their rules, and ``assignments`` equals a fresh release.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.base.parallel_map import parallel_map
from autograder.base.results import CheckResult, Outcome
from autograder.course.alternatives import REFUSED, load_alternatives
from autograder.course.forbidden import short_name
from autograder.course.lab import Lab, LabError, StageFolders
from autograder.course.mistakes import Mistake, lock_problems
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.lint import lint_hidden_tests
from autograder.judge.messages import Attached, Broken, Job
from autograder.pipeline.grade import Judges
from autograder.pipeline.stand_ins import modules_for
from autograder.release import differences, strip_solutions

# Of a stage's points, extensions included: what one misunderstanding may cost at most.
LARGEST_COST = 0.6
# Of the mistakes that outputs can identify: how many the diagnosis must name.
NAMED_SHARE = 0.9
_LINE = re.compile(r", line (\d+)")
_STUB_LINE = re.compile(r'raise NotImplementedError\(".*"\)')


@dataclass(frozen=True)
class Variant:
    """One solution to judge, and what must come of it.

    ``forbid`` is whether calls that its exercises forbid are refused; ``refused`` are the lines that must be.
    """

    kind: str  # reference, stub, alternative or mistake; all but mistakes come with the course's attachments
    name: str
    modules: Mapping[str, str]
    fails: frozenset[str] = frozenset()
    named: bool = False
    forbid: bool = True
    refused: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What came of one variant: ``problems`` is empty when all is as it must be."""

    stage: str
    variant: Variant
    problems: tuple[str, ...]
    identified: bool = False


def verify_stage(
    lab: Lab,
    stage: StageFolders,
    judges: Judges,
    *,
    seeds: Sequence[int],
    workers: int,
    with_mistakes: bool = True,
    on_done: Callable[[Verdict], None] = lambda verdict: None,
) -> list[str]:
    """Judge all variants of a stage under each seed; every problem found, as one line each.

    Mistakes are most of the variants; without them the proof takes a tenth of the time.
    """
    trusted = read_course_code(lab, stage)
    by_reading = (_mistake_problems, _idle_checks, _unsaid_problems)
    static = (*(problem for look in by_reading for problem in look(stage, trusted)), *lint_hidden_tests(stage))
    problems = [f"{stage.id}: {problem}" for problem in static]
    jobs = [(variant, seed) for seed in seeds for variant in variants(lab, stage, trusted, with_mistakes)]
    verdicts = parallel_map(lambda job: _judge(stage, judges, *job), jobs, workers, on_done)
    problems += [
        f"{stage.id}: {verdict.variant.kind} {verdict.variant.name}: {problem}"
        for verdict in verdicts
        for problem in verdict.problems
    ]
    return [*problems, *_naming_problems(stage, verdicts)]


def variants(lab: Lab, stage: StageFolders, trusted: CourseCode, with_mistakes: bool = True) -> Iterator[Variant]:
    """Everything the stage says of itself: what must earn all, what must earn nothing, what must lose what.

    Raises:
        LabError: the stage cannot be released, or a module that it needs has no stand-in.
    """
    main, every = stage.spec.module, frozenset(stage.spec.check_ids)
    reference = trusted.modules[main]

    def changed(source: str) -> dict[str, str]:
        return {**trusted.modules, main: source}

    yield Variant("reference", main, trusted.modules)
    if stage.spec.needs:
        yield Variant("reference", f"{main} on stand-ins", modules_for(lab, stage, reference, {})[0])
    stub = strip_solutions(reference, str(stage.reference))
    yield Variant("stub", main, changed(stub), every)
    yield Variant("stub", f"{main} that returns None", changed(_STUB_LINE.sub("return None", stub)), every)
    for one in load_alternatives(stage):
        yield Variant("alternative", one.name, changed(one.source), forbid=not one.refused)
        if one.refused:
            yield Variant("alternative", f"{one.name} as a student's own", changed(one.source), refused=one.refused)
    for mistake in trusted.mistakes if with_mistakes else ():
        if not _application_problem(mistake, reference):
            yield Variant("mistake", mistake.id, changed(mistake.apply(reference)), mistake.fails, mistake.named)


def count_variants(lab: Lab, stage: StageFolders, with_mistakes: bool = True) -> int:
    """How many solutions ``verify_stage`` judges under each seed."""
    return sum(1 for _ in variants(lab, stage, read_course_code(lab, stage), with_mistakes))


def released_problems(lab: Lab) -> list[str]:
    """Where ``assignments`` is not what a release would make."""
    return [f"assignments: {difference}" for difference in differences(lab)]


def _judge(stage: StageFolders, judges: Judges, variant: Variant, seed: int) -> Verdict:
    alone = variant.kind == "mistake"
    job = Job(
        stage=stage.id,
        modules=dict(variant.modules),
        seed=seed,
        forbid=variant.forbid,
        checks=stage.spec.code_checks if alone else None,
        attachments={} if alone else {name: Attached(path.read_bytes()) for name, path in stage.attachments.items()},
    )
    reply = judges.judge(job)
    if isinstance(reply, Broken):
        return Verdict(stage.id, variant, (f"the judge failed: {reply.reason.strip()}",))
    named = {check.mistake for check in reply.checks if check.mistake}
    identified = variant.kind == "mistake" and named == {variant.name}
    return Verdict(stage.id, variant, tuple(_problems(variant, reply.checks, named)), identified)


def _problems(variant: Variant, checks: Sequence[CheckResult], named: set[str]) -> Iterator[str]:
    refused = [check for check in checks if check.forbidden] if variant.refused else []
    yield from _refusal_problems(variant, refused)
    failed = {check.id: check for check in checks if not check.passed and check not in refused}
    for check in sorted(failed.keys() - variant.fails):
        yield f"loses {check}: {failed[check].outcome}, {failed[check].what} ({failed[check].where})"
    for check in sorted(variant.fails - failed.keys()):
        yield f"does not lose {check}"
    if any(check.outcome is Outcome.GRADER_ERROR for check in checks):
        yield "meets a grader error"
    if named and (variant.kind != "mistake" or named != {variant.name}):
        yield f"is named {', '.join(sorted(named))}"


def _refusal_problems(variant: Variant, refused: Sequence[CheckResult]) -> Iterator[str]:
    """Whether the lines that were refused are those that are marked."""
    lines = {int(line) for check in refused for line in _LINE.findall(check.where)}
    for line in sorted(lines ^ variant.refused):
        yield f"line {line} is {'refused, and not marked' if line in lines else f'marked `{REFUSED}`, and is not'}"


def _unsaid_problems(stage: StageFolders, trusted: CourseCode) -> Iterator[str]:
    """What an exercise forbids must stand in what students read of it."""
    tree = ast.parse(trusted.modules[stage.spec.module])
    said = {
        node.name: ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for exercise_name, exercise in stage.spec.exercises.items():
        for name in exercise.forbid:
            if f"`{short_name(name)}`" not in said.get(exercise_name, ""):
                yield f"the docstring of {exercise_name} does not say that `{short_name(name)}` may not be used"


def _mistake_problems(stage: StageFolders, trusted: CourseCode) -> Iterator[str]:
    """What can be seen of the mistakes without judging anything."""
    yield from lock_problems(stage, trusted.mistakes)
    points = {check.id: check.points for check in stage.spec.checks}
    total = sum(points.values())
    for mistake in trusted.mistakes:
        if problem := _application_problem(mistake, trusted.modules[stage.spec.module]):
            yield problem
        cost = sum(points[check] for check in mistake.fails)
        if cost > LARGEST_COST * total:
            yield f"mistake {mistake.id} costs {cost} of {total} points, more than {LARGEST_COST:.0%}"
        if not mistake.fails:
            yield f"mistake {mistake.id} loses no check: the hidden tests accept it, or the lock file is out of date"
        if not mistake.says or mistake.says.endswith("."):
            yield f"mistake {mistake.id}: `says` ends the sentence “your output is what you get when …”, without a stop"


def _application_problem(mistake: Mistake, reference: str) -> str:
    try:
        mistake.apply(reference)
    except LabError as error:
        return str(error)
    return ""


def _idle_checks(stage: StageFolders, trusted: CourseCode) -> Iterator[str]:
    killed = frozenset[str]().union(*(mistake.fails for mistake in trusted.mistakes))
    for check in stage.spec.check_ids:
        if check in stage.spec.code_checks - killed:
            yield f"check {check} is lost by no mistake: it may assert nothing"


def _naming_problems(stage: StageFolders, verdicts: Sequence[Verdict]) -> list[str]:
    could = [verdict for verdict in verdicts if verdict.variant.named]
    named = sum(verdict.identified for verdict in could)
    if could and named < NAMED_SHARE * len(could):
        missed = sorted({verdict.variant.name for verdict in could if not verdict.identified})
        return [f"{stage.id}: the diagnosis names {named} of {len(could)} mistakes; not {', '.join(missed)}"]
    return []
