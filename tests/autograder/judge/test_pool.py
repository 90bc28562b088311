"""Judges in their own processes: a submission that ends in any way loses only its own points."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from processes import children_of, descendants_of, wait_until_gone
from tiny_lab import MODULE, REFERENCE, STAGE, build_tiny_lab, replace_in, solution

from autograder.base.results import CheckResult, IsolationLevel, Outcome
from autograder.course.lab import Lab
from autograder.isolation.launch import available_levels
from autograder.judge.messages import Broken, Channel, Job, Judged, Ready
from autograder.judge.pool import IsolationError, JudgeError, JudgePool, no_isolation_message, wait_until_ready

RIGHT = {"double": "return 2 * x", "total": "return x.sum(axis)", "halve": "return x / 2"}
DOUBLE_CHECKS = ("test_double_multiplies_by_two", "test_double_keeps_the_dtype")

needs_isolation = pytest.mark.skipif(not list(available_levels()), reason="this machine offers no isolation")


def job(source: str) -> Job:
    return Job(stage=STAGE, modules={MODULE: source}, seed=1)


def doubling(body: str) -> Job:
    """A submission that is right except for ``double``."""
    return job(solution(**{**RIGHT, "double": body}))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = build_tiny_lab(tmp_path_factory.mktemp("a course with spaces"))
    exercise = "      double:\n"
    replace_in(lab.root / "grading.yml", exercise, f"{exercise}        forbid: [torch.nn.LayerNorm, torch.softmax]\n")
    return lab


@pytest.fixture(scope="module")
def pool(lab: Lab) -> Iterator[JudgePool]:
    with JudgePool(lab.root, size=1) as started:
        yield started


def server_of(pool: JudgePool) -> int:
    running = pool._processes[0]._running
    assert running is not None
    return running.process.pid


def checks_of(reply: Judged | Broken) -> dict[str, CheckResult]:
    assert isinstance(reply, Judged), reply
    return {check.id: check for check in reply.checks}


def outcomes_of_double(pool: JudgePool, body: str) -> set[Outcome]:
    """The outcomes of the checks of ``double``; all other checks must pass."""
    checks = checks_of(pool.judge(doubling(body)))
    assert {check.outcome for name, check in checks.items() if name not in DOUBLE_CHECKS} == {Outcome.PASSED}
    assert all(check.what and check.where.startswith(f"{MODULE}.py, line") for check in map(checks.get, DOUBLE_CHECKS))
    return {checks[name].outcome for name in DOUBLE_CHECKS}


@needs_isolation
class TestSubmissions:
    def test_the_level_is_the_best_of_this_machine(self, pool):
        assert pool.level is next(available_levels())

    def test_a_right_submission_earns_everything(self, pool, lab):
        checks = checks_of(pool.judge(job(solution(**RIGHT))))
        assert list(checks) == list(lab.stage(STAGE).spec.check_ids)
        assert {check.outcome for check in checks.values()} == {Outcome.PASSED}

    def test_the_module_lies_in_its_stage_and_finds_the_libraries_of_the_lab(self, pool):
        """The tiny lab's requirements list pytest; a use of it costs the exercise that uses it."""
        top = f"from pathlib import Path\nimport pytest\nassert Path(__file__).parent.name == {STAGE!r}\n"
        checks = checks_of(pool.judge(job(top + solution(**{**RIGHT, "double": "return pytest.approx(x)"}))))
        lost = {name: check for name, check in checks.items() if not check.passed}
        assert set(lost) == set(DOUBLE_CHECKS)
        for check in lost.values():
            assert check.what == "`pytest` is not available where grading happens, but your code uses it"
            assert check.where.startswith(f"{MODULE}.py, line ")
            assert check.where.endswith(", double")

    def test_the_reference_earns_everything(self, pool):
        checks = checks_of(pool.judge(job(REFERENCE)))
        assert {check.outcome for check in checks.values()} == {Outcome.PASSED}

    @pytest.mark.parametrize(
        ("source", "what", "line"),
        [
            (doubling("torch.softmax(x, 0); return 2 * x"), "`torch.softmax` may not be used", 5),
            (job(f"import torch\ntorch.nn.LayerNorm(2)\n{solution(**RIGHT)}"), "`nn.LayerNorm` may not be used", 2),
        ],
        ids=["when called", "while loading"],
    )
    def test_a_forbidden_call_costs_its_exercise(self, pool, source, what, line):
        checks = checks_of(pool.judge(source))
        assert {name for name, check in checks.items() if not check.passed} == set(DOUBLE_CHECKS)
        for check in map(checks.get, DOUBLE_CHECKS):
            assert check.what.startswith(what)
            assert check.where.startswith(f"{MODULE}.py, line {line}")

    def test_a_mistake_is_named(self, pool):
        checks = checks_of(pool.judge(doubling("return 2 + x")))
        assert checks["test_double_multiplies_by_two"].mistake == "double_adds_two"
        assert checks["test_double_multiplies_by_two"].score == 0
        assert checks["test_double_keeps_the_dtype"].outcome is Outcome.UNPAID

    def test_a_stub_earns_nothing(self, pool):
        checks = checks_of(pool.judge(job(solution())))
        assert {check.outcome for check in checks.values()} == {Outcome.NOT_ATTEMPTED}

    @pytest.mark.parametrize(
        ("body", "outcome"),
        [
            ("while True: pass", Outcome.TIMEOUT),
            ("import os; os._exit(0)", Outcome.ERROR),
            ("import sys; sys.exit(0)", Outcome.ERROR),
            ("import ctypes; ctypes.string_at(0)", Outcome.ERROR),
            ("return torch.ones(2 * 10**9)", Outcome.OUT_OF_MEMORY),
            ("return bytearray(8 << 30)", Outcome.OUT_OF_MEMORY),
            ("import os\n    while True: os.fork()", Outcome.ERROR),
            ("while True: print('x' * 100_000)", Outcome.ERROR),
            ("return torch.zeros(65 << 20, dtype=torch.uint8)", Outcome.ERROR),
            ("import os; os.write(3, bytes(100))", Outcome.ERROR),
            ("open('/etc/passwd').read()", Outcome.ERROR),
            ("return double(x)", Outcome.ERROR),
            ("return None", Outcome.FAILED),
        ],
    )
    def test_each_failure_costs_only_its_own_points(self, pool, body, outcome):
        assert outcomes_of_double(pool, body) == {outcome}

    @pytest.mark.parametrize("source", ["import os; os._exit(0)", "raise ValueError", "def f(:", "while True: pass"])
    def test_a_module_that_does_not_load_is_blocked(self, pool, source):
        checks = checks_of(pool.judge(job(source)))
        assert {check.outcome for check in checks.values()} == {Outcome.BLOCKED}

    def test_no_state_of_a_submission_reaches_the_next(self, pool):
        pool.judge(doubling("import builtins, torch; builtins.sum = torch.sum = None; torch.Tensor.__add__ = None"))
        checks = checks_of(pool.judge(job(solution(**RIGHT))))
        assert {check.outcome for check in checks.values()} == {Outcome.PASSED}


