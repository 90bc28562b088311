"""Bytes that attack their readers: a refusal in words, within the limits, and the class goes on."""

import contextlib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.pack import REF_DELTA, write_pack_index_v2
from hand_ins import lay_out, taken
from hostile import archives, notebooks
from processes import deadline

from autograder.intake import read_answers
from autograder.intake.archive_members import ArchiveLimits
from autograder.intake.archives import HAND_IN, read_archive
from autograder.intake.git import commit_time
from autograder.intake.limited import _Reader, limited_to
from autograder.intake.refusals import RefusedError
from autograder.intake.sources import check_source
from autograder.judge.evidence import hiding_words
from autograder.pipeline.untouched import statements_of

SHORT = ArchiveLimits(packed=HAND_IN.packed, unpacked=HAND_IN.unpacked, entries=5000, seconds=1, strict=True)
ARCHIVES, NOTEBOOKS = archives(), notebooks()


TASKS = """
import os

def burn(seconds: int) -> int:
    while seconds:
        pass
    return seconds

def fill(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))

def nest(depth: int) -> int:
    return nest(depth + 1)

def end(status: int) -> int:
    os._exit(status)
"""


def test_a_call_that_exhausts_the_process_fails_and_the_next_call_is_answered(tmp_path, monkeypatch):
    lay_out(tmp_path, {"tasks_that_exhaust.py": TASKS})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    tasks, reader = importlib.import_module("tasks_that_exhaust"), _Reader()
    exhausts = "cannot be read: it exhausts the memory"
    failures = {"burn": "takes more than 1 seconds to read", "fill": exhausts, "nest": exhausts, "end": exhausts}
    with deadline(60):
        for name, failure in failures.items():
            assert reader.call(1, getattr(tasks, name), (3000,)).failure == failure
            assert reader.call(1, tasks.fill, (1,)).result


def test_nothing_is_imported_from_the_current_folder(tmp_path):
    """The current folder may be a student's: `autograder grade .`."""
    lay_out(tmp_path, {f"{name}.py": "raise SystemExit('imported')\n" for name in ("msgspec", "zipfile", "autograder")})
    program = (
        "from autograder.intake.sources import check_source\nimport os, sys\n"
        "os.chdir(sys.argv[1])\nprint(check_source(b'a = 1', 'x.py')[0])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("a = 1\n", "")


# The rest may be read: no member has a content that is larger than its limit.
REFUSED = set(ARCHIVES) - {"nested.zip", "name.zip"}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_or_read_within_the_limits(name):
    with deadline(60), pytest.raises(RefusedError, match=f"^{name} ") if name in REFUSED else contextlib.nullcontext():
        for entry in read_archive(name, ARCHIVES[name], SHORT).values():
            with contextlib.suppress(RefusedError):
                assert len(entry.read(100)) <= 100


def test_a_class_with_a_hostile_archive_goes_on(tmp_path):
    hostile = {"mal/one.tar": ARCHIVES["back.tar"], "eve.tar": ARCHIVES["headers.tar"]}
    lay_out(tmp_path, {"ada/attention.py": "a = 1\n", **hostile})
    with deadline(60):
        found = taken(tmp_path)
    assert found["ada", "2_attention"].source == "a = 1\n"
    assert [found[name, "2_attention"].why_refused.reason for name in ("eve", "mal")] == ["archive", "archive"]


@pytest.mark.parametrize("why", NOTEBOOKS)
def test_a_hostile_notebook_has_answers_or_a_reason(why):
    with deadline(120):
        answers = read_answers(NOTEBOOKS[why], "x.ipynb")
    assert answers.sheets or answers.unread[0].startswith("x.ipynb")


SOURCES = {
    "imports": "torch import " * 300,
    "calls": "getattr ( " * 400,
    "brackets": "(" * 4000,
    "strings": "'''" + "x\n" * 30_000,
    "indents": "\n".join(" " * depth + "if x:" for depth in range(99)),
    "f-strings": 'f"{' * 1000,
    "numbers": "9" * 4900,
}


@pytest.mark.parametrize("why", SOURCES)
def test_a_source_of_any_text_is_searched_in_time_that_grows_with_its_size(why):
    """`torch import` 25,000 times took minutes, at every run."""
    line = SOURCES[why]
    text = "(" * (why == "imports") + (line + "\n") * max(1, 60_000 // (len(line) + 1))
    assert check_source(text.encode(), "x.py")[0] == text
    assert limited_to(3, "x.py", hiding_words, text) is not None
    with contextlib.suppress(RefusedError):  # a syntax error
        assert limited_to(3, "x.py", statements_of, text)


def test_a_loop_of_deltas_in_a_clone_ends(tmp_path):
    blob = Blob.from_string(b"a = 1\n")
    tree = Tree()
    tree.add(b"attention.py", 0o100644, blob.id)
    commit = Commit()
    commit.tree, commit.author, commit.committer, commit.message = tree.id, b"A <a@b>", b"A <a@b>", b"x"
    commit.author_time = commit.commit_time = commit.author_timezone = commit.commit_timezone = 0
    git = tmp_path / ".git"
    lay_out(git, {"HEAD": commit.id, "objects/pack/": ""})
    names = [bytes.fromhex(name.decode()) for name in (commit.id, b"ab" * 20)]
    pack, entries = bytearray(b"PACK" + (2).to_bytes(4, "big") + (2).to_bytes(4, "big")), []
    for own, base in (names, reversed(names)):
        entries.append((own, len(pack), 0))
        pack += bytes([(REF_DELTA << 4) | 4]) + base + b"x\x9cc`\x80\x01\x00\x00\x04\x00\x01"
    lay_out(git / "objects/pack", {"pack-1.pack": bytes(pack) + bytes(20)})
    with (git / "objects/pack/pack-1.idx").open("wb") as file:
        write_pack_index_v2(file, sorted(entries), bytes(20))
    with deadline(60):
        assert commit_time(tmp_path, "attention.py", b"a = 1\n") is None


@pytest.mark.parametrize("name", ["objects", "objects/info/alternates", "commondir", "refs/x"])
def test_a_clone_that_leads_out_of_itself_is_not_read(tmp_path, name):
    """A link or an alternate store of objects would read other files of the machine."""
    lay_out(tmp_path / "ada", {".git/HEAD": "a" * 40, ".git/objects/info/": "", ".git/refs/": ""})
    path = tmp_path / "ada/.git" / name
    if name in ("objects", "refs/x"):
        if path.exists():
            path.rename(tmp_path / "elsewhere")
        path.symlink_to("/dev/zero")
    else:
        path.write_text("/", encoding="utf-8")
    with deadline(60):
        assert commit_time(tmp_path / "ada", "attention.py", b"") is None
