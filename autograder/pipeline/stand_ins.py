"""Which modules a stage runs on: the student's own where they passed, the course's where they did not."""

from collections.abc import Mapping

from autograder.course.lab import Lab, LabError, StageFolders, needed_stages


def modules_for(
    lab: Lab, stage: StageFolders, source: str, passed: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The module texts that a stage is judged with.

    Args:
        lab: the lab.
        stage: the stage to judge.
        source: the student's module of this stage.
        passed: the student's modules of earlier stages that passed everything, by stage.

    Returns:
        Texts by module name, and the names of those that the course stood in for.

    Raises:
        LabError: a stand-in is needed that the lab does not have.
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
            modules[name] = stand_in_source(needed)
            stand_ins.append(name)
    return modules, tuple(stand_ins)


def stand_in_source(stage: StageFolders) -> str:
    """The module that stands in for an earlier stage which did not pass: built on PyTorch's own.

    Raises:
        LabError: the stage has no ``alternatives/pytorch.py``.
    """
    path = stage.folder / "alternatives" / "pytorch.py"
    if not path.is_file():
        raise LabError(
            f"{path} is missing: later stages run on it where a student's own {stage.spec.module}.py did not pass"
        )
    return path.read_text(encoding="utf-8")
