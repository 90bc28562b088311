"""Equal code, equal grade, whatever the course's secret: a mistake loses the same checks under every seed.

The checks that a mistake loses run under many seeds, and fail early. The other checks of its exercise run to
their end, under fewer seeds.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from autograder.course.lab import Lab, StageFolders
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.hidden_tests import open_reference, run_plugin
from autograder.judge.plugin import JudgePlugin, check_of

LAB = Lab.find(Path(__file__).parent)
SECRETS_OF_LOST_CHECKS = 50
SECRETS_OF_KEPT_CHECKS = 5


class Secrets:
    """A plugin that runs each check that draws examples once for every secret; ``lost`` maps check → secrets."""

    def __init__(self, plugin: JudgePlugin, count: int) -> None:
        self._plugin = plugin
        self._count = count
        self.lost: dict[str, set[int]] = {}
        self.runs: dict[str, set[int]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        draws = hasattr(metafunc.function, "hypothesis")
        metafunc.fixturenames.append("secret")
        metafunc.parametrize("secret", range(self._count if draws else 1))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Function) -> None:
        self._plugin.seed = item.callspec.params["secret"]
        self.runs.setdefault(check_of(item), set()).add(self._plugin.seed)

    def pytest_runtest_makereport(self, item: pytest.Function, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            self.lost.setdefault(check_of(item), set()).add(item.callspec.params["secret"])


def verdicts(stage: StageFolders, code: CourseCode, source: str, checks: Iterable[str], secrets: int) -> Secrets:
    """Run checks of a module under many seeds."""

    def opened(*_: object) -> InProcessSession:
        session = InProcessSession()
        session.load({**code.modules, stage.spec.module: source}, stage.spec.module)
        return session

    plugin = JudgePlugin(opened, lambda: open_reference(stage, code), 0, frozenset(checks))
    counted = Secrets(plugin, secrets)
    if plugin_checks := frozenset(checks):
        run_plugin(stage, plugin, counted)
        assert counted.runs.keys() == plugin_checks
    return counted


def varying(stage: StageFolders, code: CourseCode) -> Mapping[str, str]:
    """Mistake and check → how many secrets of how many gave another verdict than the lock file."""
    found = {}
    for mistake in code.mistakes:
        source = mistake.apply(code.modules[stage.spec.module])
        own = stage.spec.exercises[mistake.exercise].checks.keys()
        lost = verdicts(stage, code, source, mistake.fails & own, SECRETS_OF_LOST_CHECKS)
        kept = verdicts(stage, code, source, own - mistake.fails, SECRETS_OF_KEPT_CHECKS)
        for check, secrets in lost.runs.items():
            if missing := secrets - lost.lost.get(check, set()):
                found[f"{mistake.id}: {check}"] = f"kept under {len(missing)} of {len(secrets)} secrets"
        for check, secrets in kept.lost.items():
            found[f"{mistake.id}: {check}"] = f"lost under {len(secrets)} of {len(kept.runs[check])} secrets"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stage", LAB.stages(), ids=lambda stage: stage.id)
def test_a_mistake_loses_the_same_checks_under_every_secret(stage):
    assert varying(stage, read_course_code(LAB, stage)) == {}


def test_a_check_that_depends_on_luck_is_found(tiny_lab):
    """Its examples show the mistake now and then only."""
    stage = tiny_lab.stages()[0]
    path = stage.hidden_tests / "test_tiny.py"
    text = path.read_text(encoding="utf-8")
    lucky = "    if seed % 7 != 3:\n        return\n    check_close(student.halve(x), 0.5 * x)\n"
    path.write_text(text.replace("    check_close(student.halve(x), 0.5 * x)\n", lucky), encoding="utf-8")
    (found,) = varying(stage, read_course_code(tiny_lab, stage)).items()
    assert found[0] == "halve_forgets_to_divide: test_halve_divides_by_two"
