"""The readable paths contain torch and Python, and no folder that could contain a course."""

import sysconfig
from pathlib import Path

import pytest
import torch

import autograder
from autograder.isolation import readable

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="/proc exists on Linux only")


@pytest.fixture(scope="module")
def paths() -> set[Path]:
    site = Path(torch.__file__).parents[1]
    return {Path(path) for path in readable.readable_paths([str(site)])}


def covered(paths: set[Path], path: Path) -> bool:
    return any(path.resolve().is_relative_to(readable_path) for readable_path in paths)


def test_torch_and_the_standard_library_are_readable(paths):
    assert covered(paths, Path(torch.__file__))
    assert covered(paths, Path(sysconfig.get_path("stdlib")) / "json" / "decoder.py")


def test_the_course_and_the_grader_are_not_readable(paths):
    package = Path(autograder.__file__).parent
    assert not covered(paths, package / "config.py")
    assert not covered(paths, package.parent / "tests" / "hidden" / "test_anything.py")


def test_folders_that_contain_packages_are_not_readable_as_a_whole(paths):
    site = Path(torch.__file__).parents[1]
    library = Path(sysconfig.get_path("stdlib"))
    for folder in (site, library, library / "site-packages", library.parent, Path.home(), Path("/"), Path("/tmp")):
        assert not covered(paths, folder), folder


def test_a_grader_installed_beside_torch_is_not_readable(monkeypatch, tmp_path):
    """Its modules are loaded, which makes other packages readable."""
    (tmp_path / "autograder").mkdir()
    module = type(torch)("autograder.isolation.example")
    module.__file__ = str(tmp_path / "autograder" / "example.py")
    other = type(torch)("other")
    other.__file__ = str(tmp_path / "other.py")
    Path(other.__file__).touch()
    monkeypatch.setitem(readable.sys.modules, module.__name__, module)
    monkeypatch.setitem(readable.sys.modules, other.__name__, other)
    paths = {Path(path) for path in readable.readable_paths([str(tmp_path)])}
    assert covered(paths, tmp_path / "other.py")
    assert not covered(paths, tmp_path / "autograder" / "config.py")
