"""Modules of libraries that a submission may import but cannot use.

A library that students have installed, such as one that draws, is not there where code is graded. An import of it
must cost nothing, so it gives a placeholder: every use of it raises an error that names the library.
"""

from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

# After the library's name, the text of the error.
UNAVAILABLE = "is not available where grading happens"


class Placeholder:
    """A function, class or value of a library that is not available. Its attributes are placeholders too."""

    _library: str

    def __init__(self, library: str) -> None:
        self.__dict__["_library"] = library

    def __getattr__(self, name: str) -> "Placeholder":
        if name.startswith("__"):  # looked up by Python and its tools, not by the submission
            raise AttributeError(name)
        return Placeholder(self._library)

    def __or__(self, other: object) -> "Placeholder":
        """Accept the placeholder in an annotation such as ``Axes | None``."""
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<{self._library}, which {UNAVAILABLE}>"

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise ModuleNotFoundError(f"{self._library} {UNAVAILABLE}", name=self._library)

    __call__ = __getitem__ = __setitem__ = __delitem__ = __setattr__ = __delattr__ = _refuse
    __iter__ = __next__ = __len__ = __contains__ = __enter__ = __exit__ = __mro_entries__ = _refuse
    __instancecheck__ = __subclasscheck__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __matmul__ = _refuse
    __rmatmul__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = __int__ = __float__ = __index__ = (
        _refuse
    )


class PlaceholderModule(ModuleType):
    """A module, or a module inside a package, of a library that is not available."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder(library_of(self.__name__))


class PlaceholderLoader(Loader):
    """Creates placeholder modules; part of the import protocol."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return an empty module."""
        return PlaceholderModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is no source."""


def library_of(module: str) -> str:
    """Return the library that a module belongs to: ``matplotlib`` for ``matplotlib.pyplot``."""
    return module.partition(".")[0]
