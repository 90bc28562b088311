"""The seccomp filter, run by an interpreter in this file: it allows only the calls in the tables."""

import errno
import re
import struct
from pathlib import Path

import pytest

from autograder.isolation import syscalls
from autograder.isolation.syscalls import seccomp_filter

PID = 4242
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X86, ARM = syscalls._ARCHITECTURES["x86_64"], syscalls._ARCHITECTURES["aarch64"]
HEADERS = {
    X86: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM: Path("/usr/include/asm-generic/unistd.h"),
}
ODD = (1 << 40,) * 6
BOTH = pytest.mark.parametrize("target", [X86, ARM], ids=["x86_64", "aarch64"])


def verdict(program: bytes, number: int, *arguments: int, audit: int = X86.audit) -> int:
    """Run a filter of loads, equality jumps and returns on one system call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator, position = 0, 0
    while True:
        code, then, otherwise, operand = instructions[position]
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == 0x15:
            position += then if accumulator == operand else otherwise
        elif code == 0x06:
            return operand
        else:
            raise AssertionError(f"unexpected instruction in the filter: {code:#x}")
        position += 1


def numbers_in(target: syscalls.Architecture) -> dict[str, int]:
    """Every system call in the kernel's header, by name."""
    if not HEADERS[target].exists():
        pytest.skip("the kernel's headers are not installed")
    definitions = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[target].read_text())
    return {name: int(number) for name, number in definitions}


@BOTH
def test_the_tables_agree_with_the_kernels_headers(target):
    header = numbers_in(target)
    generic = {"newfstatat": "fstatat"} if target is ARM else {}
    for table in (syscalls._ALLOWED, syscalls._FILES, syscalls._KILLED, syscalls._ABSENT):
        for name, numbers in table.items():
            assert header.get(generic.get(name, name)) == numbers[target.column], name


@BOTH
def test_only_named_calls_are_allowed(target):
    """The arguments fail every check of an argument."""
    header = numbers_in(target)
    program = seccomp_filter(target, PID)
    named = {numbers[target.column] for numbers in (syscalls._ALLOWED | syscalls._FILES).values()}
    verdicts = {number: verdict(program, number, *ODD, audit=target.audit) for number in header.values()}
    allowed = {number for number, result in verdicts.items() if result == ALLOW}
    assert allowed == named - {None}


@BOTH
def test_the_most_dangerous_calls_are_refused(target):
    header = numbers_in(target)
    program = seccomp_filter(target, PID)
    refused = (
        "socket connect bind sendto sendmsg socketpair clone fork vfork execve execveat kill tkill rt_sigqueueinfo "
        "pidfd_open pidfd_send_signal chmod fchmod fchmodat chown fchownat utimensat setxattr truncate ftruncate "
        "unlink unlinkat rename renameat2 mkdirat linkat symlinkat mknodat memfd_create shmget msgget semget mq_open "
        "setuid setpriority sched_setaffinity setrlimit chroot pivot_root swapon reboot seccomp "
        "landlock_restrict_self io_uring_enter name_to_handle_at open_by_handle_at fanotify_init inotify_init1 "
        "personality openat2 creat"
    ).split()
    for name in refused:
        if name in header:
            assert verdict(program, header[name], audit=target.audit) == EPERM, name
    for name in syscalls._KILLED:
        assert verdict(program, header[name], audit=target.audit) == KILL, name
    assert verdict(program, header["clone3"], audit=target.audit) == ENOSYS


@BOTH
def test_another_calling_convention_kills_the_worker(target):
    program = seccomp_filter(target, PID)
    assert verdict(program, 0, audit=0x40000003) == KILL
    assert verdict(program, 63, audit=target.audit) != KILL


def test_x32_numbers_are_refused():
    program = seccomp_filter(X86, PID)
    assert verdict(program, 0) == ALLOW
    assert verdict(program, 0x40000000) == EPERM


def test_unassigned_numbers_are_refused():
    program = seccomp_filter(X86, PID)
    assert {verdict(program, number) for number in range(470, 2000)} == {EPERM}


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (16, (0, 0x5401), ALLOW),  # ioctl TCGETS
        (16, (0, 0x5412), EPERM),  # ioctl TIOCSTI
        (16, (0, 0x5401 | 1 << 32), EPERM),
        (72, (0, 3), ALLOW),  # fcntl F_GETFL
        (72, (0, 8), EPERM),  # fcntl F_SETOWN
        (72, (0, 1031), EPERM),  # fcntl F_SETPIPE_SZ
        (157, (15,), ALLOW),  # prctl PR_SET_NAME
        (157, (4, 1), EPERM),  # prctl PR_SET_DUMPABLE
        (157, (1, 0), EPERM),  # prctl PR_SET_PDEATHSIG
        (302, (0, 7), ALLOW),  # prlimit64 of the process itself
        (302, (1, 7), EPERM),
        (234, (PID, 1, 6), ALLOW),  # tgkill of the process itself
        (234, (PID + 1, 1, 6), EPERM),
    ],
)
def test_some_calls_are_allowed_only_with_certain_arguments(number, arguments, expected):
    assert verdict(seccomp_filter(X86, PID), number, *arguments) == expected


@BOTH
def test_no_file_can_be_opened_without_landlock(target):
    header = numbers_in(target)
    with_files = seccomp_filter(target, PID)
    without = seccomp_filter(target, PID, open_files=False)
    assert verdict(with_files, header["openat"], audit=target.audit) == ALLOW
    for name in ("open", "openat", "openat2", "creat", "open_by_handle_at"):
        if name in header:
            assert verdict(without, header[name], audit=target.audit) == EPERM, name


@BOTH
def test_the_filter_is_within_the_kernels_size_limit(target):
    program = seccomp_filter(target, PID)
    assert len(program) // 8 < 4096
