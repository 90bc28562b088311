"""Which files a locked worker may read: Python's library, and what importing torch has loaded.

Derived from the running template rather than listed, so it fits any environment and any version.
Packages are granted one by one: a rule for ``site-packages`` as a whole would also open a course, or
a grader, that is installed there.
"""

import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_PACKAGE_FOLDERS = {"site-packages", "dist-packages"}
_OURS = __name__.partition(".")[0]
_SYSTEM = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


def readable_paths(sites: Iterable[str]) -> list[str]:
    """Files and folders, existing ones.

    Args:
        sites: the folders that torch and its kin are installed in.
    """
    libraries = list(_mapped_libraries())
    paths = {path for site in sites for path in _loaded_entries(Path(site).resolve(), libraries)}
    paths.update(_library_entries())
    for folder in {library.parent for library in libraries}:
        # A worker may load more from beside a library in use, such as libcrypto for hashlib.
        paths.update(entry for entry in folder.iterdir() if ".so" in entry.name)
    paths.update(map(Path, _SYSTEM))
    return sorted(str(path) for path in paths if path.exists())


def _library_entries() -> Iterator[Path]:
    """The standard library, without the packages that may be installed inside it."""
    for name in ("stdlib", "platstdlib"):
        for entry in Path(sysconfig.get_path(name)).iterdir():
            if entry.name not in _PACKAGE_FOLDERS:
                yield entry


def _loaded_entries(site: Path, libraries: Iterable[Path]) -> Iterator[Path]:
    """The packages and modules of ``site`` that are in use."""
    for path in [*_module_files(), *libraries]:
        if path.is_relative_to(site):
            yield site / path.relative_to(site).parts[0]


def _module_files() -> Iterator[Path]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] != _OURS:
            yield Path(file).resolve()


def _mapped_libraries() -> Iterator[Path]:
    """Shared libraries in this process's memory."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        _, slash, path = line.partition("/")
        if slash and ".so" in path:
            yield Path(f"/{path}")
