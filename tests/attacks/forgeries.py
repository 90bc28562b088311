"""Submissions to the tiny lab that try to forge points or to stop the grading.

Each is the text of a module. None computes a correct result, so none may earn a point: the judge treats every reply
of the student's process as a value that the student chose to return.
"""

# All functions of the exercise, each of which calls `answer(*args, **kwargs)`; appended to a text that defines it.
_ALL_FUNCTIONS = """

def double(x):
    return answer(x)


def total(x, axis):
    return answer(x, axis)


def halve(x):
    return answer(x)
"""


def _with_functions(text: str) -> str:
    return text.strip("\n") + "\n" + _ALL_FUNCTIONS


FORGERIES = {
    # Comparison
    "patched comparisons": _with_functions("""
import numpy
import torch

torch.allclose = torch.equal = torch.isclose = lambda *args, **kwargs: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *args, **kwargs: None
numpy.allclose = numpy.array_equal = lambda *args, **kwargs: True


def answer(*args):
    return torch.zeros(1, dtype=torch.float16)
"""),
    "a tensor that agrees with everything": _with_functions("""
import torch


class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True)


def answer(x, *args):
    return torch.zeros(x.shape, dtype=torch.int8).as_subclass(Agreeable)
"""),
    "an object that equals everything": _with_functions("""
class Yes:
    __eq__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = None
    shape = property(lambda self: self)

    def __bool__(self):
        return True

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self


def answer(*args):
    return Yes()
"""),
    "a number of a custom class": _with_functions("""
class Number(float):
    __eq__ = lambda self, other: True
    __hash__ = float.__hash__


def answer(*args):
    return Number(1)
"""),
    "not a number": _with_functions("""
import torch


def answer(x, *args):
    return torch.full((2, 2), float("nan"), dtype=torch.float16)
"""),
    "an empty result": _with_functions("""
import torch


def answer(*args):
    return torch.empty(0, dtype=torch.int8)
"""),
    "a result that broadcasts over ten billion elements": _with_functions("""
import torch


def answer(*args):
    return torch.zeros(1, dtype=torch.int8).expand(10**10)
"""),
    "the input returned after a change": _with_functions("""
def answer(x, *args):
    x.zero_()
    return x.half()
"""),
    # Searching for the answers
    "a walk through the frames": _with_functions("""
import sys


def answer(*args):
    frame = sys._getframe()
    while frame is not None:
        for name in ("expected", "reference", "x"):
            if name in frame.f_locals and frame.f_code.co_name not in ("double", "total", "halve"):
                return frame.f_locals[name]
        frame = frame.f_back
    raise RuntimeError("nothing found")
"""),
    "a search of memory": _with_functions("""
import gc
import types


def answer(*args):
    for thing in gc.get_objects():
        if isinstance(thing, types.ModuleType) and "hidden" in thing.__name__:
            return thing
        if isinstance(thing, types.FunctionType) and thing.__name__.startswith("test_double"):
            return thing
    raise RuntimeError("nothing found")
"""),
    "imports the reference": "from tiny_reference import *\nfrom solutions.tiny import *\n",
    "imports the hidden tests": "from test_tiny import *\n",
    # Impersonating the grader
    "prints a result as a notebook would": _with_functions("""
import json

print(json.dumps({"output_type": "execute_result", "data": {"text/plain": "7"}}))
print('{"outcome": "PASSED", "score": 7}')


def answer(*args):
    print("PASSED")
    return None
"""),
    "rewrites the code that is compiled": _with_functions("""
import ast
import builtins

_compile = builtins.compile


def kind(source, *args, **kwargs):
    if isinstance(source, ast.AST):
        for node in ast.walk(source):
            if isinstance(node, ast.Assert):
                node.test = ast.Constant(True)
    return _compile(source, *args, **kwargs)


builtins.compile = kind
ast.NodeTransformer.visit = lambda self, node: node


def answer(*args):
    return None
"""),
    "replaces the executor that calls it": _with_functions("""
import sys

frame = sys._getframe()
while frame is not None:
    executor = frame.f_locals.get("self")
    if executor is not None and hasattr(executor, "answer") and hasattr(executor, "handle"):
        type(executor).answer = lambda self, op, arguments: ["value", True]
        type(executor).handle = lambda self, op, arguments: True
    frame = frame.f_back


def answer(*args):
    return True
"""),
    "replaces what encodes replies": _with_functions("""
import sys

wire = sys.modules.get("autograder.isolation.wire")
serving = sys.modules.get("autograder.isolation.serving")
for module in (wire, serving):
    if module is not None and hasattr(module, "encode"):
        encode = module.encode
        module.encode = lambda number, body, caps, encode=encode: encode(number, ["value", "PASSED"], caps)


def answer(*args):
    return 1
"""),
    "raises a skip of pytest": _with_functions("""
class Skipped(Exception):
    pass


Skipped.__module__ = "_pytest.outcomes"


def answer(*args):
    raise Skipped("no need to look")
"""),
    "raises an error of Hypothesis": _with_functions("""
from hypothesis.errors import UnsatisfiedAssumption


def answer(*args):
    raise UnsatisfiedAssumption
"""),
    "raises an imitated error of Hypothesis": _with_functions("""
class UnsatisfiedAssumption(Exception):
    pass


UnsatisfiedAssumption.__module__ = "hypothesis.errors"


def answer(*args):
    raise UnsatisfiedAssumption
"""),
    "raises KeyboardInterrupt": _with_functions("""
def answer(*args):
    raise KeyboardInterrupt
"""),
    "calls sys.exit": _with_functions("""
import sys


def answer(*args):
    sys.exit(0)
"""),
    "calls os._exit": _with_functions("""
import os


def answer(*args):
    os._exit(0)
"""),
    "crashes": _with_functions("""
import ctypes


def answer(*args):
    ctypes.string_at(0)
"""),
    "aborts": _with_functions("""
import os


def answer(*args):
    os.abort()
"""),
    "an error without a text": _with_functions("""
class Shy(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def answer(*args):
    raise Shy
"""),
    "an error of a hundred megabytes": _with_functions("""
def answer(*args):
    raise ValueError("A" * 100_000_000)
"""),
    # Exhausting resources
    "never returns": _with_functions("""
def answer(*args):
    while True:
        pass
"""),
    "never returns from its import": "while True:\n    pass\n",
    "sleeps": _with_functions("""
import time


def answer(*args):
    time.sleep(3600)
"""),
    "stops itself": _with_functions("""
import os
import signal


def answer(*args):
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        pass
"""),
    "ignores signals": _with_functions("""
import signal

for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)


def answer(*args):
    while True:
        pass
"""),
    "an expression that never ends": _with_functions("""
import re


def answer(*args):
    return re.match(r"(a+)+$", "a" * 60 + "b")
"""),
    "an error whose text never ends": _with_functions("""
class Endless(Exception):
    def __str__(self):
        while True:
            pass


def answer(*args):
    raise Endless
"""),
    "eight gigabytes": _with_functions("""
import torch


def answer(*args):
    return torch.ones(2**30, dtype=torch.float64)
"""),
    "allocates memory step by step": _with_functions("""
def answer(*args):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
"""),
    "recurses endlessly": _with_functions("""
import sys

sys.setrecursionlimit(10**9)


def answer(*args):
    return answer(*args)
"""),
    "opens every descriptor": _with_functions("""
import os


def answer(*args):
    while True:
        os.dup(0)
"""),
    "prints endlessly": _with_functions("""
def answer(*args):
    while True:
        print("A" * 65536, flush=True)
"""),
    "ten million numbers": _with_functions("""
def answer(*args):
    return list(range(10_000_000))
"""),
    "a deeply nested list": _with_functions("""
def answer(*args):
    inside = []
    for _ in range(100_000):
        inside = [inside]
    return inside
"""),
    "a list that contains itself": _with_functions("""
def answer(*args):
    around = []
    around.append(around)
    return around
"""),
    "an integer of a million digits": _with_functions("""
def answer(*args):
    return 1 << 4_000_000
"""),
    # The wire itself, which is descriptor 3
    "noise on the wire": _with_functions("""
import os


def answer(*args):
    os.write(3, os.urandom(4096))
    return 1
"""),
    "a header of four gigabytes": _with_functions("""
import os


def answer(*args):
    os.write(3, b"\\xff\\xff\\xff\\xff" + b"A" * 1000)
    return 1
"""),
    "too many replies": _with_functions("""
import os
import sys


def answer(*args):
    wire = sys.modules["autograder.isolation.wire"]
    for number in range(20):
        for piece in wire.encode(number, ["value", [1.0, 0, []]], wire.REPLIES):
            os.write(3, bytes(piece))
    return 1
"""),
    "a tensor of impossible size": _with_functions("""
import os
import struct

import msgspec


def answer(*args):
    sizes = [2**62, 2**62]
    header = b"\\x83" + b"".join([
        msgspec.msgpack.encode("id"), msgspec.msgpack.encode(2),
        msgspec.msgpack.encode("body"), b"\\xc0",
        msgspec.msgpack.encode("tensors"), msgspec.msgpack.encode([["float64", False, False, sizes, []]]),
    ])
    os.write(3, struct.pack("<I", len(header)) + header)
    return 1
"""),
    "half a reply, then silence": _with_functions("""
import os
import time


def answer(*args):
    os.write(3, b"\\x10\\x00\\x00\\x00\\x83")
    time.sleep(3600)
"""),
    "closes the connection and continues": _with_functions("""
import os


def answer(*args):
    os.close(3)
    while True:
        pass
"""),
    "replies without requests": """
import os
import sys

wire = sys.modules["autograder.isolation.wire"]
number = 1
while True:
    for piece in wire.encode(number, ["value", {"double": 1, "total": 2, "halve": 3}], wire.REPLIES):
        os.write(3, bytes(piece))
    os.read(3, 1 << 20)
    number += 1
""",
}

# Information that feedback must not reveal, in fields that feedback could copy.
LEAKS = {
    "inputs in an error's text": _with_functions("""
def answer(*args):
    raise ValueError(f"LEAK {args}")
"""),
    "inputs in an error's name": _with_functions("""
def answer(*args):
    raise type("LEAK" + str(args)[:50], (Exception,), {})
"""),
    "inputs in what is printed": _with_functions("""
import sys


def answer(*args):
    print("LEAK", args)
    print("LEAK", args, file=sys.stderr)
    return None
"""),
    "inputs in a function's name": _with_functions("""
def answer(*args):
    def LEAK():
        raise ValueError

    LEAK.__code__ = LEAK.__code__.replace(co_name="LEAK" + str(args)[:50])
    LEAK()
"""),
    "inputs in a type's name": _with_functions("""
def answer(*args):
    return type("LEAK" + str(args)[:50], (), {})()
"""),
    "inputs in a line's number": _with_functions("""
def answer(*args):
    def far():
        raise ValueError

    far.__code__ = far.__code__.replace(co_firstlineno=4242)
    far()
"""),
}
