"""Filing: the gradebook holds the judge's results, whatever it held before."""

import csv
import html
import json
import os
import re
import shutil
import sqlite3
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import nbformat
import pytest
from classroom import CHECKS, IN_TIME, Classroom
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import determine_grade, is_grade, is_solution
from tiny_lab import MODULE, QUESTION, STAGE, replace_in
from traitlets.config import PyFileConfigLoader

from autograder.base.results import Outcome
from autograder.course.lab import Lab
from autograder.intake import Refusal, RefusalReason, read_answers
from autograder.intake.notebooks import NO_ANSWERS
from autograder.integrations.nbgrader import (
    GradebookError,
    compare_gradebook,
    export_csv,
    file_results,
    filing,
    generate_feedback,
    register_release,
    write_workspace_config,
)
from autograder.integrations.nbgrader.answer_html import BEGIN
from autograder.integrations.nbgrader.course import open_gradebook, step_folder
from autograder.release import release, write_nbgrader_source

MISSING = Refusal(RefusalReason.MISSING, "there is no 1_tiny/tiny.py", "1_tiny/tiny.py")
LINK = Refusal(RefusalReason.LINK, "1_tiny/tiny.py is a link", "1_tiny/tiny.py")
DOUBLE = CHECKS[:2]
DAY = timedelta(days=1)


def rows_of(classroom: Classroom, name: str = "grades.csv") -> dict[str, dict[str, str]]:
    path = classroom.lab.root / name
    export_csv(classroom.lab, path)
    with path.open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_each_exercise_gets_its_points_and_an_extension_extra_credit(classroom):
    everything = classroom.graded(classroom.submission("ann", answer="Because."))
    some = classroom.graded(classroom.submission("bob"), passes=[*DOUBLE, "test_total_adds_along_the_axis"])
    report = classroom.file(everything, some)
    assert (report.filed, report.withheld, report.differences) == (2, (), ())
    assert classroom.grades("ann") == {
        "check_double": (3.0, None, None, False),
        "check_total": (4.0, None, None, False),
        "check_halve": (0.0, None, 1.0, False),
        QUESTION: (None, None, None, True),
    }
    assert classroom.grades("bob") == {
        "check_double": (3.0, None, None, False),
        "check_total": (3.0, None, None, False),
        "check_halve": (0.0, None, 0.0, False),
        QUESTION: (0.0, None, None, False),
    }
    assert classroom.score("ann") == (8.0, 0.0)
    assert classroom.comment("bob") == "No response."


def test_without_bonus_in_the_policy_an_extension_earns_nothing(classroom):
    replace_in(classroom.lab.root / "grading.yml", "policies:\n", "policies:\n  count_bonus: false\n")
    classroom = Classroom(Lab(classroom.lab.root))
    assert classroom.file(classroom.graded(classroom.submission("ann"))).differences == ()
    assert classroom.score("ann") == (7.0, 0.0)


def test_nbgraders_own_rule_reads_the_filed_scores_from_the_notebook(classroom):
    classroom.file(classroom.graded(classroom.submission("bob"), passes=["test_total_adds_along_the_axis"]))
    notebook = nbformat.from_dict(classroom.shown("bob"))
    read = {
        cell.metadata.nbgrader.grade_id: determine_grade(cell)[0]
        for cell in notebook.cells
        if is_grade(cell) and not is_solution(cell)
    }
    assert read == {"check_double": 0.0, "check_total": 3.0, "check_halve": 0.0}


def test_student_text_is_shown_and_runs_nothing(classroom):
    evil = "x <script>alert(1)</script> <img src=x onerror=alert(2)> [x](javascript:alert(3)) *words*"
    submission = classroom.submission("mal", answer=evil, source=f"# {evil}\n")
    graded = classroom.graded(submission, passes=())
    classroom.file(graded)
    cells = classroom.shown("mal")["cells"]
    (answer,) = ("".join(cell["source"]) for cell in cells if cell["metadata"].get("nbgrader", {}).get("solution"))
    assert re.findall("<[^>]*>", answer) == [BEGIN, "<p>", "<em>", "</em>", "</p>", "</div>"]
    assert evil.partition(" *")[0] in html.unescape(answer)
    assert "".join(cells[-1]["source"]) == f"# {evil}\n"
    assert cells[-1]["cell_type"] == "code"


