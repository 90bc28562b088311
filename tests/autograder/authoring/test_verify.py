"""`verify` reports each way in which a stage can be wrong, and reports no problem of a correct stage."""

from collections.abc import Collection
from pathlib import Path

import pytest
from pipeline import build_two_stages
from tiny_lab import MODULE, STAGE, forbid_a_softmax, replace_in

from autograder.authoring.spoiler import FORMULAS, NOTHING
from autograder.authoring.verify import (
    WRONG_VALUES,
    Variant,
    Verdict,
    count_variants,
    released_problems,
    variants,
    verify_stage,
)
from autograder.base.results import CheckResult, IsolationLevel, Outcome
from autograder.course.check_kinds import CheckKind, read_check_kinds
from autograder.course.lab import Lab, LabError
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.run import judge_stage
from autograder.release import release


class Judges:
    """Judges the variants named in ``truly`` in this process; the other variants get their expected results.

    If ``reply`` is given, it is the reply to every job.
    """

    level = IsolationLevel.NONE

    def __init__(self, lab: Lab, truly: Collection[str] | None = None, reply: Broken | None = None) -> None:
        self._lab = lab
        self._truly = truly
        self._reply = reply
        self.jobs: list[Job] = []

    def stop(self) -> None:
        pass

    def judge(self, job: Job) -> Judged | Broken:
        self.jobs.append(job)
        if self._reply is not None:
            return self._reply
        stage = self._lab.stage(job.stage)
        code = read_course_code(self._lab, stage)
        variant = next(variant for variant in variants(self._lab, stage, code) if is_of(job, variant))
        if self._truly is None or variant.name in self._truly:
            return Judged(judge_stage(stage, job.modules, InProcessSession, code, job.seed, forbid=job.forbid))
        kinds = read_check_kinds(stage)
        return Judged(tuple(as_expected(variant, check, kinds.get(check)) for check in stage.spec.check_ids))


def is_of(job: Job, variant: Variant) -> bool:
    return variant.modules == job.modules and variant.forbid == job.forbid


def as_expected(variant: Variant, check: str, kind: CheckKind | None) -> CheckResult:
    if variant.kind == WRONG_VALUES:
        kept = variant.name != NOTHING and kind is CheckKind.FORM
        outcome = Outcome.UNPAID if kept else Outcome.FAILED
        return CheckResult(id=check, title=check, exercise="", outcome=outcome, points=1)
    failed = check in variant.fails
    outcome = Outcome.FAILED if failed else Outcome.PASSED
    mistake = variant.name if failed and variant.kind == "mistake" and variant.named else None
    return CheckResult(id=check, title=check, exercise="", outcome=outcome, points=1, mistake=mistake)


def problems(lab: Lab, stage_id: str = STAGE, seeds=(0,), truly: Collection[str] | None = (), **more) -> list[str]:
    lab = Lab(lab.root)  # reads the files again
    judges = more.pop("judges", None) or Judges(lab, truly)
    return verify_stage(lab, lab.stage(stage_id), judges, seeds=seeds, workers=1, **more)


def hidden(lab: Lab):
    return lab.stage(STAGE).hidden_tests / "test_tiny.py"


def mistakes(lab: Lab):
    return lab.stage(STAGE).mistakes


def lock(lab: Lab):
    return lab.stage(STAGE).mistakes_lock


def test_a_correct_stage_has_no_problem(tiny_lab):
    done: list[Verdict] = []
    judges = Judges(tiny_lab)
    assert problems(tiny_lab, seeds=(0, 1), judges=judges, on_done=done.append) == []
    kinds = [verdict.variant.kind for verdict in done]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "reference": 2,
        "stub": 4,
        "alternative": 4,
        "mistake": 10,
        WRONG_VALUES: 2 * len([*FORMULAS, NOTHING]),
    }
    assert len(judges.jobs) == 2 * count_variants(tiny_lab, tiny_lab.stage(STAGE))
    assert {job.seed for job in judges.jobs} == {0, 1}


def test_a_mistake_that_the_hidden_tests_accept_is_reported(tiny_lab):
    replace_in(hidden(tiny_lab), "check_close(student.total(x, -2)", "(student.total(x, 1)")
    replace_in(hidden(tiny_lab), "check_close(student.total(x, -3)", "(student.total(x, 0)")
    found = problems(tiny_lab, truly=["total_drops_the_sign"])
    assert "1_tiny: mistake total_drops_the_sign: does not lose check test_total_counts_axes_from_the_end" in found
    assert any("`test_total_counts_axes_from_the_end` calls no check_… helper" in problem for problem in found)


