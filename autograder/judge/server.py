"""A warm judge: it imports torch, pytest and the hidden tests once, then forks for each job.

``python -m autograder.judge.start`` runs it.
A fork judges one job and ends: no state passes from one submission to the next, and a judge that
dies loses only its own job.
"""

import gc
import os
import select
import signal
import socket
import traceback
import warnings
from pathlib import Path

import hypothesis
import msgspec

from autograder.base.results import IsolationLevel, Outcome
from autograder.course.lab import Lab, StageFolders
from autograder.course.surroundings import surroundings
from autograder.isolation.budget import Budget
from autograder.isolation.launch import Program
from autograder.isolation.lockdown import die_with_parent, limit_cpu_seconds, limit_memory
from autograder.isolation.preload import import_rest_of_torch
from autograder.isolation.process import IsolationUnavailable, Template, Worker, WorkerLimits
from autograder.isolation.selfcheck import self_check
from autograder.judge.attachments import Attachments
from autograder.judge.course_code import CourseCode, read_course_code
from autograder.judge.hidden_tests import collect_checks
from autograder.judge.messages import Broken, Channel, Job, Judged, Ready, Reply
from autograder.judge.run import judge_stage
from autograder.judge.unrun import UNREADABLE, unrun_stage

# The judge's own processor time and memory for one job: a hundred times what an honest job takes, and more than the
# checks of any stage hold. The student's code has limits of its own, in grading.yml.
_JUDGE_CPU_SECONDS = 300
_JUDGE_MEMORY_MB = 4096
# Both time limits end a job much earlier, unless the machine itself stands still.
_JOB_SECONDS = 1800


