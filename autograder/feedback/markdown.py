"""Reports as Markdown, for the summary of a build step or a comment on an issue."""

from collections.abc import Iterator, Sequence

from autograder.base.results import StageReport
from autograder.base.sinks import markdown_code, markdown_prose
from autograder.feedback.views import CheckView, StageView, stage_view


def report_markdown(reports: Sequence[StageReport]) -> str:
    """Render all reports as one Markdown document, in the order given."""
    return "\n".join(line for report in reports for line in _stage(stage_view(report))) + "\n"


def _row(*cells: str) -> str:
    """A row of a table; a bar is escaped, because it ends a cell even within code."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _stage(view: StageView) -> Iterator[str]:
    yield f"## {markdown_code(view.stage)}: {view.score_text}{' points' if view.score is not None else ''}"
    yield ""
    yield f"Student: {markdown_code(view.student)}"
    yield ""
    for remark in view.remarks:
        yield f"> {markdown_prose(remark)}"
        yield ""
    if not view.checks:
        return
    yield "| | Check | Exercise | Points |"
    yield "|---|---|---|---:|"
    for exercise in view.exercises:
        for check in exercise.checks:
            name = markdown_code(exercise.name) + (" (bonus)" if exercise.bonus else "")
            yield _row(f"{check.mark} {check.label}", markdown_prose(check.title), name, check.score_text)
    yield ""
    for exercise in view.exercises:
        if exercise.remark:
            yield f"> {markdown_code(exercise.name)}: {markdown_prose(exercise.remark)}"
            yield ""
    for check in [view.common] if view.common else view.checks:
        if check.details:
            yield from _details(check)


def _details(check: CheckView) -> Iterator[str]:
    yield f"### {check.mark} {markdown_prose(check.title)}"
    yield ""
    for part, text in check.details:
        shown = markdown_code(text) if part == "where" else markdown_prose(text)
        yield f"- **{part}** {f'**{shown}**' if check.named and part == 'what' else shown}"
    yield ""
