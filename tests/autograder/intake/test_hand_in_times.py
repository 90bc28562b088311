"""The time of a hand-in: from a receipt, a commit, a time stamp, the instructor's table or an archive; else unknown."""

import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hand_ins import ATTENTION, KERNELS, STAGES, lay_out, tarred, zipped

from autograder.intake import IntakeError, KnownTimes, TimeSource, is_commit_note, read_times, take_in
from autograder.intake.git import commit_of
from autograder.intake.students import student_id

STAGE, FILE = "2_attention", "2_attention/attention.py"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STAMP = "2026-03-01 11:58:03.120000 UTC\n"
IDS = [KERNELS.stage, ATTENTION.stage]

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="makes clones with git")


def times(*paths: Path, known: KnownTimes | None = None) -> dict[str, tuple[datetime | None, TimeSource]]:
    found = take_in(paths, STAGES, known or KnownTimes())
    return {each.student: (each.handed_in, each.time_source) for each in found if each.stage == STAGE}


def receipt(source: str = "a = 1\n", packed: str = "2026-03-01T12:00:00+00:00", file: str = FILE) -> str:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return json.dumps({"format_version": 1, "packed": packed, "files": [{"file": file, "sha256": digest, "bytes": 6}]})


def test_the_time_of_a_copy_is_never_the_time_of_a_hand_in(tmp_path):
    lay_out(tmp_path, {f"ada/{FILE}": "a = 1\n", f"bob/{FILE}": "", f"bob/{STAGE}/timestamp.txt": "soon"})
    os.utime(tmp_path / "ada" / FILE, (NOON.timestamp(), NOON.timestamp()))
    assert times(tmp_path) == {"ada": (None, TimeSource.UNKNOWN), "bob": (None, TimeSource.UNKNOWN)}


def test_a_receipt_counts_in_folders_and_archives(tmp_path):
    files = {FILE: "a = 1\n", "receipt.json": receipt(), f"{STAGE}/timestamp.txt": STAMP}
    lay_out(tmp_path, {f"ada/{name}": content for name, content in files.items()})
    lay_out(tmp_path, {"bob.zip": zipped(files), "cy/cy.tar.gz": tarred({f"lab/{k}": v for k, v in files.items()})})
    expected = (NOON, TimeSource.RECEIPT)
    assert times(tmp_path, known=KnownTimes(zone=UTC)) == {"ada": expected, "bob": expected, "cy": expected}


EARLY, LATE = "2020-01-01T00:00:00+00:00", "2026-03-09T12:00:00+00:00"
WEEK_LATER = NOON + timedelta(days=8)


@needs_git
def test_no_further_source_of_a_student_makes_work_earlier(tmp_path):
    """Each of them has one time after noon, and writes every earlier time that a student can write."""
    early_zip = {FILE: "a = 1\n", "receipt.json": receipt(packed=EARLY)}
    lay_out(
        tmp_path,
        {
            **{f"{name}/{FILE}": "a = 1\n" for name in ("ada", "bob", "cy", "dan")},
            "ada/receipt.json": receipt(packed=LATE),
            f"ada/{STAGE}/timestamp.txt": "2020-01-01 00:00:00 UTC",
            "bob/receipt.json": receipt(packed=EARLY),
            f"bob/{STAGE}/timestamp.txt": "2026-03-09 12:00:00 UTC",
            "bob/.git/": "",
            "cy/receipt.json": receipt(packed=EARLY),
            f"dan/{STAGE}/timestamp.txt": "2020-01-01 00:00:00 UTC",
            "eve.tar.gz": tarred(early_zip),
        },
    )
    for name in ("cy", "dan"):
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "add", "-A")
        git(tmp_path / name, "commit", "-qm", "late", at=WEEK_LATER)
    os.utime(tmp_path / "ada" / FILE, (0, 0))
    assert times(tmp_path) == {
        "ada": (WEEK_LATER, TimeSource.RECEIPT),
        "bob": (WEEK_LATER, TimeSource.STAMP),
        "cy": (WEEK_LATER, TimeSource.COMMIT),
        "dan": (WEEK_LATER, TimeSource.COMMIT),
        "eve": (NOON, TimeSource.ARCHIVE),
    }
    table = KnownTimes({(name, ""): WEEK_LATER + timedelta(days=1) for name in ("ada", "bob", "cy", "dan", "eve")})
    later = (WEEK_LATER + timedelta(days=1), TimeSource.TABLE)
    assert times(tmp_path, known=table) == dict.fromkeys(("ada", "bob", "cy", "dan", "eve"), later)


