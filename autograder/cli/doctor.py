"""``autograder doctor``: show whether this machine can grade."""

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.cli.endings import FAILURES, OutputConsole
from autograder.cli.shared import LabOption, pass_lab
from autograder.course.config import ConfigError
from autograder.course.lab import LabError
from autograder.integrations.formgrader import formgrader_state
from autograder.integrations.gradebook_server import gradebook_name, has_gradebook
from autograder.judge.pool import no_isolation_message

if TYPE_CHECKING:
    from autograder.isolation.selfcheck import Probe

_PACKAGES = ("torch", "numpy", "pytest", "hypothesis", "nbgrader")


@click.command()
@pass_lab
def doctor(option: LabOption) -> None:
    """Show whether this machine can grade.

    Lists versions, devices, the lab, its gradebook and formgrader, the isolation level, and the result of each
    isolation probe. Exits with code 1 if student code cannot be isolated.
    """
    console = OutputConsole(highlight=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (*_facts(), *_lab_facts(option)):
        table.add_row(name, value)
    console.print(table)
    problem = _isolation(console)
    if problem:
        console.print(problem, style="red", soft_wrap=True)
        sys.exit(FAILURES)


def _facts() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    for package in _PACKAGES:
        yield package, version(package)
    yield "devices", ", ".join(_devices())
    yield "bubblewrap", shutil.which("bwrap") or "not installed: isolation `kernel+ns` requires it, `kernel` does not"


def _devices() -> Iterator[str]:
    import torch  # takes two seconds, and the help text does not need it

    yield "cpu"
    for index in range(torch.cuda.device_count()):
        yield f"cuda:{index} ({torch.cuda.get_device_name(index)})"
    if torch.backends.mps.is_available():
        yield "mps"


def _lab_facts(option: LabOption) -> Iterator[tuple[str, str]]:
    try:
        lab = option.lab
        yield "lab", f"{lab.root}, {len(lab.config.stages)} stages"
    except (LabError, ConfigError) as error:
        yield "lab", str(error)
        return
    yield "gradebook", gradebook_name(lab) + ("" if has_gradebook(lab) else " (does not exist yet)")
    works, line = formgrader_state(lab)
    yield "formgrader", line if works else f"[red]{escape(line)}[/]"


def _isolation(console: Console) -> str | None:
    """Print the isolation level and every probe; return the problem if this machine cannot grade."""
    from autograder.isolation.process import Template, TemplateError
    from autograder.isolation.selfcheck import proven_level, self_check

    try:
        template = Template.start()
    except TemplateError as error:
        console.print("isolation none")
        return str(error)
    try:
        probes = self_check(template)
        console.print(f"isolation {proven_level(template, probes)}")
    finally:
        template.close()
    table = Table("student code tries to", "", "observed", box=None, pad_edge=False)
    for probe in probes:
        table.add_row(probe.name, _mark(probe), probe.detail)
    console.print(table)
    return _verdict(probes)


def _mark(probe: "Probe") -> str:
    if not probe.closed:
        return "[red]NOT STOPPED[/]"
    return "[green]stopped[/]" if probe.conclusive else "[yellow]inconclusive[/]"


def _verdict(probes: list["Probe"]) -> str | None:
    through = tuple(probe.name for probe in probes if not probe.closed)
    return no_isolation_message(through) if through else None
