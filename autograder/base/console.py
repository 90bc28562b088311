"""The console of all commands."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from autograder.base.sinks import ZERO_WIDTH_SPACE, log_text


class SafeConsole(Console):
    """A console whose output holds no command to a terminal or a build service, except for colours and progress."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object into segments of safe text."""
        before = ""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
                continue
            text = log_text(segment.text)
            if (before + text[:1]) in ("::", "##"):  # a command in two colours
                text = ZERO_WIDTH_SPACE + text
            before = text[-1:] or before
            style = segment.style
            yield Segment(text, style.update_link(None) if style is not None and style.link else style)
