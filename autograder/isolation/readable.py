"""The files that a locked worker may read: the standard library, and the files that importing torch loaded.

The list is derived from the running template, so it fits any environment and any version. Packages are
granted individually: a rule for ``site-packages`` as a whole would also expose a course or a grader that is
installed there.
"""

import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_PACKAGE_FOLDERS = {"site-packages", "dist-packages"}
_OWN_PACKAGE = __name__.partition(".")[0]
_SYSTEM = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


def readable_paths(sites: Iterable[str]) -> list[str]:
    """The existing files and folders that a worker may read.

    Args:
        sites: The folders where torch and the other preloaded packages are installed.
    """
    libraries = list(_mapped_libraries())
    paths = {path for site in sites for path in _loaded_entries(Path(site).resolve(), libraries)}
    paths.update(_library_entries())
    for folder in {library.parent for library in libraries}:
        # A worker may load further libraries from the same folder, such as libcrypto for hashlib.
        paths.update(entry for entry in folder.iterdir() if ".so" in entry.name)
    paths.update(map(Path, _SYSTEM))
    return sorted(str(path) for path in paths if path.exists())


def _library_entries() -> Iterator[Path]:
    """The standard library, without packages installed inside its folder."""
    for name in ("stdlib", "platstdlib"):
        for entry in Path(sysconfig.get_path(name)).iterdir():
            if entry.name not in _PACKAGE_FOLDERS:
                yield entry


def _loaded_entries(site: Path, libraries: Iterable[Path]) -> Iterator[Path]:
    """The packages and modules of ``site`` that are loaded."""
    for path in [*_module_files(), *libraries]:
        if path.is_relative_to(site):
            yield site / path.relative_to(site).parts[0]


def _module_files() -> Iterator[Path]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] != _OWN_PACKAGE:
            yield Path(file).resolve()


def _mapped_libraries() -> Iterator[Path]:
    """The shared libraries mapped into this process."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        _, slash, path = line.partition("/")
        if slash and ".so" in path:
            yield Path(f"/{path}")
