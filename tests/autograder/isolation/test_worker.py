"""A worker runs a submission, enforces its limits, and dies once, for a single reason."""

import pytest
import torch
from processes import WORKER_SIDE, wait_until_gone
from workers import SMALL, load

from autograder.isolation.errors import DeathReason, SubmissionError, WorkerDied
from autograder.isolation.process import WorkerLimits
from autograder.isolation.proxy import RemoteObject


def death_of(spawn, body: str, limits: WorkerLimits = SMALL) -> WorkerDied:
    """How a worker ends when it calls a function with this body."""
    student = load(spawn(limits), f"import os, sys, torch\ndef f():\n    {body}\n")
    with pytest.raises(WorkerDied) as caught:
        student.f()
    return caught.value


def test_values_make_the_round_trip(spawn):
    student = load(spawn(), "def f(x, *, scale): return x * scale, {'sum': x.sum()}")
    doubled, named = student.f(torch.arange(6.0).reshape(2, 3), scale=2)
    assert doubled.tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    assert named == {"sum": torch.tensor(15.0)}


def test_an_object_that_cannot_be_sent_stays_in_the_worker_and_can_be_used(spawn):
    student = load(spawn(), "import torch\nclass Net(torch.nn.Linear): pass\ndef size(net): return net.in_features")
    net = student.Net(3, 2)
    assert isinstance(net, RemoteObject)
    assert net(torch.ones(5, 3)).shape == (5, 2)
    assert student.size(net) == 3


def test_an_argument_that_cannot_be_sent_is_the_callers_error(spawn):
    student = load(spawn(), "def f(x): return x")
    with pytest.raises(TypeError, match="cannot send"):
        student.f(object())
    assert student.f(1) == 1


def test_every_worker_starts_with_fresh_modules(spawn):
    source = "import torch\ncount = 0\ndef f():\n    global count\n    count += 1\n    return count"
    first, second = load(spawn(), source), load(spawn(), source)
    assert (first.f(), first.f(), second.f()) == (1, 2, 1)


def test_random_numbers_are_the_same_in_every_worker(spawn):
    source = """
import random, numpy, torch
AT_IMPORT = random.random(), numpy.random.rand(), torch.rand(())
def f(): return AT_IMPORT, random.random(), numpy.random.rand(), torch.rand(())
"""
    assert load(spawn(), source).f() == load(spawn(), source).f()


def test_a_seed_determines_the_random_numbers(spawn):
    worker = spawn()
    student = load(worker, "import torch\ndef f(): return torch.rand(4)")
    draws = []
    for seed in (1, 2, 1):
        worker.request("seed", number=seed)
        draws.append(student.f())
    assert torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[1])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("os._exit(0)", "exit code 0"),
        ("os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "SIGSYS"),
        ("os.close(3)\n    while True: pass", "closed its connection"),
    ],
)
def test_the_end_of_a_worker_is_never_a_value(spawn, body, detail):
    death = death_of(spawn, body)
    assert death.reason is DeathReason.EXITED
    assert detail in death.detail


def test_sys_exit_is_an_error_of_the_submission(spawn):
    student = load(spawn(), "import sys\ndef f(): sys.exit(0)")
    with pytest.raises(SubmissionError, match="SystemExit"):
        student.f()


def test_a_worker_that_ends_while_loading(spawn):
    with pytest.raises(WorkerDied, match="exit code 7"):
        load(spawn(), "import os\nos._exit(7)")


def test_every_request_after_death_raises_the_same_error(spawn):
    worker = spawn()
    student = load(worker, "import os\ndef f(): os._exit(1)\ndef g(): return 1")
    with pytest.raises(WorkerDied) as first:
        student.f()
    for call in (student.f, student.g):
        with pytest.raises(WorkerDied) as again:
            call()
        assert (again.value.reason, again.value.detail) == (first.value.reason, first.value.detail)
    worker.kill()
    with pytest.raises(WorkerDied, match="exit code 1"):
        student.g()


def test_kill_is_idempotent_and_leaves_no_process(spawn):
    worker = spawn()
    pid = load(worker, "import os\ndef f(): return os.getpid()").f()
    worker.kill()
    worker.kill()
    assert wait_until_gone(pid)
    with pytest.raises(WorkerDied):
        worker.request("seed", number=1)


def test_a_worker_that_blocks_signals_is_killed(spawn):
    worker = spawn()
    student = load(
        worker,
        "import os, signal\ndef f():\n    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "    return os.getpid()",
    )
    pid = student.f()
    worker.kill()
    assert wait_until_gone(pid)


def test_printed_output_is_not_shown(spawn, capfd):
    student = load(spawn(), "import sys\nprint('loaded')\ndef f():\n    print('out'); print('err', file=sys.stderr)")
    student.f()
    assert capfd.readouterr() == ("", "")


def test_a_megabyte_of_output_is_harmless(spawn):
    assert load(spawn(), "def f():\n    print('x' * (1 << 20))\n    return 1").f() == 1


def test_endless_printing_ends_the_worker(spawn):
    assert death_of(spawn, "while True: print('x' * 100_000)").reason is DeathReason.OUTPUT


@pytest.mark.parametrize("body", ["return torch.ones(8_000_000_000)", "return len(bytes(8_000_000_000))"])
def test_allocating_too_much_memory_is_a_memory_error_and_the_worker_continues(spawn, body):
    student = load(spawn(), f"import torch\ndef f():\n    {body}\ndef g(): return 1")
    with pytest.raises(MemoryError):
        student.f()
    assert student.g() == 1


def test_memory_within_the_limit_is_available(spawn):
    student = load(spawn(), "import torch\ndef f(n): return torch.ones(n, dtype=torch.uint8).numel()")
    assert student.f((SMALL.memory_mb - 100) << 20) == (SMALL.memory_mb - 100) << 20