def test_an_unanswered_question_is_shown_as_it_was_released(classroom):
    classroom.file(classroom.graded(classroom.submission("ann")))
    notebooks = (classroom.shown("ann"), json.loads(classroom.released()))
    shown, released = (
        [cell["source"] for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")]
        for notebook in notebooks
    )
    assert shown == released != []


def test_texts_about_a_check_are_escaped(classroom):
    graded = classroom.graded(classroom.submission("ann"), passes=())
    checks = tuple(msgspec.structs.replace(check, what="x<y & <b>bold</b>") for check in graded.report.checks)
    classroom.file(replace(graded, report=msgspec.structs.replace(graded.report, checks=checks)))
    (cell,) = (cell for cell in classroom.shown("ann")["cells"] if cell["id"] == "check_double")
    shown = "".join(cell["outputs"][0]["data"]["text/html"])
    assert "x<y & <b>bold</b>" in html.unescape(shown)
    assert set(re.findall("</?([a-z]+)", shown)) == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("answer", ["\x00", "\ud800", "</pre>\n```\n", "x" * 200_000, "\r\n\x1b[2J", "𝛼\u202e"])
def test_odd_answers_are_filed_like_any_other(classroom, answer):
    classroom.file(classroom.graded(classroom.submission("odd", answer=f"because {answer}")))
    assert classroom.grades("odd")[QUESTION] == (None, None, None, True)


def test_a_submission_is_looked_up_once_and_a_released_notebook_read_once_per_pass(classroom, monkeypatch):
    everyone = [classroom.graded(classroom.submission(student, answer="Because.")) for student in ("ann", "bob", "cem")]
    classroom.file(*everyone[:2])
    looked_up, read = [], []
    find_submission, released = Gradebook.find_submission, filing.released_notebook

    def counting_find(gradebook, assignment, student):
        looked_up.append(student)
        return find_submission(gradebook, assignment, student)

    def counting_read(lab, stage):
        read.append(stage.id)
        return released(lab, stage)

    monkeypatch.setattr(Gradebook, "find_submission", counting_find)
    monkeypatch.setattr(filing, "released_notebook", counting_read)
    assert classroom.file(*everyone).differences == ()
    assert looked_up == ["ann", "bob", "cem"]
    assert read == [STAGE]


def test_points_and_comments_by_hand_survive_every_regrade(classroom):
    submission = classroom.submission("ann", answer="Because.")
    classroom.file(classroom.graded(submission))
    classroom.grade_by_hand("ann", QUESTION, 1.5, "nearly")
    classroom.file(classroom.graded(submission, passes=DOUBLE))
    assert classroom.grades("ann")[QUESTION] == (None, 1.5, None, False)
    assert classroom.comment("ann") == "nearly"
    assert classroom.score("ann") == (4.5, 0.0)


def test_an_empty_answer_counts_as_no_answer(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer=" \n")))
    assert classroom.grades("ann")[QUESTION] == (0.0, None, None, False)


