"""The targets of attacks: files worth reading and changing, a process, and a server worth reaching."""

import contextlib
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from machine_attacks import TOO_MUCH_MEMORY

from autograder.judge import compare

TOKEN = "secret-course-token"
LEFTOVERS = ("/tmp/left-behind", "/dev/shm/left-behind")


@dataclass(frozen=True)
class AttackTargets:
    """The targets of attacks, and their content before the attack."""

    names: dict[str, Any]
    server: socket.socket
    judge: "subprocess.Popen[bytes]"
    files: dict[Path, bytes | None]

    def assert_unharmed(self) -> None:
        """Check that no file was changed or added, no process ended, and the server was not reached."""
        assert content(Path(self.names["folder"])) == self.files
        self.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.server.accept()
        assert self.judge.poll() is None
        assert not [leftover for leftover in LEFTOVERS if Path(leftover).exists()]


def content(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@contextlib.contextmanager
def targets_in(folder: Path, judge: "subprocess.Popen[bytes]") -> Iterator[AttackTargets]:
    """Write the valuable files into a new folder and start the server."""
    (folder / "empty").mkdir(parents=True)
    gradebook = folder / "gradebook.db"
    with contextlib.closing(sqlite3.connect(gradebook)) as book, book:
        book.execute("PRAGMA synchronous = OFF")
        book.execute("CREATE TABLE grade (auto_score REAL)")
        book.execute("INSERT INTO grade VALUES (0)")
    for name in ("secret", "result.json", "test_hidden.py", "reference.py", "planted.py"):
        (folder / name).write_text("'only the judge may read this'\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield AttackTargets(
            names={
                "folder": str(folder),
                "secret": str(folder / "secret"),
                "gradebook": str(gradebook),
                "result": str(folder / "result.json"),
                "hidden_tests": str(folder / "test_hidden.py"),
                "reference": str(folder / "reference.py"),
                "grader_source": compare.__file__,
                "home": os.path.expanduser("~"),
                "port": server.getsockname()[1],
                "judge": judge.pid,
                "token": TOKEN,
                "too_much_memory": TOO_MUCH_MEMORY,
            },
            server=server,
            judge=judge,
            files=content(folder),
        )
    for leftover in LEFTOVERS:
        Path(leftover).unlink(missing_ok=True)
