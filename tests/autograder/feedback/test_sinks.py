"""Hostile text in every field of what the grader shows, through every renderer: no output passes by its sink.

The fields are found by their types, the renderers by their arguments, and writers outside the sinks by their calls. So
a new field, renderer or writer is covered, or fails here.
"""

import ast
import csv
import importlib
import inspect
import io
import json
import pkgutil
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints
from xml.etree import ElementTree

import msgspec
import pytest
from filled import filled
from hostile_text import ATTACKS, hostile_text
from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from page_reader import read_html
from rich.console import Console
from sample_reports import ATTENTION, CONFIG

import autograder
from autograder import feedback
from autograder.base.console import SafeConsole
from autograder.base.results import CheckResult, Outcome, StageReport, encode_results
from autograder.base.sinks import ZERO_WIDTH_SPACE, csv_cell, json_text, log_line, log_text
from autograder.cli.evaluate import _table
from autograder.cli.grade import print_notes
from autograder.cli.shared import progress
from autograder.course.policy import TotalPolicy
from autograder.feedback.checks_csv import checks_csv
from autograder.feedback.class_page import class_page
from autograder.feedback.class_report_terminal import print_class_report
from autograder.feedback.class_statistics import class_statistics
from autograder.feedback.class_terminal import print_class_table
from autograder.feedback.junit import junit
from autograder.feedback.leaderboard_page import leaderboard_json, leaderboard_page
from autograder.feedback.leaderboard_terminal import print_leaderboard
from autograder.feedback.markdown import report_markdown
from autograder.feedback.platforms.gradescope import gradescope_results
from autograder.feedback.platforms.moodle import moodle_import
from autograder.feedback.student_page import student_page
from autograder.feedback.terminal import print_report
from autograder.integrations.grades import Grade
from autograder.integrations.nbgrader import FilingReport
from autograder.leaderboard import Entry, RankedEntry, Ranking

PACKAGE = Path(autograder.__file__).parent
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
FORMULA = tuple("=+-@＝＋－＠\t\r")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reports(text: str) -> list[StageReport]:
    """Reports of one student in every state, with every outcome, and the text in every field."""
    check = {outcome: filled(CheckResult, text, outcome=outcome, bonus=False) for outcome in Outcome}
    known = filled(StageReport, text, not_graded="", begun=True, stage=ATTENTION, checks=(check[Outcome.PASSED],))
    others = [
        filled(StageReport, text, checks=tuple(check.values())),
        filled(StageReport, text, not_graded="", checks=tuple(check.values())),
        filled(StageReport, text, not_graded="", begun=False, checks=(check[Outcome.NOT_ATTEMPTED],)),
        *(filled(StageReport, text, not_graded="", days_late=None, checks=(each,)) for each in check.values()),
    ]
    own = [msgspec.structs.replace(report, stage=f"{index} {text}") for index, report in enumerate(others)]
    return [known, *own]


def grades(text: str) -> list[Grade]:
    """The grades of these reports."""
    return [filled(Grade, text, student=report.student, stage=report.stage) for report in reports(text)]


def statistics(text: str) -> Any:
    config = msgspec.structs.replace(
        CONFIG, course=text, stages={ATTENTION: msgspec.structs.replace(CONFIG.stages[ATTENTION], title=text)}
    )
    stages = reports(text)
    places = {(report.stage, check.id): text for report in stages for check in report.checks}
    return class_statistics(stages, config, sentences={(ATTENTION, text): text}, locations=places)


def ranking(text: str) -> Ranking:
    entries = [filled(RankedEntry, text)] * 2
    ranked: Ranking = filled(Ranking, text, unranked=(filled(Entry, text, evaluation=None),))
    return Ranking(tuple((event, tuple(entries)) for event, _ in ranked.events), ranked.unranked, ranked.baselines)


def student_html(text: str) -> str:
    stages = reports(text)
    config = msgspec.structs.replace(CONFIG, course=text)
    sources = {report.stage: f"{text}\n# {text}\n'{text}'" for report in stages}
    return student_page(stages, sources, config, {report.stage: {text: text} for report in stages})


