"""What the template imports before it forks, and what it forgets."""

import contextlib
import importlib
import os
import sys
import sysconfig
from importlib.machinery import PathFinder

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import autograder.isolation
from autograder.isolation.guard import Guard

# What submissions import besides torch: loaded once here, and there at all where no file may be opened.
_PRELOADED = (
    "abc", "argparse", "array", "bisect", "collections", "contextlib", "copy", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "gc", "graphlib", "hashlib", "heapq", "inspect", "io",
    "itertools", "json", "logging", "math", "numbers", "operator", "pathlib", "pprint", "queue", "random", "re",
    "statistics", "string", "struct", "tempfile", "textwrap", "threading", "time", "timeit", "traceback", "typing",
    "types", "unicodedata", "warnings", "weakref",
    "numpy", "numpy.testing", "torch.func", "torch.nn.functional", "torch.nn.utils.parametrize", "torch.optim",
    "torch.testing", "torch.utils._pytree", "torch.utils.checkpoint", "torch.utils.data",
)  # fmt: skip
# What is not installed everywhere, or what some versions of torch import late: to show a tensor, to train, to save.
_OPTIONAL = (
    "safetensors.torch", "torch._subclasses.schema_check_mode", "torch.profiler._cupti_monitor",
    "torch.utils.serialization.config",
)  # fmt: skip


def preload() -> None:
    """Import what workers use, so that none of them spends its time, or needs its files, on that."""
    for name in _PRELOADED:
        importlib.import_module(name)
    for name in _OPTIONAL:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch.set_num_threads(1)
    # What the processor can do is read from files, at the first use: without them torch falls back to code that is
    # slower and rounds differently.
    torch.backends.cpu.get_cpu_capability()
    import_rest_of_torch()
    # The first kernel that is wrapped is slower than the next ones.
    guard = Guard("", ())
    guard.install({"torch.softmax": ["_softmax"]})
    guard.remove()


def import_rest_of_torch() -> None:
    """Import what torch leaves for later: half of it comes with the first optimizer and the first fake tensor."""
    torch.optim.AdamW([torch.nn.Parameter(torch.empty(1))])
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.nn.functional.softmax(torch.empty(2, 2, device="meta"), -1)


def hide_origin() -> None:
    """Leave nothing of the course's place in what student code can see or import from."""
    autograder.__path__ = autograder.isolation.__path__ = []
    sys.argv[:] = sys.orig_argv[:] = ["worker"]
    os.chdir("/")
    os.environ.pop("PWD", None)  # bubblewrap sets it


def remember_library() -> None:
    """Let the import system list the standard library's folders, which workers cannot.

    It forgets the folders of other packages: what is not in use is then not there, rather than forbidden.
    """
    importlib.invalidate_caches()
    for name in ("stdlib", "platstdlib"):
        folder = sysconfig.get_path(name)
        PathFinder.find_spec("_", [folder, f"{folder}/lib-dynload"])
