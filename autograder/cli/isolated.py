"""Proven isolation for the commands that evaluate models."""

import sys

from rich.console import Console

from autograder.cli.endings import WRONG_USE
from autograder.isolation.process import Template, TemplateError
from autograder.isolation.selfcheck import self_check
from autograder.judge.pool import no_isolation_message


def proven_template(console: Console, *, isolated: bool) -> Template:
    """Start a template and prove its isolation; exit with an explanation if that fails."""
    if not isolated:
        return Template.start_without_isolation()
    try:
        template = Template.start()
    except TemplateError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(WRONG_USE)
    if open_probes := tuple(probe.name for probe in self_check(template) if not probe.closed):
        template.close()
        console.print(no_isolation_message(open_probes), style="red", markup=False, soft_wrap=True)
        sys.exit(WRONG_USE)
    return template
