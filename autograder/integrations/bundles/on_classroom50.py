"""The ``autograder.py`` of a Classroom 50 assignment: runs the public tests over the student's modules.

It runs in the student's checkout and needs only the standard library. Students can change what runs in their
repositories and read this bundle, so these points are advice: grades come from hidden tests that run elsewhere.

Student code runs in child processes with their own environment, on a pristine copy of the lab that holds nothing of
the checkout but the modules. ``result.json`` is written last, when every child has ended.
"""

import ctypes
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).resolve().parent
SECONDS = 600  # Classroom 50 ends the whole job after 15 minutes, the installation included
LARGEST_MODULE = 2**20
LONGEST_HINT = 300
NO_REPORT = "the public tests gave no result: run `lab check` on your computer"
_DUMPABLE, _SUBREAPER = 4, 36  # PR_SET_DUMPABLE and PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
# Student code must not reach the files and tokens with which a job steers its later steps.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


def main() -> int:
    """Grade the current folder; the exit code."""
    checkout, listed = Path.cwd(), json.loads((BUNDLE / "bundle.json").read_text(encoding="utf-8"))
    prctl = ctypes.CDLL(None).prctl
    prctl(_DUMPABLE, 0, 0, 0, 0)  # children cannot read this process's environment and memory
    prctl(_SUBREAPER, 1, 0, 0, 0)  # children whose parents end become ours, and can be ended
    install()
    with tempfile.TemporaryDirectory(prefix="public-tests-", ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        with zipfile.ZipFile(BUNDLE / "public.zip") as public:
            public.extractall(work)
        problems = [problem for module in listed["modules"] for problem in overlay(checkout, work, module)]
        report = run_public_tests(work, listed["stages"])
        end_children()
    write(checkout, "result.json", json.dumps(result(listed["exercises"], report, problems), indent=1))
    write(checkout, "release-body.md", "\n".join([str(report.get("summary", "")), *problems]))
    return 0


def install() -> None:
    """Install what the public tests import, unless it is there; an error ends the job and gives no result."""
    wanted = [line.split(">")[0] for line in (BUNDLE / "requirements.txt").read_text(encoding="utf-8").split()]
    if subprocess.run([sys.executable, "-c", f"import {', '.join(wanted)}"], capture_output=True).returncode == 0:
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--torch-backend", "cpu"]
    subprocess.run(pip, check=True)
    subprocess.run([*uv, "-r", BUNDLE / "requirements.txt"], check=True)


def overlay(checkout: Path, work: Path, module: str) -> Iterator[str]:
    """Copy one module over its stub if it is a plain file; yield why it is not copied."""
    try:
        if (checkout / module).parent.is_symlink():
            raise OSError("its folder is a link")
        descriptor = os.open(checkout / module, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("it is not a file")
            content = file.read(LARGEST_MODULE + 1)
        if len(content) > LARGEST_MODULE:
            raise OSError(f"it has more than {LARGEST_MODULE} bytes")
        (work / module).write_bytes(content)
    except FileNotFoundError:
        return  # not begun: the stub stays
    except OSError as error:
        yield f"{module} was not read: {error.strerror or error}"


def run_public_tests(work: Path, stages: Sequence[str]) -> dict[str, Any]:
    """Run the public tests in other processes; an empty report if there is none in time."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"PYTHONPATH": str(work), "OMP_NUM_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(BUNDLE / "public_tests.py"), *stages]
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
        report = json.loads(output)
        return report if isinstance(report, dict) else {}
    except (subprocess.TimeoutExpired, ValueError):
        return {}
    finally:
        process.kill()
        process.wait()


def end_children() -> None:
    """End every process that student code has left, also one that has detached itself."""
    while True:
        threads = Path("/proc/self/task").glob("*/children")
        children = [int(number) for thread in threads for number in thread.read_text().split()]
        if not children:
            return
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def result(exercises: Sequence[dict[str, Any]], report: dict[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """The document of schema ``classroom50/result/v1``; its points are integers."""
    passed, hints = report.get("passed"), report.get("hints")
    passed = passed if isinstance(passed, list) else []
    hints = hints if isinstance(hints, dict) else {}
    tests = []
    for exercise in exercises:
        key, points, has_passed = exercise["key"], exercise["points"], exercise["key"] in passed
        test = {"test-name": key, "passed": has_passed, "score": points if has_passed else 0, "max-score": points}
        unread = [problem for problem in problems if problem.startswith(key.partition("/")[0])]
        hint = "; ".join([*unread, str(hints.get(key, "") if report else NO_REPORT)])
        tests.append({**test, "tier": "public", **({} if has_passed or not hint else {"hint": hint[:LONGEST_HINT]})})
    given = {name: os.environ.get(name.upper(), "") for name in ("classroom", "assignment")}
    links = {name: os.environ.get(f"{name.upper()}_URL", "") for name in ("commit", "release", "review")}
    return {
        "schema": "classroom50/result/v1",
        **given,
        "submission": os.environ.get("SUBMISSION_TAG", ""),
        **links,
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def write(folder: Path, name: str, text: str) -> None:
    """Write a file, and remove what student code left under its name."""
    target = folder / name
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    descriptor, fresh = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    Path(fresh).replace(target)


if __name__ == "__main__":
    sys.exit(main())
