"""The stage of a command that concerns one kind of stage, such as those with a leaderboard."""

from collections.abc import Callable

import click

from autograder.course.config import Stage
from autograder.course.lab import Lab, StageFolders


def choose_stage(lab: Lab, named: str | None, fits: Callable[[Stage], bool], feature: str) -> StageFolders:
    """Return the stage that ``--stage`` names, or the only stage that fits.

    Args:
        lab: the lab.
        named: the value of the option, or None.
        fits: whether a stage has the feature.
        feature: the feature, for messages: "a leaderboard".

    Raises:
        click.UsageError: the named stage does not fit, or none is named and not exactly one stage fits.
        LabError: no stage has the name.
    """
    fitting = [stage.id for stage in lab.stages() if fits(stage.spec)]
    if named is not None:
        stage = lab.stage(named)
        if stage.id not in fitting:
            raise click.UsageError(f"{named} does not have {feature}; stages with {feature}: {_listed(fitting)}")
        return stage
    if len(fitting) != 1:
        raise click.UsageError(f"--stage is required; stages with {feature}: {_listed(fitting)}")
    return lab.stage(fitting[0])


def _listed(stage_ids: list[str]) -> str:
    return ", ".join(stage_ids) or "none in grading.yml"
