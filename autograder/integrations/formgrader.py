"""formgrader: whether Jupyter loads it, and its address."""

from pathlib import Path

from autograder.course.lab import Lab

_EXTENSION = "nbgrader.server_extensions.formgrader"
_ENABLE = f"jupyter server extension enable --sys-prefix {_EXTENSION}"


def formgrader_state(lab: Lab) -> tuple[bool, str]:
    """Whether Jupyter's server loads formgrader, and a line with its address or with what to do."""
    if not _is_enabled():
        return False, f"Jupyter's server does not load it; run `{_ENABLE}`"
    if not (lab.root / "nbgrader_config.py").is_file():
        return False, f"{lab.root} has no nbgrader_config.py, so nbgrader does not know the course"
    running = _running(lab.root)
    if running is not None:
        return True, running
    return True, f"http://localhost:8888/formgrader, once `jupyter lab` runs in {lab.root}"


def _is_enabled() -> bool:
    """Whether a configuration of Jupyter enables the extension; the first folder of the path that names it counts."""
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    for folder in jupyter_config_path():
        extensions = ExtensionConfigManager(read_config_path=[folder]).get_jpserver_extensions()
        if _EXTENSION in extensions:
            return bool(extensions[_EXTENSION])
    return False


def _running(folder: Path) -> str | None:
    """The address of formgrader on a server that runs in this folder, without its token; None if no server does."""
    from jupyter_server.serverapp import list_running_servers  # takes a second

    for server in list_running_servers():
        if Path(server["root_dir"]).resolve() == folder.resolve():
            return f"{server['url']}formgrader"
    return None
