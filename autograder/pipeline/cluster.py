"""Judges on the workers of a Dask cluster; everything else of a run stays on the machine that grades.

Dask runs a job again on another worker if its worker dies. A job that outlives every worker is submitted again once
another worker has proved its isolation.
"""

import hashlib
import threading
import time
from collections.abc import Iterable
from types import TracebackType

import msgspec
from distributed import CancelledError, Client, Future, KilledWorker

from autograder.base.results import IsolationLevel, lowest_level
from autograder.course.lab import Lab
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import JudgeError, JudgesStopped
from autograder.pipeline.cluster_worker import Answer, JudgePlugin, Readiness, judge_here, readiness
from autograder.pipeline.fingerprint import stage_fingerprint

_CONNECT_SECONDS = 30
_LOOK_SECONDS = 2.0  # how often a waiting job looks whether a worker is left
_PATIENCE_SECONDS = 600.0  # how long to wait without any worker: a queue of batch jobs may give one later


class ClusterJudges:
    """The judges of all workers of a cluster that proved their isolation. Use as a context manager.

    Args:
        lab: the lab.
        address: the address of Dask's scheduler, such as ``tcp://10.0.0.5:8786``.
        stages: the ids of the stages to be judged.
        isolated: whether students' code must be isolated.

    Attributes:
        size: number of jobs that the cluster judged at the same time when the run began.
        refused: worker → why it takes no job, for workers that were there when the run began.

    Raises:
        JudgeError: the scheduler cannot be reached, or no worker is fit to judge.
    """

    def __init__(self, lab: Lab, address: str, stages: Iterable[str], *, isolated: bool = True) -> None:
        self._name = f"autograder-{hashlib.sha256(bytes(lab.root)).hexdigest()[:12]}"
        fingerprints = {stage: stage_fingerprint(lab, lab.stage(stage)) for stage in stages}
        self._plugin = JudgePlugin(self._name, str(lab.root), fingerprints, isolated=isolated)
        self._lock = threading.Lock()
        self._running: set[Future[bytes]] = set()
        self._fit: frozenset[str] = frozenset()
        self._fit_since = self._looked = 0.0
        self._stopped = False
        self._client = _connected(address)
        try:
            states = self._prove_workers(address)
        except BaseException:
            self._close()
            raise
        self.refused = {worker: state.unfit for worker, state in states.items() if state.unfit}
        self.size = sum(state.judges for state in states.values())
        self._levels = {state.level for state in states.values() if not state.unfit}

    def __enter__(self) -> "ClusterJudges":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._close()

    @property
    def level(self) -> IsolationLevel:
        """The lowest level that a worker of this run has proved."""
        return lowest_level(self._levels) or IsolationLevel.NONE

    def judge(self, job: Job) -> Judged | Broken:
        """Judge one job on a worker.

        Raises:
            JudgeError: no worker is left, or the scheduler has gone.
            JudgesStopped: see ``stop``.
        """
        encoded = msgspec.msgpack.encode(job)
        while True:
            fit = self._fit_workers(0)
            try:
                raw = self._result(encoded, fit)
            except KilledWorker as error:
                return Broken(f"{error.allowed_failures + 1} workers of the cluster died on this job")
            except CancelledError:
                if self._stopped:
                    raise JudgesStopped from None
                raise JudgeError("the connection to the Dask scheduler was lost") from None
            if raw is not None:
                answer = msgspec.msgpack.decode(raw, type=Answer)
                with self._lock:
                    self._levels.add(answer.level)
                return answer.reply

    def stop(self) -> None:
        """Judge nothing more: jobs that are waiting or being judged have no result."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        self._client.cancel(running, force=True)

    def _result(self, job: bytes, fit: frozenset[str]) -> bytes | None:
        """The result of a job; None if every worker that was fit when it was submitted has gone."""
        with self._lock:
            if self._stopped:
                raise JudgesStopped
            future = self._client.submit(judge_here, self._name, job, resources={self._name: 1}, pure=False)
            self._running.add(future)
        try:
            while True:
                try:
                    result: bytes = future.result(timeout=_LOOK_SECONDS)
                    return result
                except TimeoutError:
                    # Dask never gives a job that had no worker to one that is ready later.
                    now = self._fit_workers(_LOOK_SECONDS)
                    if now and not now & fit:
                        return None
        finally:
            with self._lock:
                self._running.discard(future)

    def _fit_workers(self, seconds: float) -> frozenset[str]:
        """The workers that offer judges, as seen at most so many seconds ago.

        Raises:
            JudgeError: there has been none for too long.
        """
        with self._lock:
            now = time.monotonic()
            if not self._looked or now - self._looked >= seconds:
                workers = self._client.scheduler_info(n_workers=-1)["workers"]
                self._fit = frozenset(name for name, worker in workers.items() if worker["resources"].get(self._name))
                self._looked = now
                if self._fit or not self._fit_since:
                    self._fit_since = now
            if now - self._fit_since > _PATIENCE_SECONDS:
                raise JudgeError(f"the cluster has had no worker that can judge for {_PATIENCE_SECONDS:.0f} s")
            return self._fit

    def _prove_workers(self, address: str) -> dict[str, Readiness]:
        """Let every worker prove its isolation; the state of each."""
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        except TimeoutError:
            raise JudgeError(f"the Dask scheduler at {address} has no worker: start workers, then run again") from None
        self._client.register_plugin(self._plugin, name=self._name)
        found = self._client.run(readiness, self._name, on_error="return")
        states = {
            worker: state if isinstance(state, Readiness) else Readiness(f"it does not answer: {state}")
            for worker, state in found.items()
        }
        if not any(state.judges for state in states.values()):
            reasons = "\n".join(f"  {worker}: {state.unfit}" for worker, state in sorted(states.items()))
            raise JudgeError(f"no worker of the Dask cluster at {address} can judge:\n{reasons}")
        return states

    def _close(self) -> None:
        """End the judges on the workers, which stay for other runs, and disconnect."""
        try:
            self._client.unregister_worker_plugin(self._name)
        except (OSError, ValueError, TimeoutError):
            pass  # the scheduler has gone, or the plugin was never there
        finally:
            self._client.close()


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, name="autograder")
    except (OSError, TimeoutError, ValueError) as error:
        raise JudgeError(f"the Dask scheduler at {address} does not answer: {error}") from None
