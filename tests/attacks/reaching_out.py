"""Attacks on the machine: each function returns if the attack succeeds and raises if it is stopped.

The text of this file is sent to a locked worker. It imports only the standard library. ``target`` names the
files, processes and server to attack; see ``conftest.py``.
"""

import ctypes
import errno
import fcntl
import importlib
import mmap
import multiprocessing
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from pathlib import Path


def system_call(number, *arguments):
    """Call the kernel directly."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


# Files


def update_the_gradebook(target):
    book = sqlite3.connect(target["gradebook"])
    book.execute("UPDATE grade SET auto_score = 100")
    book.commit()


def overwrite_the_gradebook(target):
    Path(target["gradebook"]).write_bytes(b"")


def replace_the_gradebook(target):
    os.rename(target["secret"], target["gradebook"])


def remove_the_gradebook(target):
    os.unlink(target["gradebook"])


def append_to_a_result(target):
    with open(target["result"], "a") as file:
        file.write("{}")


def read_the_hidden_tests(target):
    Path(target["hidden_tests"]).read_text()


def read_the_reference(target):
    Path(target["reference"]).read_text()


def read_through_the_root_of_the_process(target):
    Path("/proc/self/root" + target["secret"]).read_text()


def reopen_a_bare_descriptor(target):
    bare = os.open(target["secret"], os.O_PATH)
    os.read(os.open(f"/proc/self/fd/{bare}", os.O_RDONLY), 1)


def read_by_way_of_a_link(target):
    link = target["folder"] + "/way"
    os.symlink(target["secret"], link)
    Path(link).read_text()


def make_a_hard_link(target):
    os.link(target["secret"], target["folder"] + "/twin")


def read_the_accounts(target):
    Path("/etc/passwd").read_text()


def list_the_home_folder(target):
    os.listdir(target["home"])


def walk_up_to_the_root(target):
    os.chdir("/")
    os.listdir(".")


def import_the_judge(target):
    importlib.import_module("autograder.judge.compare")


def import_from_the_lab(target):
    sys.path.insert(0, target["folder"])
    importlib.import_module("planted")


def plant_a_compiled_module(target):
    import torch

    Path(torch.__file__).with_name("planted.pyc").write_bytes(b"")


def write_into_a_library_in_memory(target):
    import torch

    descriptor = os.open(torch.__file__, os.O_RDWR)
    mmap.mmap(descriptor, 0)


def make_a_temporary_file(target):
    os.close(os.open("/tmp/left-behind", os.O_CREAT | os.O_WRONLY, 0o600))


def make_a_folder(target):
    os.mkdir(target["folder"] + "/mine")


def make_a_pipe_with_a_name(target):
    os.mkfifo(target["folder"] + "/pipe")


def change_the_owner(target):
    os.chown(target["secret"], 12345, 12345)


def change_the_times(target):
    os.utime(target["secret"], (0, 0))


def hide_an_attribute(target):
    os.setxattr(target["secret"], "user.note", b"hello")


def change_the_root(target):
    os.chroot(target["folder"])


# Processes


def fork(target):
    if os.fork() == 0:
        os._exit(0)


def fork_through_the_kernel(target):
    if os.uname().machine != "x86_64":
        raise OSError("the number is for another architecture")
    libc = ctypes.CDLL(None, use_errno=True)
    child = libc.syscall(57)
    if child == 0:
        os._exit(0)
    if child < 0:
        raise OSError(ctypes.get_errno(), "fork")


def run_a_shell(target):
    if os.system("true") != 0:
        raise OSError("no shell")


def run_a_subprocess(target):
    subprocess.run([sys.executable, "-c", ""], check=True)


def spawn_a_program(target):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def use_multiprocessing(target):
    process = multiprocessing.get_context("fork").Process(target=print)
    process.start()
    process.join()


def start_a_thread(target):
    threading.Thread(target=print).start()


def signal_all_processes(target):
    os.kill(-1, 0)


def end_the_template(target):
    os.kill(os.getppid(), signal.SIGKILL)


def stop_the_template(target):
    os.kill(os.getppid(), signal.SIGSTOP)


def end_the_judge(target):
    os.kill(target["judge"], signal.SIGKILL)


def signal_through_a_descriptor(target):
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, target["judge"])


def steal_a_descriptor(target):
    process = os.pidfd_open(os.getppid())
    system_call(438, process, 3, 0)


def lower_the_templates_limits(target):
    import resource

    resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))


def jump_the_queue(target):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def bind_to_other_processors(target):
    os.sched_setaffinity(0, {0})


def watch_performance_counters(target):
    system_call(298 if os.uname().machine == "x86_64" else 241, 0, 0, -1, -1, 0)


def load_a_kernel_program(target):
    system_call(321 if os.uname().machine == "x86_64" else 280, 0, 0, 0)


def mount_something(target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", target["folder"].encode(), b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")


def call_by_the_old_gate(target):
    """Make a 32-bit system call, whose numbers a filter for 64-bit numbers might misinterpret."""
    if os.uname().machine != "x86_64":
        raise OSError("the gate exists on another architecture")
    code = bytes.fromhex("b814000000cd80c3")  # mov eax, getpid; int 0x80; ret
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if ctypes.CFUNCTYPE(ctypes.c_int)(address)() <= 0:
        raise OSError("no answer")


# Network


def connect_to_a_server(target):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.connect(("127.0.0.1", target["port"]))


def listen(target):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def ask_a_name_server(target):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"secret", ("127.0.0.1", 53))


def use_an_abstract_socket(target):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0left-behind")


def use_netlink(target):
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def use_the_virtual_machines_socket(target):
    socket.socket(40, socket.SOCK_STREAM).close()


def pass_a_descriptor(target):
    sender, receiver = socket.socketpair()
    socket.send_fds(sender, [b"x"], [0])
    socket.recv_fds(receiver, 1, 1)


# Objects that outlive a process


def keep_a_message_queue(target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.msgget(0, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), "msgget")


def keep_semaphores(target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.semget(0, 1, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), "semget")


def share_a_tensor(target):
    import torch

    torch.zeros(10).share_memory_()


def name_shared_memory(target):
    from multiprocessing.shared_memory import SharedMemory

    SharedMemory("left-behind", create=True, size=1).unlink()


# Information


def find_a_secret(target):
    text = repr(dict(os.environ))
    if target["token"] not in text:
        raise LookupError("not in the environment")


def find_the_answers_in_memory(target):
    """Search all objects for words that only the lab's own files contain."""
    import gc

    for thing in gc.get_objects():
        if isinstance(thing, dict) and any(word in map(str, thing) for word in ("MISTAKES", "HIDDEN_TESTS")):
            return
    raise LookupError("no part of the lab is in memory")


def find_the_answers_in_frames(target):
    """Search the outer frames for a variable of a test."""
    frame = sys._getframe()
    while frame is not None:
        if any(name in frame.f_locals for name in ("expected", "reference", "points")):
            return
        frame = frame.f_back
    raise LookupError("no frame contains an answer")


def read_the_judges_memory(target):
    with open(f"/proc/{target['judge']}/mem", "rb") as memory:
        memory.read(1)


def list_processes(target):
    if not any(name.isdigit() and int(name) == target["judge"] for name in os.listdir("/proc")):
        raise PermissionError(errno.EACCES, "the judge is not visible")


def learn_the_clock_of_the_judge(target):
    """Read the CPU clock of another process."""
    clock = (~target["judge"] << 3) | 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.clock_gettime(ctypes.c_int(clock), ctypes.create_string_buffer(struct.calcsize("ll"))) < 0:
        raise OSError(ctypes.get_errno(), "clock_gettime")
