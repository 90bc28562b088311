"""Self-contained pages: one file, without scripts, that loads nothing."""

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.base.sinks import html_prose, html_text, one_line


def render(template: str, **values: Any) -> str:
    """Fill a template; every value that is not ``Markup`` is escaped."""
    environment = _environment()
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The page carries its own policy: even unescaped markup could run and load nothing.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template(template).render(style=Markup(style), policy=policy, **values)


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
