"""Take more memory, files or time than the limits allow."""

import mmap
import os
import resource
import socket


def allocate_more_memory(target):
    bytearray(target["too_much_memory"])


def allocate_more_memory_with_torch(target):
    import torch

    torch.zeros(target["too_much_memory"], dtype=torch.uint8)


def map_more_memory(target):
    mmap.mmap(-1, target["too_much_memory"], flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)


def reserve_more_memory(target):
    mmap.mmap(-1, target["too_much_memory"], prot=mmap.PROT_READ)


def lift_the_memory_limit(target):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    bytearray(target["too_much_memory"])


def lift_the_cpu_limit(target):
    """Raise the hard limit of CPU seconds, which holds even if the judge is gone."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_CPU, (hard + 1, hard + 1))


def open_many_files(target):
    for _ in range(200):
        os.dup(0)


def open_many_pipes(target):
    for _ in range(100):
        os.pipe()


def open_many_sockets(target):
    kept = [socket.socketpair() for _ in range(100)]
    assert kept


def lock_memory(target):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    page = ctypes.create_string_buffer(1 << 16)
    if libc.mlock(page, 1 << 16) < 0:
        raise OSError(ctypes.get_errno(), "mlock")


def enlarge_a_pipe(target):
    import fcntl

    reading, _ = os.pipe()
    fcntl.fcntl(reading, 1031, 1 << 20)


def dump_core(target):
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise OSError("no core is dumped")
