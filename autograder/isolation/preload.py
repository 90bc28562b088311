"""Prepares the template for forking: imports modules, and hides where the course is."""

import contextlib
import importlib
import os
import sys
import sysconfig
from importlib.machinery import PathFinder
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import autograder.isolation
from autograder.isolation.guard import Guard

# Modules that submissions import besides torch. Loading them once here also makes them available to workers
# that may not open any file.
_PRELOADED = (
    "abc", "argparse", "array", "bisect", "collections", "contextlib", "copy", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "gc", "graphlib", "hashlib", "heapq", "inspect", "io",
    "itertools", "json", "logging", "math", "numbers", "operator", "pathlib", "pprint", "queue", "random", "re",
    "statistics", "string", "struct", "tempfile", "textwrap", "threading", "time", "timeit", "traceback", "typing",
    "types", "unicodedata", "warnings", "weakref",
    "numpy", "numpy.testing", "torch.func", "torch.nn.functional", "torch.nn.utils.parametrize", "torch.optim",
    "torch.testing", "torch.utils._pytree", "torch.utils.checkpoint", "torch.utils.data",
)  # fmt: skip
# Modules that may be missing, or that some versions of torch import only to print a tensor, to train or to save.
_OPTIONAL = (
    "safetensors.torch", "torch._subclasses.schema_check_mode", "torch.profiler._cupti_monitor",
    "torch.utils.serialization.config",
)  # fmt: skip


def preload() -> None:
    """Import the modules that workers use, so that workers need neither time nor files for them."""
    for name in _PRELOADED:
        importlib.import_module(name)
    for name in _OPTIONAL:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch.set_num_threads(1)
    torch.compile = _leave_uncompiled
    # On first use torch reads the processor's capabilities from files. A worker that cannot open them would fall
    # back to slower code that rounds differently.
    torch.backends.cpu.get_cpu_capability()
    import_rest_of_torch()
    # The first guard lists the functions of torch, and wraps its first kernel slowly.
    guard = Guard()
    guard.install({"torch.softmax": ["_softmax"]})
    guard.remove()


def _leave_uncompiled(model: Any = None, **options: Any) -> Any:
    """Stand for ``torch.compile``, which imports hundreds of modules even where it is disabled."""
    return (lambda function: function) if model is None else model


def import_rest_of_torch() -> None:
    """Import the modules that torch loads lazily: half of them with the first optimizer and the first fake tensor."""
    torch.optim.AdamW([torch.nn.Parameter(torch.empty(1))])
    with FakeTensorMode(allow_non_fake_inputs=True):
        torch.nn.functional.softmax(torch.empty(2, 2, device="meta"), -1)


def hide_origin() -> None:
    """Remove the course's path from everything that student code can see or import from."""
    autograder.__path__ = autograder.isolation.__path__ = []
    sys.argv[:] = sys.orig_argv[:] = ["worker"]
    os.chdir("/")
    os.environ.pop("PWD", None)  # bubblewrap sets it


def remember_library() -> None:
    """Make the import system cache the listing of the standard library's folders, which workers cannot list.

    The listings of other packages' folders are dropped, so an unloaded module raises "not found" instead of
    "permission denied".
    """
    importlib.invalidate_caches()
    for name in ("stdlib", "platstdlib"):
        folder = sysconfig.get_path(name)
        PathFinder.find_spec("_", [folder, f"{folder}/lib-dynload"])
