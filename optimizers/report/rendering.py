"""Filling in the report's templates; every value that is not our own markup is escaped."""

from __future__ import annotations

import base64
import hashlib
import importlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup


def render(name: str, **values: Any) -> Markup:
    """Return a filled-in template, as markup that other templates can include.

    Args:
        name: A file in ``templates/``.
        **values: Variables of the template; a missing variable is an error, not an empty text.
    """
    return _mark(_environment().get_template(name).render(**values))


def read_asset(name: str) -> Markup:
    """Return one of our style sheets or scripts, to include unchanged."""
    return _mark(_read(name))


def content_hash(text: str) -> str:
    """Return the hash of ``text`` for a Content-Security-Policy: ``sha256-`` and base64."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _environment() -> Any:
    jinja2 = importlib.import_module("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["number"] = _format_number
    return environment


def _mark(text: str) -> Markup:
    markup: Markup = importlib.import_module("markupsafe").Markup(text)
    return markup


def _read(name: str) -> str:
    return files("optimizers.report").joinpath("templates", name).read_text(encoding="utf-8")


def _format_number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
