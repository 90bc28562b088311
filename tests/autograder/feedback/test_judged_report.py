"""A report as the judge really makes it, shown in every form: the forms must understand its words."""

import io

import pytest
from page_reader import assert_anchors, assert_inert, read_html
from rich.console import Console
from tiny_lab import MODULE, STAGE, build_tiny_lab, solution

from autograder.base.results import IsolationLevel, StageReport
from autograder.feedback.class_page import class_page
from autograder.feedback.class_statistics import class_statistics, mistake_sentences
from autograder.feedback.markdown import report_markdown
from autograder.feedback.student_page import student_page
from autograder.feedback.terminal import print_report
from autograder.isolation.in_process import InProcessSession
from autograder.judge.course_code import read_course_code
from autograder.judge.run import judge_stage

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


def test_the_terminal_and_markdown_say_the_same(report):
    console = Console(file=io.StringIO(), width=100)
    print_report(console, report)
    for text in (console.file.getvalue(), report_markdown([report])):
        assert "2 is added to each element" in text
        assert "your code raised ValueError" in text
        assert "double_adds_two" not in text


def test_the_class_page_counts_the_mistake_in_the_words_of_the_catalogue(lab, report):
    page = class_page(class_statistics([report], lab.config, sentences=mistake_sentences(lab)))
    item = next(one for one in read_html(page).find_all("ul") if "mistakes" in one.classes)
    assert " ".join(item.find("p").text.split()) == "1 2 is added to each element 1_tiny"
