"""Source texts as importable modules.

Modules are compiled from the checked text. No file is read, so a ``.pyc``, a coding cookie or a link cannot
substitute other code. A module's ``__file__`` is the path that it has on a student's machine: code that finds its
folder works, and nothing exists there. Replies name a file by its last part only, as in ``attention.py``.
"""

import functools
import linecache
import marshal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from autograder.isolation.placeholders import PlaceholderLoader, PlaceholderModule, library_of
from autograder.isolation.replacement import Replacement, run_replacing

# Modules that a submission's file of the same name never replaces.
RESERVED = sys.stdlib_module_names | {"torch", "numpy"}

# The root of the student's repository, as it seems to the submission. As deep as a real path, because code goes up
# from it: `Path(__file__).resolve().parents[2]`.
_REPOSITORY = "/home/student/lab"

_MOST_CODE = 1 << 19


class Sources(MetaPathFinder, InspectLoader):
    """The loaded sources as importable modules, visible only while a request runs.

    This lets several executors in one process hold modules of the same name.

    Args:
        sources: Module name → source text.
        replacements: Module name → the definitions in it that are replaced when it is imported.
        folders: Module name → the folder of its file in the student's repository.
        placeholders: Names of libraries that can be imported but not used.
        code: Module name → its code, as ``marshalled`` returned it for the same sources and folders.

    Attributes:
        files: Path of each source's file, as in ``__file__`` and in tracebacks → its name in replies.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        replacements: Mapping[str, Replacement] = {},
        folders: Mapping[str, str] = {},
        placeholders: Iterable[str] = (),
        code: Mapping[str, bytes] = {},
    ) -> None:
        self._marshalled = code
        self._sources = {name: source for name, source in sources.items() if name not in RESERVED}
        self._replacements = replacements
        self._placeholders = frozenset(placeholders) - RESERVED - self._sources.keys()
        self._paths = {name: f"{_REPOSITORY}/{folders.get(name, name)}/{name}.py" for name in self._sources}
        self._swapped = set(self._sources)  # the names whose modules belong to this executor
        self._loaded: dict[str, ModuleType] = {}
        self.files = {path: f"{name}.py" for name, path in self._paths.items()}
        self._code: dict[int, CodeType] = {}  # of the modules run so far, by id
        self._lines = {path: _cached_lines(self._sources[name], path) for name, path in self._paths.items()}

    def path(self, name: str) -> str:
        """Return the path of a source's file; the file does not exist."""
        return self._paths[name]

    def marshalled(self) -> dict[str, bytes]:
        """Compile the sources for other processes: module name → its code, without sources that are invalid or large.

        Nothing of the sources runs.
        """
        code = {}
        for name, source in self._sources.items():
            with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                code[name] = marshal.dumps(compiled(source, self._paths[name]))
        return code if sum(map(len, code.values())) <= _MOST_CODE else {}

    def loaded(self) -> dict[str, ModuleType]:
        """Return the modules of this executor that are loaded, by name; while they are importable."""
        return {name: sys.modules[name] for name in self._swapped if name in sys.modules}

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let ``import`` find the sources, before any installed package of the same name."""
        hidden = self._swap(self._loaded)
        sys.meta_path.insert(0, self)
        linecache.cache.update(self._lines)  # for `inspect.getsource` and what builds on it
        try:
            yield
        finally:
            with suppress(ValueError):  # a submission may have emptied the list
                sys.meta_path.remove(self)
            for path in self._lines:
                linecache.cache.pop(path, None)
            self._loaded = self._swap(hidden)

    def _swap(self, modules: Mapping[str, ModuleType]) -> dict[str, ModuleType]:
        removed = {name: sys.modules.pop(name) for name in self._swapped if name in sys.modules}
        sys.modules.update(modules)
        return removed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for the name of a source or of a placeholder; part of the import protocol."""
        if fullname in self._sources:
            spec = ModuleSpec(fullname, self, origin=self._paths[fullname])
            spec.has_location = True
            return spec
        if library_of(fullname) in self._placeholders and self._is_placeholder(fullname.rpartition(".")[0]):
            self._swapped.add(fullname)
            return ModuleSpec(fullname, PlaceholderLoader(), is_package=True)
        return None

    def _is_placeholder(self, parent: str) -> bool:
        """Whether a module in this package is a placeholder; the library may be loaded in this process."""
        return not parent or isinstance(sys.modules.get(parent), PlaceholderModule)

    def get_source(self, fullname: str) -> str:
        """Return the source text of a module; part of the import protocol.

        Raises:
            ImportError: There is no source of that name.
        """
        try:
            return self._sources[fullname]
        except KeyError:
            raise ImportError(f"no source of {fullname!r}", name=fullname) from None

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's source; part of the import protocol."""
        name = module.__name__
        source, path = self._sources[name], self._paths[name]
        if name in self._replacements:
            run_replacing(source, path, vars(module), self._replacements[name], self._run)
        else:
            code = self._marshalled.get(name)
            self._run(marshal.loads(code) if code else compiled(source, path), vars(module))

    def _run(self, code: CodeType, namespace: dict[str, Any]) -> None:
        waiting = [code]
        while waiting:
            part = waiting.pop()
            self._code[id(part)] = part
            waiting += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
        exec(code, namespace)

    def holds(self, code: CodeType) -> bool:
        """Whether a code object was compiled from the text of a source here, and not by the submission."""
        return self._code.get(id(code)) is code


@functools.lru_cache(maxsize=64)
def compiled(source: str, file: str) -> CodeType:
    """Compile a module; the judge loads its own modules many times, and defines the same helpers in each."""
    code: CodeType = compile(source, file, "exec", dont_inherit=True)
    return code


def _cached_lines(source: str, path: str) -> tuple[int, None, list[str], str]:
    """Return the entry of ``linecache`` for a source; the line ends are those that count for Python."""
    return len(source), None, [f"{line}\n" for line in source.split("\n")], path