@pytest.mark.parametrize(
    "text",
    [
        receipt("an older version"),
        receipt(file="1_kernels/kernels.py"),
        receipt(packed="2026-03-01T12:00:00"),
        receipt(packed="yesterday"),
        "[" * 100_000,
        "",
    ],
)
def test_a_receipt_of_another_file_or_without_a_zone_does_not_count(tmp_path, text):
    lay_out(tmp_path, {f"ada/{FILE}": "a = 1\n", "ada/receipt.json": text, f"ada/{STAGE}/timestamp.txt": STAMP})
    assert times(tmp_path)["ada"] == (NOON - timedelta(seconds=116.88), TimeSource.STAMP)


def test_a_time_stamp_in_an_archive_does_not_count(tmp_path):
    files = {FILE: "", f"{STAGE}/timestamp.txt": "2020-01-01 00:00:00 UTC"}
    lay_out(tmp_path, {"dan.tar.gz": tarred(files), "eve/eve.tar.gz": tarred(files)})
    assert times(tmp_path) == {
        "dan": (NOON, TimeSource.ARCHIVE),
        "eve": (NOON, TimeSource.ARCHIVE),
    }


def zip_at(moment: tuple[int, ...], extra: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo(FILE, moment)  # type: ignore[arg-type]
        member.extra = extra
        archive.writestr(member, "a = 1\n")
    return buffer.getvalue()


def test_a_time_in_a_zip_counts_if_its_zone_is_known(tmp_path):
    winter = (2026, 3, 1, 13, 0, 0)
    unix_ids, extended = struct.pack("<HHB", 0x7875, 1, 7), struct.pack("<HHBi", 0x5455, 5, 1, int(NOON.timestamp()))
    lay_out(
        tmp_path,
        {"ada.zip": zip_at(winter), "bob.zip": zip_at(winter, unix_ids + extended), "cy.zip": zip_at(winter, b"UT")},
    )
    bob = {"bob": (NOON, TimeSource.ARCHIVE)}
    assert times(tmp_path) == {"ada": (None, TimeSource.UNKNOWN), "cy": (None, TimeSource.UNKNOWN), **bob}
    berlin = times(tmp_path, known=KnownTimes(zone=ZoneInfo("Europe/Berlin")))
    assert berlin == dict.fromkeys(("ada", "bob", "cy"), (NOON, TimeSource.ARCHIVE))


def test_the_times_in_an_export_of_a_class_are_those_of_the_export(tmp_path):
    export = {f"{name}/{FILE}": "a = 1\n" for name in ("ada", "bob")} | {"cy.tar.gz": tarred({FILE: ""})}
    lay_out(tmp_path, {"class.tar.gz": tarred(export)})
    assert times(tmp_path / "class.tar.gz") == {
        "ada": (None, TimeSource.UNKNOWN),
        "bob": (None, TimeSource.UNKNOWN),
        "cy": (NOON, TimeSource.ARCHIVE),
    }


# ---- commits


def git(folder: Path, *arguments: str, at: datetime | None = None) -> None:
    moment = {} if at is None else dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), at.isoformat())
    names = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {**os.environ, **isolated, **moment}
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, env=environment, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose module changed in the 3rd of 12 daily commits, and on a merged branch before that."""
    folder = tmp_path_factory.mktemp("git") / "ada"
    lay_out(folder, {FILE: "a = 0\n", **{f"1_kernels/notes{n}.txt": f"{n}\n" * 300 for n in range(9)}})
    git(folder, "init", "-q")
    zone = timezone(timedelta(hours=5, minutes=30))
    for day in range(12):
        lay_out(folder, {f"{STAGE}/log.txt": "line\n" * (day + 1) * 40})
        if day == 2:
            lay_out(folder, {FILE: "a = 1\n"})
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"day {day}", at=(NOON + timedelta(days=day)).astimezone(zone))
    git(folder, "checkout", "-qb", "side", "HEAD~2")
    git(folder, "commit", "-qm", "aside", "--allow-empty", at=NOON + timedelta(days=20))
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "merged", "side", at=NOON + timedelta(days=30))
    return folder


CHANGED = (NOON + timedelta(days=2), TimeSource.COMMIT)


@needs_git
@pytest.mark.parametrize("kind", ["loose", "packed", "local clone", "bare deltas", "crlf", "stamp beside it"])
def test_the_last_commit_that_changed_the_module_counts(clone, tmp_path, kind):
    folder = tmp_path / "class" / "ada"
    shutil.copytree(clone, folder)
    if kind in ("packed", "bare deltas"):
        options = ["-c", "repack.useDeltaBaseOffset=false"] if kind == "bare deltas" else []
        git(folder, *options, "gc", "-q", "--aggressive", "--prune=now")
        assert not re.findall(r"\b[0-9a-f]{38}\b", str([*(folder / ".git/objects").rglob("*")]))
    if kind == "local clone":
        shutil.rmtree(folder)
        git(tmp_path, "clone", "-q", str(clone), str(folder))
    if kind == "crlf":
        (folder / FILE).write_bytes(b"a = 1\r\n")
    if kind == "stamp beside it":
        lay_out(folder, {f"{STAGE}/timestamp.txt": STAMP})
    assert times(folder)["ada"] == CHANGED


@needs_git
def test_a_clone_one_folder_deeper_has_its_commits(clone, tmp_path):
    shutil.copytree(clone, tmp_path / "class" / "ada" / "lab")
    lay_out(tmp_path, {f"class/bob/{FILE}": ""})
    assert times(tmp_path / "class")["ada"] == CHANGED


@needs_git
def test_the_time_is_unknown_if_the_file_is_not_committed_or_the_history_is_cut_off(clone, tmp_path):
    changed, shallow, damaged = (tmp_path / "class" / name for name in ("changed", "shallow", "damaged"))
    for folder in (changed, damaged):
        shutil.copytree(clone, folder)
    lay_out(changed, {FILE: "a = 3\n"})
    git(tmp_path, "clone", "-q", "--depth", "1", clone.as_uri(), str(shallow))
    for path in (damaged / ".git/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes()[:-9] + b"\xff" * 9)
    unknown = (None, TimeSource.UNKNOWN)
    assert times(tmp_path / "class") == dict.fromkeys(("changed", "shallow", "damaged"), unknown)


@needs_git
def test_a_note_says_which_module_is_in_no_commit(clone, tmp_path):
    for name in ("kept", "changed"):
        shutil.copytree(clone, tmp_path / "class" / name)
    lay_out(tmp_path / "class" / "changed", {FILE: "a = 3\n"})
    head = commit_of(clone)
    notes = {each.student: each.notes for each in take_in([tmp_path / "class"], STAGES) if each.stage == STAGE}
    assert notes == {
        "kept": (f"at commit {head}",),
        "changed": (f"{FILE} has changes that are not in commit {head}",),
    }
    assert {name: is_commit_note(note) for name, (note,) in notes.items()} == {"kept": True, "changed": False}


# ---- the instructor's table


def test_the_table_counts_before_every_other_source(tmp_path):
    zips = {"cy.zip": zip_at((2026, 3, 1, 13, 0, 0)), "dan.zip": zipped({FILE: "a = 1\n", "receipt.json": receipt()})}
    lay_out(tmp_path / "class", {f"ada/{FILE}": "", f"bob/{FILE}": "", f"Eva Ödön/{FILE}": "", **zips})
    lay_out(
        tmp_path,
        {
            "times.csv": "\ufeffStudent,stage,time\nada,2_attention,2026-03-02 12:00\nada,,2026-03-04T12:00Z\n"
            "cy,,2026-03-02T13:00:00+01:00\ndan,,2026-03-02T13:00+01:00\n\nEva Ödön,,2026-03-02 12:00\n"
            "none,,2026-03-02 12:00\n"
        },
    )
    known = read_times(tmp_path / "times.csv", IDS, UTC)
    listed = (NOON + timedelta(days=1), TimeSource.TABLE)
    assert times(tmp_path / "class", known=known) == {
        "ada": listed,
        "bob": (None, TimeSource.UNKNOWN),
        "cy": listed,
        "dan": listed,
        student_id("Eva Ödön"): listed,
    }


def test_a_table_may_have_semicolons_and_no_stages(tmp_path):
    lay_out(tmp_path, {"times.csv": "student;time\nada;2026-03-01T12:00Z\n"})
    assert read_times(tmp_path / "times.csv", IDS, None).table == {("ada", ""): NOON}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,when\nada,x\n", ":1: the columns are name,when; expected student,stage,time"),
        ("", ":1: the columns are missing; expected student,stage,time"),
        ("student,time\nada,noon\n", ":2: `noon` is not a time; write 2026-03-01T12:00:00+01:00"),
        ("student,time\nada,2026-03-01 12:00\n", ":2: `2026-03-01 12:00` has no time zone; write 2026-03-01T12:00:00+"),
        ("student,time\nada\n", ":2: 1 cells; expected 2: student,time"),
        ("student,time\n,2026-03-01T12:00Z\n", ":2: the student is missing"),
        ("student,stage,time\nada,2_atention,2026-03-01\n", ":2: no stage named `2_atention`; stages: 1_kernels, 2_a"),
        (
            "student,time\nada,2026-03-01T12:00Z\nada,2026-03-02T12:00Z\n",
            ":3: ada has two times for all stages; keep one",
        ),
        (b"\xff", "cannot be read as UTF-8"),
    ],
)  # fmt: skip
def test_a_faulty_table_is_refused_with_its_line(tmp_path, text, says):
    lay_out(tmp_path, {"times.csv": text})
    with pytest.raises(IntakeError, match=re.escape(says)):
        read_times(tmp_path / "times.csv", IDS, None)
