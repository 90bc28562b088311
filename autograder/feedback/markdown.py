"""Reports as Markdown, for the summary of a build step or a comment on an issue."""

import re
from collections.abc import Iterator, Sequence

from autograder.base.results import StageReport
from autograder.base.sinks import ZERO_WIDTH_SPACE, code_parts, log_line
from autograder.feedback.views import CheckView, StageView, stage_view

# Characters with a meaning inside a line of GitHub's Markdown; `:` and the dot of `www.` start links without brackets.
_ACTIVE = re.compile(r"[\\`*_\[\]<>#!~&:@$]|(?<=www)\.", re.IGNORECASE)
# GitHub turns these into notifications and links after rendering Markdown, so Markdown's escapes do not help.
_REFERENCE = re.compile(r"[@#](?=\w)")


def report_markdown(reports: Sequence[StageReport]) -> str:
    """Render all reports as one Markdown document, in the order given."""
    return "\n".join(line for report in reports for line in _stage(stage_view(report))) + "\n"


def prose(text: str) -> str:
    """A message as Markdown that shows ``text`` literally; only `` `code` `` stays markup."""
    return "".join(_span(part) if is_code else _escape(part) for part, is_code in code_parts(log_line(text)))


def code(text: str) -> str:
    """A code span that ``text`` cannot leave."""
    return _span(log_line(text))


def _span(line: str) -> str:
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def _escape(text: str) -> str:
    inert = _REFERENCE.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, text)
    return _ACTIVE.sub(r"\\\g<0>", inert)


def _row(*cells: str) -> str:
    """A row of a table; a bar is escaped, because it ends a cell even within code."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _stage(view: StageView) -> Iterator[str]:
    yield f"## {code(view.stage)}: {view.score_text}{' points' if view.score is not None else ''}"
    yield ""
    yield f"Student: {code(view.student)}"
    yield ""
    for remark in view.remarks:
        yield f"> {prose(remark)}"
        yield ""
    if not view.checks:
        return
    yield "| | Check | Exercise | Points |"
    yield "|---|---|---|---:|"
    for exercise in view.exercises:
        for check in exercise.checks:
            name = code(exercise.name) + (" (bonus)" if exercise.bonus else "")
            yield _row(f"{check.mark} {check.label}", prose(check.title), name, check.score_text)
    yield ""
    for exercise in view.exercises:
        if exercise.remark:
            yield f"> {code(exercise.name)}: {prose(exercise.remark)}"
            yield ""
    for check in [view.common] if view.common else view.checks:
        if check.details:
            yield from _details(check)


def _details(check: CheckView) -> Iterator[str]:
    yield f"### {check.mark} {prose(check.title)}"
    yield ""
    for part, text in check.details:
        shown = code(text) if part == "where" else prose(text)
        yield f"- **{part}** {f'**{shown}**' if check.named and part == 'what' else shown}"
    yield ""
