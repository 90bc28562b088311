"""Self-contained pages: one file, without scripts, that loads nothing."""

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.base.sinks import code_parts, one_line


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
    )
    environment.filters["prose"] = prose
    environment.filters["name"] = one_line
    return environment


def prose(text: str) -> Markup:
    """A message as escaped HTML, with its `` `code` `` as ``<code>``."""
    parts = (
        Markup("<code>{}</code>" if is_code else "{}").format(part) for part, is_code in code_parts(one_line(text))
    )
    return Markup("").join(parts)
