"""The system calls that a locked worker may make, and the seccomp filter that enforces them.

The filter is an allow-list: every call that is not named here fails. That includes calls of other
calling conventions and calls that future kernels add. A call that only an attack makes
kills the worker, so that the attempt is visible. Numbers: the kernel's ``asm/unistd_64.h`` (x86_64) and
``asm-generic/unistd.h`` (aarch64).
"""

import errno
import platform
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Name → number on x86_64 and on aarch64, None where the call does not exist.
_Numbers = dict[str, tuple[int | None, int | None]]

# Memory, time, signals to the process itself, reading open files, and exiting.
_ALLOWED: _Numbers = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "pread64": (17, 67),
    "readv": (19, 65), "writev": (20, 66), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "pipe": (22, None), "pipe2": (293, 59), "close_range": (436, 436), "fadvise64": (221, 223),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "msync": (26, 227), "madvise": (28, 233), "membarrier": (324, 283),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "pause": (34, None), "alarm": (37, None), "getitimer": (36, 102), "setitimer": (38, 103),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "restart_syscall": (219, 128), "sched_yield": (24, 124),
    "time": (201, None), "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "times": (100, 153), "getrusage": (98, 165), "getrlimit": (97, 163), "sysinfo": (99, 179), "uname": (63, 160),
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getpgrp": (111, None),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158),
    "getcpu": (309, 168), "sched_getaffinity": (204, 123), "getrandom": (318, 278),
    "futex": (202, 98), "set_robust_list": (273, 99), "get_robust_list": (274, 100), "rseq": (334, 293),
    "set_tid_address": (218, 96), "arch_prctl": (158, None), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip

# Looking up and opening files; Landlock decides which. No call that changes files is listed.
_FILES: _Numbers = {
    "open": (2, None), "openat": (257, 56), "getdents64": (217, 61), "stat": (4, None), "lstat": (6, None),
    "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None), "faccessat": (269, 48),
    "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78), "getcwd": (79, 17),
    "statfs": (137, 43), "fstatfs": (138, 44),
}  # fmt: skip

# The calls to remove where no file may be opened. Look-ups stay: glibc's fstat is newfstatat with an empty path.
_OPENING = frozenset({"open", "openat"})

# Calls that no honest submission makes; the attempt kills the worker.
_KILLED: _Numbers = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "mount": (165, 40),
    "setns": (308, 268), "unshare": (272, 97), "io_uring_setup": (425, 425), "pidfd_getfd": (438, 438),
    "keyctl": (250, 219), "add_key": (248, 217), "kexec_load": (246, 104), "init_module": (175, 105),
    "finit_module": (313, 273),
}  # fmt: skip

# glibc creates threads with clone3 and falls back to clone; Python reports the failure of clone as an error.
_ABSENT: _Numbers = {"clone3": (435, 435)}

_TCGETS, _FIONCLEX, _FIOCLEX, _FIONBIO, _FIONREAD = 0x5401, 0x5450, 0x5451, 0x5421, 0x541B
_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC, _F_GETPIPE_SZ = 0, 1, 2, 3, 4, 1030, 1032
_PR_GET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_CAPBSET_READ, _PR_GET_NO_NEW_PRIVS = 3, 15, 16, 23, 39
_PR_SET_VMA = 0x53564D41


@dataclass(frozen=True)
class _Checked:
    """A call that is allowed if argument ``index`` is one of ``values``."""

    numbers: tuple[int, int]
    index: int
    values: tuple[int, ...]


def _checked_calls(pid: int) -> tuple[_Checked, ...]:
    return (
        _Checked((16, 29), 1, (_TCGETS, _FIONCLEX, _FIOCLEX, _FIONBIO, _FIONREAD)),  # ioctl
        # fcntl, without leases, signals to other processes, and larger pipes
        _Checked((72, 25), 1, (_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC, _F_GETPIPE_SZ)),
        _Checked(  # prctl
            (157, 167),
            0,
            (_PR_GET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_CAPBSET_READ, _PR_GET_NO_NEW_PRIVS, _PR_SET_VMA),
        ),
        _Checked((302, 261), 0, (0,)),  # prlimit64 of the process itself; hard equals soft, so it can only lower
        _Checked((234, 131), 0, (pid,)),  # tgkill of the process itself: abort()
    )


@dataclass(frozen=True)
class Architecture:
    """A calling convention: its column in the tables, and the kernel's audit number for it."""

    column: int
    audit: int


_ARCHITECTURES = {
    "x86_64": Architecture(0, 0xC000003E),
    "aarch64": Architecture(1, 0xC00000B7),
}


def architecture() -> Architecture | None:
    """The architecture of this machine, or None if the tables lack it."""
    return _ARCHITECTURES.get(platform.machine())


def call_number(name: str) -> int:
    """The number of a call that kills a worker, on this machine; -1 if the tables lack it."""
    target = architecture()
    number = _KILLED[name][target.column] if target else None
    return -1 if number is None else number


_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
# Offsets in the kernel's struct seccomp_data.
_NUMBER, _AUDIT_ARCHITECTURE, _ARGUMENTS = 0, 4, 16


def seccomp_filter(target: Architecture, pid: int, *, open_files: bool = True) -> bytes:
    """Build the filter as BPF instructions.

    Args:
        target: The machine's calling convention.
        pid: The process that the filter is for.
        open_files: Whether any file may be opened.
    """
    allowed = {**_ALLOWED, **_FILES}
    if not open_files:
        allowed = {name: numbers for name, numbers in allowed.items() if name not in _OPENING}
    program = [
        _instruction(_LOAD, _AUDIT_ARCHITECTURE),
        _instruction(_EQUAL, target.audit, then=1, otherwise=0),
        _instruction(_RETURN, _KILL),  # in another calling convention the numbers mean different calls
        _instruction(_LOAD, _NUMBER),
        *_verdicts(_in(target, allowed), _ALLOW),
        *_verdicts(_in(target, _KILLED), _KILL),
        *_verdicts(_in(target, _ABSENT), _FAIL | errno.ENOSYS),
    ]
    for call in _checked_calls(pid):
        program += _checked(call, target)
    program.append(_instruction(_RETURN, _FAIL | errno.EPERM))
    return b"".join(program)


def _in(target: Architecture, calls: _Numbers) -> Iterator[int]:
    return (number for numbers in calls.values() if (number := numbers[target.column]) is not None)


def _instruction(code: int, operand: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One ``struct sock_filter``; the jumps are numbers of instructions to skip."""
    return struct.pack("<HBBI", code, then, otherwise, operand)


def _verdicts(numbers: Iterable[int], verdict: int) -> Iterator[bytes]:
    for number in numbers:
        yield _instruction(_EQUAL, number, then=0, otherwise=1)
        yield _instruction(_RETURN, verdict)


def _checked(call: _Checked, target: Architecture) -> list[bytes]:
    """Skip the block unless the call matches; inside it, both halves of the argument must match."""
    low = _ARGUMENTS + 8 * call.index
    values = list(_verdicts(call.values, _ALLOW))
    block = [
        _instruction(_LOAD, low + 4),
        _instruction(_EQUAL, 0, then=0, otherwise=1 + len(values)),
        _instruction(_LOAD, low),
        *values,
        _instruction(_RETURN, _FAIL | errno.EPERM),
    ]
    return [_instruction(_EQUAL, call.numbers[target.column], then=0, otherwise=len(block)), *block]
