"""JSON as models write it: words around it, fences, single quotes, a comma too many.

What is broken in form is mended (json_repair); what is cut off is not, because nobody can know
what was missing.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import Any

_BLOCK = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)  # a line break inside a string is a line break
_CLOSING = MappingProxyType({"{": "}", "[": "]", '"': "quote"})
_PLAUSIBLE = frozenset("\"'{}[]-0123456789")


class CutOff(ValueError):
    """The text ends before the JSON does."""


def loose_json(text: str, kind: type, *, closed: bool = False) -> Any | None:
    """Return the first list or dict in ``text``, or ``None`` where there is none.

    Args:
        text: What a model wrote.
        kind: ``list`` or ``dict``.
        closed: Whether the keys are known beforehand, so that a missing last brace after a whole
            value loses nothing.

    Raises:
        CutOff: It begins, but does not end.
    """
    opener = "[" if kind is list else "{"
    blocks = _BLOCK.findall(text)
    body = blocks[0] if len(blocks) == 1 and opener in blocks[0] else text
    start = body.find(opener)
    while start >= 0:
        try:
            value, _ = _DECODER.raw_decode(body, start)
        except (ValueError, RecursionError):
            inside = body[start + 1 :].lstrip()[:1]
            if inside in _PLAUSIBLE or not body[:start].strip():
                return _mended(body[start:], kind, closed)
            start = body.find(opener, start + 1)  # a bracket in prose
            continue
        return value if isinstance(value, kind) else None
    return None


def _mended(text: str, kind: type, closed: bool) -> Any | None:
    unclosed = _unclosed(text)
    whole = closed and unclosed == "{" and text.rstrip()[-1:] in ('"', "]", "}")
    if unclosed and not whole:
        raise CutOff(f"it ends without a closing {_CLOSING[unclosed[-1]]}")
    import json_repair  # noqa: PLC0415 - few replies are broken, and its import takes a while

    value = json_repair.loads(text)
    return value if isinstance(value, kind) and value else None


def _unclosed(text: str) -> str:
    """Return the brackets (and the quote) that are open where the first value or the text ends."""
    stack: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "[{":
            stack.append(char)
        elif char in "]}":
            if stack:
                stack.pop()
            if not stack:
                return ""
    return "".join(stack) + ('"' if quoted else "")
