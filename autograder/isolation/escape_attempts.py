"""Attempts to escape the isolation: each function returns if its attempt succeeds and raises if it is stopped.

``selfcheck`` sends this file's text to a locked worker, where every attempt must be stopped. As a control it runs
the file as a program without isolation: an attempt that fails there too proves nothing.
An attempt that succeeds does no harm. The file imports only the standard library.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import resource

# The targets of the attempts: paths, a port, pids, numbers of system calls. See ``selfcheck``.
Setting = dict[str, Any]

_STOPPED = (errno.EPERM, errno.EACCES, errno.ENOSYS)
_CLONE_NEWUSER = 0x10000000
_SESSION_KEYRING = -3
_PR_GET_DUMPABLE = 3
_MAX_DESCRIPTORS = 256


def read_a_file(setting: Setting) -> None:
    """Read a file that the worker may not read."""
    Path(setting["secret"]).read_text()


def read_the_grader(setting: Setting) -> None:
    """Read the grader's own source."""
    Path(setting["grader_source"]).read_bytes()


def see_that_a_file_exists(setting: Setting) -> None:
    """Read a file's size and age."""
    Path(setting["secret"]).stat()


def list_a_folder(setting: Setting) -> None:
    """List the names of the files in a folder."""
    list(Path(setting["folder"]).iterdir())


def read_another_process(setting: Setting) -> None:
    """Read the environment of the grader's process."""
    Path(f"/proc/{setting['grader']}/environ").read_bytes()


def write_a_file(setting: Setting) -> None:
    """Create a file on disk."""
    _create(f"{setting['folder']}/written-{os.getpid()}")


def write_to_shared_memory(setting: Setting) -> None:
    """Create a file in shared memory, where every process can find it."""
    _create(f"{setting['shared_files']}-{os.urandom(8).hex()}")


def remove_a_file(setting: Setting) -> None:
    """Rename a file away; its target is a copy made for this attempt."""
    Path(setting["spare"]).rename(setting["spare"] + "-moved").rename(setting["spare"])


def change_permissions(setting: Setting) -> None:
    """Change the permissions of a file."""
    Path(setting["secret"]).chmod(0o600)


def truncate_a_file(setting: Setting) -> None:
    """Empty a file; its target is a copy made for this attempt."""
    os.truncate(setting["spare"], 0)


def connect_over_tcp(setting: Setting) -> None:
    """Connect to a server."""
    socket.create_connection(("127.0.0.1", setting["port"]), 5).close()


def send_over_udp(setting: Setting) -> None:
    """Send a datagram, as a DNS lookup does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("127.0.0.1", 9))


def create_a_local_socket(setting: Setting) -> None:
    """Create a socket for other processes of this machine."""
    for end in socket.socketpair():
        end.close()


def start_a_process(setting: Setting) -> None:
    """Fork a process that could outlive the worker."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def run_a_program(setting: Setting) -> None:
    """Execute another program; the error that the file does not exist shows that the call was allowed."""
    try:
        os.execv("/nonexistent/program", ["program"])
    except FileNotFoundError:
        return


def signal_the_grader(setting: Setting) -> None:
    """Send a signal to the judge's process."""
    os.kill(setting["grader"], 0)


def signal_the_parent(setting: Setting) -> None:
    """Send a signal to the process that forks the workers."""
    os.kill(os.getppid(), 0)


def read_limits_of_another_process(setting: Setting) -> None:
    """Call prlimit on another process; the same call could lower its limits."""
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)


def raise_own_limits(setting: Setting) -> None:
    """Raise the worker's own memory limit."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def exceed_the_memory_limit(setting: Setting) -> None:
    """Allocate more memory than the limit."""
    bytearray(setting["too_much_memory"])


def find_a_secret_in_the_environment(setting: Setting) -> None:
    """Look for environment variables that were not set for the worker."""
    if not os.environ.keys() - set(setting["harmless_variables"]):
        raise LookupError("only the expected variables are set")


def find_an_open_file(setting: Setting) -> None:
    """Find a file or socket that was left open."""
    for descriptor in range(4, _MAX_DESCRIPTORS):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        return
    raise LookupError("no further descriptor is open")


def keep_shared_memory(setting: Setting) -> None:
    """Create shared memory that outlives the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = _must_reach_kernel(libc.shmget(0, 4096, 0o1600))
    libc.shmctl(segment, 0, None)


def create_a_hidden_file(setting: Setting) -> None:
    """Store data outside the memory limit."""
    os.close(os.memfd_create("hidden"))


def trace_a_process(setting: Setting) -> None:
    """Call ptrace, the first step of accessing another process's memory."""
    _system_call(setting, "ptrace", 0, 0, 0, 0)


def read_memory_of_another_process(setting: Setting) -> None:
    """Copy memory of a process: zero bytes of this process's own memory."""
    _system_call(setting, "process_vm_readv", os.getpid(), 0, 0, 0, 0, 0)


def allow_tracing(setting: Setting) -> None:
    """Check whether other processes of the same user may access this process's memory."""
    if ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 1:
        raise PermissionError("the process is not dumpable")


def use_io_uring(setting: Setting) -> None:
    """Open files and sockets without the usual system calls."""
    _system_call(setting, "io_uring_setup", 0, 0)


def create_a_namespace(setting: Setting) -> None:
    """Become root in a new user namespace, which exposes more of the kernel."""
    _system_call(setting, "unshare", _CLONE_NEWUSER)


def use_a_keyring(setting: Setting) -> None:
    """Store data in the kernel."""
    _system_call(setting, "keyctl", 0, _SESSION_KEYRING, 0)


ATTEMPTS: dict[str, Callable[[Setting], None]] = {
    attempt.__name__: attempt
    for attempt in (
        read_a_file, read_the_grader, see_that_a_file_exists, list_a_folder, read_another_process, write_a_file,
        write_to_shared_memory, remove_a_file, change_permissions, truncate_a_file, connect_over_tcp, send_over_udp,
        create_a_local_socket, start_a_process, run_a_program, signal_the_grader, signal_the_parent,
        read_limits_of_another_process, raise_own_limits, exceed_the_memory_limit, find_a_secret_in_the_environment,
        find_an_open_file, keep_shared_memory, create_a_hidden_file, trace_a_process, read_memory_of_another_process,
        allow_tracing, use_io_uring, create_a_namespace, use_a_keyring,
    )
}  # fmt: skip


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def _system_call(setting: Setting, name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    _must_reach_kernel(libc.syscall(*map(ctypes.c_long, (setting["numbers"][name], *arguments))))


def _must_reach_kernel(result: int) -> int:
    """Raise if the kernel refused the call; an error about its arguments shows that the call was allowed."""
    number = ctypes.get_errno()
    if result < 0 and number in _STOPPED:
        raise OSError(number, os.strerror(number))
    return result


def attempt(name: str, setting: Setting) -> str:
    """Run one attempt and return what stopped it, or an empty string if it succeeded."""
    try:
        ATTEMPTS[name](setting)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def _attempt_in_child(name: str, setting: Setting) -> str:
    """Run one attempt in a child process: some attempts change the process that runs them."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, attempt(name, setting).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123  # a descriptor has no path
        stopped_by = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return f"ended by {signal.Signals(-code).name}" if code < 0 else stopped_by


if __name__ == "__main__":
    parsed = json.loads(sys.argv[1])
    print(json.dumps({name: _attempt_in_child(name, parsed) for name in ATTEMPTS}))
