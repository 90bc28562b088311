"""The release: the same bytes from the same lab, all or nothing, and nobody's files lost."""

import json
from pathlib import Path

import pytest
from tiny_lab import MODULE, REFERENCE, STAGE, replace_in

from autograder.course.lab import Lab, LabError
from autograder.release import differences, release, write_nbgrader_source
from autograder.release.folders import FileContent, read_folder, replace_folder, restore_folder

MADE = {
    ".release.json",
    f"{STAGE}/{MODULE}.ipynb",
    f"{STAGE}/{MODULE}.py",
    f"{STAGE}/test_{MODULE}.py",
    "README.md",
    "data/pairs/README.md",
    "data/pairs/pairs.csv",
    "lab/course.json",
    "requirements.txt",
}
SOLUTION = "return torch.sum(x, dim=axis)"


@pytest.fixture
def released(tiny_lab) -> Lab:
    release(tiny_lab)
    return tiny_lab


def public_tests(lab: Lab) -> Path:
    return lab.stage(STAGE).folder / f"test_{MODULE}.py"


def files(lab: Lab) -> dict[str, bytes]:
    return {name: file.content for name, file in read_folder(lab.root / "assignments").items()}


def test_a_release_holds_what_students_need_and_nothing_else(tiny_lab):
    report = release(tiny_lab)
    assert set(files(tiny_lab)) == MADE
    assert set(report.written) == MADE
    assert (report.removed, report.strangers, report.files) == ((), (), len(MADE))


def test_nothing_of_a_solution_or_a_hidden_test_is_released(released):
    everything = b"\n".join(files(released).values()).decode()
    for secret in ("return 2 * x", "torch.sum", "SOLUTION", "adds_two", "test_double_multiplies_by_two", "Hint:"):
        assert secret not in everything


def test_the_manifest_lists_every_file_but_itself(released):
    listed = json.loads(files(released)[".release.json"])["files"]
    assert set(listed) == MADE - {".release.json"}


def test_a_second_release_changes_nothing(released):
    before = {path: path.stat().st_mtime_ns for path in (released.root / "assignments").rglob("*")}
    report = release(released)
    assert (report.written, report.removed) == ((), ())
    assert {path: path.stat().st_mtime_ns for path in (released.root / "assignments").rglob("*")} == before


def test_an_edit_of_the_reference_reaches_the_stub(released):
    replace_in(released.stage(STAGE).reference, "Half the input", "The half of the input")
    changed = [".release.json", f"{STAGE}/{MODULE}.py", "lab/course.json"]
    assert [line.split(" ")[0] for line in differences(released)] == changed
    report = release(released)
    assert sorted(report.written) == changed
    assert differences(released) == []


def test_differences_say_what_to_do(released):
    folder = released.root / "assignments"
    (folder / "README.md").write_text("edited by hand\n", encoding="utf-8")
    (folder / "requirements.txt").unlink()
    (folder / "notes.txt").write_text("mine\n", encoding="utf-8")
    assert differences(released) == [
        "README.md is not what a release makes; change it in solutions and run `autograder release`",
        "notes.txt is not made by a release; remove it, or add it to solutions/student_repository",
        "requirements.txt is missing; run `autograder release`",
    ]


def test_a_file_that_no_release_made_stays(released):
    mine = released.root / "assignments" / "notes" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine\n", encoding="utf-8")
    replace_in(released.stage(STAGE).reference, "Half the input", "The half of the input")
    report = release(released)
    assert (report.strangers, report.removed) == (("notes/mine.txt",), ())
    assert mine.read_text(encoding="utf-8") == "mine\n"


def test_a_file_that_is_no_longer_made_goes(released):
    (released.root / "solutions" / "student_repository" / "requirements.txt").unlink()
    assert release(released).removed == ("requirements.txt",)
    assert "requirements.txt" not in files(released)


def test_a_file_that_is_no_longer_made_but_was_edited_stays(released):
    (released.root / "solutions" / "student_repository" / "requirements.txt").unlink()
    (released.root / "assignments" / "requirements.txt").write_text("edited\n", encoding="utf-8")
    assert release(released).strangers == ("requirements.txt",)
    assert files(released)["requirements.txt"] == b"edited\n"


def test_a_repository_in_assignments_keeps_its_history(released):
    history = released.root / "assignments" / ".git" / "HEAD"
    history.parent.mkdir()
    history.write_text("ref: refs/heads/main\n", encoding="utf-8")
    replace_in(released.stage(STAGE).reference, "Half the input", "The half of the input")
    release(released)
    assert history.read_text(encoding="utf-8") == "ref: refs/heads/main\n"
    assert not list(released.root.glob(".assignments*"))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda lab: public_tests(lab).unlink(), "needs its public tests"),
        (lambda lab: lab.stage(STAGE).reference.unlink(), "is missing: every stage needs it"),
        (lambda lab: lab.stage(STAGE).sheet.unlink(), "needs its lab sheet"),
        (lambda lab: replace_in(lab.stage(STAGE).sheet, 'exercise="halve"', ""), "exercise `halve` has no cell"),
        (lambda lab: (lab.root / "data" / "pairs").rename(lab.root / "data" / "others"), "there is no folder"),
        (lambda lab: (lab.root / "data" / "pairs" / "more.csv").write_bytes(b"0" * (5 * 2**20 + 1)), "5242881 bytes"),
        (lambda lab: (lab.root / "data" / "pairs" / "link.csv").symlink_to("pairs.csv"), "is a link"),
        (lambda lab: (lab.root / "solutions" / "student_repository").rename(lab.root / "x"), "is missing: it holds"),
        (lambda lab: write(lab, f"solutions/student_repository/{STAGE}/{MODULE}.py"), "would be made twice"),
        (lambda lab: write(lab, f"solutions/{STAGE}/given/{MODULE}.py"), "would take the place of the stage's own"),
        (lambda lab: write(lab, f"solutions/{STAGE}/given/a.py", f"# {SOLUTION}\n"), "the solution of total"),
        (lambda lab: replace_in(lab.stage(STAGE).sheet, "Numbers,", SOLUTION), "a line of the solution of total"),
        (lambda lab: write(lab, "solutions/student_repository/README.md", SOLUTION), "README.md:1: students would"),
        (lambda lab: replace_in(public_tests(lab), "import tiny\n", f"# {SOLUTION}\n"), "the solution of total"),
    ],
)
def test_a_release_that_cannot_be_made_leaves_everything_as_it_was(released, break_it, says):
    before = files(released)
    break_it(released)
    with pytest.raises(LabError, match=says):
        release(released)
    assert files(released) == before
    with pytest.raises(LabError, match=says):
        differences(released)


