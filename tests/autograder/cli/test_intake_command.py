"""``autograder intake``: the table of what `grade` would find, and students whom ``grading.yml`` names in vain."""

from tiny_lab import LOOP, MODULE, STAGE, replace_in


def test_the_table_says_what_was_found_and_why_not(course):
    folder = course.class_folder
    (folder / "bob" / STAGE / f"{MODULE}.py").write_bytes(LOOP.encode("utf-16"))
    (folder / "cem" / STAGE / f"{MODULE}.py").rename(folder / "cem" / f"{MODULE} (1).py")
    (folder / "dan").mkdir()
    (folder.parent / "roster.csv").write_text("login\nada\nbob\ncem\ndan\neve\n", encoding="utf-8")
    times = course.lab.root / "times.csv"
    times.write_text("student,time\nada,2026-03-03T12:00Z\n", encoding="utf-8")
    shown = course.run("intake", folder, "--roster", folder.parent / "roster.csv", "--times", times)
    assert shown.exit_code == 1, "bob's file is refused"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.output.splitlines() if "│" in line]
    assert rows == [
        ["ada", "found, 2 d late"],
        ["bob", "not text"],
        ["cem", "renamed, time unknown"],
        ["dan", "missing"],
        ["eve", "missing"],
    ]
    assert f"cem {STAGE}: found as {MODULE} (1).py" in shown.output
    assert f"bob {STAGE}: not text: {STAGE}/{MODULE}.py is saved as UTF-16" in shown.output
    assert "5 students: " in shown.output
    assert course.judged == 0


def test_entries_that_are_not_understood_are_listed_beside_the_table(course):
    (course.class_folder / "ada_tiny.py").write_text("x = 1\n", encoding="utf-8")
    shown = course.run("intake", course.class_folder)
    assert shown.exit_code == 1
    assert "ada_tiny.py is a file of the lab that names no known layout" in " ".join(shown.output.split())
    assert "3 students: 3 found" in shown.output


def test_students_whom_the_policy_names_in_vain_are_reported(course):
    replace_in(course.lab.root / "grading.yml", "policies:\n", f"policies:\n  extensions: {{ad: {{{STAGE}: 2}}}}\n")
    graded = course.grade()
    assert graded.exit_code == 0
    line = "grading.yml: policies.extensions.ad: no student has this id; did you mean `ada`?"
    assert line in " ".join(graded.output.split())