@needs_isolation
class TestFailuresOfTheJudge:
    """Each failure is reported for its own job, and the next job is judged as usual."""

    def judge_meanwhile(self, pool: JudgePool, act) -> Judged | Broken:
        """Judge a submission that hangs, and call ``act`` on the judge's processes meanwhile."""
        replies: list[Judged | Broken] = []
        judging = threading.Thread(target=lambda: replies.append(pool.judge(doubling("while True: pass"))))
        server = server_of(pool)
        templates = children_of(server)
        judging.start()
        deadline = time.monotonic() + 60
        while not (forks := children_of(server) - templates) and time.monotonic() < deadline:
            time.sleep(0.02)
        act(server, *forks)
        judging.join()
        return replies[0]

    def still_judges(self, pool: JudgePool) -> bool:
        checks = checks_of(pool.judge(job(solution(**RIGHT))))
        return {check.outcome for check in checks.values()} == {Outcome.PASSED}

    def test_a_judge_that_is_killed(self, pool):
        seen: set[int] = set()

        def kill_server(server: int, fork: int) -> None:
            seen.update(descendants_of(server))
            os.kill(server, signal.SIGKILL)

        self.still_judges(pool)
        assert isinstance(self.judge_meanwhile(pool, kill_server), Broken)
        assert seen
        assert all(wait_until_gone(pid) for pid in seen)
        assert self.still_judges(pool)

    def test_a_fork_of_the_judge_that_is_killed(self, pool):
        self.still_judges(pool)
        """The job is judged again: another program may have killed the fork."""
        reply = self.judge_meanwhile(pool, lambda server, fork: os.kill(fork, signal.SIGKILL))
        checks = checks_of(reply)
        assert {checks[name].outcome for name in DOUBLE_CHECKS} == {Outcome.TIMEOUT}
        assert self.still_judges(pool)

    def test_a_template_that_is_killed(self, pool):
        self.still_judges(pool)
        for pid in descendants_of(server_of(pool)):
            with suppress(ProcessLookupError):  # it ended with its parent
                os.kill(pid, signal.SIGKILL)
        first = pool.judge(job(solution(**RIGHT)))
        if isinstance(first, Judged):
            assert {check.outcome for check in first.checks} <= {Outcome.PASSED, Outcome.GRADER_ERROR}
        assert self.still_judges(pool)

    def test_an_unknown_stage(self, pool):
        reply = pool.judge(Job(stage="9_missing", modules={}, seed=0))
        assert isinstance(reply, Broken)
        assert self.still_judges(pool)