def printed(show: Callable[[Console], object], *, terminal: bool = False) -> str:
    stream = io.StringIO()
    show(SafeConsole(file=stream, width=100, force_terminal=terminal, highlight=False))
    return stream.getvalue()


def show_progress(console: Console, text: str) -> None:
    with progress(console, text, 2) as done:
        done(text)


TERMINAL: dict[str, Callable[[Console, str], object]] = {
    "print_report": lambda console, text: [print_report(console, report) for report in reports(text)],
    "print_class_table": lambda console, text: print_class_table(console, statistics(text)),
    "print_class_report": lambda console, text: print_class_report(console, statistics(text)),
    "print_leaderboard": lambda console, text: print_leaderboard(console, ranking(text), show_students=True),
    "notes": lambda console, text: print_notes(console, reports(text), details=True),
    "models": lambda console, text: console.print(_table([filled(Entry, text), filled(Entry, text, evaluation=None)])),
    "filing": lambda console, text: console.print(filled(FilingReport, text).summary(), markup=False, soft_wrap=True),
    "progress": show_progress,
    "a line": lambda console, text: console.print(f"  {text}", markup=False, soft_wrap=True),
    "two colours": lambda console, text: console.print("[red]:[/][blue]:error::x[/] [red]#[/]#[red][[/]error]"),
    "a link": lambda console, text: console.print("[link=https://evil.example]x[/link]"),
}
PAGES: dict[str, Callable[[str], str]] = {
    "student_page": student_html,
    "class_page": lambda text: class_page(statistics(text), {text: "students/x.html"}),
    "leaderboard_page": lambda text: leaderboard_page(text, ranking(text), isolated=False),
}
DATA: dict[str, Callable[[str], bytes]] = {
    "encode_results": lambda text: encode_results(reports(text), None, {(ATTENTION, text): text}),
    "leaderboard_json": lambda text: leaderboard_json(ranking(text)),
    "gradescope_results": lambda text: gradescope_results(reports(text), grades(text), TotalPolicy(drop_lowest=1)),
}
OTHERS = {"report_markdown", "junit", "checks_csv"}

MORE = ("\x1b]8;;https://evil.example\x07x", "  ##[error]x", "\u2028::add-mask::x", "##vso[x]")


def joined(attacks: Sequence[str], length: int = 330) -> list[str]:
    """The attacks in few texts, each short enough to be shown whole."""
    texts = [""]
    for attack in attacks:
        if len(texts[-1]) + len(attack) > length:
            texts.append("")
        texts[-1] += f"{attack} "
    return texts


some_text = joined([*MORE, *ATTACKS])


def invisible(text: str) -> list[str]:
    kept = ("\n", ZERO_WIDTH_SPACE)
    return [sign for sign in text if unicodedata.category(sign) in INVISIBLE and sign not in kept]


@pytest.mark.parametrize("renderer", TERMINAL)
@pytest.mark.parametrize("text", some_text)
def test_a_terminal_gets_text_and_colours_only(renderer, text):
    show = TERMINAL[renderer]
    output = COLOUR.sub("", printed(lambda console: show(console, text), terminal=renderer != "progress"))
    assert invisible(output) == []
    assert not re.search("::|##", output)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("text", some_text)
def test_a_page_has_the_elements_that_it_has_with_harmless_text(page, text):
    shown = PAGES[page](text)
    assert invisible(shown) == []
    root, harmless = read_html(shown), read_html(PAGES[page]("x"))
    own = {(element.tag, *sorted(element.attributes)) for element in harmless.find_all()}
    markup_of_messages = {("code",), ("span", "class"), ("a", "href"), ("a", "class", "href"), ("td", "class"), ("dd",)}
    assert {(element.tag, *sorted(element.attributes)) for element in root.find_all()} <= own | markup_of_messages
    targets = [element.attributes["href"] for element in root.find_all("a")]
    assert [target for target in targets if not re.match(r"#|[\w%.~-]", target) or re.match(r"\w+:", target)] == []


@pytest.mark.parametrize("renderer", DATA)
@pytest.mark.parametrize("text", some_text)
def test_json_is_valid_and_visible(renderer, text):
    raw = DATA[renderer](text)
    assert invisible(raw.decode()) == []
    json.loads(raw)
    msgspec.json.decode(raw)


