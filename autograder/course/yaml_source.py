"""Read a YAML file into frozen structures; errors name the line, the value and the closest known name."""

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")
Keys = tuple[str, ...]

# libyaml's parser takes a tenth of the time; PyYAML may be installed without it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST_VALUE = 60
_TEXT = "tag:yaml.org,2002:str"
_KINDS = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:null": "an empty value",
    "tag:yaml.org,2002:timestamp": "a date",
}
# A part of msgspec's paths: `.key`, `[0]` in a list, `[...]` for any key of a table.
_PATH_PART = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]|\[\.\.\.\]")


class ConfigError(ValueError):
    """A YAML file is invalid; the message names the line, the value and the fix."""


class YamlSource:
    """The data of a YAML file and the line of each value.

    Args:
        path: the file.
        name: name of the file in error messages; by default the last part of ``path``.

    Raises:
        ConfigError: the file cannot be read or is not YAML, a key appears twice, or the top level is not a table.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self._name = name or path.name
        try:
            text = path.read_text(encoding="utf-8")
            self._root = yaml.compose(text, Loader=_Loader)
            self._data = yaml.load(text, Loader=_UniqueKeyLoader)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._name}: is not UTF-8: {error.reason} at byte {error.start}") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{self._name}:{line}: {error.problem}") from None
        except yaml.YAMLError as error:
            raise ConfigError(f"{self._name}: {error}") from None
        if not isinstance(self._data, dict):
            raise ConfigError(f"{self._name}:1: expected a table of settings, one `key: value` per line")

    def convert(self, kind: type[T]) -> T:
        """Convert the whole file to one structure.

        Raises:
            ConfigError: a key is unknown, or a value is missing, out of bounds or of the wrong type.
        """
        self._check_keys(self._data, kind, ())
        try:
            return msgspec.convert(self._data, kind, strict=True)
        except msgspec.ValidationError as error:
            raise self._error_from(error, kind) from None

    def error(self, keys: Keys, problem: str) -> ConfigError:
        """Return the error to raise for the value at ``keys``; its message contains the line."""
        return ConfigError(": ".join([f"{self._name}:{self._line(keys)}", *filter(None, [".".join(keys)]), problem]))

    def _line(self, keys: Keys) -> int:
        """Return the line (from 1) of the deepest part of ``keys`` that exists."""
        node, line = self._root, 1
        for key in keys:
            found = next((child for child in _children(node) if child[0] == key), None)
            if found is None:
                break
            _, line, node = found
        return line

    def _error_from(self, error: msgspec.ValidationError, kind: type) -> ConfigError:
        """Replace the path in msgspec's message, ``… - at `$.stages[...].title```, by a line of the file."""
        problem, _, where = str(error).partition(" - at `")
        pattern = [key or index or "*" for key, index in _PATH_PART.findall(where)]
        for keys, value in _matches(self._data, pattern):
            # A pattern with `*` matches several entries: report the entry that fails by itself.
            if not _fits(value, _type_at(kind, keys)):
                return self.error(keys, problem + _quoted(value))
        return ConfigError(f"{self._name}: {'.'.join(pattern) or 'top level'}: {problem}")

    def _check_keys(self, data: Any, expected: Any, keys: Keys) -> None:
        """Raise an error at an unknown key. It names the closest known key, so that an instructor sees the typo."""
        for index, value in enumerate(data if isinstance(data, list) else ()):
            self._check_keys(value, _type_inside(expected), (*keys, str(index)))
        if not isinstance(data, dict):
            return
        fields = _fields(expected)
        for key, value in data.items():
            here = (*keys, key)
            if fields is not None and key not in fields:
                raise self.error(here, f"unknown key `{key}`{nearest(key, fields)}")
            self._check_keys(value, _type_at(expected, (key,)), here)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `…`?`` if a known name is close, otherwise an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean `{close[0]}`?" if close else ""


class _UniqueKeyLoader(_Loader):  # type: ignore[misc]
    """A loader that refuses a repeated key and a key that is not text.

    Plain YAML lets the later of two values silently replace the earlier value, and reads a student's id such as
    0123456 or 12:30 as another number.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag != _TEXT:
                written = f" `{key_node.value}`" if isinstance(key_node, yaml.ScalarNode) else ""
                kind = _KINDS.get(key_node.tag, "something other than text")
                problem = f"YAML reads the key{written} as {kind}; put it in quotes"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if key in lines:
                problem = f"`{key}` appears twice; the first is on line {lines[key]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            lines[key] = key_node.start_mark.line + 1
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # 1234-56-78 looks like a date
            problem = f"`{node.value}` cannot be read ({error}); put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


def _children(node: yaml.Node | None) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield the key, line and node of each entry of a table or list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield str(index), value.start_mark.line + 1, value


def _matches(data: Any, pattern: list[str], done: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield every value whose keys match ``pattern``; ``*`` matches any key."""
    if not pattern:
        yield done, data
        return
    entries = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
    for key, value in entries.items():
        if pattern[0] in ("*", str(key)):
            yield from _matches(value, pattern[1:], (*done, str(key)))


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _quoted(value: Any) -> str:
    """Return `` (found …)`` for a value that fits in a line, otherwise an empty string."""
    text = repr(value)
    return "" if isinstance(value, (dict, list)) or len(text) > _LONGEST_VALUE else f" (found {text})"


def _fields(expected: Any) -> dict[str, Any] | None:
    if isinstance(expected, UnionType):  # a table or None
        expected = next(kind for kind in expected.__args__ if kind is not NoneType)
    if isinstance(expected, type) and issubclass(expected, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(expected)}
    return None


def _type_at(expected: Any, keys: Keys) -> Any:
    """Return the declared type of the value at ``keys``, with its bounds."""
    for key in keys:
        fields = _fields(expected)
        expected = fields.get(key, Any) if fields is not None else _type_inside(expected)
    return expected


def _type_inside(expected: Any) -> Any:
    """Return the type of the values of ``dict[str, X]`` or ``tuple[X, ...]``, also if it is annotated."""
    inner = getattr(expected, "__origin__", None)
    if inner is dict:
        return expected.__args__[1]
    if inner is tuple:
        return expected.__args__[0]
    return _type_inside(inner) if inner is not None and hasattr(expected, "__metadata__") else Any
