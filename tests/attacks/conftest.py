"""The targets of attacks: files worth reading and changing, and a server worth reaching."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOKEN = "secret-course-token"


@dataclass(frozen=True)
class AttackTargets:
    """The targets of attacks, and their content before the attack."""

    names: dict[str, Any]
    server: socket.socket
    files: dict[Path, bytes]

    def assert_unharmed(self) -> None:
        """Check that no file was changed or added, and that the server was not reached."""
        folder = Path(self.names["folder"])
        assert {path: path.read_bytes() for path in folder.iterdir()} == self.files
        self.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.server.accept()
        for leftover in ("/tmp/left-behind", "/dev/shm/left-behind"):
            assert not Path(leftover).exists()


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AttackTargets]:
    """A folder of valuable files, and a server that attacks must not reach."""
    monkeypatch.setenv("COURSE_TOKEN", TOKEN)
    folder = tmp_path / "valuables"
    folder.mkdir()
    gradebook = folder / "gradebook.db"
    with sqlite3.connect(gradebook) as book:
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
                "home": str(Path.home()),
                "port": server.getsockname()[1],
                "judge": os.getpid(),
                "token": TOKEN,
            },
            server=server,
            files={path: path.read_bytes() for path in folder.iterdir()},
        )