class Server:
    """The state that stays warm between jobs."""

    def __init__(self, lab: Lab, isolated: bool, program: Program | None = None) -> None:
        """Wait until the template is ready; ``program`` is its program, if that has been started."""
        self._lab = lab
        self._isolated = isolated
        self._code: dict[str, CourseCode] = {}
        self._jobs = 0
        self._surroundings = surroundings(lab)
        self._template = self._start_template(program)

    def ready(self) -> Ready:
        """Test the isolation with probes, and report its level."""
        if not self._isolated:
            return Ready(IsolationLevel.NONE)
        open_probes = tuple(probe.name for probe in self_check(self._template) if not probe.closed)
        return Ready(self._template.level, open_probes)

    def judge(self, job: Job) -> Reply:
        """Judge one job in a fork."""
        try:
            code = self._warm(job.stage)
        except Exception:
            return Broken(traceback.format_exc())
        self._jobs += 1
        if self._jobs == 2:  # most jobs do not need the modules: for a single job, they cost more than they save
            import_rest_of_torch()
            _freeze()
        if not self._template.alive:
            self._restart_template()
        reply = self._in_fork(job, code)
        if not isinstance(reply, Broken):
            return reply
        # No worker outlives its judge, but the template itself may have failed: start a new template.
        self._restart_template()
        return self._judge_again(job, code)

    def _judge_again(self, job: Job, code: CourseCode) -> Reply:
        """Judge a job again on which the judge failed; decide whether the submission is the reason.

        A judge that fails twice on a submission, and not on the reference, fails on what the submission returns.
        """
        reply = self._in_fork(job, code)
        if not isinstance(reply, Broken):
            return reply
        self._restart_template()
        if isinstance(self._in_fork(msgspec.structs.replace(job, modules=dict(code.modules), own={}), code), Broken):
            self._restart_template()
            return reply
        stage = self._lab.stage(job.stage)
        checks = unrun_stage(stage, UNREADABLE, f"{stage.spec.module}.py", Outcome.FAILED, only=job.checks)
        return Judged(checks, (f"it failed twice on this submission, and not on the reference: {reply.reason}",))

    def close(self) -> None:
        """End the template."""
        self._template.close()

    def _start_template(self, program: Program | None = None) -> Template:
        return Template.start(started=program) if self._isolated else Template.start_without_isolation(program)

    def _restart_template(self) -> None:
        self._template.close()
        self._template = self._start_template()

    def _warm(self, stage_id: str) -> CourseCode:
        """Read the course's code and import the hidden tests, once per stage."""
        if stage_id not in self._code:
            stage = self._lab.stage(stage_id)
            code = read_course_code(self._lab, stage)
            prepare_for_forks(stage)
            self._code[stage_id] = code
        return self._code[stage_id]

    def _in_fork(self, job: Job, code: CourseCode) -> Reply:
        reading, writing = os.pipe()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            die_with_parent(parent)
            os.close(reading)
            self._judge_and_exit(job, code, writing)
        os.close(writing)
        try:
            raw = _read_all(reading, _JOB_SECONDS)
        finally:
            os.close(reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if raw is None:
            return Broken(f"the judge did not finish within {_JOB_SECONDS} s")
        if not raw:
            return Broken("the judge process died")
        reply: Reply = msgspec.msgpack.decode(raw, type=Reply)
        return reply

    def _judge_and_exit(self, job: Job, code: CourseCode, writing: int) -> None:
        reply: Reply
        notes: list[str] = []
        try:
            limit_memory(_JUDGE_MEMORY_MB)
            limit_cpu_seconds(_JUDGE_CPU_SECONDS)
            stage = self._lab.stage(job.stage)
            limits = stage.spec.limits
            allowed = WorkerLimits(
                call_cpu_seconds=limits.call_cpu_seconds,
                worker_cpu_seconds=limits.check_cpu_seconds,
                memory_mb=limits.memory_mb,
                reply_mb=limits.reply_mb,
            )
            budget = Budget.of(limits.stage_cpu_seconds)
            checks = judge_stage(
                stage,
                job.modules,
                lambda: self._open(allowed, budget),
                code,
                job.seed,
                own=job.own,
                forbid=job.forbid,
                only=job.checks,
                attachments=Attachments(job.attachments, job.class_secret),
                notes=notes,
            )
            reply = Judged(checks, tuple(notes))
        except BaseException:
            reply = Broken(traceback.format_exc())
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(reply))
        os._exit(0)

    def _open(self, limits: WorkerLimits, budget: Budget) -> Worker:
        """Start a worker with nothing loaded."""
        worker = self._template.spawn(limits, budget)
        worker.request("surround", **self._surroundings)
        return worker


def prepare_for_forks(stage: StageFolders) -> None:
    """Do once what each fork would repeat: import the hidden tests, and collect torch's garbage with an example."""
    collect_checks(stage)
    once = hypothesis.settings(max_examples=1, database=None)
    once(hypothesis.given(hypothesis.strategies.none())(lambda nothing: None))()
    _freeze()


def _freeze() -> None:
    gc.collect()
    gc.freeze()  # a collection in a fork would otherwise copy the pages of everything imported


def _read_all(pipe: int, seconds: float) -> bytes | None:
    """Read until the other end closes; None if it sends nothing for ``seconds``."""
    raw = bytearray()
    while select.select([pipe], [], [], seconds)[0]:
        part = os.read(pipe, 1 << 16)
        if not part:
            return bytes(raw)
        raw += part
    return None


def serve(descriptor: int, root: str, isolated: bool, program: Program | None) -> None:
    """Serve jobs until the other side closes; ``program`` is the template's program, started before this module."""
    # Wrong variants of the course's own code run here to name mistakes; their warnings are expected.
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pipeline handles an interrupt, and closes this process
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        server = Server(Lab(Path(root)), isolated, program)
        channel.send(server.ready())
    except IsolationUnavailable:
        channel.send(Ready(IsolationLevel.NONE))
        return
    except Exception:
        channel.send(Broken(traceback.format_exc()))
        return
    try:
        while True:
            channel.send(server.judge(channel.receive(Job)))
    except EOFError:
        server.close()
