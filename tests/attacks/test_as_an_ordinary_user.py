"""The attacks again, with pytest, judge and workers run by an ordinary user instead of root."""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="this test run belongs to an ordinary user already"),
]


def as_nobody(arguments: list[str], folder: Path, **options) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([sysconfig.get_path("purelib"), str(ROOT)])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.run(
        arguments,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=environment,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=900,
        **options,
    )


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that belongs to the ordinary user; pytest closes its own folders to others."""
    with tempfile.TemporaryDirectory(prefix="nobody-") as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


@pytest.fixture(scope="module")
def python(folder: Path) -> str:
    """An interpreter of this version that an ordinary user can run; root's own may lie in root's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/local/bin/{name}", f"/usr/bin/{name}"):
        try:
            if as_nobody([candidate, "-c", "import pytest, torch"], folder).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip("no interpreter of this version can be run by an ordinary user")


@pytest.mark.parametrize("name", ["machine", "judge"])
def test_the_attacks_are_stopped_for_an_ordinary_user_too(python, folder, name):
    test = HERE / f"test_attacks_on_the_{name}.py"
    command = [python, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "-m", "slow or not slow"]
    done = as_nobody([*command, "--basetemp", str(folder / name), str(test)], folder)
    assert done.returncode == 0, done.stdout
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed >= 150
