"""Huge pages for a process that forks often.

A fork copies one entry per page of memory, and the kernel removes the entries when the fork ends. With
torch imported there are about 55 000 pages of 4 KiB, or a hundred of 2 MiB: most of the cost of a fork.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

# Linux 6.1 and newer; an older kernel refuses it, and forks stay as slow as they are.
_MADV_COLLAPSE = 25
_HUGE = 2 << 20


def use_huge_pages() -> None:
    """Move this process's current memory to huge pages. Takes time; has no other effect."""
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with contextlib.suppress(OSError):
        for start, end in list(_own_memory(Path("/proc/self/maps").read_text())):
            madvise(start, end - start, _MADV_COLLAPSE)  # fails for a region without any page, which is fine


def _own_memory(maps: str) -> Iterator[tuple[int, int]]:
    """The writable regions without a backing file, trimmed to whole huge pages."""
    for line in maps.splitlines():
        addresses, rights, _, _, _, *name = line.split()
        if rights.startswith("rw") and name in ([], ["[heap]"]):
            first, last = (int(address, 16) for address in addresses.split("-"))
            start, end = -(-first // _HUGE) * _HUGE, last // _HUGE * _HUGE
            if start < end:
                yield start, end