def test_the_size_of_a_reply_is_limited_to_the_byte(spawn):
    student = load(spawn(), "import torch\ndef f(n): return torch.ones(n, dtype=torch.uint8)")
    assert student.f(SMALL.reply_mb << 20).numel() == SMALL.reply_mb << 20
    with pytest.raises(WorkerDied) as caught:
        student.f((SMALL.reply_mb << 20) + 1)
    assert caught.value.reason is DeathReason.PROTOCOL


@pytest.mark.parametrize(
    "body",
    [
        "os.write(3, b'not a frame at all')",
        "os.write(3, bytes([255, 255, 255, 255]))",
        "os.write(3, (2).to_bytes(4, 'little') + b'\\xc1\\xc1')",
        # A reply without a request, with a number that is not in use yet.
        "from autograder.isolation.wire import encode, REPLIES; os.write(3, encode(99, ['value', 1], REPLIES)[0])",
        # A reply that is neither a value nor an error.
        "from autograder.isolation.wire import encode, REPLIES\n    os.write(3, encode(2, ['pass'], REPLIES)[0])",
    ],
)
def test_a_malformed_reply_ends_the_worker(spawn, body):
    assert death_of(spawn, body).reason is DeathReason.PROTOCOL


def test_a_second_reply_to_one_request_ends_the_worker_at_the_next(spawn):
    """The first reply is a value that the submission chose; the second may arrive too late to be seen with it."""
    student = load(
        spawn(),
        "import os\nfrom autograder.isolation.wire import encode, REPLIES\n"
        "def f():\n    os.write(3, encode(2, ['value', ((), 0, [])], REPLIES)[0])\ndef g(): return 1",
    )

    def both() -> None:
        student.f()
        student.g()

    with pytest.raises(WorkerDied) as caught:
        both()
    assert caught.value.reason is DeathReason.PROTOCOL


def test_a_result_that_cannot_be_encoded_is_an_error_or_ends_the_worker(spawn):
    source = """
import torch
class Odd(torch.Tensor):
    @property
    def layout(self): raise SystemExit
def f(): return torch.ones(2).as_subclass(Odd)
"""
    student = load(spawn(), source)
    with pytest.raises((WorkerDied, SubmissionError)):
        student.f()


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("open('/etc/passwd')", OSError),
        ("open('/tmp/left_behind', 'w')", OSError),
        ("import tempfile; tempfile.TemporaryFile()", OSError),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", OSError),
        ("os.fork()", OSError),
        ("import subprocess; subprocess.run(['true'])", OSError),
        ("import threading; threading.Thread(target=print).start()", RuntimeError),
        ("import pytest", ImportError),
        ("import autograder.judge", ImportError),
    ],
)
def test_a_refused_system_call_is_an_ordinary_error(spawn, statement, refused):
    student = load(spawn(), f"import os\ndef f():\n    {statement}\ndef g(): return 1")
    with pytest.raises(refused):
        student.f()
    assert student.g() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "import sqlite3, zoneinfo, lzma",  # in the standard library, and not preloaded
        "torch.set_num_threads(4); torch.ones(600, 600) @ torch.ones(600, 600)",
        "torch.linalg.svd(torch.randn(4, 4)); torch.fft.fft(torch.randn(8))",
        "torch.nn.LSTM(4, 5)(torch.randn(3, 2, 4))[0].sum().backward()",
        "torch.func.vmap(torch.func.grad(torch.sin))(torch.randn(3))",
        "list(torch.utils.data.DataLoader(torch.arange(8), batch_size=2, shuffle=True))",
        "import io; buffer = io.BytesIO(); torch.save(torch.ones(2), buffer); buffer.seek(0); torch.load(buffer)",
        "assert torch.autograd.gradcheck(torch.sin, torch.randn(3, dtype=torch.float64, requires_grad=True))",
        "x = torch.ones(3, requires_grad=True)\n    y, = torch.autograd.grad((x**3).sum(), x, create_graph=True)\n"
        "    y.sum().backward()",
        "str(torch.randn(3)); repr(torch.nn.Linear(2, 2))",
    ],
)
def test_features_that_a_submission_may_need_work(spawn, statement):
    assert load(spawn(), f"import torch\ndef f():\n    {statement}\n    return 1").f() == 1


def test_torch_uses_the_same_cpu_capability_as_outside(spawn):
    student = load(spawn(), "import torch\ndef f(): return torch.backends.cpu.get_cpu_capability()")
    assert student.f() == torch.backends.cpu.get_cpu_capability()


def test_training_works(spawn):
    source = """
import torch
from torch import nn
def f():
    net = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), 1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    x, losses = torch.randn(2, 5, 16), []
    for _ in range(10):
        loss = (net(x) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses
"""
    losses = load(spawn(), source).f()
    assert losses[-1] < losses[0]


def test_nothing_of_the_grader_is_in_the_worker(spawn):
    source = """
import gc, os, sys
def modules(): return sorted(name for name in sys.modules if name.startswith("autograder"))
def argv(): return sys.argv, sys.orig_argv, os.getcwd()
def variables(): return sorted(os.environ)
def texts(word): return sum(word in item for item in gc.get_objects() if isinstance(item, str))
"""
    student = load(spawn(), source)
    package = "autograder.isolation"
    assert set(student.modules()) == {"autograder", package, *(f"{package}.{name}" for name in WORKER_SIDE)}
    assert student.argv() == (["worker"], ["worker"], "/")
    assert not {"TOKEN", "SECRET", "USER", "PYTHONPATH"} & set(student.variables())
    assert student.texts("BEGIN" + " SOLUTION") == 0
