"""The Python that grades, and what newer versions add to the standard library.

``requires-python`` in ``pyproject.toml`` states the supported versions, for the grader and for students alike. A
submission must run on the oldest of them.
"""

import platform
import sys

OLDEST = (3, 11)
NEWEST = (3, 14)

# Modules, and names in modules, that a version after ``OLDEST`` added.
_ADDED = {
    (3, 12): (
        "calendar.Day", "calendar.Month", "collections.abc.Buffer", "inspect.BufferFlags",
        "inspect.getasyncgenstate", "inspect.markcoroutinefunction", "itertools.batched", "math.sumprod",
        "random.binomialvariate", "sys.monitoring", "threading.setprofile_all_threads",
        "threading.settrace_all_threads", "types.get_original_bases", "typing.TypeAliasType", "typing.override",
    ),
    (3, 13): (
        "copy.replace", "math.fma", "os.process_cpu_count", "pathlib.UnsupportedOperation", "queue.ShutDown",
        "statistics.kde", "statistics.kde_random", "types.CapsuleType", "typing.NoDefault", "typing.ReadOnly",
        "typing.TypeIs", "typing.get_protocol_members", "typing.is_protocol", "warnings.deprecated",
    ),
    (3, 14): (
        "annotationlib", "compression", "concurrent.futures.InterpreterPoolExecutor", "concurrent.interpreters",
        "functools.Placeholder", "heapq.heapify_max", "heapq.heappop_max", "heapq.heappush_max",
        "heapq.heappushpop_max", "heapq.heapreplace_max", "operator.is_none", "operator.is_not_none",
        "string.templatelib", "typing.evaluate_forward_ref", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8",
    ),
}  # fmt: skip


def grading_version() -> str:
    """Return the version of Python that grades, as in ``3.11``; workers and judges run the same program."""
    return ".".join(platform.python_version_tuple()[:2])


def added_names() -> dict[str, str]:
    """Return the names that a version after ``OLDEST`` added to the standard library, with that version."""
    return {name: dotted(version) for version, names in _ADDED.items() for name in names}


def newer_version(module: str, name: str = "") -> str | None:
    """Return the version that added a module or a name in a module; None if this Python is new enough to have it."""
    parts = module.split(".")
    candidates = {".".join(parts[: end + 1]) for end in range(len(parts))} | {f"{module}.{name}"}
    versions = [version for version, names in _ADDED.items() if candidates & set(names)]
    return next((dotted(version) for version in versions if version > sys.version_info[:2]), None)


def dotted(version: tuple[int, int]) -> str:
    """Return ``3.11`` for ``(3, 11)``."""
    return f"{version[0]}.{version[1]}"
