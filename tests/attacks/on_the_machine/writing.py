"""Write, remove or change files, or leave objects that outlive the process."""

import ctypes
import mmap
import os
import py_compile
import sqlite3
import stat
from pathlib import Path


def libc_call(function, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), function)


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


def remove_the_folder(target):
    os.rmdir(target["folder"] + "/empty")


def empty_a_result(target):
    os.truncate(target["result"], 0)


def append_to_a_result(target):
    with open(target["result"], "a") as file:
        file.write("{}")


def open_a_result_for_writing(target):
    os.close(os.open(target["result"], os.O_RDWR))


def read_by_way_of_a_link(target):
    link = target["folder"] + "/way"
    os.symlink(target["secret"], link)
    Path(link).read_text()


def make_a_hard_link(target):
    os.link(target["secret"], target["folder"] + "/twin")


def plant_a_compiled_module(target):
    import torch

    Path(torch.__file__).with_name("planted.pyc").write_bytes(b"")


def write_into_a_library_in_memory(target):
    import torch

    descriptor = os.open(torch.__file__, os.O_RDWR)
    mmap.mmap(descriptor, 0)


def compile_into_the_cache(target):
    py_compile.compile(target["reference"], cfile=target["folder"] + "/reference.pyc", doraise=True)


def save_with_torch(target):
    import torch

    torch.save({}, target["folder"] + "/saved.pt")


def save_with_numpy(target):
    import numpy

    numpy.save(target["folder"] + "/saved.npy", numpy.zeros(1))


def map_a_new_file_with_torch(target):
    import torch

    torch.from_file(target["folder"] + "/mapped", shared=True, size=4)


def make_a_temporary_file(target):
    os.close(os.open("/tmp/left-behind", os.O_CREAT | os.O_WRONLY, 0o600))


def make_a_file_without_a_name(target):
    os.close(os.open(target["folder"], os.O_TMPFILE | os.O_RDWR))


def make_a_file_in_shared_memory(target):
    os.close(os.open("/dev/shm/left-behind", os.O_CREAT | os.O_WRONLY, 0o600))


def make_a_folder(target):
    os.mkdir(target["folder"] + "/mine")


def make_a_pipe_with_a_name(target):
    os.mkfifo(target["folder"] + "/pipe")


def make_a_device(target):
    os.mknod(target["folder"] + "/memory", stat.S_IFCHR | 0o600, os.makedev(1, 1))


def change_the_owner(target):
    os.chown(target["secret"], 12345, 12345)


def change_the_permissions(target):
    os.chmod(target["secret"], 0o777)


def change_the_times(target):
    os.utime(target["secret"], (0, 0))


def hide_an_attribute(target):
    os.setxattr(target["secret"], "user.note", b"hello")


def change_the_root(target):
    os.chroot(target["folder"])


def mount_something(target):
    libc_call("mount", b"none", target["folder"].encode(), b"tmpfs", 0, None)


def unmount_something(target):
    libc_call("umount2", b"/proc", 2)


def change_when_the_kernel_ends_it(target):
    Path("/proc/self/oom_score_adj").write_text("1000")


def keep_a_message_queue(target):
    libc_call("msgget", 0, 0o1600)


def keep_semaphores(target):
    libc_call("semget", 0, 1, 0o1600)


def keep_shared_memory(target):
    libc_call("shmget", 0, 4096, 0o1600)


def keep_a_named_semaphore(target):
    import multiprocessing

    multiprocessing.get_context("fork").Semaphore()


def keep_a_file_in_memory(target):
    os.close(os.memfd_create("hidden"))


def share_a_tensor(target):
    import torch

    torch.zeros(10).share_memory_()


def name_shared_memory(target):
    from _posixshmem import shm_open

    os.close(shm_open("/left-behind", os.O_CREAT | os.O_RDWR, mode=0o600))
