"""Read what the judge knows: hidden tests, references, secrets, other processes."""

import ctypes
import importlib
import importlib.util
import linecache
import mmap
import os
import runpy
import sqlite3
import sys
import tokenize
from pathlib import Path


def read_the_hidden_tests(target):
    Path(target["hidden_tests"]).read_text()


def read_the_reference(target):
    Path(target["reference"]).read_text()


def read_the_grader(target):
    Path(target["grader_source"]).read_text()


def list_the_folder(target):
    os.listdir(target["folder"])


def list_the_home_folder(target):
    os.listdir(target["home"])


def list_the_root(target):
    os.listdir("/")


def walk_up_to_the_root(target):
    os.chdir("/")
    os.listdir(".")


def read_the_accounts(target):
    Path("/etc/passwd").read_text()


def read_the_host_name(target):
    Path("/etc/hostname").read_text()


def read_through_the_root_of_the_process(target):
    Path("/proc/self/root" + target["secret"]).read_text()


def read_from_a_folder_that_is_open(target):
    library = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
    os.close(os.open("../" * 20 + target["secret"][1:], os.O_RDONLY, dir_fd=library))


def reopen_a_bare_descriptor(target):
    bare = os.open(target["secret"], os.O_PATH)
    os.read(os.open(f"/proc/self/fd/{bare}", os.O_RDONLY), 1)


def map_a_file_into_memory(target):
    mmap.mmap(os.open(target["secret"], os.O_RDONLY), 0, prot=mmap.PROT_READ)


def read_with_the_c_library(target):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p
    if not libc.fopen(target["secret"].encode(), b"r"):
        raise OSError(ctypes.get_errno(), "fopen")


def read_with_numpy(target):
    import numpy

    numpy.fromfile(target["secret"], dtype="uint8")


def read_with_a_memory_map_of_numpy(target):
    import numpy

    numpy.memmap(target["secret"], mode="r")


def read_with_torch(target):
    import torch

    torch.UntypedStorage.from_file(target["secret"], False, 1)


def read_as_a_library(target):
    try:
        ctypes.CDLL(target["secret"])
    except OSError as error:
        if "invalid ELF header" not in str(error) and "file too short" not in str(error):
            raise


def read_with_the_line_cache(target):
    if not linecache.getline(target["hidden_tests"], 1):
        raise OSError("no line")


def read_as_source(target):
    tokenize.open(target["hidden_tests"]).read()


def run_the_hidden_tests(target):
    runpy.run_path(target["hidden_tests"])


def load_the_reference(target):
    spec = importlib.util.spec_from_file_location("reference", target["reference"])
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def read_the_gradebook(target):
    sqlite3.connect(target["gradebook"]).execute("SELECT * FROM grade").fetchall()


def import_the_judge(target):
    importlib.import_module("autograder.judge.compare")


def import_from_the_lab(target):
    sys.path.insert(0, target["folder"])
    importlib.import_module("planted")


def see_that_a_file_exists(target):
    os.stat(target["secret"])


def see_who_may_read_a_file(target):
    if not os.access(target["secret"], os.F_OK):
        raise OSError("not visible")


def learn_how_full_the_disk_is(target):
    os.statvfs(target["folder"])


def read_the_environment_of_the_judge(target):
    Path(f"/proc/{target['judge']}/environ").read_bytes()


def read_the_command_line_of_the_judge(target):
    Path(f"/proc/{target['judge']}/cmdline").read_bytes()


def read_the_memory_map_of_the_template(target):
    Path(f"/proc/{os.getppid()}/maps").read_text()


def read_the_judges_memory(target):
    Path(f"/proc/{target['judge']}/mem").open("rb").close()


def list_processes(target):
    if str(target["judge"]) not in os.listdir("/proc"):
        raise PermissionError("the judge is not visible")


def list_the_judges_open_files(target):
    os.listdir(f"/proc/{target['judge']}/fd")


def learn_the_clock_of_the_judge(target):
    clock = (~target["judge"] << 3) | 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.clock_gettime(ctypes.c_int(clock), ctypes.create_string_buffer(16)) < 0:
        raise OSError(ctypes.get_errno(), "clock_gettime")


def find_an_open_file(target):
    for descriptor in range(4, 256):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        return
    raise LookupError("no further descriptor is open")


def find_a_secret_in_the_environment(target):
    if target["token"] not in repr(dict(os.environ)):
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


def find_a_module_of_the_judge(target):
    if not any(name.startswith(("autograder.judge", "autograder.course")) for name in sys.modules):
        raise LookupError("only the worker's modules are loaded")