def test_a_mistake_that_loses_an_unlisted_check_is_reported(tiny_lab):
    replace_in(lock(tiny_lab), '"test_total_adds_along_the_axis", ', "")
    found = problems(tiny_lab, truly=["total_adds_everything"])[-1]
    assert found.startswith(
        "1_tiny: mistake total_adds_everything: loses check test_total_adds_along_the_axis: FAILED, "
    )


def test_a_check_that_no_mistake_loses_is_reported(tiny_lab):
    text = mistakes(tiny_lab).read_text(encoding="utf-8")
    start = text.index('    "halve"')
    mistakes(tiny_lab).write_text(text[:start] + "}\n", encoding="utf-8")
    replace_in(lock(tiny_lab), ',\n    "halve_forgets_to_divide": ["test_halve_divides_by_two"]', "")
    no_mistake = "1_tiny: no mistake loses check test_halve_divides_by_two: the check may assert nothing"
    assert no_mistake in problems(tiny_lab)


def test_a_sentence_of_a_docstring_without_a_check_is_reported(tiny_lab):
    replace_in(tiny_lab.stage(STAGE).reference, '"""Half the input', '"""Infinity stays. Half the input')
    (found,) = problems(tiny_lab)
    assert found.endswith("no entry covers this text of the docstring of halve: “Infinity stays.”")


def test_a_mistake_that_loses_checks_of_another_exercise_is_reported(tiny_lab):
    replace_in(mistakes(tiny_lab), '    ),\n    "total": (\n', "")
    outside = "test_total_adds_along_the_axis, test_total_counts_axes_from_the_end"
    (first, second) = problems(tiny_lab)
    says = "of double loses checks of other exercises"
    assert first == f"1_tiny: mistake total_adds_everything {says}: {outside}; `elsewhere` must say why"
    assert second.startswith(f"1_tiny: mistake total_drops_the_sign {says}: test_total_counts_axes_from_the_end; ")


def test_a_mistake_may_say_why_it_loses_checks_of_another_exercise(tiny_lab):
    why = 'elsewhere="both add",\n'
    replace_in(mistakes(tiny_lab), '"torch.sum(x)",\n', f'"torch.sum(x)",\n            {why}')
    says = "mistake total_adds_everything loses checks of its own exercise only: delete its `elsewhere`"
    assert problems(tiny_lab) == [f"1_tiny: {says}"]
    replace_in(mistakes(tiny_lab), '    ),\n    "total": (\n', "")
    (found,) = problems(tiny_lab)
    assert "total_drops_the_sign" in found


def test_a_mistake_without_checks_is_reported(tiny_lab):
    replace_in(lock(tiny_lab), '["test_halve_divides_by_two"]', "[]")
    says = "loses no check: the hidden tests accept it, or the lock file is out of date"
    assert f"1_tiny: mistake halve_forgets_to_divide {says}" in problems(tiny_lab)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"double_adds_two"', '"added"', "mistake added is in the lock file but not in mistakes.py"),
        ('"double_adds_two"', '"added"', "mistake double_adds_two is not in the lock file"),
        (
            '"test_double_keeps_the_dtype"',
            '"test_gone", "test_double_keeps_the_dtype"',
            "mistake double_upcasts: the lock file lists `test_gone`, which grading.yml does not",
        ),
    ],
)
def test_an_outdated_lock_file_is_reported(tiny_lab, old, new, says):
    replace_in(lock(tiny_lab), old, new)
    assert f"1_tiny: {says}; run `autograder verify --stage 1_tiny --update`" in problems(tiny_lab)


def test_a_mistake_that_no_longer_fails_its_check_is_reported(tiny_lab):
    replace_in(mistakes(tiny_lab), '"return 2 + x")', '"return 2 + x", must_fail=["test_double_keeps_the_dtype"])')
    (found,) = problems(tiny_lab)
    assert found.startswith(
        "1_tiny: mistake double_adds_two must fail `test_double_keeps_the_dtype`, and the lock file does not list it"
    )


