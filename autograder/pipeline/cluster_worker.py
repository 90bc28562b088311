"""A worker of a Dask cluster: it proves its isolation before it takes a job.

The scheduler gives jobs only to workers that offer the plugin's resource. A worker offers it once its judge has passed
the isolation probes, and if its lab and packages are those of the machine that grades.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from distributed import Worker, WorkerPlugin, get_worker

from autograder.base.results import IsolationLevel
from autograder.course.config import ConfigError
from autograder.course.lab import Lab, LabError
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgeError, JudgePool
from autograder.pipeline.fingerprint import stage_fingerprint

# The worker's copy of the lab, if it is not at the same path as on the machine that grades.
LAB_VARIABLE = "AUTOGRADER_LAB"


class Readiness(msgspec.Struct, frozen=True):
    """Whether a worker takes jobs: ``unfit`` says why it does not; ``level`` is the isolation that it proved."""

    unfit: str
    level: IsolationLevel = IsolationLevel.NONE
    judges: int = 0


class Answer(msgspec.Struct, frozen=True):
    """The reply to a job, and the isolation level of the worker that judged it."""

    reply: Judged | Broken
    level: IsolationLevel


class JudgePlugin(WorkerPlugin):
    """The judges of one worker, as many as it has threads.

    Args:
        name: the name of the plugin, and of the resource that a ready worker offers.
        root: the lab's folder on the machine that grades.
        fingerprints: stage → its fingerprint there; a worker whose own differ would grade differently.
        isolated: whether students' code must be isolated.
    """

    def __init__(self, name: str, root: str, fingerprints: Mapping[str, str], *, isolated: bool) -> None:
        self.name = name
        self._root = root
        self._fingerprints = dict(fingerprints)
        self._isolated = isolated
        self._pool: JudgePool | None = None
        self.readiness = Readiness("its isolation has not been proved yet")

    async def setup(self, worker: Worker) -> None:
        """Prove the isolation, then offer the resource; Dask calls this on every worker, also on later workers."""
        self.readiness = await asyncio.to_thread(self._prove, worker.state.nthreads)
        if not self.readiness.unfit:
            await worker.set_resources(**{self.name: self.readiness.judges})

    async def teardown(self, worker: Worker) -> None:
        """Take the offer back and end the judges."""
        if not self.readiness.unfit:
            await worker.set_resources(**{self.name: 0})
        if self._pool is not None:
            await asyncio.to_thread(self._pool.__exit__)

    def judge(self, job: Job) -> Answer:
        """Judge one job; called from the worker's threads."""
        assert self._pool is not None, "the scheduler gave a job to a worker that offers no judge"
        return Answer(self._pool.judge(job), self._pool.level)

    def _prove(self, size: int) -> Readiness:
        try:
            lab = Lab(Path(os.environ.get(LAB_VARIABLE) or self._root))
            for stage_id, expected in self._fingerprints.items():
                if stage_fingerprint(lab, lab.stage(stage_id)) != expected:
                    same = "use the same commit, Python and package versions"
                    return Readiness(f"{lab.root} or the packages differ in what decides points of {stage_id}: {same}")
            self._pool = JudgePool(lab.root, size=size, isolated=self._isolated)
            return Readiness("", self._pool.level, size)
        except (LabError, ConfigError, JudgeError, OSError) as error:
            return Readiness(str(error) or type(error).__name__)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to the worker without judges."""
        return {**self.__dict__, "_pool": None}


def readiness(name: str, dask_worker: Worker) -> Readiness:
    """Whether a worker takes jobs. Runs on the worker, which Dask passes."""
    plugin = dask_worker.plugins.get(name)
    return plugin.readiness if isinstance(plugin, JudgePlugin) else Readiness("Dask has not set it up yet")


def judge_here(name: str, job: bytes) -> bytes:
    """Judge an encoded job on this worker and return the encoded answer. Runs on the worker."""
    plugin = get_worker().plugins[name]
    assert isinstance(plugin, JudgePlugin)
    return msgspec.msgpack.encode(plugin.judge(msgspec.msgpack.decode(job, type=Job)))
