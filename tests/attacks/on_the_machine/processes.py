"""Start processes and threads, touch other processes, gain rights, or outlive the grading."""

import asyncio
import concurrent.futures
import ctypes
import fcntl
import mmap
import multiprocessing
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import threading

# Name → number on x86_64 and on aarch64.
NUMBERS = {
    "vfork": (58, -1), "fork": (57, -1), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "setns": (308, 268), "unshare": (272, 97),
    "io_uring_setup": (425, 425), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "keyctl": (250, 219),
    "add_key": (248, 217), "init_module": (175, 105), "kexec_load": (246, 104), "personality": (135, 92),
    "seccomp": (317, 277), "capset": (126, 91), "iopl": (172, -1), "ioprio_set": (251, 30), "setdomainname": (171, 162),
    "timer_create": (222, 107), "name_to_handle_at": (303, 264), "inotify_init1": (294, 26), "mlockall": (151, 230),
    "fanotify_init": (300, 262), "open_by_handle_at": (304, 265), "fsopen": (430, 430), "open_tree": (428, 428),
    "clone3": (435, 435), "execveat": (322, 281), "openat2": (437, 437), "process_madvise": (440, 440),
}  # fmt: skip


def system_call(name, *arguments):
    """Call the kernel directly."""
    number = NUMBERS[name][os.uname().machine != "x86_64"]
    libc = ctypes.CDLL(None, use_errno=True)
    words = [argument if isinstance(argument, bytes) else ctypes.c_long(argument) for argument in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def reaches_the_kernel(name, *arguments):
    """Call the kernel with arguments that it refuses; the attack succeeds if the kernel looked at them."""
    try:
        system_call(name, *arguments)
    except OSError as error:
        if error.errno in (1, 13, 38):  # not permitted, denied, not implemented
            raise


def fork(target):
    if os.fork() == 0:
        os._exit(0)


def fork_through_the_kernel(target):
    if system_call("fork") == 0:
        os._exit(0)


def fork_with_a_new_call(target):
    reaches_the_kernel("clone3", 0, 0)


def start_a_daemon(target):
    if os.fork() == 0:
        os.setsid()
        os._exit(0)


def fork_a_terminal(target):
    if pty.fork()[0] == 0:
        os._exit(0)


def run_a_shell(target):
    if os.system("true") != 0:
        raise OSError("no shell")


def run_a_subprocess(target):
    subprocess.run([sys.executable, "-c", ""], check=True)


def run_a_subprocess_with_asyncio(target):
    asyncio.run(asyncio.create_subprocess_exec("/bin/true"))


def spawn_a_program(target):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def become_another_program(target):
    try:
        os.execv("/nonexistent/program", ["program"])
    except FileNotFoundError:
        return


def execute_a_descriptor(target):
    reaches_the_kernel("execveat", -1, b"", 0, 0, 0)


def use_multiprocessing(target):
    process = multiprocessing.get_context("fork").Process(target=print)
    process.start()
    process.join()


def use_a_pool_of_processes(target):
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(int).result()


def use_the_loaders_workers(target):
    import torch

    list(torch.utils.data.DataLoader([1.0], num_workers=1))


def start_a_thread(target):
    threading.Thread(target=print).start()


def use_a_pool_of_threads(target):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()


def start_a_timer(target):
    reaches_the_kernel("timer_create", 0, 0, 0)


def signal_all_processes(target):
    os.kill(-1, 0)


def signal_the_group(target):
    os.killpg(os.getpgid(os.getppid()), 0)


def end_the_template(target):
    os.kill(os.getppid(), signal.SIGKILL)


def stop_the_template(target):
    os.kill(os.getppid(), signal.SIGSTOP)


def end_the_judge(target):
    os.kill(target["judge"], signal.SIGKILL)


def end_the_judge_by_its_thread(target):
    system_call("tkill", target["judge"], 0)


def queue_a_signal_for_the_judge(target):
    reaches_the_kernel("rt_sigqueueinfo", target["judge"], 0, 0)


def open_the_judge(target):
    os.close(os.pidfd_open(target["judge"]))


def signal_through_a_descriptor(target):
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, target["judge"])


