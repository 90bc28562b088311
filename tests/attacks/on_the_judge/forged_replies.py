"""Replies that no executor would send: a wrong number, word, shape of the message, or kind of value."""

from tiny_answers import answering

# ``send`` writes a header with any content to the worker's socket; ``number`` is that of the present request.
_PRELUDE = """
import os
import struct
import sys

import msgspec

Ext = msgspec.msgpack.Ext
pack = msgspec.msgpack.encode


def number():
    frame = sys._getframe()
    while frame.f_code.co_name != "serve":
        frame = frame.f_back
    return frame.f_locals["number"]


def send(body, tensors=(), payload=b"", id=None, **more):
    header = pack({"id": number() if id is None else id, "body": body, "tensors": list(tensors), **more})
    os.write(3, struct.pack("<I", len(header)) + header + payload)
"""


def _sending(call: str) -> str:
    return answering(f"{_PRELUDE}\n\ndef answer(x, *args):\n    {call}\n    return None\n")


def _float(shape: str, dtype: str = "float64", order: str = "[]", numpy: bool = False, leaf: bool = False) -> str:
    return f'["{dtype}", {numpy}, {leaf}, {shape}, {order}]'


_ONE = _float("[1]")
_AT = 'Ext(1, struct.pack("<I", {index}))'

ATTACKS = {
    "the number of an earlier request": _sending('send(["value", [True, 0, []]], id=1)'),
    "the number of a later request": _sending('send(["value", [True, 0, []]], id=number() + 1)'),
    "a negative number": _sending('send(["value", True], id=-1)'),
    "a number that is too large": _sending('send(["value", True], id=2**64 - 1)'),
    "a number that is text": _sending('send(["value", True], id="1")'),
    "the first message again": _sending('send("ready", id=0)'),
    "two replies at once": _sending('send(["value", [1.0, 0, []]]); send(["value", [2.0, 0, []]], id=number() + 1)'),
    "a verdict": _sending('send(["passed", True])'),
    "a value without its parts": _sending('send(["value", True])'),
    "too many parts": _sending('send(["value", [1.0, 0, [], "PASSED"]])'),
    "a graph that is text": _sending('send(["value", [1.0, "graph", []]])'),
    "flags for no tensors": _sending('send(["value", [1.0, 1, [True] * 1000]])'),
    "flags that are numbers": _sending(f'send(["value", [{_AT.format(index=0)}, 1, [7]]], [{_ONE}], bytes(8))'),
    "a graph that does not exist": _sending(
        f'send(["value", [{_AT.format(index=0)}, 10**6, [True]]], [{_ONE}], bytes(8))'
    ),
    "an error without its parts": _sending('send(["error"])'),
    "an error with the name of a skip": _sending('send(["error", "Skipped", "passed", []])'),
    "an error with a numeric name": _sending('send(["error", 7, [], {}])'),
    "an error with false frames": _sending('send(["error", "ValueError", "", [["test_tiny.py", -1, "double"]]])'),
    "an error with frames that are numbers": _sending('send(["error", "ValueError", "", [1, 2, 3]])'),
    "an error with a frame at an infinite line": _sending(
        'send(["error", "ValueError", "", [["tiny.py", 1e308, ""]]])'
    ),
    "a frame beyond the end of the file": _sending('send(["error", "ValueError", "", [["tiny.py", 10**9, "double"]]])'),
    "a refusal to send": _sending('send(["unsendable", 7])'),
    "a body that is a number": _sending("send(7)"),
    "a body that is empty": _sending("send([])"),
    "a body that is a map": _sending('send({"value": True})'),
    "an unknown field": _sending('send(["value", True], outcome="PASSED")'),
    "no tensors at all": _sending('send(["value", [Ext(1, bytes(4)), 0, []]])'),
    "a tensor used twice": _sending(f'send(["value", [[{_AT.format(index=0)}] * 2, 0, []]], [{_ONE}], bytes(8))'),
    "a tensor with a negative axis": _sending(f'send(["value", 0], [{_float("[-1]")}])'),
    "a tensor of an unknown dtype": _sending(f'send(["value", 0], [{_float("[1]", "object")}], bytes(8))'),
    "a tensor with an impossible order": _sending(
        f'send(["value", 0], [{_float("[1, 1]", order="[0, 0]")}], bytes(8))'
    ),
    "a tensor that requires grad": _sending(f'send(["value", 0], [{_float("[1]", leaf=True)}], bytes(8))'),
    "an array of bfloat16": _sending(f'send(["value", 0], [{_float("[1]", "bfloat16", numpy=True)}], bytes(2))'),
    "fewer bytes than the tensor has": _sending(f'send(["value", 0], [{_float("[1000]")}], bytes(8))'),
    "a million tensors": _sending(f'send(["value", 0], [{_float("[0]")}] * 30_000)'),
    "a reference of the judge": _sending('send(["value", [Ext(16, pack(["double", 0])), 0, []]])'),
    "a slice": _sending('send(["value", [Ext(17, pack([0, 1, 2])), 0, []]])'),
    "a generator of numbers": _sending('send(["value", [Ext(18, bytes(4)), 0, []]])'),
    "an unknown kind of value": _sending('send(["value", [Ext(99, b"PASSED"), 0, []]])'),
    "a handle that does not exist": _sending('send(["value", [Ext(5, pack([10**9, "Tensor"])), 0, []]])'),
    "a handle with a negative number": _sending('send(["value", [Ext(5, pack([-1, "Tensor"])), 0, []]])'),
    "a handle with a long name": _sending('send(["value", [Ext(5, pack([1, "T" * 500_000])), 0, []]])'),
    "a device that does not exist": _sending('send(["value", [Ext(7, b"cuda:99"), 0, []]])'),
    "a dtype that does not exist": _sending('send(["value", [Ext(6, b"float65"), 0, []]])'),
    "an integer of a million digits on the wire": _sending('send(["value", [Ext(3, b"f" * 900_000), 0, []]])'),
    "tuples within tuples": _sending(
        'v = Ext(2, pack([])); [v := Ext(2, pack([v])) for _ in range(200)]; send(["value", [v, 0, []]])'
    ),
    "a mapping with equal keys": _sending('send(["value", [Ext(8, pack([[1, 2], [1, 3]])), 0, []]])'),
    "a header that is not a map": _sending('os.write(3, struct.pack("<I", 1) + b"\\\\x90")'),
    "an empty header": _sending('os.write(3, struct.pack("<I", 0))'),
    "a header of half its length": _sending('os.write(3, struct.pack("<I", 1000) + b"\\\\x83" * 500); os._exit(0)'),
    "the output in place of the socket": _sending("os.dup2(1, 3)"),
    "the socket closed and a file in its place": _sending('os.close(3); os.open("/dev/null", os.O_RDONLY)'),
    "requests read before the executor": _sending("os.read(3, 1 << 16)"),
}
