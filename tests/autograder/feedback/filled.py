"""Values of any type with one text in every place that can hold text: a new field is filled without a change here."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec


def filled(kind: Any, text: str, **chosen: Any) -> Any:
    """A value of type ``kind``; ``chosen`` sets fields of a struct or dataclass."""
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
        hints = get_type_hints(kind)
        fields = msgspec.structs.fields if issubclass(kind, msgspec.Struct) else dataclasses.fields
        names = [field.name for field in fields(kind)]
        return kind(**{name: filled(hints[name], text) for name in names} | chosen)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return filled(next(argument for argument in arguments if argument is not NoneType), text)
    if origin is Annotated:
        return filled(arguments[0], text)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {filled(arguments[0], text): filled(arguments[1], text)}
    if origin is tuple and Ellipsis not in arguments:
        return tuple(filled(argument, text) for argument in arguments)
    if isinstance(origin, type) and issubclass(origin, (Sequence, frozenset)):
        return (list if origin is list else tuple)([filled(arguments[0], text)] * 2)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return {str: text, int: 3, float: 1.5, bool: True, datetime: datetime(2026, 3, 1, tzinfo=UTC)}[kind]
