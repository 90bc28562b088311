"""Self-contained pages: one file that loads nothing, and runs no script but its own."""

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.base.sinks import html_prose, html_text, one_line


def render(template: str, script_file: str = "", **values: Any) -> str:
    """Fill a template; every value that is not ``Markup`` is escaped.

    Args:
        template: the template.
        script_file: the only script that the page may run, a template without values; empty for none.
        values: the template's values, with other names than ``style``, ``script`` and ``policy``.
    """
    environment = _environment()
    style = environment.get_template("style.css").render()
    script = environment.get_template(script_file).render() if script_file else ""
    # The page carries its own policy: even unescaped markup could run and load nothing.
    policy = f"default-src 'none'; style-src {_source(style)}; base-uri 'none'; form-action 'none'"
    if script:
        policy += f"; script-src {_source(script)}"
    # A value of one of these names raises TypeError: it would be lost.
    return environment.get_template(template).render(
        style=Markup(style), script=Markup(script), policy=policy, **values
    )


def _source(text: str) -> str:
    """A source of a policy that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder.feedback"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=html_text,  # every value that a template shows
    )
    environment.filters["prose"] = html_prose
    environment.filters["name"] = one_line
    return environment
