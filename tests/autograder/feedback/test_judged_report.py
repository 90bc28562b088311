"""A report from the real judge in every form: each form must parse the judge's texts."""

import io

import pytest
from page_reader import assert_anchors, assert_inert, read_html
from rich.console import Console
from tiny_lab import MODULE, STAGE, build_tiny_lab, replace_in, solution

from autograder.base.results import IsolationLevel, StageReport
from autograder.base.sinks import markdown_prose
from autograder.course.check_locations import check_locations
from autograder.course.lab import Lab
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import class_statistics, mistake_sentences
from autograder.feedback.junit import junit
from autograder.feedback.markdown import report_markdown
from autograder.feedback.pages import statistics_of, write_student_pages
from autograder.feedback.student_page import student_page
from autograder.feedback.terminal import print_report
from autograder.intake import StageSubmission, take_in
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.run import judge_stage
from autograder.pipeline.grade import Graded, stage_files

SOURCE = solution(double="return 2 + x", total='raise ValueError("no")')
LINES = SOURCE.split("\n")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return build_tiny_lab(tmp_path_factory.mktemp("tiny") / "lab")


@pytest.fixture(scope="module")
def report(lab):
    stage = lab.stage(STAGE)
    checks = judge_stage(stage, {MODULE: SOURCE}, InProcessSession, read_course_code(lab, stage), seed=1)
    return StageReport(student="ada", stage=STAGE, checks=checks, isolation=IsolationLevel.NONE)


def test_the_page_links_each_failure_to_its_line(lab, report):
    root = read_html(student_page([report], {STAGE: SOURCE}, lab.config, {}))
    assert_inert(root)
    assert_anchors(root)
    assert "your output is what you get when 2 is added to each element" in root.find("div", "named").text
    hit = [number for number, line in enumerate(root.find("figure").find_all("li"), 1) if "hit" in line.classes]
    asked = ("def double", "raise ValueError", "raise NotImplementedError('halve')")
    assert hit == [number for number, line in enumerate(LINES, 1) if any(words in line for words in asked)]


def test_failing_examples_are_on_a_students_page_only_once_no_hand_in_earns_points(report, tmp_path):
    lab = build_tiny_lab(tmp_path / "lab")
    inputs = dict(report.checks[0].example)["input"]
    assert inputs.startswith("seed = 0; sizes = (1, 2); x = [["), "the variables of the hidden test"
    assert [label for label, _ in report.checks[0].example] == ["input", "expected", "yours"]
    submission = StageSubmission("ada", STAGE, SOURCE)

    def page() -> str:
        write_student_pages(tmp_path, Lab(lab.root), [Graded(submission, report, cached=False)])
        return (tmp_path / "students" / "ada.html").read_text(encoding="utf-8")

    assert inputs not in page()
    grading = lab.root / "grading.yml"
    replace_in(grading, "policies:\n", "policies:\n  feedback: after_due\n")
    assert inputs in page()
    replace_in(grading, "due: 2026", "due: 2926")
    assert inputs not in page()
    console = Console(file=io.StringIO(), width=100)
    print_report(console, report)
    for text in (console.file.getvalue(), report_markdown([report]), junit([report]).decode()):
        assert "seed = 0" not in text


def test_the_terminal_and_markdown_say_the_same(report):
    console = Console(file=io.StringIO(), width=100)
    print_report(console, report)
    for text in (console.file.getvalue(), report_markdown([report])):
        assert "2 is added to each element" in text
        assert "your code raised ValueError" in text
        assert "double_adds_two" not in text


@pytest.fixture(scope="module")
def written_for_students(lab, report, tmp_path_factory) -> dict[str, str]:
    """Every text that a student may be given about a report."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "ada" / STAGE).mkdir(parents=True)
    (folder / "ada" / STAGE / f"{MODULE}.py").write_text(SOURCE, encoding="utf-8")
    (submission,) = take_in([folder], stage_files(lab))
    pages = write_student_pages(folder, lab, [Graded(submission, report, cached=False)])
    console = Console(file=io.StringIO(), width=200)
    print_report(console, report)
    return {
        "page": (folder / pages["ada"]).read_text(encoding="utf-8"),
        "terminal": console.file.getvalue(),
        "markdown": report_markdown([report]),
        "junit": junit([report]).decode(),
    }


@pytest.mark.parametrize("form", ["page", "terminal", "markdown", "junit"])
def test_no_text_for_students_names_a_hidden_test_or_its_file(lab, report, written_for_students, form):
    text = written_for_students[form]
    short = form in ("page", "terminal")  # the name of the exercise is in the heading
    titles = [check.title.removeprefix(f"{check.exercise}: " if short else "") for check in report.checks]
    titles = [markdown_prose(title) if form == "markdown" else title for title in titles]
    assert all(title in text for title in titles)
    locations = check_locations(lab)
    assert len(locations) == len(report.checks)
    for (_, check), location in locations.items():
        for secret in (check, location, location.rpartition("/")[2]):
            assert secret not in text
    for path in lab.stage(STAGE).hidden_tests.iterdir():
        assert path.name not in text
    assert "tests/hidden" not in text


def test_the_class_page_names_each_hidden_test(lab, report):
    page = class_page(statistics_of(lab, [report]))
    for (_, check), location in check_locations(lab).items():
        assert check in page
        assert location in page


def test_the_class_page_counts_the_mistake_in_the_words_of_the_catalogue(lab, report):
    page = class_page(class_statistics([report], lab.config, sentences=mistake_sentences(lab)))
    part = next(part for part in read_html(page).find_all("section") if part.attributes.get("id") == "mistakes")
    cells = [
        " ".join(cell.text.split()) for cell in part.find("tbody").find("tr").find_all() if cell.tag in ("th", "td")
    ]
    assert cells[:3] == ["2 is added to each element who ada", "1_tiny", "1"]