def test_a_mistake_that_does_not_fit_the_reference_is_reported_and_the_others_are_judged(tiny_lab):
    replace_in(mistakes(tiny_lab), '"return x / 2", "return x"', '"return x / 4", "return x"')
    done: list[Verdict] = []
    (found,) = problems(tiny_lab, on_done=done.append)
    assert found.startswith("1_tiny: mistake halve_forgets_to_divide: the text to replace occurs 0 times, not once")
    assert sum(verdict.variant.kind == "mistake" for verdict in done) == 4


@pytest.mark.parametrize("says", ["", "2 is added to each element."])
def test_a_missing_or_malformed_says_is_reported(tiny_lab, says):
    replace_in(mistakes(tiny_lab), "2 is added to each element", says)
    assert any("mistake double_adds_two: `says` must complete" in problem for problem in problems(tiny_lab))


def test_mistakes_that_the_diagnosis_cannot_identify_are_reported(tiny_lab):
    """Two mistakes have the same outputs, so neither is named. They are more than a tenth of the catalogue."""
    text = mistakes(tiny_lab).read_text(encoding="utf-8")
    start, end = (text.index(f'        mistake("{name}"') for name in ("double_adds_two", "double_upcasts"))
    twin = text[start:end].replace("double_adds_two", "double_adds_too").replace("2 + x", "x + 2")
    mistakes(tiny_lab).write_text(text[:end] + twin + text[end:], encoding="utf-8")
    listed = '    "double_adds_two": ["test_double_multiplies_by_two"],\n'
    replace_in(lock(tiny_lab), listed, listed + listed.replace("adds_two", "adds_too"))
    (found,) = problems(tiny_lab, truly=["double_adds_two", "double_adds_too"])
    assert found == (
        "1_tiny: the diagnosis names 4 of 6 mistakes, fewer than 90%; not named: double_adds_too, double_adds_two"
    )


def test_a_mistake_that_is_never_named_does_not_count_against_the_diagnosis(tiny_lab):
    test_mistakes_that_the_diagnosis_cannot_identify_are_reported(tiny_lab)
    text = mistakes(tiny_lab).read_text(encoding="utf-8")
    for new in ("2 + x", "x + 2"):
        text = text.replace(f'"return {new}")', f'"return {new}", named=False)')
    mistakes(tiny_lab).write_text(text, encoding="utf-8")
    assert problems(tiny_lab, truly=["double_adds_two", "double_adds_too"]) == []


def test_an_alternative_that_fails_is_reported(tiny_lab):
    loop = tiny_lab.stage(STAGE).folder / "alternatives" / "loop.py"
    replace_in(loop, "return x * 0.5", "return x * 0.4")
    (found,) = problems(tiny_lab, truly=["loop"])
    assert found.startswith("1_tiny: alternative loop: loses check test_halve_divides_by_two: FAILED, ")


def test_an_alternative_that_is_diagnosed_as_a_mistake_is_reported(tiny_lab):
    loop = tiny_lab.stage(STAGE).folder / "alternatives" / "loop.py"
    replace_in(loop, "return x * 0.5", "return x")
    assert "1_tiny: alternative loop: is diagnosed as halve_forgets_to_divide" in problems(tiny_lab, truly=["loop"])


LIBRARY = ["pytorch", "pytorch as a student's module"]


def test_an_alternative_is_judged_with_and_without_refusal_of_its_marked_lines(tiny_lab):
    forbid_a_softmax(tiny_lab, "  # refused")
    done: list[Verdict] = []
    assert problems(tiny_lab, truly=LIBRARY, on_done=done.append) == []
    assert [verdict.variant.name for verdict in done if verdict.variant.kind == "alternative"] == ["loop", *LIBRARY]


def test_an_alternative_that_is_refused_without_a_mark_is_reported(tiny_lab):
    forbid_a_softmax(tiny_lab, "")
    found = problems(tiny_lab, truly=LIBRARY)
    assert len(found) == 2
    assert found[0].startswith(
        "1_tiny: alternative pytorch: loses check test_double_keeps_the_dtype: FAILED, `torch.softmax`"
    )


def test_a_marked_line_that_is_not_refused_is_reported(tiny_lab):
    forbid_a_softmax(tiny_lab, "  # refused", other="return x + x  # refused")
    found = problems(tiny_lab, truly=[*LIBRARY, "loop as a student's module"])
    assert found == ["1_tiny: alternative loop as a student's module: line 7 is marked `# refused` but not refused"]


