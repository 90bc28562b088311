"""The modules a stage runs on: the student's own if they passed, the course's stand-ins if they did not."""

from collections.abc import Mapping

from autograder.course.lab import Lab, StageFolders, needed_stages


def modules_for(
    lab: Lab, stage: StageFolders, source: str, passed: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Choose the modules with which a stage is judged.

    Args:
        lab: the lab.
        stage: the stage to judge.
        source: the student's module of this stage.
        passed: stage → the student's module, for earlier stages that may be used as they are.

    Returns:
        Module name → source text, and the names of the modules that the course stands in for.

    Raises:
        LabError: the lab lacks a stand-in that is needed.
    """
    modules: dict[str, str] = {}
    stand_ins: list[str] = []
    for needed in needed_stages(lab, stage):
        name = needed.spec.module
        if needed.id == stage.id:
            modules[name] = source
        elif needed.id in passed:
            modules[name] = passed[needed.id]
        else:
            modules[name] = needed.stand_in_source()
            stand_ins.append(name)
    return modules, tuple(stand_ins)
