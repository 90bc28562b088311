"""Decode JSON that may be damaged: one error, whatever is wrong with the bytes."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode_json(raw: bytes, kind: type[T]) -> T:
    """Decode JSON as ``kind``.

    msgspec raises ``UnicodeDecodeError`` for text that is not UTF-8 and ``RecursionError`` for deep nesting; both
    become its ``DecodeError`` here.

    Raises:
        msgspec.DecodeError: The bytes are not JSON, or not of this kind.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"{type(error).__name__}: {str(error)[:200]}") from None
