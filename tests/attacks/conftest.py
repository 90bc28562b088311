"""What attacks aim at: things worth reading and changing, and a server worth reaching."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOKEN = "token-that-nobody-may-see"


@dataclass(frozen=True)
class Ground:
    """The things attacks aim at, and how they were before."""

    target: dict[str, Any]
    server: socket.socket
    files: dict[Path, bytes]

    def assert_unharmed(self) -> None:
        """Nothing was changed, added or reached."""
        folder = Path(self.target["folder"])
        assert {path: path.read_bytes() for path in folder.iterdir()} == self.files
        self.server.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.server.accept()
        for left in ("/tmp/left-behind", "/dev/shm/left-behind"):
            assert not Path(left).exists()


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A folder of treasures, and a server that nobody should reach."""
    monkeypatch.setenv("COURSE_TOKEN", TOKEN)
    folder = tmp_path / "treasures"
    folder.mkdir()
    gradebook = folder / "gradebook.db"
    with sqlite3.connect(gradebook) as book:
        book.execute("CREATE TABLE grade (auto_score REAL)")
        book.execute("INSERT INTO grade VALUES (0)")
    for name in ("secret", "result.json", "test_hidden.py", "reference.py", "planted.py"):
        (folder / name).write_text("'nobody may read this'\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Ground(
            target={
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
