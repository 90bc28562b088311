"""Runs public tests in this process, for lab sheets: PyTorch is imported already, so an answer takes under a second.

The student's modules are imported afresh for the tests, and the notebook keeps its own. So neither an earlier version
of the code nor a cell of the notebook can change a result. A loop that does not end is interrupted. What this process
cannot survive is a crash of Python itself; `lab check` in a terminal can.
"""

import _thread
import importlib
import io
import linecache
import os
import pdb
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lab.course import CompanionError
from lab.runner import NOT_STARTED, ReportPlugin, refuse_breakpoint, run_pytest
from lab.runner_process import Ending

_INTERRUPTED = 2  # pytest's exit code


class Interrupts:
    """A deadline that interrupts the main thread, as Ctrl-C does; again and again, if the code catches that.

    It never interrupts the import of a library, which would stay half imported until the kernel is restarted.
    """

    def __init__(self, root: Path) -> None:
        """Set the root of the repository; start without a step."""
        self._root = str(root)
        self._passed = self._ended = threading.Event()

    def start(self, seconds: float) -> None:
        """Begin to count the seconds of a step."""
        self._passed, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._wait, args=(seconds, self._passed, self._ended), daemon=True).start()

    def stop(self) -> None:
        """Stop counting: the step has ended."""
        self._ended.set()

    def has_passed(self) -> bool:
        """Whether the step was interrupted because its time had passed."""
        return self._passed.is_set()

    def _wait(self, seconds: float, passed: threading.Event, ended: threading.Event) -> None:
        while not ended.wait(seconds):
            if not self._imports_a_library():
                passed.set()
                _thread.interrupt_main()
            seconds = 1.0

    def _imports_a_library(self) -> bool:
        """Whether the main thread imports something that no file of the repository is running yet."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None and not frame.f_code.co_filename.startswith(self._root):
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                return True
            frame = frame.f_back
        return False


class ThisProcess:
    """Runs public tests in this process. It has the methods of ``RunnerProcess``."""

    def __init__(self, root: Path) -> None:
        """Set the root of the repository."""
        self._root = root

    def __enter__(self) -> "ThisProcess":
        """Return the runner itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind: each run restores what it changes."""

    def run_tests(self, request: dict[str, Any]) -> list[tuple[str, str]]:
        """Run the requested tests and return the lines of the report, as kind and content.

        Raises:
            CompanionError: the student interrupted the tests, or pytest could not start.
        """
        report, output, deadline = io.StringIO(), io.StringIO(), Interrupts(self._root)
        try:
            with _interruptible(), fresh_modules(self._root), redirect_stdout(output), redirect_stderr(output):
                plugin = ReportPlugin(request, report, deadline)
                code = run_pytest(plugin, request)
        finally:
            deadline.stop()
        if code == _INTERRUPTED:
            raise CompanionError("the tests were interrupted")
        if code in NOT_STARTED:
            last = "\n".join(output.getvalue().strip().splitlines()[-6:])
            raise CompanionError(f"the tests could not be run:\n{last}")
        plugin.write("finished", "")
        return [
            (kind, content) for kind, _, content in (line.partition(" ") for line in report.getvalue().splitlines())
        ]

    def ending(self) -> Ending:
        """Return an ending without a reason: this process has not ended."""
        return Ending(False, "", None)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt raise KeyboardInterrupt; a process that a script started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


@contextmanager
def fresh_modules(root: Path) -> Iterator[None]:
    """Import the repository's modules afresh, as a new process would; restore the notebook's afterwards.

    The current folder, the paths of imports, the environment, the random generators and PyTorch's defaults are also
    those of a new process, and are restored too.
    """
    companion = Path(__file__).parent
    kept = _modules_below(root, companion)
    paths, folder, state = sys.path[:], Path.cwd(), random.getstate()
    linecache.checkcache()
    importlib.invalidate_caches()
    with ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True))
        # Python recognises a changed file by its size and the second of its change: two quick saves look alike.
        stack.enter_context(patch.object(sys, "pycache_prefix", cache))
        stack.enter_context(patch.object(pdb, "set_trace", refuse_breakpoint))
        stack.enter_context(patch.object(sys, "breakpointhook", refuse_breakpoint))
        options = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        stack.enter_context(patch.dict(os.environ, options))
        stack.enter_context(_default_settings())
        for name in kept:
            del sys.modules[name]
        os.chdir(root)
        try:
            yield
        finally:
            for name in _modules_below(root, companion):
                del sys.modules[name]
            sys.modules.update(kept)
            sys.path[:] = paths
            os.chdir(folder)
            random.setstate(state)


def _modules_below(root: Path, companion: Path) -> dict[str, Any]:
    """Return the imported modules of the repository, and others with the name of a stage's module.

    The companion's and installed packages in the repository are left out.
    """
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name != "__main__"}
    below = {name: Path(file) for name, file in files.items() if isinstance(file, str) and file.startswith(str(root))}
    installed = {"site-packages", "dist-packages"}
    own = {
        name
        for name, path in below.items()
        if path.is_relative_to(root) and not path.is_relative_to(companion) and not installed & set(path.parts)
    }
    own |= {path.stem for path in root.glob("[0-9]*/*.py") if path.stem in files and path.stem != "conftest"}
    return {name: sys.modules[name] for name in own}


@contextmanager
def _default_settings() -> Iterator[None]:
    """Give NumPy's and PyTorch's generators, and PyTorch's settings, back as they were; import neither."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    with ExitStack() as stack:
        if numpy is not None:
            stack.callback(numpy.random.set_state, numpy.random.get_state())
        if torch is not None:
            stack.callback(torch.set_rng_state, torch.get_rng_state())
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
            stack.enter_context(torch.set_grad_enabled(True))
        yield
