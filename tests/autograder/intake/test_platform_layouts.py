"""Exports of learning platforms and classes with odd entries: no student is invented, and none is left out."""

import pytest
from hand_ins import ATTENTION, KERNELS, STAGES, lay_out, refusal, sources, taken, zipped

from autograder.intake import IntakeError, Roster, read_roster, take_in
from autograder.intake.students import student_id

FIRST, SECOND = KERNELS.stage, ATTENTION.stage
ADA, BOB, CY = "a = 1\n", "b = 1\n", "c = 1\n"
SHEET = '{"cells": [{"id": "why", "source": "because"}]}'
ADA_ZIP = zipped({f"{FIRST}/kernels.py": ADA, "receipt.json": "{}"})
BOB_ZIP = zipped({f"{FIRST}/kernels.py": BOB})
STUB = "raise NotImplementedError\n"

# Layout → its files, and the students with their modules of the first stage.
CLASSES = {
    "Canvas, files": (
        {
            "doeada_101_2001_kernels.py": ADA,
            "doeada_101_2002_kernels.ipynb": SHEET,
            "roebob_LATE_102_2003_kernels.py": BOB,
            "roebob_LATE_102_2004_kernels.ipynb": SHEET,
        },
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "Canvas, a zip per student": (
        {"doeada_101_2001_handin.zip": ADA_ZIP, "roebob_LATE_102_2003_handin.zip": BOB_ZIP},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "Canvas, unpacked zips": (
        {f"doeada_101_2001_handin/{FIRST}/kernels.py": ADA, "roebob_102_2003_handin/kernels.py": BOB},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "Canvas, files handed in again": (
        {
            "doeada_101_2001_kernels-2.py": ADA,
            "roebob_102_2005_kernels-1.py": BOB,
            "roebob_102_2003_kernels.py": STUB,
        },
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "Canvas, the same name twice": (
        {"doeada_101_2001_kernels.py": ADA, "doeada_102_2002_kernels.py": BOB},
        {"doeada_101": ADA, "doeada_102": BOB},
    ),
    "Canvas, names with underscores": (
        {"de_la_doeada_101_2001_kernels.py": ADA, "roebob_102_2002_my_own_kernels.zip": BOB_ZIP},
        {"de_la_doeada_101": ADA, "roebob_102": BOB},
    ),
    "Canvas, anonymous": (
        {"anonymous_aB1x9_2001_kernels.py": ADA, "anonymous_LATE_7Tq2c_2002_kernels.py": BOB},
        {"anonymous_aB1x9": ADA, "anonymous_7Tq2c": BOB},
    ),
    "Canvas, a text and a report beside files": (
        {
            "doeada_101_2001_kernels.py": ADA,
            "roebob_102_text.html": "<p>I was ill</p>",
            "poecy_103_2003_report.docx": b"PK",
        },
        {"doeada_101": ADA, "roebob_102": None, "poecy_103": None},
    ),
    "Canvas, files and further zips": (
        {
            "doeada_101_2001_kernels.py": ADA,
            "roebob_102_2002_kernels.py": BOB,
            "poecy_103_2003_kernels.py": CY,
            "dan.zip": zipped({"kernels.py": "d = 1\n"}),
        },
        {"doeada_101": ADA, "roebob_102": BOB, "poecy_103": CY, "dan": "d = 1\n"},
    ),
    "Canvas, an export in an export": (
        {
            "doeada_101_2001_kernels.py": ADA,
            "week1.zip": zipped({"roebob_102_2002_kernels.py": BOB, "poecy_103_2003_kernels.py": CY}),
        },
        {"doeada_101": ADA, "roebob_102": BOB, "poecy_103": CY},
    ),
    "Canvas, a folder per export": (
        {"week1/doeada_101_2001_kernels.py": ADA, "week2/roebob_102_2002_kernels.py": BOB},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "Moodle, folders": (
        {
            "Ada Doe_17_assignsubmission_file_/kernels.py": ADA,
            "Ada Doe_17_assignsubmission_onlinetext_/onlinetext.html": "<p>Hello</p>",
            "Bob Roe_18_assignsubmission_file/labs.zip": BOB_ZIP,
        },
        {"Ada_Doe_17": ADA, "Bob_Roe_18": BOB},
    ),
    "Moodle, files": (
        {
            "Ada Doe_17_assignsubmission_file_kernels.py": ADA,
            "Ada Doe_17_assignsubmission_file_kernels.ipynb": SHEET,
            "Ada Doe_17_assignsubmission_onlinetext.html": "<p>Hello</p>",
            "Bob Roe_18_assignsubmission_file_kernels.py": BOB,
        },
        {"Ada_Doe_17": ADA, "Bob_Roe_18": BOB},
    ),
    "Moodle, archives": (
        {"Ada Doe_17_assignsubmission_file.zip": ADA_ZIP, "Bob Roe_18_assignsubmission_file_labs.zip": BOB_ZIP},
        {"Ada_Doe_17": ADA, "Bob_Roe_18": BOB},
    ),
    "Moodle, only a text": (
        {
            "Ada Doe_17_assignsubmission_file_/kernels.py": ADA,
            "Bob Roe_18_assignsubmission_onlinetext_/onlinetext.html": "<p>Hello</p>",
        },
        {"Ada_Doe_17": ADA, "Bob_Roe_18": None},
    ),
    "Blackboard": (
        {
            "Lab 1_ada_attempt_2026-03-01-11-58-03.txt": "Name: Ada",
            "Lab 1_ada_attempt_2026-03-01-11-58-03_kernels.py": STUB,
            "Lab 1_ada_attempt_2026-03-02-09-00-00_kernels.py": ADA,
            "Lab 1_bob_attempt_2026-03-01-12-00-00_kernels.py": BOB,
        },
        {"Lab_1_ada": ADA, "Lab_1_bob": BOB},
    ),
    "Google Drive": (
        {"Ada Doe - kernels.py": ADA, "Ada Doe - kernels.ipynb": SHEET, "Bob Roe - kernels.py": BOB},
        {student_id("Ada Doe"): ADA, student_id("Bob Roe"): BOB},
    ),
    "Gradescope": (
        {"submission_456/kernels.py": ADA, "submission_457/kernels.py": BOB, "submission_metadata.yml": ""},
        {"submission_456": ADA, "submission_457": BOB},
    ),
    "Gradescope in a folder": (
        {
            "assignment_1_export/submission_456/kernels.py": ADA,
            "assignment_1_export/submission_457/kernels.py": BOB,
            "assignment_1_export/submission_metadata.yml": "",
        },
        {"submission_456": ADA, "submission_457": BOB},
    ),
    "Canvas, beside a loose module": (
        {"doeada_101_2001_kernels.py": ADA, "roebob_102_2002_kernels.py": BOB, "kernels.py": STUB},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "GitHub Classroom, a repository per stage": (
        {
            f"{FIRST}-ada/kernels.py": ADA,
            f"{SECOND}-ada/{SECOND}/attention.py": "a = 2\n",
            f"1-kernels-bob/{FIRST}/kernels.py": BOB,
        },
        {"ada": ADA, "bob": BOB},
    ),
    "GitHub Classroom, a repository per student": (
        {f"lab-ada/{FIRST}/kernels.py": ADA, "lab-ada/README.md": "", f"lab-bob/{FIRST}/kernels.py": BOB},
        {"lab-ada": ADA, "lab-bob": BOB},
    ),
    "a folder per stage": (
        {f"{FIRST}/ada/kernels.py": ADA, f"{FIRST}/bob/kernels.py": BOB, f"{SECOND}/ada/attention.py": "a = 2\n"},
        {"ada": ADA, "bob": BOB},
    ),
    "a loose module beside a class": (
        {"kernels.py": STUB, **{f"{name}/{FIRST}/kernels.py": text for name, text in [("ada", ADA), ("bob", BOB)]}},
        {"ada": ADA, "bob": BOB},
    ),
    "a class in a single folder": (
        {f"spring/{name}/{FIRST}/kernels.py": text for name, text in [("ada", ADA), ("bob", BOB)]},
        {"ada": ADA, "bob": BOB},
    ),
    "a class in two folders": (
        {f"course/spring/{name}/{FIRST}/kernels.py": text for name, text in [("ada", ADA), ("bob", BOB)]},
        {"ada": ADA, "bob": BOB},
    ),
    "a platform's export in a single folder": (
        {"submissions/doeada_101_2001_kernels.py": ADA, "submissions/roebob_102_2002_kernels.py": BOB},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "a class's archive alone in a folder": (
        {"export.zip": zipped({f"ada/{FIRST}/kernels.py": ADA, f"bob/{FIRST}/kernels.py": BOB}), "README.md": ""},
        {"ada": ADA, "bob": BOB},
    ),
    "a platform's archive alone in a folder": (
        {f"{FIRST}.zip": zipped({"doeada_101_2001_kernels.py": ADA, "roebob_102_2002_kernels.py": BOB})},
        {"doeada_101": ADA, "roebob_102": BOB},
    ),
    "files of macOS": (
        {
            f"ada/{FIRST}/kernels.py": ADA,
            f"ada/{FIRST}/._kernels.py": b"\0\5\x16\7",
            f"bob/{FIRST}/kernels.py": BOB,
            "bob/.DS_Store": b"\0",
            ".DS_Store": b"\0",
            f"__MACOSX/ada/{FIRST}/._kernels.py": b"\0\5\x16\7",
        },
        {"ada": ADA, "bob": BOB},
    ),
}


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "as a zip"])
@pytest.mark.parametrize(("files", "students"), CLASSES.values(), ids=CLASSES)
def test_a_class_has_exactly_its_students(tmp_path, files, students, packed):
    path = tmp_path / "class.zip" if packed else lay_out(tmp_path / "class", files)
    if packed:
        path.write_bytes(zipped(files))
    assert {student: source for (student, stage), source in sources(path).items() if stage == FIRST} == students


# The hand-in of one student, as a folder in a class, as a zip in a class, and as a zip of its own.
HAND_INS = {
    "an archive in an archive": {"ada.zip": ADA_ZIP},
    "a folder in a folder": {"my/own/folder/kernels.py": ADA},
    "the hand-in folder, zipped whole": {"handin/20260301-120000/ada.zip": ADA_ZIP, "handin/receipt.json": "{}"},
    "several hand-ins, the newest counts": {
        "handin/20260301-120000-2/ada.zip": ADA_ZIP,
        "handin/20260301-120000/ada.zip": BOB_ZIP,
        "handin/20260228-235959-3/ada.zip": BOB_ZIP,
    },
    "an older hand-in holds the stage": {
        "handin/20260301-120000/ada.zip": zipped({f"{SECOND}/attention.py": "a = 2\n"}),
        "handin/20260228-120000/ada.zip": ADA_ZIP,
    },
    "two archives, one per stage": {
        f"{FIRST}.zip": zipped({"kernels.py": ADA}),
        f"{SECOND}.zip": zipped({"attention.py": "a = 2\n"}),
    },
    "an archive beside another stage": {
        f"{SECOND}/attention.py": "a = 2\n",
        f"{FIRST}.zip": zipped({"kernels.py": ADA}),
    },
    "equal copies": {"v1/kernels.py": ADA, "v2/kernels.py": ADA},
}


@pytest.mark.parametrize("files", HAND_INS.values(), ids=HAND_INS)
def test_a_hand_in_is_read_wherever_its_files_lie(tmp_path, files):
    lay_out(tmp_path / "folders", {f"ada/{name}": content for name, content in files.items()})
    lay_out(tmp_path / "folders", {f"bob/{FIRST}/kernels.py": BOB})
    lay_out(tmp_path / "zips", {"ada.zip": zipped(files), "bob.zip": BOB_ZIP})
    for path in (tmp_path / "folders", tmp_path / "zips"):
        found = {student: source for (student, stage), source in sources(path).items() if stage == FIRST}
        assert found == {"ada": ADA, "bob": BOB}, path.name


@pytest.mark.parametrize("name", ["two archives, one per stage", "the hand-in folder, zipped whole"])
def test_a_hand_in_of_archives_may_be_given_alone(tmp_path, name):
    folder = lay_out(tmp_path / "ada", HAND_INS[name])
    lay_out(tmp_path, {"ada.zip": zipped(HAND_INS[name])})
    for path in (folder, tmp_path / "ada.zip"):
        assert sources(path)["ada", FIRST] == ADA
        assert {student for student, _ in sources(path)} == {"ada"}


def test_the_companions_folder_belongs_to_the_student_above_it(tmp_path):
    lay_out(tmp_path / "ada", HAND_INS["several hand-ins, the newest counts"])
    assert sources(tmp_path / "ada" / "handin") == {("ada", FIRST): ADA}


def test_a_module_and_its_sheet_and_model_may_lie_in_different_archives(tmp_path):
    lay_out(tmp_path, {"ada/code.zip": zipped({"kernels.py": ADA}), "ada/sheet.zip": zipped({"kernels.ipynb": SHEET})})
    lay_out(tmp_path, {"bob/kernels.py": BOB})
    submission = taken(tmp_path)["ada", FIRST]
    assert submission.source == ADA
    assert submission.answers.texts == {"why": ("because",)}


def test_archives_with_different_modules_are_refused_by_name(tmp_path):
    lay_out(tmp_path, {"ada/new.zip": ADA_ZIP, "ada/old.zip": BOB_ZIP, "bob/kernels.py": BOB})
    reason, message = refusal(taken(tmp_path)["ada", FIRST])
    assert reason == "AMBIGUOUS"
    assert "as new.zip/1_kernels/kernels.py and old.zip/1_kernels/kernels.py" in message


@pytest.mark.parametrize(
    ("name", "raw", "problem"),
    [
        ("work.zip", zipped({"a.zip": zipped({"b.zip": ADA_ZIP})}), "work.zip/a.zip/b.zip is an archive inside"),
        ("work.zip", ADA_ZIP[:200], "work.zip is damaged"),
        ("work.rar", b"Rar!", "work.rar is not a supported archive"),
        ("work.zip", zipped({"a.zip": ADA_ZIP[:200]}), "work.zip/a.zip is damaged"),
    ],
)
def test_an_archive_that_is_not_opened_is_named_and_its_questions_stay_for_a_person(tmp_path, name, raw, problem):
    lay_out(tmp_path, {f"ada/{name}": raw, f"bob/{FIRST}/kernels.py": BOB})
    submission = taken(tmp_path)["ada", FIRST]
    assert refusal(submission)[1].startswith(problem)
    assert submission.answers.unread == (submission.why_refused.message,)


def test_an_archive_that_is_not_opened_does_not_matter_beside_work(tmp_path):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": ADA, "ada/data.rar": b"Rar!", f"ada/{SECOND}.rar": b"Rar!"})
    found = taken(tmp_path / "ada")
    assert found["ada", FIRST].source == ADA
    assert refusal(found["ada", SECOND]) == (
        "ARCHIVE",
        "2_attention.rar is not a supported archive; hand in a .zip or .tar.gz",
    )


def test_two_clones_in_a_students_folder_do_not_keep_the_class_from_being_graded(tmp_path):
    lay_out(tmp_path, {f"ada/lab/{FIRST}/kernels.py": ADA, f"ada/lab-old/{FIRST}/kernels.py": STUB})
    lay_out(tmp_path, {f"bob/{FIRST}/kernels.py": BOB})
    found = taken(tmp_path)
    assert refusal(found["ada", FIRST])[0] == "AMBIGUOUS"
    assert found["bob", FIRST].source == BOB


def test_many_archives_in_a_hand_in_are_limited(tmp_path):
    lay_out(tmp_path, {f"ada/{number:02}.zip": zipped({f"{number}.txt": "x"}) for number in range(30)})
    lay_out(tmp_path, {f"bob/{FIRST}/kernels.py": BOB})
    assert "contains more than 20 files" in refusal(taken(tmp_path)["ada", FIRST])[1]


UNKNOWN = {
    "a folder without a file of the lab": ({"notes/todo.txt": ""}, ["notes holds no file of the lab"]),
    "an archive without a file of the lab": ({"data.zip": zipped({"x.csv": ""})}, ["data holds no file of the lab"]),
    "modules with students' names": (
        {"cy_kernels.py": CY, "kernels_dan.ipynb": SHEET},
        ["cy_kernels.py", "kernels_dan.ipynb"],
    ),
    "both": ({"notes/todo.txt": "", "cy_kernels.py": CY}, ["cy_kernels.py", "notes holds no file"]),
}


@pytest.mark.parametrize(("files", "named"), UNKNOWN.values(), ids=UNKNOWN)
def test_entries_that_are_not_understood_are_listed_and_nothing_is_graded(tmp_path, files, named):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": ADA, f"bob/{FIRST}/kernels.py": BOB, **files})
    with pytest.raises(IntakeError, match="these entries were not understood") as caught:
        take_in([tmp_path], STAGES)
    assert all(name in str(caught.value) for name in named)
    assert "--roster" in str(caught.value)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({f"spring/{name}/{FIRST}/kernels.py": ADA for name in ("cy", "dan")}, "holds work in cy, dan; if these are"),
        ({"adadoe_101_2001_kernels.py": ADA, "ada_102_2002_kernels.py": ADA}, "holds an export of a learning platform"),
    ],
)
def test_an_archive_of_a_class_among_students_is_refused_alone(tmp_path, files, says):
    lay_out(tmp_path, {f"ada/{FIRST}/kernels.py": ADA, f"bob/{FIRST}/kernels.py": BOB, "week1.zip": zipped(files)})
    found = taken(tmp_path)
    assert {student: found[student, FIRST].source for student, _ in found} == {"ada": ADA, "bob": BOB, "week1": None}
    assert says in refusal(found["week1", FIRST])[1]


UNCLEAR = {
    "one student's folder and a loose module": {f"ada/{FIRST}/kernels.py": ADA, "kernels.py": STUB},
    "bare modules in folders and a loose module": {"ada/kernels.py": ADA, "bob/kernels.py": BOB, "kernels.py": STUB},
    "archives and a loose module": {"ada.zip": ADA_ZIP, "bob.zip": BOB_ZIP, "kernels.py": STUB},
    "a stage beside a class": {
        f"{FIRST}/kernels.py": STUB,
        f"ada/{FIRST}/kernels.py": ADA,
        f"bob/{FIRST}/kernels.py": BOB,
    },
    "deeper folders of versions, or of a class": {"Lab 1/ada/own/kernels.py": ADA, "Lab 1/bob/own/kernels.py": BOB},
    "a platform's files beside a stage": {f"{FIRST}/kernels.py": STUB, "doeada_101_2001_kernels.py": ADA},
    "archives of a class, one per stage": {
        f"{FIRST}.zip": zipped({"ada/kernels.py": ADA, "bob/kernels.py": BOB}),
        f"{SECOND}.zip": zipped({"doeada_101_2001_attention.py": ADA}),
    },
    "archives of versions, or of a class, in a folder": {"spring/ada.zip": ADA_ZIP, "spring/bob.zip": BOB_ZIP},
    "versions, or a class, in a folder": {"spring/ada/kernels.py": ADA, "spring/bob/kernels.py": BOB},
    "files with students' names alone": {"ada_kernels.py": ADA, "bob_kernels.py": BOB},
}


def test_an_export_of_sakai_is_read_as_a_folder_and_unclear_as_a_zip(tmp_path):
    files = {
        "Doe, Ada(ada)/Submission attachment(s)/kernels.py": ADA,
        "Doe, Ada(ada)/timestamp.txt": "20260301115803000",
        "Roe, Bob(bob)/Submission attachment(s)/kernels.py": BOB,
        "grades.csv": "",
    }
    lay_out(tmp_path, {"lab.zip": zipped(files)})
    found = sources(lay_out(tmp_path / "lab", files))
    assert found == {(student_id("Doe, Ada(ada)"), FIRST): ADA, (student_id("Roe, Bob(bob)"), FIRST): BOB}
    with pytest.raises(
        IntakeError, match=r"work in Doe, Ada\(ada\), Roe, Bob\(bob\); if these are students, unpack it"
    ):
        take_in([tmp_path / "lab.zip"], STAGES)


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "as a zip"])
@pytest.mark.parametrize("files", UNCLEAR.values(), ids=UNCLEAR)
def test_a_layout_that_may_be_a_class_or_a_student_is_refused(tmp_path, files, packed):
    path = tmp_path / "class.zip" if packed else lay_out(tmp_path / "class", files)
    if packed:
        path.write_bytes(zipped(files))
    with pytest.raises(IntakeError, match="were not understood"):
        take_in([path], STAGES)


def test_a_roster_settles_which_folders_are_students(tmp_path):
    lay_out(
        tmp_path, {f"ada/{FIRST}/kernels.py": ADA, "bob/": "", "Cy Roe/notes.txt": "", "figures/": "", "data/x": ""}
    )
    notices: list[str] = []
    (tmp_path.parent / "roster.csv").write_text("student,group\nada,1\nbob,1\nCy Roe,2\n", encoding="utf-8")
    roster = read_roster(tmp_path.parent / "roster.csv")
    submissions = take_in([tmp_path], STAGES, roster=roster, notice=notices.append)
    assert [(submission.student, submission.source) for submission in submissions] == [
        (student_id("Cy Roe"), None),
        ("ada", ADA),
        ("bob", None),
    ]
    assert notices == [f"{tmp_path}: {name} is not in the roster and is not graded" for name in ("data", "figures")]
    with pytest.raises(IntakeError, match="ada holds work of the lab, but is not in the roster"):
        take_in([tmp_path], STAGES, roster=Roster.of({"bob", "Cy Roe"}))


@pytest.mark.parametrize("raw", [b"", b"student\n", b"\xff\xfe", b"\n\n"])
def test_a_roster_without_students_is_an_error(tmp_path, raw):
    (tmp_path / "roster.csv").write_bytes(raw)
    with pytest.raises(IntakeError, match=r"roster\.csv (lists no student|cannot be read)"):
        read_roster(tmp_path / "roster.csv")


def test_what_a_platform_says_about_a_hand_in_is_noted(tmp_path):
    lay_out(
        tmp_path,
        {
            "roebob_LATE_102_2003_kernels.py": STUB,
            "roebob_LATE_102_2005_kernels-1.py": BOB,
            "doeada_101_text.html": "<p>Hello</p>",
        },
    )
    found = taken(tmp_path)
    assert found["roebob_102", FIRST].notes == (
        "Canvas marks a file as late",
        "the later file counts: roebob_LATE_102_2005_kernels-1.py, not roebob_LATE_102_2003_kernels.py",
    )
    assert found["doeada_101", FIRST].notes == ("handed in a text or an address on the platform; read it there",)
