"""Single plain values as models write them: texts, numbers, true and false, choices, null."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from langprog.signature import Choice, choice_text, read_formatted

_NUMBER = re.compile(
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})++|\d++)?(?:\.\d*+)?(?:[eE][+-]?\d++)?", re.ASCII
)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_HEADER = re.compile(r"```[\w+-]*+[ \t]*+\n")
_SEPARATORS = re.compile(r"[\s_-]+")
_NEGATIVE = re.compile(r"-\s*[\d.]")
_TRUE = frozenset({"true", "yes"})
_FALSE = frozenset({"false", "no"})
_NULL = frozenset({"null", "none"})
_DECORATION = "*_`'\" \t\r\n"
_LONGER = 1000  # blanks and dashes inside a choice, in characters
_LONGEST = 4000  # digits of an integer; Python itself refuses to parse more


class Mismatch(ValueError):
    """What a model wrote is not a value of the type.

    Args:
        said: What is wrong, as the continuation of a sentence that starts with the value's name.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said
        self.path: list[str] = []  # the path inside the field's value

    def describe(self, name: str) -> str:
        """Return what is wrong, as a sentence about the field of this name."""
        if not self.path:
            return f"{name!r} {self.said}"
        return f"{name!r} does not fit: {'.'.join(self.path)}: it {self.said}"


def make_mismatch(text: str, wanted: str) -> Mismatch:
    """Return the error for a ``text``, quoted in part, that should be something else."""
    flat = " ".join(text[:400].split())
    shown = flat if len(flat) <= 80 else flat[:77] + "..."
    return Mismatch(f"is {shown!r}, but must be {wanted}")


def unquote_text(text: str) -> str:
    """Return the text inside a code fence or a JSON string, else ``text``."""
    text = text.strip()
    if text[:1] == "`":
        return strip_fence(text)
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        try:
            inside = json.loads(text)
        except ValueError:
            return text
        if isinstance(inside, str):
            return inside
    return text


def strip_fence(text: str) -> str:
    """Return the text inside a code fence around all of ``text``, else ``text``."""
    if not (text.startswith("```") and text.endswith("```")):
        return text
    header = _HEADER.match(text)
    if header is None or text.count("```") != 2:
        return text
    return text[header.end() : -3].rstrip(" \t").removesuffix("\n")


def is_null(text: str, *, blank: bool) -> bool:
    """Return whether ``text`` means that there is no value.

    Args:
        text: The text of the value.
        blank: Whether an empty text means so, too.
    """
    bare = text.strip()
    return bare.casefold() in _NULL or (blank and not bare)


def match_choice(choices: Mapping[str, Any], text: str) -> Any:
    """Return the choice that ``text`` names; case, blanks, ``_`` and ``-`` count only if needed.

    Raises:
        Mismatch: None fits, or several do.
    """
    if text in choices:
        return choices[text]
    # Text far longer than any choice is not compared letter by letter.
    short = len(text.strip(_DECORATION + ".")) <= _LONGER + 2 * max(map(len, choices), default=0)
    bare = _strip_decoration(text) if short else ""
    fitting = [key for key in choices if _strip_decoration(key) == bare] if bare else []
    if len(fitting) != 1:
        raise make_mismatch(text, f"one of: {', '.join(choices)}")
    return choices[fitting[0]]


def match_label(choice: Choice, text: str) -> Any:
    """Return the choice that ``text`` names, by its label or as prompts show it.

    Raises:
        Mismatch: None fits, or several do.
    """
    try:
        return match_choice(choice.choices, text)
    except Mismatch as error:
        refused = error
    others: dict[str, Any] = {}
    if choice.names and choice.enum is not None:
        others.update(choice.enum.__members__)  # including aliases of members
    for label in {**choice.names, **choice.told}:
        others[choice_text(choice, label)] = choice.choices[label]
    bare = text.strip(_DECORATION)
    if choice.enum is not None:
        bare = bare.removeprefix(f"{choice.enum.__name__}.")
    try:
        return match_choice(others, bare)
    except Mismatch:
        raise refused from None


def parse_formatted(kind: type, text: str) -> Any:
    """Return the date, time, duration, decimal or UUID in ``text``.

    Raises:
        Mismatch: It says none.
    """
    try:
        return read_formatted(kind, text.strip(_DECORATION))
    except ValueError as error:
        raise Mismatch(str(error)) from None


def _strip_decoration(text: str) -> str:
    plain = text.strip(_DECORATION + ".").casefold()
    sign = "-" if _NEGATIVE.match(plain) else ""  # of a number; other dashes are decoration
    return sign + _SEPARATORS.sub(" ", plain).strip()


def parse_truth(text: str) -> bool:
    """Return the bool that ``text`` says: true, yes, false or no.

    Raises:
        Mismatch: It says none of them.
    """
    bare = text.strip(_DECORATION + ".").casefold()
    if bare not in _TRUE and bare not in _FALSE:
        raise make_mismatch(text, "true or false")
    return bare in _TRUE


def parse_number(kind: type, text: str) -> int | float:
    """Return the number in ``text``, which may have commas between thousands.

    Args:
        kind: ``int`` or ``float``.
        text: The text of the number.

    Raises:
        Mismatch: It has no number, more than a number, or one that ``kind`` cannot represent.
    """
    if len(text) < 16 and text.isascii() and text.isdigit():
        return kind(text)  # type: ignore[no-any-return]  # one of the two
    bare = text.strip(_DECORATION).lower()
    digits, _, exponent = bare.replace(",", "").partition("e")
    if not _NUMBER.fullmatch(bare) or not any(char.isdigit() for char in digits):
        raise make_mismatch(text, "a number" if kind is float else "an integer")
    if kind is float:
        value = float(f"{digits}e{exponent or 0}")
        if math.isinf(value):
            raise make_mismatch(text, "a finite number")
        return value
    if _GROUPED.fullmatch(bare):  # 1.000 means a thousand in half of Europe
        raise make_mismatch(text, "an integer, without a point")
    if len(digits) > _LONGEST or len(exponent) > 4:
        raise make_mismatch(text, "an integer")
    whole, part = Decimal(f"{digits}e{exponent or 0}").as_integer_ratio()
    if part != 1:
        raise make_mismatch(text, "an integer")
    return whole
