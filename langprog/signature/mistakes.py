"""What a validator finds wrong with a value, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from langprog.notebook import short_repr

# Of many mistakes, those that are told.
MOST = 3
_SCALARS = (str, bytes, int, float, type(None))
# "Input should be", "List should have", "Decimal input should be".
_SHOULD = re.compile(r"[A-Z][\w ]{0,40}? should (?=be|have|match|not|start|end)")
# How pydantic tried to read the value, which the value itself shows.
_TRIED = re.compile(
    r", (?:unable to (?:parse|interpret)|got a number with|found|input (?:was|is) ).*"
    r"| after validation, not .*"
)
_PLAINER = (
    (re.compile(r"\ba valid (?=[aeiou])"), "an "),
    (re.compile(r"\ba valid "), "a "),
    (re.compile(r"\ba string\b"), "text"),
    (re.compile(r"\bString\b"), "text"),
    (re.compile(r"\ba dictionary or (?:an )?instance of\b"), "a dictionary, or an instance of"),
)


def describe_mistakes(error: ValidationError) -> str:
    """Return the first mistakes that pydantic found, in one line without its words."""
    mistakes = error.errors(include_url=False)[:MOST]
    return "; ".join(dict.fromkeys(" ".join(_describe(item).split()) for item in mistakes))


def _describe(item: Mapping[str, Any]) -> str:
    where = ".".join(map(str, item["loc"]))
    said = _said(item)
    return f"{where}: {said}" if where else said


def _said(item: Mapping[str, Any]) -> str:
    message, value = str(item["msg"]), item["input"]
    match item["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return "it is missing"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "there is no such member"
        case "value_error" | "assertion_error":  # of the user's own validator
            return message.partition(", ")[2] or message
    must, count = _SHOULD.subn("must ", message, count=1)
    if not count:
        return f"{message[:1].lower()}{message[1:]}"
    must = _TRIED.sub("", must)
    for pattern, plainer in _PLAINER:
        must = pattern.sub(plainer, must)
    return f"it is {_show(value)}, but {must}"


def _show(value: Any) -> str:
    if isinstance(value, _SCALARS):
        return short_repr(value[:200] if isinstance(value, (str, bytes)) else value, 60)
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
