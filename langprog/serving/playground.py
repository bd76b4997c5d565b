"""The playground: one page, without anything from elsewhere, that shows texts only as texts."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page and the headers that confine it.

    Args:
        content: The page.
        headers: They allow its own script and style, and requests to its own server.
    """

    content: bytes
    headers: dict[str, str]


def playground_page() -> Page:
    """Return the playground."""
    content = resources.files(__package__).joinpath("playground.html").read_bytes()
    allowed = {
        kind.decode(): f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for kind, text in _INLINE.findall(content)
    }
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; script-src {allowed['script']}; style-src {allowed['style']}"
    )
    headers = {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "content-type": "text/html; charset=utf-8",
    }
    return Page(content, headers)
