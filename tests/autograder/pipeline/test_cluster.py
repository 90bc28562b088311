"""Judging on a Dask cluster: only proven workers take jobs, the results are a local run's, and nothing is lost."""

import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from distributed import LocalCluster, get_worker
from pipeline import Class, ScriptedJudges
from tiny_lab import LOOP, MODULE, STAGE, build_tiny_lab, replace_in

from autograder.base.results import IsolationLevel
from autograder.cli import main
from autograder.course.lab import Lab
from autograder.judge.messages import Broken, Job, Judged
from autograder.judge.pool import IsolationError, JudgeError, JudgesStopped
from autograder.pipeline import cluster, cluster_worker
from autograder.pipeline.cluster import ClusterJudges

JOB = Job(stage=STAGE, modules={MODULE: LOOP}, seed=1)


class Pool(ScriptedJudges):
    """The judges of a worker that runs in this process."""

    workers: list[str]
    judged_on: list[str]
    unfit: set[int]
    started: threading.Event
    go_on: threading.Event

    def __init__(self, root: Path, *, size: int, isolated: bool) -> None:
        super().__init__(Lab(root), IsolationLevel.KERNEL)
        self.workers.append(str(root))
        if len(self.workers) in self.unfit:
            raise IsolationError("student code cannot be isolated on this machine")

    def __exit__(self, *error: object) -> None:
        """Nothing runs in another process."""

    def judge(self, job: Job) -> Judged | Broken:
        self.judged_on.append(get_worker().address)
        self.started.set()
        assert self.go_on.wait(60)
        return super().judge(job)


@pytest.fixture
def pool(monkeypatch) -> type[Pool]:
    """The pool that workers open; the pools whose numbers are in ``unfit`` cannot isolate."""
    opened = threading.Event()
    opened.set()
    fresh = {"workers": [], "judged_on": [], "unfit": set(), "started": threading.Event(), "go_on": opened}
    for name, value in fresh.items():
        monkeypatch.setattr(Pool, name, value, raising=False)
    monkeypatch.setattr(cluster_worker, "JudgePool", Pool)
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0.1)
    return Pool


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    """A scheduler and two workers, in threads of this process."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as dask:
        yield dask


def test_the_reports_are_those_of_a_local_run(tiny_lab, tmp_path, dask, pool):
    students = Class(tiny_lab, tmp_path / "class")
    for name, source in {"ada": LOOP, "bob": f"# wrong\n{LOOP}", "cem": f"# crash\n{LOOP}", "dee": LOOP}.items():
        students.hands_in(name, source)
    local = students.grade()
    shutil.rmtree(tiny_lab.build)
    with ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]) as judges:
        assert (judges.size, judges.refused, judges.level) == (2, {}, IsolationLevel.KERNEL)
        remote = students.grade(judges=judges)
    assert [graded.report for graded in remote.graded] == [graded.report for graded in local.graded]
    assert len(pool.judged_on) == 4


def test_a_worker_that_is_not_isolated_takes_no_job(tiny_lab, dask, pool):
    pool.unfit.add(1)
    with ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]) as judges:
        ((refused, reason),) = judges.refused.items()
        for _ in range(4):
            assert isinstance(judges.judge(JOB), Judged)
    assert "cannot be isolated" in reason
    assert len(pool.judged_on) == 4
    assert refused not in pool.judged_on


def test_a_cluster_without_isolation_judges_nothing(tiny_lab, dask, pool):
    pool.unfit.update({1, 2})
    with pytest.raises(JudgeError) as raised:
        ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE])
    assert str(raised.value).count("cannot be isolated") == 2


def test_a_worker_with_other_hidden_tests_takes_no_job(tiny_lab, tmp_path, dask, pool, monkeypatch):
    other = build_tiny_lab(tmp_path / "other")
    monkeypatch.setenv(cluster_worker.LAB_VARIABLE, str(other.root))
    with ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]):
        assert set(pool.workers) == {str(other.root)}
    replace_in(other.stage(STAGE).hidden_tests / f"test_{MODULE}.py", "0.5 * x", "x / 2")
    with pytest.raises(JudgeError, match=f"differ in what decides points of {STAGE}"):
        ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE])


def test_a_job_that_outlives_every_worker_is_judged_by_a_later_worker(tiny_lab, pool):
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as dask,
        ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]) as judges,
        ThreadPoolExecutor(1) as thread,
    ):
        first = judges._fit_workers(0)
        dask.scale(0)
        while judges._fit_workers(0):
            pass
        waiting = thread.submit(judges.judge, JOB)
        dask.scale(1)
        assert isinstance(waiting.result(60), Judged)
        assert not first & set(pool.judged_on)


def test_without_any_worker_the_run_ends_after_a_while(tiny_lab, pool, monkeypatch):
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as dask,
        ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]) as judges,
    ):
        monkeypatch.setattr(cluster, "_PATIENCE_SECONDS", 0.5)
        dask.scale(0)
        while judges._fit_workers(0):
            pass
        with pytest.raises(JudgeError, match="no worker that can judge"):
            judges.judge(JOB)


def test_stopping_ends_jobs_that_are_being_judged(tiny_lab, dask, pool):
    pool.go_on.clear()
    with ClusterJudges(tiny_lab, dask.scheduler_address, [STAGE]) as judges, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(judges.judge, JOB)
        assert pool.started.wait(60)
        judges.stop()
        with pytest.raises(JudgesStopped):
            waiting.result(60)
        pool.go_on.set()
        with pytest.raises(JudgesStopped):
            judges.judge(JOB)


def test_a_scheduler_that_does_not_answer_is_named(tiny_lab, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    with pytest.raises(JudgeError, match=r"the Dask scheduler at tcp://127\.0\.0\.1:1 does not answer"):
        ClusterJudges(tiny_lab, "tcp://127.0.0.1:1", [STAGE])


def test_without_dask_the_option_says_what_to_install(tiny_lab, tmp_path, monkeypatch):
    Class(tiny_lab, tmp_path / "class").hands_in("ada", LOOP)
    monkeypatch.setitem(sys.modules, "autograder.pipeline.cluster", None)
    arguments = ["--lab", str(tiny_lab.root), "grade", str(tmp_path / "class"), "--no-gradebook"]
    done = CliRunner().invoke(main, [*arguments, "--scheduler", "tcp://127.0.0.1:1"])
    assert done.exit_code == 2
    assert "pip install -c constraints.txt -e '.[cluster]'" in " ".join(done.output.split())