def test_a_changed_answer_keeps_its_points_and_is_marked_for_manual_grading(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.")))
    classroom.grade_by_hand("ann", QUESTION, 1.5)
    for _ in range(2):
        classroom.file(classroom.graded(classroom.submission("ann", answer="Because it says which one.")))
        assert classroom.grades("ann")[QUESTION] == (None, 1.5, None, True)
    classroom.grade_by_hand("ann", QUESTION, 2.0)
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because it says which one.")))
    assert classroom.grades("ann")[QUESTION] == (None, 2.0, None, False)


def test_points_for_an_untouched_notebook_survive(classroom):
    classroom.file(classroom.graded(classroom.submission("ann")))
    classroom.grade_by_hand("ann", QUESTION, 2.0, "explained it in class")
    classroom.file(classroom.graded(classroom.submission("ann")))
    assert classroom.grades("ann")[QUESTION] == (0.0, 2.0, None, False)
    assert classroom.comment("ann") == "explained it in class"


def test_a_manual_score_of_a_check_stays_and_is_marked_when_the_automatic_score_changes(classroom):
    submission = classroom.submission("ann")
    classroom.file(classroom.graded(submission, passes=()))
    classroom.grade_by_hand("ann", "check_double", 2.5)
    classroom.file(classroom.graded(submission, passes=()))
    assert classroom.grades("ann")["check_double"] == (0.0, 2.5, None, False)
    classroom.file(classroom.graded(submission, passes=DOUBLE))
    assert classroom.grades("ann")["check_double"] == (3.0, 2.5, None, True)


def test_if_the_grader_failed_no_score_is_filed_and_an_older_score_is_removed(classroom):
    submission = classroom.submission("ann", answer="Because.")
    classroom.file(classroom.graded(submission))
    report = classroom.file(classroom.graded(submission, passes=DOUBLE, outcome=Outcome.GRADER_ERROR))
    assert report.filed == 0
    assert "ann 1_tiny" in report.summary()
    assert classroom.grades("ann") == {
        "check_double": (None, None, None, True),
        "check_total": (None, None, None, True),
        "check_halve": (None, None, None, True),
        QUESTION: (None, None, None, True),
    }
    assert not (step_folder(classroom.lab, "autograded") / "ann" / STAGE).exists()
    assert rows_of(classroom)["ann"]["score"] == ""


def test_a_stage_that_was_not_begun_counts_zero_only_if_it_was_asked_for_by_name(classroom):
    stub = {"passes": (), "outcome": Outcome.NOT_ATTEMPTED, "begun": False}
    report = classroom.file(
        classroom.graded(classroom.submission("ann")),
        classroom.graded(classroom.missing("bob", MISSING), **stub),
        classroom.graded(classroom.missing("cem", MISSING, owed=True), **stub, owed=True),
    )
    assert (report.filed, report.withheld, report.differences) == (2, (), ())
    with open_gradebook(classroom.lab) as gradebook:
        assert {submission.student.id for submission in gradebook.assignment_submissions(STAGE)} == {"ann", "cem"}
    scores = {student: row["score"] for student, row in rows_of(classroom).items()}
    assert scores == {"ann": "8.0", "bob": "", "cem": "0.0"}


def test_a_stage_that_is_not_graded_has_no_number_and_its_questions_wait_too(classroom):
    refusal = Refusal(RefusalReason.ARCHIVE, "ann.7z is not a supported archive", "ann.7z")
    unread = {"passes": (), "outcome": Outcome.NOT_GRADED, "not_graded": refusal.message}
    classroom.file(classroom.graded(classroom.submission("ann")))
    report = classroom.file(classroom.graded(classroom.missing("ann", refusal), **unread))
    assert report.withheld == ("ann 1_tiny: ann.7z is not a supported archive",)
    assert "removed: ann 1_tiny had 8 points from an earlier hand-in" in report.summary()
    assert set(classroom.grades("ann").values()) == {(None, None, None, True)}
    assert classroom.comment("ann") is None
    assert rows_of(classroom)["ann"]["score"] == ""
    assert classroom.file(classroom.graded(classroom.submission("ann"))).removed == ()
    assert rows_of(classroom)["ann"]["score"] == "8.0", "once it is graded, it has a number again"


def test_an_earlier_hand_in_that_stands_keeps_its_time_answers_and_notebook(classroom):
    first = classroom.graded(classroom.submission("ann", answer="Because.", at=IN_TIME + 3 * DAY))
    classroom.file(first)
    classroom.grade_by_hand("ann", QUESTION, 1.0)
    grades, shown = classroom.grades("ann"), classroom.shown("ann")
    for later in (classroom.missing("ann", MISSING), classroom.submission("ann", source="another", at=IN_TIME)):
        assert classroom.file(replace(first, submission=later)).differences == ()
        assert (classroom.grades("ann"), classroom.shown("ann")) == (grades, shown)
        assert classroom.score("ann")[1] == 2.0


def test_an_earlier_result_that_stands_is_filed_in_a_new_gradebook_too(classroom):
    ann, bob = (classroom.graded(classroom.submission(student)) for student in ("ann", "bob"))
    classroom.file(
        replace(ann, submission=classroom.missing("ann", MISSING)),
        replace(bob, submission=classroom.submission("bob", source="another, one attempt too many")),
    )
    for student in ("ann", "bob"):
        assert classroom.score(student) == (8.0, 0.0)
        assert "Handed in" not in str(classroom.shown(student))


def test_a_notebook_without_a_module_is_handed_in_and_left_for_nbgrader(classroom):
    answers = read_answers(classroom.notebook("Because."))
    only_answers = replace(classroom.missing("ann", MISSING), answers=answers)
    classroom.file(classroom.graded(only_answers, passes=(), outcome=Outcome.NOT_ATTEMPTED))
    assert classroom.grades("ann")[QUESTION] == (None, None, None, True)
    left = {path.name for path in (step_folder(classroom.lab, "submitted") / "ann" / STAGE).iterdir()}
    assert left == {f"{MODULE}.ipynb"}


def test_a_refused_file_is_not_left_for_nbgrader_to_grade(classroom):
    classroom.file(classroom.graded(classroom.submission("ann")))
    refused = classroom.submission("ann", source=None, refusal=LINK)
    classroom.file(classroom.graded(refused, passes=(), outcome=Outcome.BLOCKED))
    assert not (step_folder(classroom.lab, "submitted") / "ann" / STAGE).exists()
    assert classroom.score("ann") == (0.0, 0.0)


@pytest.mark.parametrize(
    ("late_by", "penalty"),
    [(timedelta(hours=1), 0.0), (timedelta(hours=1, minutes=11), 0.0), (3 * DAY, 2.0), (6 * DAY + DAY, 8.0)],
)
def test_late_work_loses_points_by_the_policy(classroom, late_by, penalty):
    # IN_TIME is an hour before the due date. A day costs 10 % of 8 points, rounded down, after ten minutes of grace.
    classroom.file(classroom.graded(classroom.submission("ann", at=IN_TIME + late_by)))
    assert classroom.score("ann") == (8.0, penalty)


def test_an_extension_moves_the_due_date(classroom):
    replace_in(classroom.lab.root / "grading.yml", "policies:\n", "policies:\n  extensions: {ann: {1_tiny: 3}}\n")
    classroom = Classroom(Lab(classroom.lab.root))
    late = IN_TIME + 3 * DAY
    classroom.file(
        classroom.graded(classroom.submission("ann", at=late)), classroom.graded(classroom.submission("bob", at=late))
    )
    assert [classroom.score(student)[1] for student in ("ann", "bob")] == [0.0, 2.0]
    replace_in(classroom.lab.root / "grading.yml", "{ann: {1_tiny: 3}}", "{ann: {1_tiny: 3}, bob: {1_tiny: 2}}")
    row = rows_of(Classroom(Lab(classroom.lab.root)))["bob"]
    assert (row["late_submission_penalty"], row["score"]) == ("0.0", "8.0"), "an export shows a new extension at once"
    replace_in(classroom.lab.root / "grading.yml", ", bob: {1_tiny: 2}}", "}")
    replace_in(classroom.lab.root / "grading.yml", "max_days: 5", "max_days: 5, free_days: 1")
    row = rows_of(Classroom(Lab(classroom.lab.root)))["bob"]
    assert (row["late_submission_penalty"], row["score"]) == ("1.0", "7.0"), "two of the three days cost 1.6 points"


def test_a_late_hand_in_loses_its_share_of_points_that_a_person_gives_later(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.", at=IN_TIME + 3 * DAY)))
    classroom.grade_by_hand("ann", QUESTION, 2.0)
    row = rows_of(classroom)["ann"]
    assert (row["raw_score"], row["late_submission_penalty"], row["score"]) == ("10.0", "3.0", "7.0")


def test_after_the_last_day_fractions_of_a_point_are_lost_too(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.", at=IN_TIME + 7 * DAY)))
    classroom.grade_by_hand("ann", QUESTION, 1.5)
    row = rows_of(classroom)["ann"]
    assert (row["raw_score"], row["late_submission_penalty"], row["score"]) == ("9.5", "9.5", "0.0")


def test_an_answer_that_waits_for_a_person_counts_nothing_yet_and_says_so(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.")))
    row = rows_of(classroom)["ann"]
    assert (row["score"], row["needs_manual_grade"]) == ("8.0", "True")


def test_names_with_commas_stay_in_their_column(classroom):
    classroom.file(classroom.graded(classroom.submission("ann")))
    with open_gradebook(classroom.lab) as gradebook:
        gradebook.update_or_create_student("ann", last_name="Lee, Jr.", first_name='An"n')
    row = rows_of(classroom)["ann"]
    assert (row["last_name"], row["first_name"], row["max_score"]) == ("Lee, Jr.", 'An"n', "9.0")


def test_a_score_that_another_program_changed_is_reported(classroom):
    graded = classroom.graded(classroom.submission("mal"), passes=())
    classroom.file(graded)
    database = sqlite3.connect(classroom.lab.gradebook)
    database.execute("UPDATE grade SET auto_score = 3.0, extra_credit = 9.0 WHERE auto_score = 0.0")
    database.execute("UPDATE submitted_notebook SET late_submission_penalty = -5.0")
    database.commit()
    database.close()
    lines = compare_gradebook(classroom.lab, [graded.report])
    assert "mal 1_tiny double: score 3 in the gradebook, 0 in the results" in lines
    assert "mal 1_tiny halve: extra credit 9 in the gradebook, 0 in the results" in lines
    assert "mal 1_tiny: late penalty -5 in the gradebook, none in the results" in lines
    assert classroom.file(graded).differences == ()


def test_points_that_changed_without_a_release_are_reported(classroom):
    replace_in(
        classroom.lab.root / "grading.yml", "test_double_multiplies_by_two: 2", "test_double_multiplies_by_two: 4"
    )
    changed = Classroom(Lab(classroom.lab.root))
    (line,) = changed.file(changed.graded(changed.submission("ann"))).differences
    assert line == (
        "ann 1_tiny double: points possible 3 in the gradebook, 5 in grading.yml; run `autograder release`, "
        "then grade again"
    )


def test_scores_without_a_stored_result_are_reported(classroom):
    mine, other = (classroom.graded(classroom.submission(student)) for student in ("ann", "bob"))
    classroom.file(mine, other)
    assert compare_gradebook(classroom.lab, [mine.report]) == []
    (classroom.lab.build / "results" / STAGE / "bob.json").unlink()
    assert compare_gradebook(classroom.lab, [mine.report]) == [
        "bob 1_tiny: scores in the gradebook, but no stored result; grade the submission again"
    ]


def test_a_missing_entry_is_reported(classroom):
    graded = classroom.graded(classroom.submission("ann"))
    classroom.file(graded)
    with open_gradebook(classroom.lab) as gradebook:
        gradebook.remove_submission(STAGE, "ann")
    assert compare_gradebook(classroom.lab, [graded.report]) == ["ann 1_tiny: not in the gradebook"]


def test_a_locked_gradebook_is_an_error_that_says_what_to_do(classroom):
    graded = classroom.graded(classroom.submission("ann"))
    other = sqlite3.connect(classroom.lab.gradebook)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GradebookError, match="locked by another program; close formgrader"):
        classroom.file(graded, lock_seconds=0)
    other.close()
    assert classroom.file(graded).filed == 1


def test_a_short_lock_is_waited_for(classroom):
    graded = classroom.graded(classroom.submission("ann"))
    other = sqlite3.connect(classroom.lab.gradebook, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.5, other.close)
    timer.start()
    assert classroom.file(graded).filed == 1
    timer.join()


def test_a_file_that_is_not_a_gradebook_is_an_error(classroom):
    classroom.lab.gradebook.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(GradebookError, match="cannot be used"):
        classroom.file(classroom.graded(classroom.submission("ann")))


def test_a_gradebook_is_made_whole_even_where_alembic_is_not_on_the_path(classroom, monkeypatch):
    classroom.lab.gradebook.unlink()
    monkeypatch.setenv("PATH", os.defpath)
    assert classroom.file(classroom.graded(classroom.submission("ann"))).filed == 1
    database = sqlite3.connect(classroom.lab.gradebook)
    assert database.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]
    database.close()
    assert [path.name for path in classroom.lab.root.iterdir() if "gradebook" in path.name] == ["gradebook.db"]


def test_without_a_release_filing_says_what_to_run(classroom):
    graded = classroom.graded(classroom.submission("ann"))
    shutil.rmtree(step_folder(classroom.lab, "source"))
    with pytest.raises(GradebookError, match="run `autograder release`"):
        file_results(classroom.lab, [graded])


def test_cells_and_points_may_change_while_a_class_is_being_graded(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.")))
    classroom.grade_by_hand("ann", QUESTION, 1.0)
    replace_in(classroom.lab.root / "grading.yml", "        bonus: true\n", "")
    add_question(classroom.lab)
    again = Classroom(Lab(classroom.lab.root))
    release(again.lab)
    report = again.file(again.graded(again.submission("ann", answer="Because.")))
    assert report.differences == ()
    assert again.grades("ann")["why_two"] == (0.0, None, None, False)
    assert again.grades("ann")["check_halve"] == (1.0, None, None, False)
    assert again.grades("ann")[QUESTION] == (None, 1.0, None, False)


def add_question(lab: Lab) -> None:
    replace_in(
        lab.root / "grading.yml",
        "    questions:\n",
        "    questions:\n      why_two: {title: Why two, points: 1}\n",
    )
    sheet = lab.root / "solutions" / STAGE / "lab.md"
    question = '\n<!-- #region question="why_two" -->\nWhy two?\n<!-- #endregion -->\n'
    sheet.write_text(sheet.read_text(encoding="utf-8") + question, encoding="utf-8")


def test_a_removed_cell_with_manual_grades_is_refused(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.")))
    question = "    questions:\n      why_axes:\n        title: Why a sum needs an axis\n        points: 2\n"
    replace_in(classroom.lab.root / "grading.yml", question, "")
    sheet = classroom.lab.root / "solutions" / STAGE / "lab.md"
    replace_in(sheet, '<!-- #region question="why_axes" -->', "<!-- #region -->")
    lab = Lab(classroom.lab.root)
    release(lab)
    with pytest.raises(GradebookError, match="no longer has: why_axes"):
        register_release(lab)


def test_registering_a_release_twice_changes_nothing(classroom):
    register_release(classroom.lab)
    with open_gradebook(classroom.lab) as gradebook:
        before = {cell.id for cell in gradebook.find_notebook(MODULE, STAGE).source_cells}
    register_release(classroom.lab)
    with open_gradebook(classroom.lab) as gradebook:
        assert {cell.id for cell in gradebook.find_notebook(MODULE, STAGE).source_cells} == before
        assert gradebook.find_assignment(STAGE).max_score == 9.0


def test_an_unreadable_notebook_is_reported_to_the_instructor(classroom):
    submission = classroom.submission("ann", answers=read_answers(b"{ not json"))
    (note,) = [note for note in classroom.file(classroom.graded(submission)).notes if "cannot be read" in note]
    assert note.startswith("ann 1_tiny: the notebook cannot be read")
    assert classroom.file(classroom.graded(classroom.submission("bob", answers=NO_ANSWERS))).notes == ()


def test_feedback_shows_the_penalty_on_points_that_a_person_gave_later(classroom):
    classroom.file(classroom.graded(classroom.submission("ann", answer="Because.", at=IN_TIME + 3 * DAY)))
    classroom.grade_by_hand("ann", QUESTION, 2.0)
    generate_feedback(classroom.lab, [STAGE])
    page = (step_folder(classroom.lab, "feedback") / "ann" / STAGE / f"{MODULE}.html").read_text(encoding="utf-8")
    assert "(Score: 7.0 / 9.0)" in page
    assert "(Score: -3.0)" in page


def test_feedback_that_cannot_be_made_is_an_error_with_nbgraders_words(classroom):
    with pytest.raises(GradebookError, match="No notebooks were matched"):
        generate_feedback(classroom.lab, [STAGE])


def test_a_workspace_has_a_gradebook_and_a_configuration_of_its_own(classroom, tmp_path):
    lab = Lab(classroom.lab.root, tmp_path)
    write_nbgrader_source(lab)
    shutil.copy(classroom.lab.gradebook, lab.gradebook)  # empty; nbgrader takes seconds to create it
    write_workspace_config(lab)
    assert Classroom(lab).file(Classroom(lab).graded(Classroom(lab).submission("ann"))).filed == 1
    config = PyFileConfigLoader("nbgrader_config.py", path=str(lab.workspace)).load_config()
    folders = CourseDirectory(config=config)
    autograded = folders.format_path(folders.autograded_directory, "ann", STAGE)
    assert (Path(autograded) / f"{MODULE}.ipynb").is_file()
    with Gradebook(folders.db_url, folders.course_id) as gradebook:
        assert [student.id for student in gradebook.students] == ["ann"]
    with open_gradebook(classroom.lab) as gradebook:
        assert gradebook.students == []
