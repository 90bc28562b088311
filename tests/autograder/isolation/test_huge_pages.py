"""Moving memory to huge pages preserves its content."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from pathlib import Path
from autograder.isolation.huge_pages import use_huge_pages

def huge_kib():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages"))

blocks = [bytes([number % 251]) * 100_000 for number in range(1000)]
before = huge_kib()
use_huge_pages()
assert all(block == bytes([number % 251]) * 100_000 for number, block in enumerate(blocks))
print(huge_kib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are used on Linux only")
def test_memory_moves_to_huge_pages_and_keeps_its_content():
    completed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    # All of the 100 MB except the edges of each region.
    assert int(completed.stdout) > 50_000 or not _collapses()


def _collapses() -> bool:
    """Whether this kernel can move pages on request."""
    major, minor = (int(part) for part in re.findall(r"\d+", platform.release())[:2])
    return (major, minor) >= (6, 1) and Path("/sys/kernel/mm/transparent_hugepage").is_dir()
