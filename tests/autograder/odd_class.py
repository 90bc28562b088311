"""A class of thirty students in which almost every hand-in is odd: a list of oddities, and folders made from it.

The lab has three stages, all like the tiny stage; no student has begun the last.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from released_files import ANSWER, answered_sheet, released_stub
from tiny_lab import FILES, LOOP, MODULE, STAGE, build_tiny_lab, solution

from autograder.course.lab import Lab

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND, SECOND_MODULE = "2_more", "more"
THIRD, THIRD_MODULE = "3_last", "last"
FIRST_FILE, SECOND_FILE = f"{STAGE}/{MODULE}.py", f"{SECOND}/{SECOND_MODULE}.py"
HALF = solution(double="return 2 * x", halve="return x / 2")
UPCASTS = LOOP.replace("return x + x", "return (x + x).double()")

Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Oddity:
    """One student's hand-in, and the result that it must have.

    Attributes:
        student: the name of the folder or archive.
        kind: a description, for messages.
        files: the files, by path in the hand-in; ``STUBS`` adds every other released file.
        result: stage → final points, or the state of a stage without a number.
        says: words that the reason or the first remark must contain.
        archive: the suffix of the archive that holds the files; "" for a folder.
        committed: the time of the commit that makes the folder a clone.
        link: whether the first module is a link to a right solution.
    """

    student: str
    kind: str
    files: Files
    result: dict[str, int | str]
    says: str = ""
    archive: str = ""
    committed: datetime | None = None
    link: bool = False
    days_late: int | None = field(default=0)


def odd_lab(folder: Path) -> Lab:
    """Write a lab with three stages and one extension."""
    build_tiny_lab(folder)
    grading = FILES["grading.yml"]
    stage = grading[grading.index(f"  {STAGE}:") :]
    for stage_id, module in ((SECOND, SECOND_MODULE), (THIRD, THIRD_MODULE)):
        grading += _renamed(stage, stage_id, module)
        for name, text in FILES.items():
            if STAGE in name:
                path = folder / _renamed(name, stage_id, module)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(_renamed(text, stage_id, module), encoding="utf-8")
    grading = grading.replace("stages:\n", "  extensions: {emeka: {1_tiny: 3}}\nstages:\n")
    (folder / "grading.yml").write_text(grading, encoding="utf-8")
    return Lab(folder)


def _renamed(text: str, stage_id: str, module: str) -> str:
    return text.replace(STAGE, stage_id).replace(MODULE, module)


def oddities(lab: Lab) -> list[Oddity]:
    """The whole class."""
    stubs = {
        f"{stage.id}/{stage.spec.module}.{suffix}": content
        for stage in lab.stages()
        for suffix, content in (("py", released_stub(lab, stage.id)), ("ipynb", answered_sheet(lab, None, stage.id)))
    }
    sheet = f"{STAGE}/{MODULE}.ipynb"
    right = {FIRST_FILE: LOOP, sheet: answered_sheet(lab, ANSWER)}
    none, waits = "not begun", "not graded"
    nothing = {STAGE: none, SECOND: none}
    undecided = {STAGE: waits, SECOND: waits}
    unread = {"days_late": 0, "result": undecided}
    return [
        Oddity("ada", "two stages, with a receipt in time", _with_receipt({**right, SECOND_FILE: LOOP}, DUE - DAY),
               {STAGE: 8, SECOND: 8}, archive=".zip"),
        Oddity("bela", "a clone of everything, one stage begun", {**stubs, **right}, {STAGE: 8, SECOND: none},
               committed=DUE - DAY),
        Oddity("chidi", "a clone whose last commit is three days late", {**stubs, **right}, {STAGE: 6, SECOND: none},
               committed=DUE + 3 * DAY, days_late=3),
        Oddity("dora", "a late receipt", _with_receipt(right, DUE + 3 * DAY), {STAGE: 6, SECOND: none},
               archive=".zip", days_late=3),
        Oddity("emeka", "late, with an extension", _with_receipt(right, DUE + 3 * DAY), {STAGE: 8, SECOND: none}),
        Oddity("farah", "a copied folder", right, {STAGE: 8, SECOND: none}, days_late=None),
        Oddity("gita", "a time stamp", {**right, f"{STAGE}/timestamp.txt": "2026-03-01 11:00:00 UTC"},
               {STAGE: 8, SECOND: none}),
        Oddity("hana", "late in the table of times", right, {STAGE: 7, SECOND: none}, days_late=2),
        Oddity("igor", "a zip without a zone", right, {STAGE: 8, SECOND: none}, archive=".zip", days_late=None),
        Oddity("jun", "a clone with nothing begun", stubs, nothing, committed=DUE + 9 * DAY),
        Oddity("kofi", "an empty folder", {}, nothing),
        Oddity("lena", "a stub with comments and other line ends",
               {FIRST_FILE: stubs[FIRST_FILE].replace("\n", "\r\n") + "# later\n"}, nothing),
        Oddity("mateo", "a stub with an answered sheet", {FIRST_FILE: stubs[FIRST_FILE], sheet: right[sheet]},
               {STAGE: 0, SECOND: none}, days_late=None),
        Oddity("nadia", "a named mistake", {FIRST_FILE: UPCASTS}, {STAGE: 7, SECOND: none}, days_late=None),
        Oddity("omar", "a syntax error", {FIRST_FILE: LOOP + "\ndef broken(:\n"}, {STAGE: 0, SECOND: none},
               says="SyntaxError", days_late=None),
        Oddity("priya", "UTF-16", {FIRST_FILE: LOOP.encode("utf-16")}, {STAGE: 0, SECOND: none},
               says="is saved as UTF-16", days_late=None),
        Oddity("quentin", "a wrong name", {f"{STAGE}/tiny_final.py": LOOP}, {STAGE: waits, SECOND: none},
               says="rename it to tiny.py"),
        Oddity("rosa", "two copies", {"v1/tiny.py": LOOP, "v2/tiny.py": HALF}, {STAGE: waits, SECOND: none},
               says="was handed in 2 times"),
        Oddity("samir", "an archive of another kind", {}, says="not a supported archive", archive=".7z", **unread),
        Oddity("tala", "a damaged archive", {}, says="is damaged or not a zip archive", archive=".zip?", **unread),
        Oddity("uma", "a link", {}, {STAGE: 0, SECOND: none}, says="is a link", link=True, days_late=None),
        Oddity("viktor", "more files than any hand-in", {f"data/{n}.txt": "" for n in range(5001)},
               says="contains more than 5000 files", **unread),
        Oddity("wanda", "a path out of the archive", {f"../{FIRST_FILE}": LOOP}, says="leads out of the archive",
               archive=".zip", **unread),
        Oddity("xenia", "some exercises", {FIRST_FILE: HALF, SECOND_FILE: HALF}, {STAGE: 4, SECOND: 4},
               days_late=None),
        Oddity("yusuf", "a module in another folder", {"src/tiny.py": LOOP}, {STAGE: 8, SECOND: none},
               days_late=None),
        Oddity("zoe", "a damaged sheet", {FIRST_FILE: LOOP, sheet: b'{"cells": [{"sour'}, {STAGE: 8, SECOND: none},
               days_late=None),
        Oddity("eve", "ends the process", {FIRST_FILE: "import os\nos._exit(0)\n"}, {STAGE: 0, SECOND: none},
               says="cannot be loaded", days_late=None),
        Oddity("loki", "loops forever", {FIRST_FILE: "while True: pass\n"}, {STAGE: 0, SECOND: none},
               says="cannot be loaded", days_late=None),
        Oddity("peggy", "a sheet alone", {sheet: right[sheet]}, {STAGE: 0, SECOND: none}, days_late=None),
        Oddity("trent", "the second stage alone", {SECOND_FILE: LOOP}, {STAGE: none, SECOND: 8}),
    ]  # fmt: skip


def write_odd_class(class_: list[Oddity], folder: Path) -> Path:
    """Write every hand-in below ``folder``, and return the table of times beside it."""
    folder.mkdir(parents=True)
    for oddity in class_:
        if oddity.archive:
            content = b"7z" if not oddity.files else _zipped(oddity.files)
            (folder / f"{oddity.student}{oddity.archive.rstrip('?')}").write_bytes(content)
            continue
        home = folder / oddity.student
        home.mkdir()
        for name, content in oddity.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if oddity.link:
            (home / STAGE).mkdir()
            (folder.parent / "right.py").write_text(LOOP)
            (home / FIRST_FILE).symlink_to(folder.parent / "right.py")
        if oddity.committed is not None:
            _commit(home, oddity.committed)
    times = folder.parent / "times.csv"
    times.write_text(f"student,time\nhana,{(DUE + 2 * DAY).isoformat()}\ntrent,2026-03-01 11:00Z\n")
    return times


def _with_receipt(files: Files, packed: datetime) -> Files:
    listed = [
        {"file": name, "sha256": hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()}
        for name, content in files.items()
    ]
    return {**files, "receipt.json": json.dumps({"packed": packed.isoformat(), "files": listed})}


def _zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _commit(folder: Path, moment: datetime) -> None:
    git = shutil.which("git")
    assert git is not None, "the class has clones: install git"
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    times = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), moment.isoformat())
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "work")):
        subprocess.run([git, *names, *arguments], cwd=folder, check=True, env={**os.environ, **times})
