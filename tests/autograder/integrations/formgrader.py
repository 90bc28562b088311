"""formgrader, served from a lab's folder."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tiny_lab import MODULE, STAGE

from autograder.course.lab import Lab

TOKEN = "open"


class Formgrader:
    """A Jupyter server in the lab's folder."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        directories = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("RUNTIME", "CONFIG")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port=0"],
            cwd=lab.root,
            env={**os.environ, **directories, "JUPYTER_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.url = self._wait_for_url(folder / "RUNTIME")

    def _wait_for_url(self, runtime: Path) -> str:
        while self._process.poll() is None:
            for path in runtime.glob("jpserver-*.json"):
                if text := path.read_text(encoding="utf-8"):
                    return str(json.loads(text)["url"])
            time.sleep(0.1)
        raise AssertionError("the Jupyter server ended while starting")

    def address(self, path: str) -> str:
        return f"{self.url}formgrader/{path}"

    def get(self, path: str) -> str:
        request = urllib.request.Request(self.address(path), headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def graded_page(formgrader: Formgrader, student: str) -> str:
    """The address of formgrader's page of one student."""
    entries = json.loads(formgrader.get(f"api/submitted_notebooks/{STAGE}/{MODULE}"))
    (submission,) = (entry["id"] for entry in entries if entry["student"] == student)
    return formgrader.address(f"submissions/{submission}/")