def test_a_refused_line_that_differs_from_the_marked_line_is_reported(tiny_lab):
    forbid_a_softmax(tiny_lab, "\n    x = x  # refused")
    found = problems(tiny_lab, truly=LIBRARY)
    assert found == [
        "1_tiny: alternative pytorch as a student's module: line 7 is refused but not marked `# refused`",
        "1_tiny: alternative pytorch as a student's module: line 8 is marked `# refused` but not refused",
    ]


def test_a_forbidden_function_that_the_docstring_does_not_name_is_reported(tiny_lab):
    forbid_a_softmax(tiny_lab, "  # refused", says="No softmax.")
    found = problems(tiny_lab)[0]
    assert found == "1_tiny: the docstring of double does not name `torch.softmax`, which the exercise forbids"


def test_a_reference_that_fails_is_reported(tiny_lab):
    replace_in(hidden(tiny_lab), "0.5 * x", "0.25 * x")
    (found,) = problems(tiny_lab, truly=["tiny"])
    assert found.startswith("1_tiny: reference tiny: loses check test_halve_divides_by_two: FAILED, ")


def test_a_check_that_the_stub_passes_is_reported(tiny_lab):
    text = hidden(tiny_lab).read_text(encoding="utf-8")
    start = text.index("    x = normal_tensor(*sizes, seed=seed)\n    check_close(student.halve(x)")
    hidden(tiny_lab).write_text(text[:start] + "    check_close(0.5 * seed, seed / 2)\n", encoding="utf-8")
    found = problems(tiny_lab, truly=["tiny", "halve_forgets_to_divide"])
    assert "1_tiny: stub tiny: does not lose check test_halve_divides_by_two" in found
    assert "1_tiny: mistake halve_forgets_to_divide: does not lose check test_halve_divides_by_two" in found


def test_a_check_that_accepts_none_is_reported(tiny_lab):
    """The check only requires that no error is raised, so it accepts the result None."""
    replace_in(hidden(tiny_lab), "check_close(student.halve(x), 0.5 * x)", "check_that(student.halve(x) is not x, 'x')")
    replace_in(hidden(tiny_lab), "import check_close, check_dtype", "import check_close, check_dtype, check_that")
    found = problems(tiny_lab, truly=["tiny", f"{MODULE} that returns None"])
    assert "1_tiny: stub tiny that returns None: does not lose check test_halve_divides_by_two" in found
    assert not any("stub tiny: " in problem for problem in found)


def test_a_lint_error_is_reported(tiny_lab):
    replace_in(hidden(tiny_lab), "check_close(student.halve(x), 0.5 * x)", "assert (student.halve(x) == 0.5 * x).all()")
    found = problems(tiny_lab)
    assert any("a bare assert compares by hand" in problem for problem in found)
    assert any("`all(…)` compares by hand" in problem for problem in found)


def test_a_judge_that_fails_is_reported(tiny_lab):
    found = problems(tiny_lab, judges=Judges(tiny_lab, reply=Broken("Traceback: x\n")))
    assert "1_tiny: reference tiny: the judge failed: Traceback: x" in found
    failures = sum("the judge failed" in problem for problem in found)
    assert failures == count_variants(tiny_lab, tiny_lab.stage(STAGE))


def test_a_check_with_an_error_is_reported(tiny_lab):
    replace_in(hidden(tiny_lab), "check_close(student.halve(x), 0.5 * x)", "check_close(student.halve(x), 0.5 * y)")
    found = problems(tiny_lab, truly=["tiny"])
    assert "1_tiny: reference tiny: a check ended in a grader error" in found


# Wrong values


def test_a_check_whose_kind_is_not_the_listed_one_is_reported(tiny_lab):
    replace_in(tiny_lab.stage(STAGE).checks_lock, '"test_double_keeps_the_dtype": "form"', '"test_gone": "values"')
    found = problems(tiny_lab, truly=[*FORMULAS, NOTHING])
    update = "run `autograder verify --stage 1_tiny --update`"
    first = "check test_double_keeps_the_dtype looks at nothing in checks.lock.json, form by judging"
    second = "check test_gone looks at values in checks.lock.json, nothing by judging"
    assert [problem for problem in found if "looks at" in problem] == [
        f"1_tiny: {says}; {update}" for says in (first, second)
    ]


