"""Reports as Markdown, for the summary of a build step or a comment on an issue."""

import re
from collections.abc import Iterator, Sequence

from autograder.feedback.text import code_parts, log_line
from autograder.feedback.views import CheckView, StageView, stage_view
from autograder.results import StageReport

# What GitHub's Markdown acts upon inside a line; `:` and the dot of `www.` start links without brackets.
_ACTIVE = re.compile(r"[\\`*_\[\]<>#!|~&:@$]|(?<=www)\.", re.IGNORECASE)
# GitHub turns these into notifications and links, even where Markdown's own escapes stand before them.
_REFERENCE = re.compile(r"([@#])(?=\w)")


def report_markdown(reports: Sequence[StageReport]) -> str:
    """All reports as one Markdown document, in the order given."""
    return "\n".join(line for report in reports for line in _stage(stage_view(report))) + "\n"


def prose(text: str) -> str:
    """A message as Markdown: it shows what ``text`` says, and none of it acts as markup.

    Only `` `code` `` stays code.
    """
    return "".join(code(part) if is_code else _escape(part) for part, is_code in code_parts(log_line(text)))


def code(text: str) -> str:
    """A code span that ``text`` cannot leave."""
    line = log_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    # A bar would end the cell of a table that holds the span.
    return f"{fence}{space}{line}{space}{fence}".replace("|", "\\|")


def _escape(text: str) -> str:
    pieces = _REFERENCE.split(text)
    return "".join(
        f"`{piece}`" if index % 2 else _ACTIVE.sub(r"\\\g<0>", piece) for index, piece in enumerate(pieces)
    )


def _stage(view: StageView) -> Iterator[str]:
    yield f"## {code(view.stage)}: {view.score_text}{' points' if view.score is not None else ''}"
    yield ""
    yield f"Student: {code(view.student)}"
    yield ""
    for remark in view.remarks:
        yield f"> {prose(remark)}"
        yield ""
    yield "| | Check | Exercise | Points |"
    yield "|---|---|---|---:|"
    for exercise in view.exercises:
        for check in exercise.checks:
            name = code(exercise.name) + (" (bonus)" if exercise.bonus else "")
            yield f"| {check.mark} {check.label} | {prose(check.title)} | {name} | {check.score_text} |"
    yield ""
    if view.common:
        yield from _details(view.common, view.common.label)
    else:
        for check in view.checks:
            if check.details:
                yield from _details(check, check.title)


def _details(check: CheckView, title: str) -> Iterator[str]:
    yield f"### {check.mark} {prose(title)}"
    yield ""
    for part, text in check.details:
        shown = code(text) if part == "where" else prose(text)
        yield f"- **{part}** {f'**{shown}**' if check.named and part == 'what' else shown}"
    yield ""