def test_a_hint_that_is_the_solution_is_refused(tiny_lab):
    replace_in(tiny_lab.stage(STAGE).exercises_file, "Division keeps the shape.", "return x / 2")
    with pytest.raises(LabError, match=r"exercises\.yml, hints of halve:2: students would read a line of the solution"):
        release(tiny_lab)


def write(lab: Lab, name: str, text: str = "other\n") -> None:
    path = lab.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_caches_are_neither_released_nor_a_difference(released):
    write(released, "solutions/student_repository/__pycache__/x.pyc")
    write(released, f"assignments/{STAGE}/.ipynb_checkpoints/x.ipynb")
    assert differences(released) == []


def test_a_folder_without_manifest_has_no_generated_files(tiny_lab):
    write(tiny_lab, "assignments/README.md")
    write(tiny_lab, "assignments/.release.json")
    assert "README.md" in release(tiny_lab).written
    assert differences(tiny_lab) == []


def test_given_files_are_released_as_they_are(tiny_lab):
    tool = "#!/usr/bin/env python\nprint('given')\n"
    for name, text in {"tool.py": tool, "parts/more.txt": "more\n"}.items():
        path = tiny_lab.stage(STAGE).given / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tiny_lab.stage(STAGE).given / "tool.py").chmod(0o755)
    given = {f"{STAGE}/tool.py": tool.encode(), f"{STAGE}/parts/more.txt": b"more\n"}
    assert set(release(tiny_lab).written) == MADE | set(given)
    assert {name: files(tiny_lab)[name] for name in given} == given
    assert read_folder(tiny_lab.root / "assignments")[f"{STAGE}/tool.py"].executable
    assert differences(tiny_lab) == []
    (tiny_lab.stage(STAGE).given / "tool.py").unlink()
    assert release(tiny_lab).removed == (f"{STAGE}/tool.py",)


# nbgrader's source


def test_nbgrader_sees_stubs_alone(released):
    source = released.build / "nbgrader" / "source"
    names = (f"{MODULE}.py", f"{MODULE}.ipynb", f"test_{MODULE}.py")
    assert set(read_folder(source)) == {f"{STAGE}/{name}" for name in names}
    assert REFERENCE not in (source / STAGE / f"{MODULE}.py").read_text(encoding="utf-8")
    (source / STAGE / "solution.py").write_text("left by hand\n", encoding="utf-8")
    write_nbgrader_source(released)
    assert not (source / STAGE / "solution.py").exists()


# Folders as data


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "folder"
    replace_folder(folder, {"a/b.txt": FileContent(b"1"), "run": FileContent(b"2", executable=True)})
    assert read_folder(folder) == {"a/b.txt": FileContent(b"1"), "run": FileContent(b"2", executable=True)}
    replace_folder(folder, {"c.txt": FileContent(b"3")})
    assert read_folder(folder) == {"c.txt": FileContent(b"3")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_no_folder_holds_nothing(tmp_path):
    assert read_folder(tmp_path / "none") == {}


@pytest.mark.parametrize("step", ["rename", "write"])
def test_a_killed_replacement_leaves_the_old_folder_or_the_new(tmp_path, monkeypatch, step):
    """Stopped at each rename or write in turn; what `restore_folder` then finds is one of the two."""
    for stop in range(4):
        folder = tmp_path / f"{step}{stop}" / "folder"
        replace_folder(folder, {"old.txt": FileContent(b"old")})
        (folder / ".git").mkdir()
        (folder / ".git" / "HEAD").write_bytes(b"history")
        with monkeypatch.context() as patch:
            target = Path if step == "rename" else FileContent
            stop_at(patch, target, step, stop)
            try:
                replace_folder(folder, {"new.txt": FileContent(b"new"), "more.txt": FileContent(b"more")})
            except KeyboardInterrupt:
                pass
        restore_folder(folder)
        assert set(read_folder(folder)) in ({"old.txt"}, {"new.txt", "more.txt"})
        assert (folder / ".git" / "HEAD").read_bytes() == b"history"
        assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def stop_at(patch, target, name: str, stop: int) -> None:
    calls = iter(range(100))
    original = getattr(target, name)

    def stopping(*args):
        if next(calls) == stop:
            raise KeyboardInterrupt
        return original(*args)

    patch.setattr(target, name, stopping)
