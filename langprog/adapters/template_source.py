"""Prompt templates as text: ``{name}`` as in Python's format strings, ``{{ name }}`` as in Jinja.

A template is read, never executed: it is a list of texts and of places for values. What could
compute something (attributes, filters, loops, conditions, format specifications) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from langprog.errors import InputError

Syntax = Literal["format", "jinja"]
SYNTAXES: tuple[Syntax, ...] = get_args(Syntax)

_FORMAT = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
_JINJA = re.compile(r"\{\{|\{%|\{#")
_RAW = re.compile(r"\{%\s*raw\s*%\}(.*?)\{%\s*endraw\s*%\}", re.DOTALL)
_EXPRESSION = re.compile(
    r"""\{\{\s*(?:(?P<name>[^\W\d]\w*)|(?P<text>'[^'\\]*'|"[^"\\]*"))\s*\}\}"""
)
_RETURNS = re.compile(r"(\r\n?)")
_NAME = re.compile(r"[^\W\d]\w*")
_RESERVED = frozenset(
    "and else if import in is not or self super true false none True False None".split()
)
# Also at the ends of a text: together with what stands beside it, it could open an expression.
_SPECIAL = re.compile(r"\{(?=[{%#]|\Z)|\A[{%#]")
# What tells the syntaxes apart.
_IS_JINJA = re.compile(r"(?<!\{)\{\{-?\s*[^\W\d]\w*+[^{}]*+\}\}(?!\})|\{%|\{#")
_IS_FORMAT = re.compile(r"(?<!\{)\{[^\W\d]\w*\}(?!\})")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of a template, or the place of a value.

    Args:
        source: What stands in the template; ``None`` for a text that is not written yet.
        text: What is rendered, if it is a text.
        slot: The value's name; empty for a text.
        plain: Whether text and source are the same, so that it may be cut anywhere.
    """

    source: str | None
    text: str = ""
    slot: str = ""
    plain: bool = False


def guess_syntax(source: str) -> Syntax:
    """Return the syntax of a template.

    Raises:
        InputError: It has places of both syntaxes.
    """
    jinja, formatted = _IS_JINJA.search(source), _IS_FORMAT.search(source)
    if jinja and formatted:
        raise InputError(
            f"it has {formatted[0]!r:.60}, as in a format string, and {jinja[0]!r:.60}, as in "
            "Jinja: say which it is, syntax=format or syntax=jinja"
        )
    return "jinja" if jinja else "format"


def scan_template(source: str, syntax: Syntax) -> tuple[Piece, ...]:
    """Return the texts and places of a template.

    Raises:
        InputError: It has something else; the message begins with the line.
    """
    return tuple(_SCANNERS[syntax](source))


def escape_text(text: str, syntax: Syntax) -> str:
    """Return a template that renders as ``text``, whatever stands before and after it.

    Raises:
        InputError: Jinja cannot render it: it ends lines with carriage returns.
    """
    if syntax == "format":
        return text.replace("{", "{{").replace("}", "}}")
    if "\r" in text:
        raise InputError("Jinja renders no carriage returns, but a text has some: remove them")
    return _SPECIAL.sub(lambda sign: f"{{{{ '{sign[0]}' }}}}", text)


def _refuse(source: str, at: int, problem: str) -> InputError:
    return InputError(f"line {source.count(chr(10), 0, at) + 1}: {problem}")


# --- format strings ------------------------------------------------------------------------------


def _scan_format(source: str) -> Iterator[Piece]:
    end = 0
    for match in _FORMAT.finditer(source):
        if match.start() > end:
            text = source[end : match.start()]
            yield Piece(text, text, plain=True)
        end = match.end()
        said, name = match[0], match[1]
        if said in ("{{", "}}"):
            yield Piece(said, said[0])
        elif name is None:
            raise _refuse(
                source,
                match.start(),
                f"a single {said!r}: write {said * 2} where it is meant as text, or say "
                "syntax=jinja",
            )
        elif _NAME.fullmatch(name):
            yield Piece(said, slot=name)
        else:
            raise _refuse(
                source,
                match.start(),
                f"{said!r:.60} is not a name in braces: attributes, numbers and formats are not "
                "read; write {{ and }} for braces that are meant as text",
            )
    if end < len(source):
        yield Piece(source[end:], source[end:], plain=True)


# --- Jinja ---------------------------------------------------------------------------------------


def _scan_jinja(source: str) -> Iterator[Piece]:
    # Jinja ends every line with a line feed, and leaves out the last one.
    last = next((end for end in ("\r\n", "\n", "\r") if source.endswith(end)), "")
    dropped, end = len(source) - len(last), 0
    while (match := _JINJA.search(source, end, dropped)) is not None:
        yield from _plain(source[end : match.start()])
        piece, end = _special(source, match.start(), match[0])
        yield piece
    yield from _plain(source[end:dropped])
    if last:
        yield Piece(last)


def _plain(text: str) -> Iterator[Piece]:
    for part in _RETURNS.split(text):
        if "\r" in part:
            yield Piece(part, "\n")
        elif part:
            yield Piece(part, part, plain=True)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _special(source: str, at: int, sign: str) -> tuple[Piece, int]:
    if sign == "{#":
        end = source.find("#}", at + 2) + 2
        if end < 2:
            raise _refuse(source, at, "the comment {# has no end")
        if source[at + 2] in "-+" or source[end - 3] in "-+":
            raise _refuse(source, at, "the signs of {#- -#} are not read: write {# #}")
        return Piece(source[at:end]), end
    if sign == "{%":
        raw = _RAW.match(source, at)
        if raw is None:
            raise _refuse(
                source, at, f"{source[at : at + 40]!r} is not read: only {{{{ name }}}} is"
            )
        return Piece(raw[0], _line_feeds(raw[1])), raw.end()
    expression = _EXPRESSION.match(source, at)
    if expression is None:
        raise _refuse(
            source,
            at,
            f"{source[at : at + 40]!r} is not read: only {{{{ name }}}} is, without attributes, "
            "filters and signs",
        )
    if expression["text"] is not None:
        return Piece(expression[0], _line_feeds(expression["text"][1:-1])), expression.end()
    if expression["name"] in _RESERVED:
        raise _refuse(source, at, f"{expression['name']!r} has a meaning of its own in Jinja")
    return Piece(expression[0], slot=expression["name"]), expression.end()


_SCANNERS: Mapping[Syntax, Callable[[str], Iterator[Piece]]] = MappingProxyType(
    {"format": _scan_format, "jinja": _scan_jinja}
)
