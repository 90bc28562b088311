"""Whether Jupyter loads formgrader, by Jupyter's own configuration; and the address of a server that runs."""

import json
import shutil
from pathlib import Path

import pytest
from formgrader import TOKEN, Formgrader

from autograder.course.lab import Lab
from autograder.integrations.formgrader import formgrader_state

CONFIG = Path(__file__).parents[3] / "nbgrader_config.py"


@pytest.fixture
def lab(released_lab, tmp_path) -> Lab:
    root = Path(shutil.copytree(released_lab.root, tmp_path / "lab"))
    shutil.copy(CONFIG, root)
    return Lab(root)


def test_the_address_is_that_of_the_server_that_runs_in_the_folder(lab, tmp_path, monkeypatch):
    assert formgrader_state(lab) == (True, f"http://localhost:8888/formgrader, once `jupyter lab` runs in {lab.root}")
    server = Formgrader(lab, tmp_path / "jupyter")
    try:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter" / "RUNTIME"))
        works, line = formgrader_state(lab)
        assert (works, line) == (True, f"{server.url}formgrader")
        assert TOKEN not in line.partition("://")[2]
    finally:
        server.close()


def test_an_extension_that_is_switched_off_is_named_with_the_fix(lab, tmp_path, monkeypatch):
    folder = tmp_path / "config"
    folder.mkdir()
    extensions = {"ServerApp": {"jpserver_extensions": {"nbgrader.server_extensions.formgrader": False}}}
    (folder / "jupyter_server_config.json").write_text(json.dumps(extensions), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
    works, line = formgrader_state(lab)
    assert not works
    assert "jupyter server extension enable --sys-prefix nbgrader.server_extensions.formgrader" in line


def test_a_folder_without_nbgraders_configuration_is_named(released_lab):
    works, line = formgrader_state(released_lab)
    assert (works, "nbgrader_config.py" in line) == (False, True)