@pytest.mark.parametrize("text", some_text)
def test_markdown_and_xml_keep_their_structure(text):
    markdown = report_markdown(reports(text))
    assert invisible(markdown) == []
    assert not re.search("::|##\\[", markdown)
    root = read_html(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))
    assert root.find_all("script") + root.find_all("img") + root.find_all("a") == []
    raw = junit(reports(text)).decode()
    assert invisible(raw) == []
    assert not re.search("::|##", raw)
    count = len(list(ElementTree.fromstring(junit(reports("x"))).iter()))
    assert len(list(ElementTree.fromstring(raw).iter())) == count


@given(hostile_text)
@settings(max_examples=150, deadline=None)
@example("=cmd|' /C calc'!A0")
@example("x;=1+1")
@example("\t=1")
@example(" \r\n@SUM(1)")
@example("x\t-1")
def test_no_cell_is_a_formula_however_the_spreadsheet_splits_it(text):
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_cell(text), csv_cell(-1.5)])
    assert invisible(stream.getvalue().replace("\r\n", "")) == []
    (cell, number) = next(csv.reader(io.StringIO(stream.getvalue())))
    assert number == "-1.5"
    for part in re.split(r"[;,\t|]", cell):
        assert not part.strip().strip('"').startswith(FORMULA)


@pytest.mark.parametrize("text", some_text)
def test_csv_exports_hold_no_formula_and_nothing_invisible(text):
    locations = {(report.stage, check.id): text for report in reports(text) for check in report.checks}
    for content in (checks_csv(reports(text), locations), moodle_import(grades(text), CONFIG)):
        assert invisible(content.decode()) == []
        cells = [cell for row in csv.reader(io.StringIO(content.decode())) for cell in row]
        assert [cell for cell in cells if re.match(r"\s*[=+@＝＋－＠]|\s*-\D", cell)] == []


def test_honest_cells_stay():
    for text in ("Ada Lovelace", "O'Neil - Smith", "ann+lab@a.example", "2026-03-01", "", "3_multihead", "Zoë"):
        assert csv_cell(text) == text


@given(hostile_text)
@settings(max_examples=150, deadline=None)
def test_text_for_a_log_keeps_its_lines_and_holds_no_command(text):
    for made in (log_text(text), log_line(text)):
        assert invisible(made) == []
        assert not re.search("::|##", made)
    assert log_text(log_text(text)) == log_text(text)
    json.loads(json_text({"text": text}))


def functions_of_feedback() -> set[str]:
    """The functions of the room that take results and write them."""
    found = set()
    for module in pkgutil.iter_modules(feedback.__path__, "autograder.feedback."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if function.__module__ != module.name or name.startswith(("_", "write_")):
                continue
            hints = get_type_hints(function)
            if hints["return"] in (str, bytes) and hints.keys() & {"reports", "statistics", "ranking"}:
                found.add(name)
            if "console" in hints:
                found.add(name)
    return found


def test_every_renderer_is_tested_here():
    assert functions_of_feedback() <= {*TERMINAL, *PAGES, *DATA, *OTHERS}


# What writes past a sink → the only places that may call it; `course` and `release` write the lab's own files.
WRITERS = {
    "Console": ("base/console.py",),
    "print": ("isolation/escape_attempts.py", "__main__.py", "integrations/bundles/"),
    "echo": (),
    "secho": (),
    "writer": ("base/sinks.py", "feedback/platforms/csv_file.py"),
    "DictWriter": ("integrations/nbgrader/export.py",),
    "SubElement": ("feedback/junit.py",),
    "Environment": ("feedback/html.py",),
    "format": ("base/sinks.py", "cli/lab.py", "course/", "pipeline/commitment.py", "release/"),
}


def test_nothing_writes_past_the_sinks():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                simple = name.rpartition(".")[2]
                plain = name == simple or name.startswith(("click.", "csv.", "ElementTree.", "rich.", "msgspec.json."))
                if plain and simple in WRITERS and not place.startswith(WRITERS[simple]):
                    found.add(f"{place}:{node.lineno}: {name}")
    assert found == set()
