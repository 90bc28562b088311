"""Bytes that attack the programs that read them, and random changes of honest bytes."""

import gzip
import io
import json
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping

from hand_ins import tarred, zipped

MODULE = "2_attention/attention.py"


def tar_header(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", size: int | None = None) -> bytes:
    """A header with its data, as tarfile writes them; ``size`` is the stated size."""
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, len(data) if size is None else size
    return member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return tar_header("pax", kind, records)


def record(key: str, value: str) -> bytes:
    """A pax record, which begins with its own length."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


END = bytes(1024)


def archives() -> Mapping[str, bytes]:
    """Archives by name, each with the reason why it is hostile in the comment."""
    small = zipfile.ZipInfo("a.txt")
    nested = zipped({MODULE: "a = 1\n"})
    for _ in range(40):
        nested = zipped({"inner.zip": nested})
    return {
        "back.tar": pax(record("size", "-1536")) + tar_header(MODULE) + END,  # the next header lies before this one
        "backtracking.tar.gz": gzip.compress(pax(b"1" * 200_000 + b" ") + END),  # quadratic in tarfile's expressions
        "headers.tar": pax(record("a", "b")) * 1100 + END,  # one level of recursion each
        "long.tar": (tar_header("././@LongLink", tarfile.GNUTYPE_LONGNAME, b"x" * 200_000) * 3) + END,
        "sparse.tar": pax(record("GNU.sparse.map", "0,1," * 40_000) + record("GNU.sparse.size", "9" * 300)) + END,
        "members.tar.gz": gzip.compress(b"") * 300_000,  # minutes for 49 MB
        "zeros.tar.gz": gzip.compress(bytes(230 * 1024**2), 1),
        "directory.zip": b"PK\x01\x02" * 200_000,
        "overlap.zip": _overlapping(5000, small),
        "nested.zip": nested,
        "size.zip": _zip64(zipped({MODULE: "a = 1\n"})),
        "name.zip": zipped({"(1)" + " " * 60_000 + "attention.py": "a = 1\n"}),  # quadratic in searches for copies
    }


def _overlapping(count: int, member: zipfile.ZipInfo) -> bytes:
    """A zip whose members are all the same bytes."""
    raw = zipped({"a": bytes(1024 * 1024)})
    start = raw.index(b"PK\x01\x02")
    entry = raw[start : raw.index(b"PK\x05\x06")]
    entries = b"".join(entry[:-1] + bytes([65 + index % 26]) for index in range(count))
    return raw[:start] + entries + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(entries), start, 0)


def _zip64(raw: bytes) -> bytes:
    """A zip that states sizes and offsets of 2**63 in its zip64 fields."""
    start = raw.index(b"PK\x01\x02")
    entry = bytearray(raw[start : raw.index(b"PK\x05\x06")])
    name = entry[46:]
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    extra = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    struct.pack_into("<H", entry, 30, len(extra))
    entry = entry[:46] + name + extra
    return raw[:start] + entry + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(entry), start, 0)


def notebooks() -> Mapping[str, bytes]:
    """Notebooks by the reason why they are hostile."""
    cell = {"cell_type": "markdown", "id": "why", "source": "because"}
    honest = json.dumps({"cells": [cell]})
    return {
        "deep lists": b'{"cells": ' + b"[" * 3_000_000,
        "deep objects": b'{"a":' * 1_000_000,
        "deep metadata": json.dumps({"cells": [cell | {"metadata": 0}]}).replace("0}", "[" * 90_000 + "}").encode(),
        "a huge integer": honest.replace('"because"', "1" * 1_000_000).encode(),
        "many NaN": b'{"x": [' + b"NaN," * 500_000 + b"0], " + honest[1:].encode(),
        "many objects": b'{"x": [' + b"{}," * 500_000 + b"NaN], " + honest[1:].encode(),
        "twice": b'{"cells": [], ' + honest[1:].encode(),
        "marks": b"\xef\xbb\xbf" + honest.encode(),
        "UTF-32": honest.encode("utf-32"),
        "many cells": json.dumps({"cells": [cell] * 10_000}).encode(),
        "surrogates": honest.replace("because", "\\ud800" * 100_000).encode(),
    }


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Honest bytes with some random changes: other bytes, lost, doubled and inserted pieces."""
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        if not changed:
            break
        start = rng.randrange(len(changed))
        end = min(len(changed), start + rng.choice((1, 2, 4, 8, 64, 512)))
        match rng.randrange(5):
            case 0:
                changed[start] = rng.randrange(256)
            case 1:
                del changed[start:end]
            case 2:
                changed[start:start] = changed[start:end] * rng.choice((1, 2, 50))
            case 3:
                changed[start:end] = rng.choice((b"\xff" * 8, bytes(8), b"\x7f\xff\xff\xff", b"-1", b"9" * 12))
            case 4:
                changed[start:end] = rng.randbytes(end - start)
    return bytes(changed)


def random_tar(rng: random.Random) -> bytes:
    """A tar of random headers, whose extended headers state random values."""
    keys = ("size", "path", "mtime", "linkpath", "hdrcharset", "uid", "GNU.sparse.map", "GNU.sparse.size",
            "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.realsize", "GNU.sparse.numblocks")  # fmt: skip
    values = ("-1536", "0", "1", "9" * 20, "nan", "inf", "../x", "/x", "BINARY", "\u00e4", "1,2,3", "", "1e400", MODULE)
    parts = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.choice((b"0", b"0", b"5", b"1", b"2", b"x", b"g", b"X", b"L", b"K", b"S", b"V", b"\0"))
        records = b"".join(record(rng.choice(keys), rng.choice(values)) for _ in range(rng.randint(0, 3)))
        size = rng.choice((None, None, None, 0, 7, 2**30))
        parts.append(tar_header(rng.choice((MODULE, "a", "x/../y", "d/")), kind, records, size))
    return b"".join(parts) + END


def random_json(rng: random.Random, depth: int = 0) -> str:
    """Text like that of a notebook, which need not be JSON."""
    names = (
        "cells",
        "worksheets",
        "source",
        "metadata",
        "nbgrader",
        "grade_id",
        "id",
        "cell_type",
        "input",
        "nbformat",
    )
    match rng.randrange(9 if depth < 6 else 5):
        case 0:
            return rng.choice(("NaN", "-Infinity", "1e999", "9" * 400, "null", "true", "-0", "1.5"))
        case 1 | 2:
            return json.dumps(rng.choice(("why", "because", "\u202e", "", "\ud800", "<script>", "# x\n")))
        case 3:
            return '"\\ud800\\udfff\\u0000"'
        case 4:
            return rng.choice(("", "[", "}", '"', "\ufeff", "'a'", "//"))
        case 5 | 6:
            return f"[{', '.join(random_json(rng, depth + 1) for _ in range(rng.randint(0, 4)))}]"
    items = (f'"{rng.choice(names)}": {random_json(rng, depth + 1)}' for _ in range(rng.randint(0, 5)))
    return f"{{{', '.join(items)}}}"


def random_archive(rng: random.Random) -> tuple[str, bytes]:
    """A name and the bytes of an archive that is almost an honest one."""
    files = {MODULE: "a = 1\n" * rng.randint(0, 50), "README.md": "# lab\n", "data/x": rng.randbytes(200)}
    makers: dict[str, Callable[[], bytes]] = {
        "ada.zip": lambda: mutated(zipped(files), rng),
        "ada.tar.gz": lambda: mutated(tarred(files), rng),
        "ada.tgz": lambda: gzip.compress(random_tar(rng)),
        "ada.tar": lambda: mutated(gzip.decompress(tarred(files)), rng),
        "bob.tar": lambda: random_tar(rng),
        "bob.zip": lambda: mutated(_stored(files), rng),
    }
    name = rng.choice(sorted(makers))
    return name, makers[name]()


def _stored(files: Mapping[str, str | bytes]) -> bytes:
    """A zip as a program writes it that cannot seek: sizes follow the data."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, offset: int, whence: int = 0) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
