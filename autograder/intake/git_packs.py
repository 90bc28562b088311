"""The format of git's packs: the index, the headers of objects, and deltas."""

import struct

INDEX_HEADER = b"\xfftOc\x00\x00\x00\x02"  # version 2
LARGEST_OBJECT = 1024 * 1024  # of a commit or a tree, unpacked
_FANOUT = 8 + 256 * 4
_FAR = 1 << 31  # begins the offsets that point into the table of large offsets


class DamagedError(Exception):
    """An object is missing, damaged or larger than any honest object."""


def offset_in(index: bytes, name: bytes) -> int | None:
    """The offset of an object in the pack of an index of version 2."""
    if len(index) < _FANOUT:
        raise DamagedError
    fanout = struct.unpack(">256I", index[8:_FANOUT])
    total = fanout[255]
    first, last = (fanout[name[0] - 1] if name[0] else 0), fanout[name[0]]
    while first < last:
        middle = (first + last) // 2
        found = index[_FANOUT + 20 * middle : _FANOUT + 20 * middle + 20]
        if found == name:
            offsets = _FANOUT + 24 * total
            offset = _number(index, offsets + 4 * middle, 4)
            return offset if offset < _FAR else _number(index, offsets + 4 * total + 8 * (offset - _FAR), 8)
        first, last = (middle + 1, last) if found < name else (first, middle)
    return None


def _number(index: bytes, position: int, size: int) -> int:
    raw = index[position : position + size]
    if len(raw) < size:
        raise DamagedError
    return int.from_bytes(raw, "big")


def object_header(raw: bytes) -> tuple[int, int]:
    """The kind of an object in a pack, and the length of its header."""
    length = 1
    while raw[length - 1] & 0x80:
        length += 1
    return (raw[0] >> 4) & 7, length


def base_distance(raw: bytes) -> tuple[int, int]:
    """The distance of a delta's base, and the number of bytes that state it."""
    value, length = raw[0] & 0x7F, 1
    while raw[length - 1] & 0x80:
        value = ((value + 1) << 7) | (raw[length] & 0x7F)
        length += 1
    return value, length


def patched(base: bytes, delta: bytes) -> bytes:
    """Apply a delta: pieces of the base, and new bytes."""
    _, position = _size(delta, 0)
    size, position = _size(delta, position)
    result = bytearray()
    while position < len(delta) and len(result) <= min(size, LARGEST_OBJECT):
        command = delta[position]
        position += 1
        if not command & 0x80:
            result += delta[position : position + command]
            position += command
            continue
        numbers = []
        for bits in (range(4), range(4, 7)):
            number = 0
            for shift, bit in enumerate(bits):
                if command & (1 << bit):
                    number |= delta[position] << (8 * shift)
                    position += 1
            numbers.append(number)
        start, length = numbers[0], numbers[1] or 0x10000
        result += base[start : start + length]
    if len(result) != size:
        raise DamagedError
    return bytes(result)


def _size(delta: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = delta[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position
