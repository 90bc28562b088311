"""Search the process for inputs, expected values and hidden tests."""

from tiny_answers import answering, returning

ATTACKS = {
    "a walk through the frames": answering("""
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
    "a search of memory": answering("""
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
    "a walk through the stack of inspect": returning(
        "[frame.frame.f_locals['expected'] for frame in inspect.stack() if 'expected' in frame.frame.f_locals][0]",
        "import inspect",
    ),
    "the frames of every thread": returning(
        "[frame for frame in sys._current_frames().values() if 'expected' in frame.f_back.f_locals][0]", "import sys"
    ),
    "who refers to the input": returning(
        "[r['expected'] for r in gc.get_referrers(x) if isinstance(r, dict) and 'expected' in r][0]", "import gc"
    ),
    "the memory behind the input": returning(
        "torch.from_numpy(numpy.frombuffer(ctypes.string_at(x.data_ptr() + x.nbytes, x.nbytes)).copy())",
        "import ctypes, numpy",
    ),
    "a trace of the caller": answering("""
import sys

seen = []


def trace(frame, event, argument):
    seen.append(frame.f_locals.get("expected"))
    return trace


def answer(*args):
    sys.settrace(trace)
    return next(value for value in seen if value is not None)
"""),
    "modules of the judge by name": returning("sys.modules['autograder.judge.compare'].expected", "import sys"),
    "packages that can be imported": returning(
        "[m for m in pkgutil.iter_modules() if m.name.startswith(('test_tiny', 'tiny_'))][0]", "import pkgutil"
    ),
    "the finders of modules": returning(
        "[f for f in sys.meta_path if hasattr(f, 'modules')][0].modules['test_tiny']", "import sys"
    ),
    "the text of the hidden test": returning("open(inspect.getsourcefile(answer)).read()", "import inspect"),
    "the seed of the examples": returning("torch.tensor(os.environ['PYTEST_CURRENT_TEST'])", "import os"),
    "the name of the running test": returning("sys.argv.index('test_tiny.py')", "import sys"),
    "a reference found by its path": returning("__import__('runpy').run_path('solutions/1_tiny/tiny.py')['double'](x)"),
    "the distribution's files": returning(
        "[f for f in importlib.metadata.files('transformer-lab-autograder') if 'hidden' in str(f)][0]",
        "import importlib.metadata",
    ),
    "warnings that name the caller": answering("""
import warnings


def answer(*args):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("x", stacklevel=8)
    return open(caught[0].filename).read()
"""),
}
