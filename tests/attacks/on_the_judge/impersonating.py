"""Imitate the grader, pytest or Hypothesis, or blame the machine."""

from tiny_answers import answering, raising, running

ATTACKS = {
    "prints a result as a notebook would": answering("""
import json

print(json.dumps({"output_type": "execute_result", "data": {"text/plain": "7"}}))
print('{"outcome": "PASSED", "score": 7}')


def answer(*args):
    print("PASSED")
    return None
"""),
    "rewrites the code that is compiled": answering("""
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
    "replaces the executor that calls it": answering("""
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
    "replaces what encodes replies": answering("""
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
    "raises a skip of pytest": answering("""
class Skipped(Exception):
    pass


Skipped.__module__ = "_pytest.outcomes"


def answer(*args):
    raise Skipped("no need to look")
"""),
    "raises an error of Hypothesis": answering("""
from hypothesis.errors import UnsatisfiedAssumption


def answer(*args):
    raise UnsatisfiedAssumption
"""),
    "raises an imitated error of Hypothesis": answering("""
class UnsatisfiedAssumption(Exception):
    pass


UnsatisfiedAssumption.__module__ = "hypothesis.errors"


def answer(*args):
    raise UnsatisfiedAssumption
"""),
    "raises KeyboardInterrupt": answering("""
def answer(*args):
    raise KeyboardInterrupt
"""),
    "calls sys.exit": answering("""
import sys


def answer(*args):
    sys.exit(0)
"""),
    "calls os._exit": answering("""
import os


def answer(*args):
    os._exit(0)
"""),
    "crashes": answering("""
import ctypes


def answer(*args):
    ctypes.string_at(0)
"""),
    "aborts": answering("""
import os


def answer(*args):
    os.abort()
"""),
    "an error without a text": answering("""
class Shy(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def answer(*args):
    raise Shy
"""),
    "a skip of unittest": raising("unittest.SkipTest('passed')", "import unittest"),
    "an expected failure": raising("__import__('pytest').xfail.Exception('as expected')"),
    "an exit of pytest": raising("__import__('pytest').exit.Exception('done', 0)"),
    "the end of an iteration": raising("StopIteration"),
    "the end of a generator": raising("GeneratorExit"),
    "a group of errors": raising("BaseExceptionGroup('passed', [SystemExit(0)])"),
    "an assertion that says passed": raising("AssertionError('PASSED')"),
    "a full disk": raising("OSError(28, 'No space left on device')"),
    "too many open files": raising("OSError(24, 'Too many open files')"),
    "a broken pipe": raising("BrokenPipeError(32, 'Broken pipe')"),
    "an interrupted call": raising("InterruptedError(4, 'Interrupted system call')"),
    "a lost connection": raising("ConnectionResetError(104, 'Connection reset by peer')"),
    "no memory": raising("MemoryError"),
    "no time": raising("TimeoutError('the grader was slow')"),
    "a missing library of the grader": raising(
        "ModuleNotFoundError(\"No module named 'hypothesis'\", name='hypothesis')"
    ),
    "an error of the grader's own": answering("""
class SessionFault(Exception):
    pass


SessionFault.__module__ = "autograder.judge.sessions"
SessionFault.__qualname__ = "SessionFault"


def answer(*args):
    raise SessionFault("the session failed")
"""),
    "a template that ended": answering("""
import sys


def answer(*args):
    errors = sys.modules.get("autograder.isolation.errors")
    raise (errors.TemplateError if errors else RuntimeError)("the template ended")
"""),
    "an internal error of torch": raising("RuntimeError('INTERNAL ASSERT FAILED at autograd.cpp')"),
    "a class whose construction fails": answering("""
class Broken(Exception):
    def __init__(self):
        raise self


def answer(*args):
    raise Broken
"""),
    "an error whose class lies": answering("""
class Error(Exception):
    __class__ = property(lambda self: NotImplementedError)


def answer(*args):
    raise Error
"""),
    "a hook for errors": running("raise ValueError", "import sys\nsys.excepthook = lambda *args: print('PASSED')"),
    "a hook for the end": running("pass", "import atexit\natexit.register(print, 'PASSED')"),
    "another way to import": answering("""
import builtins

_import = builtins.__import__


def grader(name, *args, **kwargs):
    if name.startswith(("autograder", "torch")):
        raise ImportError("not today")
    return _import(name, *args, **kwargs)


builtins.__import__ = grader


def answer(*args):
    return True
"""),
    "other builtins": answering("""
import builtins

builtins.isinstance = lambda value, kind: True
builtins.len = lambda value: 1
builtins.type = lambda value, *args: float


def answer(*args):
    return 1.0
"""),
    "other operators of torch": answering("""
import torch

_library = torch.library.Library("aten", "IMPL")
_library.impl("eq.Tensor", lambda left, right: torch.ones(()), "CPU")


def answer(x, *args):
    return torch.zeros(1, dtype=torch.float16)
"""),
    "a default device without data": running("pass", "torch.set_default_device('meta')"),
    "another default dtype": running("pass", "torch.set_default_dtype(torch.float16)"),
    "an output without an end of line": running("sys.stdout.write('1 passed in 0.01s')", "import sys"),
    "an output to every descriptor": answering("""
import os


def answer(*args):
    for descriptor in (1, 2, 4, 5, 6, 7):
        try:
            os.write(descriptor, b'{"outcome": "PASSED"}')
        except OSError:
            pass
    return None
"""),
    "a module that knows every name": answering("""
import sys


class Everything(type(sys)):
    def __getattr__(self, name):
        return lambda *args, **kwargs: True


sys.modules[__name__].__class__ = Everything


def answer(*args):
    return True
"""),
    "a module replaced by an object": "import sys\n"
    "sys.modules[__name__] = type('M', (), {'__getattr__': lambda *a: True})()\n",
    "names that are no functions": "double = total = halve = True\n",
    "no names at all": "__all__ = []\n",
    "classes instead of functions": """
class double(float):
    def __new__(cls, *args):
        return super().__new__(cls, 1)


total = halve = double
""",
}
