"""A PostgreSQL server for one test: its own folder, its own port, no network beyond this machine."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ACCOUNT = "postgres"  # the server refuses to run as root


def programs() -> Path | None:
    """The folder of the server's programs, as Debian's package installs them; None without a server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server with an empty database; yields its URL, and stops it."""
    # Not in pytest's folder, which is closed to other accounts.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        yield from _serve(Path(name))


def _serve(folder: Path) -> Iterator[str]:
    bin_folder = programs()
    assert bin_folder is not None
    account = {"user": ACCOUNT} if os.getuid() == 0 else {}
    if account:
        shutil.chown(folder, ACCOUNT)
    data, port = folder / "data", free_port()
    (folder / "password").write_text("s3cret\n", encoding="utf-8")
    secret = [f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--username=teacher"]

    def run(program: str, *arguments: str) -> None:
        command = [str(bin_folder / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=120, **account)

    run("initdb", f"--pgdata={data}", "--no-sync", *secret)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k '' -c fsync=off -c timezone=Asia/Kolkata"
    run("pg_ctl", f"--pgdata={data}", f"--log={folder / 'log'}", "--wait", f"--options={options}", "start")
    try:
        yield f"postgresql://teacher:s3cret@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "stop")


def free_port() -> int:
    """A port that no program uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def has_account() -> bool:
    """Whether the server can run: it refuses root."""
    return os.getuid() != 0 or any(entry.pw_name == ACCOUNT for entry in pwd.getpwall())
