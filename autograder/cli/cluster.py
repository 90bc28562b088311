"""``--scheduler``: the judges of a Dask cluster, for the commands that grade a class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from autograder.cli.shared import notice
from autograder.course.lab import Lab
from autograder.intake import StageSubmission

if TYPE_CHECKING:
    from autograder.pipeline.cluster import ClusterJudges

scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Judge on the workers of the Dask cluster with this scheduler, such as tcp://HOST:8786.",
)


def cluster_judges(
    lab: Lab, address: str, submissions: Sequence[StageSubmission], *, isolated: bool
) -> "ClusterJudges":
    """Connect to a cluster, let its workers prove their isolation, and say which take jobs.

    Raises:
        click.UsageError: Dask is not installed.
        JudgeError: the scheduler cannot be reached, or no worker can judge.
    """
    try:
        from autograder.pipeline.cluster import ClusterJudges  # a second, and an extra
    except ImportError as error:
        fix = "install the extra: pip install -c constraints.txt -e '.[cluster]'"
        raise click.UsageError(f"--scheduler requires Dask ({error}); {fix}") from None
    notice(f"waiting for the workers of {address} to prove their isolation")
    stages = dict.fromkeys(submission.stage for submission in submissions)
    judges = ClusterJudges(lab, address, stages, isolated=isolated)
    notice(f"the cluster judges {judges.size} submissions at a time; isolation: {judges.level}")
    for worker, reason in sorted(judges.refused.items()):
        notice(f"{worker} takes no job: {reason}")
    return judges
