"""``autograder export junit`` and ``export markdown``: the stored results as files."""

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import CliRunner, Result
from sample_reports import ATTENTION, CONFIG, KERNELS, SECRETS, report_with_secrets, sample_class

from autograder.cli.main import main
from autograder.course.lab import Lab
from autograder.feedback.junit import junit
from autograder.feedback.markdown import report_markdown
from autograder.pipeline.stored_reports import result_store


def export(lab: Lab, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--lab", str(lab.root), "export", *map(str, arguments)])


@pytest.fixture
def graded_lab(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab with stored results, whose grading.yml lists the stages in another order than their names."""
    stages = dict(reversed(CONFIG.stages.items()))
    monkeypatch.setattr(Lab, "config", msgspec.structs.replace(CONFIG, stages=stages))
    for report in sample_class():
        result_store(tiny_lab).put("key", report)
    return tiny_lab


def reports_in_order() -> list:
    return sorted(sample_class(), key=lambda report: (report.student, report.stage != ATTENTION))


def test_junit_holds_every_report_in_the_order_of_grading_yml(graded_lab, tmp_path):
    file = tmp_path / "out" / "results.xml"
    done = export(graded_lab, "junit", file)
    assert (done.exit_code, done.output) == (0, f"{file}: 10 test suites\n")
    assert file.read_bytes() == junit(reports_in_order())
    names = [suite.get("name") for suite in ElementTree.parse(file).findall("testsuite")]
    assert names[:2] == [f"ada · {ATTENTION}", f"ada · {KERNELS}"]


def test_markdown_holds_one_file_for_each_student(graded_lab, tmp_path):
    folder = tmp_path / "out"
    done = export(graded_lab, "markdown", folder)
    assert (done.exit_code, done.output) == (0, f"{folder}: 5 files\n")
    assert sorted(path.name for path in folder.iterdir()) == ["ada.md", "bo.md", "cy.md", "dee.md", "eve.md"]
    for path in folder.iterdir():
        own = [report for report in reports_in_order() if report.student == path.stem]
        assert path.read_text(encoding="utf-8") == report_markdown(own)


def test_a_stage_that_grading_yml_no_longer_lists_comes_last(graded_lab, tmp_path):
    reports = [report for report in sample_class() if report.student == "ada"]
    result_store(graded_lab).put("key", msgspec.structs.replace(reports[0], stage="0_removed"))
    export(graded_lab, "markdown", tmp_path)
    headings = [line.split(":")[0] for line in (tmp_path / "ada.md").read_text(encoding="utf-8").splitlines()]
    assert [line for line in headings if line.startswith("## ")] == [
        f"## `{stage}`" for stage in (ATTENTION, KERNELS, "0_removed")
    ]


@pytest.mark.parametrize("form", ["junit", "markdown"])
def test_an_export_holds_only_texts_for_students(graded_lab, tmp_path, form):
    result_store(graded_lab).put("key", report_with_secrets())
    assert export(graded_lab, form, tmp_path / "out").exit_code == 0
    files = [path for path in (tmp_path / "out", *(tmp_path / "out").glob("*")) if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert "scores are scaled by the head size" in text
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("form", ["junit", "markdown"])
def test_without_results_nothing_is_written(tiny_lab, tmp_path, form):
    done = export(tiny_lab, form, tmp_path / "out")
    assert done.exit_code == 2
    assert "no submission has been graded yet" in done.output
    assert not (tmp_path / "out").exists()