def test_an_exercise_without_a_check_of_values_is_reported(tiny_lab):
    replace_in(hidden(tiny_lab), "check_close(student.halve(x), 0.5 * x)", "check_dtype(student.halve(x), x.dtype)")
    found = problems(tiny_lab, truly=[*FORMULAS, NOTHING])
    assert "1_tiny: every check of halve passes for some solution with wrong values: compare values in one of them" in (
        found
    )


def test_wrong_values_that_earn_more_than_a_tenth_are_reported(tiny_lab):
    """Without the lock file, the form of a result is paid although its values are wrong."""
    tiny_lab.stage(STAGE).checks_lock.unlink()
    found = problems(tiny_lab, truly=[*FORMULAS, NOTHING])
    assert "1_tiny: wrong values (doubled) earn 1 of 8 points, more than 10%" in found
    assert not any("(nothing) earn" in problem for problem in found)


# Stages that need earlier stages


def two_stages(folder: Path) -> Lab:
    lab = build_two_stages(folder / "lab")
    body = "    return tiny.double(tiny.double(x))\n"
    marked = f"    ### BEGIN SOLUTION\n{body}    ### END SOLUTION\n"
    replace_in(lab.stage("2_more").reference, body, marked)
    return lab


def test_a_stage_is_also_judged_on_stand_ins(tmp_path):
    lab = two_stages(tmp_path)
    done: list[Verdict] = []
    problems(lab, "2_more", on_done=done.append)
    names = [verdict.variant.name for verdict in done if verdict.variant.kind == "reference"]
    assert names == ["more", "more on stand-ins"]


def test_mistakes_run_on_stand_ins(tmp_path):
    """A mistake that needs what only the reference of an earlier stage has would fail for another reason."""
    lab = two_stages(tmp_path)
    once = 'mistake("quadruple_doubles", "it is doubled once", "tiny.double(tiny.double(x))", "tiny.double(x)")'
    text = f'from autograder.course.mistakes import mistake\n\nMISTAKES = {{"quadruple": ({once},)}}\n'
    lab.stage("2_more").mistakes.write_text(text, encoding="utf-8")
    done: list[Verdict] = []
    problems(lab, "2_more", on_done=done.append)
    (modules,) = (verdict.variant.modules for verdict in done if verdict.variant.kind == "mistake")
    assert modules[MODULE] == lab.stage(STAGE).stand_in_source()


def test_a_stand_in_that_a_later_stage_cannot_use_is_reported(tmp_path):
    lab = two_stages(tmp_path)
    replace_in(lab.stage(STAGE).folder / "alternatives" / "pytorch.py", "return x + x", "return x + x + 1")
    found = problems(lab, "2_more", truly=["more on stand-ins"])
    assert any(
        problem.startswith("2_more: reference more on stand-ins: loses check test_quadruple") for problem in found
    )


def test_a_missing_stand_in_is_named(tmp_path):
    lab = two_stages(tmp_path)
    (lab.stage(STAGE).folder / "alternatives" / "pytorch.py").unlink()
    with pytest.raises(LabError, match=r"pytorch\.py is missing"):
        problems(lab, "2_more")


# Assignments


def test_assignments_that_differ_from_a_fresh_release_are_reported(tiny_lab):
    assert any("is missing; run `autograder release`" in problem for problem in released_problems(tiny_lab))
    release(tiny_lab)
    assert released_problems(tiny_lab) == []
    stub = tiny_lab.root / "assignments" / STAGE / f"{MODULE}.py"
    stub.write_text(stub.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    (found,) = released_problems(tiny_lab)
    assert found.startswith(f"assignments: {STAGE}/{MODULE}.py differs from the release")


def test_without_mistakes_the_other_variants_are_judged(tiny_lab):
    stage = tiny_lab.stage(STAGE)
    code = read_course_code(tiny_lab, stage)
    kinds = [variant.kind for variant in variants(tiny_lab, stage, code, with_mistakes=False)]
    assert set(kinds) == {"reference", "stub", "alternative"}
    assert count_variants(tiny_lab, stage, with_mistakes=False) == len(kinds)
    assert count_variants(tiny_lab, stage) == len(kinds) + len(code.mistakes) + len([*FORMULAS, NOTHING])
