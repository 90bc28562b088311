"""Take time or memory without end."""

from tiny_answers import answering, raising, returning, running

ATTACKS = {
    "an error of a hundred megabytes": answering("""
def answer(*args):
    raise ValueError("A" * 100_000_000)
"""),
    "never returns": answering("""
def answer(*args):
    while True:
        pass
"""),
    "never returns from its import": "while True:\n    pass\n",
    "sleeps": answering("""
import time


def answer(*args):
    time.sleep(3600)
"""),
    "stops itself": answering("""
import os
import signal


def answer(*args):
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        pass
"""),
    "ignores signals": answering("""
import signal

for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)


def answer(*args):
    while True:
        pass
"""),
    "an expression that never ends": answering("""
import re


def answer(*args):
    return re.match(r"(a+)+$", "a" * 60 + "b")
"""),
    "an error whose text never ends": answering("""
class Endless(Exception):
    def __str__(self):
        while True:
            pass


def answer(*args):
    raise Endless
"""),
    "eight gigabytes": answering("""
import torch


def answer(*args):
    return torch.ones(2**30, dtype=torch.float64)
"""),
    "allocates memory step by step": answering("""
def answer(*args):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
"""),
    "recurses endlessly": answering("""
import sys

sys.setrecursionlimit(10**9)


def answer(*args):
    return answer(*args)
"""),
    "opens every descriptor": answering("""
import os


def answer(*args):
    while True:
        os.dup(0)
"""),
    "prints endlessly": answering("""
def answer(*args):
    while True:
        print("A" * 65536, flush=True)
"""),
    "ten million numbers": answering("""
def answer(*args):
    return list(range(10_000_000))
"""),
    "a deeply nested list": answering("""
def answer(*args):
    inside = []
    for _ in range(100_000):
        inside = [inside]
    return inside
"""),
    "a list that contains itself": answering("""
def answer(*args):
    around = []
    around.append(around)
    return around
"""),
    "an integer of a million digits": answering("""
def answer(*args):
    return 1 << 4_000_000
"""),
    "waits for input": running("input()"),
    "waits for a lock": running("lock.acquire()\nlock.acquire()", "import threading\nlock = threading.Lock()"),
    "waits for an alarm that never rings": running("signal.pause()", "import signal"),
    "a power of powers": running("9 ** 9 ** 9"),
    "a long multiplication of matrices": running("x = torch.ones(2000, 2000)\nwhile True:\n    x = x @ x"),
    "a bomb of compressed data": running(
        "zlib.decompress(zlib.compress(bytes(1 << 24)) * 64)\nbytes(1 << 34)", "import zlib"
    ),
    "a text of gigabytes": running("'A' * (1 << 34)"),
    "a million keys": returning("{str(number): number for number in range(1_000_000)}"),
    "five thousand tensors": returning("[torch.zeros(1) for _ in range(5_000)]"),
    "a reply larger than the limit": returning("torch.zeros(9 << 20, dtype=torch.uint8)"),
    "an empty tensor with a huge axis": returning("torch.empty(0, 2**40)"),
    "a tensor of seventeen axes": returning("torch.zeros([1] * 17)"),
    "a text with lone surrogates": returning("chr(0xD800) * 2_000_000"),
    "a dictionary that contains itself": answering("""
def answer(*args):
    around = {}
    around["a"] = around
    return around
"""),
    "a list that grows while it is sent": answering("""
class Growing(list):
    def __iter__(self):
        while True:
            yield 1


def answer(*args):
    return Growing()
"""),
    "an error with a million notes": answering("""
def answer(*args):
    error = ValueError("x")
    error.__notes__ = ["note"] * 1_000_000
    raise error
"""),
    "an error at the bottom of a deep stack": answering("""
def answer(x, *args, depth=900):
    if depth:
        return answer(x, depth=depth - 1)
    raise ValueError
"""),
    "a chain of ten thousand errors": answering("""
def answer(*args):
    error = ValueError()
    for _ in range(10_000):
        outer = ValueError()
        outer.__cause__ = error
        error = outer
    raise error
"""),
    "a name of a megabyte": raising("type('E' * 1_000_000, (Exception,), {})()"),
    "catches every error and continues": answering("""
def answer(*args):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
"""),
    "an expression too deep for the parser": running("eval('(' * 5000 + ')' * 5000)"),
    "an overflow of the stack in C": running(
        "import sys; sys.setrecursionlimit(10**8)\nlist(map(str, [a]))", "a = []\nfor _ in range(200_000):\n    a = [a]"
    ),
    "starts threads": running("while True:\n    threading.Thread(target=print).start()", "import threading"),
    "forks": running("while True:\n    os.fork()", "import os"),
    "a finalizer that never ends": answering("""
class Heavy:
    def __del__(self):
        while True:
            pass


def answer(*args):
    Heavy()
    return None
"""),
}
