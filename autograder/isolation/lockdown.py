"""Irrevocably restricts a freshly forked worker: limits, privileges, files, system calls.

The functions work on Linux only; the module can be imported anywhere. Every step raises if the kernel refuses
it. ``selfcheck`` tests whether the steps together are effective; their return codes do not show that.
"""

import ctypes
import functools
import os
import signal
import struct
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from autograder.isolation.syscalls import architecture, seccomp_filter

if sys.platform != "win32":
    import fcntl
    import resource


class Layer(StrEnum):
    """One layer of protection between student code and the machine."""

    LIMITS = "limits"  # memory, open files, CPU seconds, file sizes
    PRIVILEGES = "privileges"  # no capabilities, not dumpable
    LANDLOCK = "landlock"  # files: a short list, read-only
    SECCOMP = "seccomp"  # system calls: an allow-list
    NO_FILES = "no files"  # seccomp refuses to open any file; used without Landlock
    NAMESPACES = "namespaces"  # bubblewrap around the template


class LockError(OSError):
    """The kernel refused a step."""


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(step: str, function: str, *arguments: Any) -> int:
    """Call a libc function with word-sized arguments, and raise if it fails."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = getattr(_libc(), function)(*words)
    if result < 0:
        number = ctypes.get_errno()
        raise LockError(number, f"{step}: {os.strerror(number)}")
    return result


# --- limits ---------------------------------------------------------------------------------------


def limit_resources(memory_mb: int, cpu_seconds: int) -> None:
    """Limit the resources of this process; ``memory_mb`` is added to the memory mapped now.

    The CPU limit is a backstop: the judge enforces the deadlines.
    """
    limits = {
        "CPU": cpu_seconds,
        "CORE": 0,
        "FSIZE": 0,
        "NOFILE": 64,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "SIGPENDING": 64,
        "NICE": 0,
        "RTPRIO": 0,
    }
    for name, value in limits.items():
        _limit(name, value)
    limit_memory(memory_mb)


def limit_memory(memory_mb: int) -> None:
    """Limit the memory of this process to this much beyond what is mapped now; Linux only."""
    if sys.platform == "linux":
        _limit("AS", _mapped_bytes() + (memory_mb << 20))


def limit_cpu_seconds(seconds: int) -> None:
    """Limit the processor time of this process; the kernel ends it at the limit."""
    _limit("CPU", seconds)


def _limit(name: str, value: int) -> None:
    if (number := getattr(resource, f"RLIMIT_{name}", None)) is not None:
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


# --- privileges -----------------------------------------------------------------------------------

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITY_VERSION = 0x20080522
_MOST_CAPABILITIES = 64


def drop_privileges() -> None:
    """Drop all capabilities, and deny other processes of the same user access to this process's memory."""
    if os.geteuid() == 0:
        for capability in range(_MOST_CAPABILITIES):
            _libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the kernel's last capability
    header, none = struct.pack("<Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _call("dropping capabilities", "capset", ctypes.c_char_p(header), ctypes.c_char_p(none))
    _call("hiding the process's memory", "prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Arrange for this process to end with its parent, the process with pid ``parent``.

    Linux only; on other systems a worker ends when its socket closes.
    """
    if sys.platform == "linux":
        _call("following the parent", "prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def forbid_new_privileges() -> None:
    """Prevent programs started later from gaining rights; Landlock and seccomp require this."""
    _call("no new privileges", "prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


# --- Landlock -------------------------------------------------------------------------------------

# These numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIRECTORY = 1 << 2, 1 << 3
# Rights over files by ABI version. The ruleset denies each right unless a rule grants it.
_FILE_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
_BIND_AND_CONNECT_TCP, _TCP_ABI = 3, 4
_ABSTRACT_SOCKETS_AND_SIGNALS, _SCOPE_ABI = 3, 6


def landlock_abi() -> int:
    """The Landlock ABI version of the running kernel; 0 if it has no Landlock."""
    if sys.platform != "linux":
        return 0
    try:
        return _call("querying Landlock", "syscall", _CREATE_RULESET, 0, 0, _VERSION_FLAG)
    except LockError:
        return 0


def landlock_ruleset(readable: Iterable[str]) -> int:
    """Create a ruleset that allows reading these files and folders, and no other access to any file.

    Returns:
        The file descriptor of the ruleset, above the descriptors that a worker uses itself.
    """
    abi = landlock_abi()
    rights = _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]
    network = _BIND_AND_CONNECT_TCP if abi >= _TCP_ABI else 0
    scope = _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= _SCOPE_ABI else 0
    size = 8 if abi < _TCP_ABI else 16 if abi < _SCOPE_ABI else 24
    attributes = struct.pack("<QQQ", rights, network, scope)[:size]
    created = _call("creating a ruleset", "syscall", _CREATE_RULESET, ctypes.c_char_p(attributes), size, 0)
    ruleset = fcntl.fcntl(created, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(created)
    for path in readable:
        _let_read(ruleset, path)
    return ruleset


def _let_read(ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # The kernel rejects a rule for a file that contains a right over folders.
        rights = _READ_FILE | _READ_DIRECTORY if Path(path).is_dir() else _READ_FILE
        rule = struct.pack("<Qi", rights, descriptor)
        _call(f"allowing {path}", "syscall", _ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(descriptor)


def restrict_files(ruleset: int) -> None:
    """Restrict this process to a ruleset."""
    _call("restricting files", "syscall", _RESTRICT_SELF, ruleset, 0)


# --- seccomp --------------------------------------------------------------------------------------

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _MODE_FILTER = 21, 22, 2


def seccomp_available() -> bool:
    """Whether the kernel has seccomp and ``syscalls`` has a table for this machine."""
    if sys.platform != "linux" or architecture() is None:
        return False
    return bool(_libc().prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)


def restrict_system_calls(*, open_files: bool) -> None:
    """Restrict this process to the allow-list. Must be the last step, because it forbids the other steps."""
    target = architecture()
    if target is None:
        raise LockError(0, "no table of system calls for this architecture")
    program = seccomp_filter(target, os.getpid(), open_files=open_files)
    buffer = ctypes.create_string_buffer(program, len(program))
    length = len(program) // 8
    # struct sock_fprog: a count, padding, a pointer.
    pointer = ctypes.c_char_p(struct.pack("<HxxxxxxQ", length, ctypes.addressof(buffer)))
    _call("restricting system calls", "prctl", _PR_SET_SECCOMP, _MODE_FILTER, pointer, 0, 0)
