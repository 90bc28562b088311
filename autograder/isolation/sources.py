"""Source texts as importable modules.

Modules are compiled from the checked text. No file is read, so a ``.pyc``, a coding cookie or a link cannot
substitute other code.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from autograder.isolation.replacement import Replacement, run_replacing

# Modules that a submission's file of the same name never replaces.
RESERVED = sys.stdlib_module_names | {"torch", "numpy"}


class Sources(MetaPathFinder, Loader):
    """The loaded sources as importable modules, visible only while a request runs.

    This lets several executors in one process hold modules of the same name.

    Args:
        sources: Module name → source text.
        replacements: Module name → the definitions in it that are replaced when it is imported.
    """

    def __init__(self, sources: Mapping[str, str], replacements: Mapping[str, Replacement] = {}) -> None:
        self._sources = {name: source for name, source in sources.items() if name not in RESERVED}
        self._replacements = replacements
        self._loaded: dict[str, ModuleType] = {}
        self.files = frozenset(f"{name}.py" for name in self._sources)

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let ``import`` find the sources, before any installed package of the same name."""
        hidden = self._swap(self._loaded)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            with suppress(ValueError):  # a submission may have emptied the list
                sys.meta_path.remove(self)
            self._loaded = self._swap(hidden)

    def _swap(self, modules: Mapping[str, ModuleType]) -> dict[str, ModuleType]:
        removed = {name: sys.modules.pop(name) for name in self._sources if name in sys.modules}
        sys.modules.update(modules)
        return removed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for the name of a source; part of the import protocol."""
        return ModuleSpec(fullname, self, origin=f"{fullname}.py") if fullname in self._sources else None

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's source; part of the import protocol."""
        name = module.__name__
        module.__file__ = f"{name}.py"
        if name in self._replacements:
            run_replacing(self._sources[name], f"{name}.py", vars(module), self._replacements[name])
        else:
            exec(compile(self._sources[name], f"{name}.py", "exec", dont_inherit=True), vars(module))
