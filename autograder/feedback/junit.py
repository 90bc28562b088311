"""Reports as JUnit XML, for the test tabs of build services."""

from collections.abc import Sequence
from xml.etree import ElementTree

from autograder.base.results import Outcome, ReportState, StageReport
from autograder.base.sinks import xml_text
from autograder.feedback.views import CheckView, stage_view

# Build services distinguish an error, a test without an answer, from a failure, a test that answers "no".
_ERRORS = frozenset({Outcome.ERROR, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY, Outcome.NOT_GRADED, Outcome.GRADER_ERROR})


def junit(reports: Sequence[StageReport]) -> bytes:
    """Encode reports as UTF-8 JUnit XML: one test suite per report, one test case per check.

    A check that was not attempted is a failure, because services count a skipped test as a success. A stage that was
    not begun is one skipped test, or one failure if it counts 0.
    """
    root = ElementTree.Element("testsuites")
    for report in reports:
        _suite(root, report)
    ElementTree.indent(root)
    body: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'.encode()


def _suite(root: ElementTree.Element, report: StageReport) -> None:
    view = stage_view(report)
    suite = _add(root, "testsuite", name=f"{view.student} · {view.stage}")
    properties = _add(suite, "properties")
    facts = {"score": view.score_text, **{f"remark {number}": text for number, text in enumerate(view.remarks, 1)}}
    for name, value in facts.items():
        _add(properties, "property", name=name, value=value)
    counts = {"failure": 0, "error": 0, "skipped": 0}
    if view.state is ReportState.NOT_BEGUN:
        case = _add(suite, "testcase", classname=view.stage, name=view.state.value)
        kind = "skipped" if view.score is None else "failure"
        counts[kind] += 1
        _add(case, kind, message="; ".join(view.remarks))
    for exercise in view.exercises:
        for check in exercise.checks:
            group = f"{view.stage}.{exercise.name}"
            case = _add(suite, "testcase", classname=group, name=check.title)
            if check.outcome is not Outcome.PASSED:
                kind = "error" if check.outcome in _ERRORS else "failure"
                counts[kind] += 1
                _problem(case, kind, check)
    suite.attrib.update(
        tests=str(len(suite.findall("testcase"))),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
    )


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    """Add an element; every text of the file is an attribute of one, or the text of a problem."""
    return ElementTree.SubElement(parent, tag, {name: xml_text(value) for name, value in attributes.items()})


def _problem(case: ElementTree.Element, kind: str, check: CheckView) -> None:
    problem = _add(case, kind, type=check.outcome.value, message=check.what or check.label)
    problem.text = xml_text("\n".join(f"{part}: {text}" for part, text in check.details))