@needs_isolation
def test_several_judges_at_once_and_no_process_left_when_one_is_still_busy(lab):
    submissions = [job(solution(**RIGHT)), doubling("return 2 + x"), doubling("import os; os._exit(0)")]
    with JudgePool(lab.root, size=2) as pool:
        with ThreadPoolExecutor(len(submissions)) as threads:
            replies = list(threads.map(pool.judge, submissions))
        servers = {process._running.process.pid for process in pool._processes}
        pool._processes[0]._running.channel.send(doubling("while True: pass"))
        processes = servers.union(*map(descendants_of, servers))
    assert [sum(not check.holds for check in checks_of(reply).values()) for reply in replies] == [0, 1, 2]
    assert all(wait_until_gone(pid) for pid in processes)


def test_without_isolation_the_level_says_so_and_nothing_is_imported_from_the_current_folder(
    lab, tmp_path, monkeypatch
):
    """A student's folder is the current folder for `autograder grade .` in it."""
    for name in ("hypothesis", "msgspec", "autograder", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with JudgePool(lab.root, size=1, isolated=False) as pool:
        assert pool.level is IsolationLevel.NONE
        checks = checks_of(pool.judge(job(solution(**RIGHT))))
        assert {check.outcome for check in checks.values()} == {Outcome.PASSED}
        assert outcomes_of_double(pool, "while True: pass") == {Outcome.TIMEOUT}
        assert outcomes_of_double(pool, "import os; os._exit(0)") == {Outcome.ERROR}
        by_signal = checks_of(pool.judge(job("import os\nos.kill(os.getpid(), 40)\n")))  # a signal without a name
        assert {check.outcome for check in by_signal.values()} == {Outcome.BLOCKED}


def channel_with(message: Ready | Broken) -> Channel:
    """A channel to a judge that sent only its first message."""
    ours, theirs = socket.socketpair()
    Channel(theirs).send(message)
    return Channel(ours)


def test_a_machine_with_an_open_probe_is_refused():
    with pytest.raises(IsolationError, match="read a file"):
        wait_until_ready(channel_with(Ready(IsolationLevel.KERNEL, ("read a file",))), isolated=True)


def test_a_machine_without_isolation_is_refused():
    with pytest.raises(IsolationError, match="no isolation is available"):
        wait_until_ready(channel_with(Ready(IsolationLevel.NONE)), isolated=True)


def test_a_judge_that_cannot_start_says_why():
    with pytest.raises(JudgeError, match="no torch"):
        wait_until_ready(channel_with(Broken("no torch")), isolated=True)


def test_without_a_job_no_process_starts(lab):
    before = children_of(os.getpid())
    with JudgePool(lab.root, size=2):
        assert children_of(os.getpid()) == before


def test_the_message_about_missing_isolation_names_the_fix():
    text = no_isolation_message(())
    assert "--unsafe-no-isolation" in text
    assert "Docker" in text
