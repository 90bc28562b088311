"""Source texts as importable modules.

They are compiled from the text that was checked: no file is read, so there is no ``.pyc``, no coding cookie and no
link to be fooled by.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# A submission's file never takes the place of one of these, whatever it is called.
RESERVED = sys.stdlib_module_names | {"torch", "numpy"}


class Sources(MetaPathFinder, Loader):
    """The loaded sources as importable modules, visible while a request runs and at no other time.

    So several executors can hold modules of the same name in one process.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = {name: source for name, source in sources.items() if name not in RESERVED}
        self._loaded: dict[str, ModuleType] = {}
        self.files = frozenset(f"{name}.py" for name in self._sources)

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let ``import`` find the sources, ahead of any installed package of the same name."""
        hidden = self._swap(self._loaded)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            with suppress(ValueError):  # a submission may have emptied the list
                sys.meta_path.remove(self)
            self._loaded = self._swap(hidden)

    def _swap(self, modules: Mapping[str, ModuleType]) -> dict[str, ModuleType]:
        taken = {name: sys.modules.pop(name) for name in self._sources if name in sys.modules}
        sys.modules.update(modules)
        return taken

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of the import protocol: claim the names of the sources."""
        return ModuleSpec(fullname, self, origin=f"{fullname}.py") if fullname in self._sources else None

    def exec_module(self, module: ModuleType) -> None:
        """Part of the import protocol: run a module's source."""
        name = module.__name__
        module.__file__ = f"{name}.py"
        exec(compile(self._sources[name], f"{name}.py", "exec", dont_inherit=True), vars(module))
