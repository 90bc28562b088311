"""Forge the stream between worker and judge, whose socket is descriptor 3."""

from tiny_answers import answering

ATTACKS = {
    "noise on the wire": answering("""
import os


def answer(*args):
    os.write(3, os.urandom(4096))
    return 1
"""),
    "a header of four gigabytes": answering("""
import os


def answer(*args):
    os.write(3, b"\\xff\\xff\\xff\\xff" + b"A" * 1000)
    return 1
"""),
    "too many replies": answering("""
import os
import sys


def answer(*args):
    wire = sys.modules["autograder.isolation.wire"]
    for number in range(20):
        for piece in wire.encode(number, ["value", [1.0, 0, []]], wire.REPLIES):
            os.write(3, bytes(piece))
    return 1
"""),
    "a tensor of impossible size": answering("""
import os
import struct

import msgspec


def answer(*args):
    sizes = [2**62, 2**62]
    header = b"\\x83" + b"".join([
        msgspec.msgpack.encode("id"), msgspec.msgpack.encode(2),
        msgspec.msgpack.encode("body"), b"\\xc0",
        msgspec.msgpack.encode("tensors"), msgspec.msgpack.encode([["float64", False, False, sizes, []]]),
    ])
    os.write(3, struct.pack("<I", len(header)) + header)
    return 1
"""),
    "half a reply, then silence": answering("""
import os
import time


def answer(*args):
    os.write(3, b"\\x10\\x00\\x00\\x00\\x83")
    time.sleep(3600)
"""),
    "closes the connection and continues": answering("""
import os


def answer(*args):
    os.close(3)
    while True:
        pass
"""),
    "replies without requests": """
import os
import sys

wire = sys.modules["autograder.isolation.wire"]
number = 1
while True:
    for piece in wire.encode(number, ["value", {"double": 1, "total": 2, "halve": 3}], wire.REPLIES):
        os.write(3, bytes(piece))
    os.read(3, 1 << 20)
    number += 1
""",
}
