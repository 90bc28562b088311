"""One class of 30 in the layouts of four platforms, joined by its roster: one and the same result."""

from pathlib import Path

import pytest
from hand_ins import STAGES, lay_out, zipped
from pipeline import ScriptedJudges
from tiny_lab import MODULE, STAGE, build_tiny_lab

from autograder.intake import IntakeError, Roster, read_roster, take_in
from autograder.pipeline.grade import Grader, stage_files

PEOPLE = [(f"user{number:02}", f"Ada{number:02} Doe-Roe", f"{1000 + number}") for number in range(30)]
FIRST = STAGES[0]


def source(login: str) -> str:
    return f"{'wrong' if login.endswith('7') else 'good'} = '{login}'\n"


def module(stage: str, name: str) -> dict[str, dict[str, str | bytes]]:
    """The class in each platform's download, all with the same files."""
    layouts: dict[str, dict[str, str | bytes]] = {"nbgrader": {}, "Canvas": {}, "Moodle": {}, "Classroom 50": {}}
    for number, (login, person, canvas_id) in enumerate(PEOPLE):
        first, last = person.split()
        packed = zipped({f"{stage}/{name}.py": source(login)})
        canvas = f"{(last + first).lower().replace('-', '')}_{'LATE_' * (number % 2)}{canvas_id}_{number}"
        layouts["nbgrader"][f"submitted/{login}/{stage}/{name}.py"] = source(login)
        layouts["Canvas"][f"{canvas}_handin.zip"] = packed
        layouts["Moodle"][f"{person}_{5000 + number}_assignsubmission_file_/handin.zip"] = packed
        layouts["Moodle"][f"{person}_{5000 + number}_assignsubmission_onlinetext_/onlinetext.html"] = "<p>done</p>"
        layouts["Classroom 50"][f"transformers-lab-{login}/{stage}/{name}.py"] = source(login)
    return layouts


def roster_file(folder: Path) -> Path:
    rows = [
        f"{login},{name},https://github.com/course/transformers-lab-{login}.git,{login}@x.org"
        for login, name, _ in PEOPLE
    ]
    path = folder / "roster.csv"
    path.write_text("\n".join(["login,name,repository,e-mail", *rows]), encoding="utf-8")
    return path


def test_four_platforms_give_one_result_and_equal_contents_are_judged_once(tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    roster = read_roster(roster_file(tmp_path))
    results, judged = [], []
    for layout, files in module(STAGE, MODULE).items():
        folder = lay_out(tmp_path / layout, files)
        judges = ScriptedJudges(lab)
        submissions = take_in([folder], stage_files(lab), roster=roster)
        graded = Grader(lab, judges).grade_all(submissions, workers=2)
        results.append({(item.report.student, item.report.stage): item.report.final for item in graded})
        judged.append(len(judges.jobs))
    assert judged == [30, 0, 0, 0]
    assert results == [results[0]] * 4
    assert results[0] == {(login, STAGE): 0 if login.endswith("7") else 8 for login, _, _ in PEOPLE}


def test_a_pattern_joins_folders_that_no_column_names(tmp_path):
    (tmp_path / "roster.csv").write_text("login\nann\nbob\n", encoding="utf-8")
    lay_out(tmp_path / "class", {f"lab-{name}/{FIRST.file}": "x = 1\n" for name in ("ann", "bob")})
    roster = read_roster(tmp_path / "roster.csv", "lab-{login}")
    assert {each.student for each in take_in([tmp_path / "class"], STAGES, roster=roster)} == {"ann", "bob"}
    with pytest.raises(IntakeError, match="lab-ann holds work of the lab, but is not in the roster"):
        take_in([tmp_path / "class"], STAGES, roster=read_roster(tmp_path / "roster.csv"))
    with pytest.raises(IntakeError, match=r"must contain \{login\} once"):
        read_roster(tmp_path / "roster.csv", "lab")


def test_a_name_that_two_students_share_needs_the_platforms_number(tmp_path):
    rows = "login,name,canvas_id\nada1,Ada Doe,11\nada2,Ada Doe,12\n"
    (tmp_path / "roster.csv").write_text(rows, encoding="utf-8")
    roster = read_roster(tmp_path / "roster.csv")
    assert roster.student("doeada_12", "doeada_12", is_download=True) == "ada2"
    assert roster.student("doeada_99", "doeada_99", is_download=True) is None
    assert roster.student("doeada_12", "doeada_12") is None, "a student may write any name outside a download"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("login\nann\nann\n", "lists ann twice"),
        ("login,repository\nann,lab\nbob,lab\n", "lab is both ann and bob"),
        ("login\n", "lists no student"),
    ],
)
def test_a_roster_that_contradicts_itself_is_an_error(tmp_path, rows, problem):
    (tmp_path / "roster.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(IntakeError, match=problem):
        read_roster(tmp_path / "roster.csv")


def test_ids_and_names_of_a_plain_list_are_students():
    roster = Roster.of(["ann", "Cy Roe"])
    assert "ann" in roster
    assert roster.student("Cy Roe", "any") == roster.students[1]
    assert "dan" not in roster
