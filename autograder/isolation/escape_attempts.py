"""Ways out, each tried by one function: it returns when it got through and raises when it was stopped.

``selfcheck`` sends this file's text to a locked worker, which must be stopped, and runs it as a
program without any lock, which must get through: an attempt that fails even there proves nothing.
Nothing here does harm where it succeeds. Python's own library alone is imported.
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

# What an attempt needs to know: paths, a port, pids, numbers of system calls. See ``selfcheck``.
Setting = dict[str, Any]

_STOPPED = (errno.EPERM, errno.EACCES, errno.ENOSYS)
_CLONE_NEWUSER = 0x10000000
_SESSION_KEYRING = -3
_PR_GET_DUMPABLE = 3
_MAX_DESCRIPTORS = 256


def read_a_file(setting: Setting) -> None:
    """Read what is not the worker's."""
    Path(setting["secret"]).read_text()


def read_the_grader(setting: Setting) -> None:
    """Read the grader's own source."""
    Path(setting["grader_source"]).read_bytes()


def see_that_a_file_exists(setting: Setting) -> None:
    """Look at a file's size and age."""
    Path(setting["secret"]).stat()


def list_a_folder(setting: Setting) -> None:
    """Learn the names of files."""
    list(Path(setting["folder"]).iterdir())


def read_another_process(setting: Setting) -> None:
    """Read the environment of the grader's process."""
    Path(f"/proc/{setting['grader']}/environ").read_bytes()


def write_a_file(setting: Setting) -> None:
    """Leave something behind."""
    _create(f"{setting['folder']}/written-{os.getpid()}")


def write_to_shared_memory(setting: Setting) -> None:
    """Leave something where every process can find it."""
    _create(f"{setting['shared_files']}-{os.urandom(8).hex()}")


def remove_a_file(setting: Setting) -> None:
    """Make a file vanish: the copy made for this attempt."""
    Path(setting["spare"]).rename(setting["spare"] + "-moved").rename(setting["spare"])


def change_permissions(setting: Setting) -> None:
    """Open a file to others, or close it to its owner."""
    Path(setting["secret"]).chmod(0o600)


def truncate_a_file(setting: Setting) -> None:
    """Empty a file: the copy made for this attempt."""
    os.truncate(setting["spare"], 0)


def connect_over_tcp(setting: Setting) -> None:
    """Reach a server."""
    socket.create_connection(("127.0.0.1", setting["port"]), 5).close()


def send_over_udp(setting: Setting) -> None:
    """Send without a connection, as a name look-up does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("127.0.0.1", 9))


def make_a_local_socket(setting: Setting) -> None:
    """Talk to other processes of this machine."""
    for end in socket.socketpair():
        end.close()


def start_a_process(setting: Setting) -> None:
    """Go on after the worker has ended."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def run_a_program(setting: Setting) -> None:
    """Become another program; that there is none of this name shows that it was looked for."""
    try:
        os.execv("/nonexistent/program", ["program"])
    except FileNotFoundError:
        return


def signal_the_grader(setting: Setting) -> None:
    """Find a process that could be ended."""
    os.kill(setting["grader"], 0)


def signal_the_parent(setting: Setting) -> None:
    """Find the process that makes the workers."""
    os.kill(os.getppid(), 0)


def look_into_anothers_limits(setting: Setting) -> None:
    """The call that also sets them, and so starves another process."""
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)


def raise_own_limits(setting: Setting) -> None:
    """Get the memory that was denied."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def exceed_the_memory_limit(setting: Setting) -> None:
    """Take more memory than granted."""
    bytearray(setting["too_much_memory"])


def find_a_secret_in_the_environment(setting: Setting) -> None:
    """Look for variables that nobody meant for the worker."""
    if not os.environ.keys() - set(setting["harmless_variables"]):
        raise LookupError("nothing but what is meant to be there")


def find_an_open_file(setting: Setting) -> None:
    """Use a file or socket that was left open."""
    for descriptor in range(4, _MAX_DESCRIPTORS):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        return
    raise LookupError("none is open")


def keep_shared_memory(setting: Setting) -> None:
    """Leave memory behind that outlives the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = _must_reach_kernel(libc.shmget(0, 4096, 0o1600))
    libc.shmctl(segment, 0, None)


def make_a_hidden_file(setting: Setting) -> None:
    """Keep data outside the memory limit."""
    os.close(os.memfd_create("hidden"))


def trace_a_process(setting: Setting) -> None:
    """The first step of reading and writing another process's memory."""
    _system_call(setting, "ptrace", 0, 0, 0, 0)


def read_anothers_memory(setting: Setting) -> None:
    """Copy from a process's memory: nothing, from this one's."""
    _system_call(setting, "process_vm_readv", os.getpid(), 0, 0, 0, 0, 0)


def be_open_to_tracing(setting: Setting) -> None:
    """Let other processes of the same user into one's own memory."""
    if ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 1:
        raise PermissionError("not dumpable")


def use_io_uring(setting: Setting) -> None:
    """Open files and sockets without the system calls for that."""
    _system_call(setting, "io_uring_setup", 0, 0)


def make_a_namespace(setting: Setting) -> None:
    """Become root of a world of one's own, with all the kernel code that opens up."""
    _system_call(setting, "unshare", _CLONE_NEWUSER)


def use_a_keyring(setting: Setting) -> None:
    """Leave data in the kernel."""
    _system_call(setting, "keyctl", 0, _SESSION_KEYRING, 0)


ATTEMPTS: dict[str, Callable[[Setting], None]] = {
    attempt.__name__: attempt
    for attempt in (
        read_a_file, read_the_grader, see_that_a_file_exists, list_a_folder, read_another_process, write_a_file,
        write_to_shared_memory, remove_a_file, change_permissions, truncate_a_file, connect_over_tcp, send_over_udp,
        make_a_local_socket, start_a_process, run_a_program, signal_the_grader, signal_the_parent,
        look_into_anothers_limits, raise_own_limits, exceed_the_memory_limit, find_a_secret_in_the_environment,
        find_an_open_file, keep_shared_memory, make_a_hidden_file, trace_a_process, read_anothers_memory,
        be_open_to_tracing, use_io_uring, make_a_namespace, use_a_keyring,
    )
}  # fmt: skip


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def _system_call(setting: Setting, name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    _must_reach_kernel(libc.syscall(*map(ctypes.c_long, (setting["numbers"][name], *arguments))))


def _must_reach_kernel(result: int) -> int:
    """A complaint about arguments is no refusal: the call itself was open."""
    number = ctypes.get_errno()
    if result < 0 and number in _STOPPED:
        raise OSError(number, os.strerror(number))
    return result


def attempt(name: str, setting: Setting) -> str:
    """Try one; what stopped it, or nothing when it got through."""
    try:
        ATTEMPTS[name](setting)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def _attempt_apart(name: str, setting: Setting) -> str:
    """Try one in a child process: some attempts change the process that makes them."""
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
    given = json.loads(sys.argv[1])
    print(json.dumps({name: _attempt_apart(name, given) for name in ATTEMPTS}))