def signal_through_a_process_descriptor(target):
    reaches_the_kernel("pidfd_send_signal", -1, 0, 0, 0)


def steal_a_descriptor(target):
    system_call("pidfd_getfd", os.pidfd_open(os.getppid()), 3, 0)


def trace_the_template(target):
    reaches_the_kernel("ptrace", 16, os.getppid(), 0, 0)


def read_the_memory_of_the_judge(target):
    reaches_the_kernel("process_vm_readv", target["judge"], 0, 0, 0, 0, 0)


def write_the_memory_of_the_judge(target):
    reaches_the_kernel("process_vm_writev", target["judge"], 0, 0, 0, 0, 0)


def compare_with_the_judge(target):
    reaches_the_kernel("kcmp", os.getpid(), target["judge"], 0, 0, 0)


def advise_the_judges_memory(target):
    reaches_the_kernel("process_madvise", -1, 0, 0, 0, 0)


def lower_the_templates_limits(target):
    resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))


def jump_the_queue(target):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def become_more_important(target):
    os.setpriority(os.PRIO_PROCESS, 0, -10)


def slow_the_judge_down(target):
    os.setpriority(os.PRIO_PROCESS, target["judge"], 19)


def take_the_disk(target):
    reaches_the_kernel("ioprio_set", 1, 0, 1 << 13)


def bind_to_other_processors(target):
    os.sched_setaffinity(0, {0})


def leave_the_session(target):
    os.setsid()


def outlive_the_template(target):
    """Undo that the worker ends with its template."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(1, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def adopt_orphans(target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(36, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def be_open_to_tracing(target):
    if ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) != 1:
        raise PermissionError("the process is not dumpable")


def open_oneself_to_tracing(target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(4, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def become_another_user(target):
    os.setuid(12345)


def join_other_groups(target):
    os.setgroups([0, 12345])


def take_capabilities(target):
    header = b"\x22\x05\x08\x20\x00\x00\x00\x00"
    only_chown = b"\x01\x00\x00\x00"
    system_call("capset", header, only_chown + only_chown + bytes(16))


def create_a_namespace(target):
    system_call("unshare", 0x10000000)


def join_a_namespace(target):
    reaches_the_kernel("setns", -1, 0)


def load_a_kernel_module(target):
    reaches_the_kernel("init_module", 0, 0, 0)


def load_a_kernel_program(target):
    reaches_the_kernel("bpf", 0, 0, 0)


def load_another_kernel(target):
    reaches_the_kernel("kexec_load", 0, 17, 0, 0)


def watch_performance_counters(target):
    reaches_the_kernel("perf_event_open", 0, 0, -1, -1, 0)


def handle_page_faults(target):
    reaches_the_kernel("userfaultfd", 0)


def use_io_uring(target):
    reaches_the_kernel("io_uring_setup", 0, 0)


def use_a_keyring(target):
    reaches_the_kernel("keyctl", 0, -3, 0)


def keep_a_key(target):
    reaches_the_kernel("add_key", 0, 0, 0, 0, 0)


def install_another_filter(target):
    reaches_the_kernel("seccomp", 1, 0, 0)


def switch_address_randomization_off(target):
    system_call("personality", 0x0040000)


def use_ports(target):
    system_call("iopl", 0)


def rename_the_machine(target):
    reaches_the_kernel("setdomainname", 0, -1)


def watch_files(target):
    system_call("inotify_init1", 0)


def watch_all_files(target):
    reaches_the_kernel("fanotify_init", -1, 0)


def open_by_a_handle(target):
    reaches_the_kernel("open_by_handle_at", -1, 0, 0)


def get_a_handle(target):
    reaches_the_kernel("name_to_handle_at", -1, 0, 0, 0, 0)


def open_with_a_new_call(target):
    reaches_the_kernel("openat2", -100, 0, 0, 0)


def open_a_file_system(target):
    reaches_the_kernel("fsopen", 0, 0)


def copy_a_mount(target):
    reaches_the_kernel("open_tree", -100, 0, 0)


def lock_all_memory(target):
    system_call("mlockall", 1)


def type_into_the_terminal(target):
    fcntl.ioctl(1, termios.TIOCSTI, b"x")


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
