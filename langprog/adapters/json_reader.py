"""Reads JSON as models write it, lenient about punctuation and nothing else.

It accepts single and typographic quotes, names and values without quotes, quotes inside a text,
comments, an extra comma, and a missing comma between two members of an object. Every letter and
digit of the source is in the value, or the source is rejected: nothing is dropped, joined or made
up. Numbers keep their notation, so that a text loses no zeros. One pass, without backtracking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

from langprog.strict_json import refuse_constant

_SHORT = 24  # longest word that is shared, in characters
DEEPEST = 100  # nesting depth of brackets in malformed JSON

_BLANKS = re.compile(r"\s*+")
# From the beginning of a text to the next unescaped quote.
_TO_QUOTE: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL),
        "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL),
        "\u201c": re.compile("[^\u201d\\\\]*+(?:\\\\.[^\u201d\\\\]*+)*+\u201d", re.DOTALL),
    }
)
_KEY = re.compile(r"[\w$.-]++(?: [\w$.-]++){0,5}")
_MEMBER = re.compile(r"""(?:"[^"\\\n]{1,100}+"|'[^'\\\n]{1,100}+'|[\w$-]{1,100}+)\s*+:""")
_BARE = re.compile(r"""[^,{}\[\]"'\u201c\u201d`\\\n\r]++""")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})++(?:\.\d++)?(?=\s*+[,}])", re.ASCII)
_COMMENT = re.compile(r"\s(?://|#)|/\*")
_NUMBER = re.compile(r"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?+", re.ASCII)
_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|.)|"', re.DOTALL)
_QUOTED = frozenset("\"'/")
_ESCAPED = _QUOTED | frozenset("\\bfnrt")
_WORDS = frozenset({"true", "false", "null", "none"})  # in upper or lower case
_CONSTANTS: Mapping[str, bool | None] = MappingProxyType(
    {"true": True, "false": False, "null": None}
)


class CutOff(ValueError):
    """The text ends before its value does."""


class Ambiguous(ValueError):
    """The text can be read in several ways, with different results."""


class Malformed(ValueError):
    """The text is not JSON, and no change of its punctuation makes it so."""


class Unquoted(str):
    """A number or a word that has no quotes in the JSON."""

    __slots__ = ()


def make_unquoted(word: str) -> Unquoted:
    """Return a word or a number as it is written; short ones are shared.

    Instances of Python classes slow down garbage collection: without sharing, a list of numbers
    took thirty times as long as a list a tenth of its length.
    """
    return _make_shared(word) if len(word) <= _SHORT else Unquoted(word)


@lru_cache(maxsize=4096)
def _make_shared(word: str) -> Unquoted:
    return Unquoted(word)


def members_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object.

    Raises:
        Ambiguous: A key is repeated with a different value.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        for name, value in pairs:
            if members[name] != value:
                raise Ambiguous(f"the key {name!r} comes twice, with different values")
    return members


# Not strict: raw line breaks and tabs inside a text are accepted.
STRICT = json.JSONDecoder(
    object_pairs_hook=members_of,
    parse_int=make_unquoted,
    parse_float=make_unquoted,
    parse_constant=refuse_constant,
    strict=False,
)


class Reader:
    """Reads lists and objects from a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.words = False  # whether the value contains text without quotes
        self._closed = False
        self._stop = len(text.rstrip("` \t\r\n"))
        self._depth = 0
        # A backslash is either an escape or literal, as in formulas; one value must not mix both.
        self._escapes = self._formulas = False

    def read(self, at: int, *, closed: bool) -> Any:
        """Return the value whose bracket opens at ``at``; ``self.at`` then points behind it.

        Args:
            at: The position of the bracket.
            closed: Whether all parts of an object are known, so that nothing can be lost if only
                its last bracket is missing.

        Raises:
            CutOff: The source ends before the value does.
            Ambiguous: An object repeats a key with a different value.
            Malformed: Reading it would change more than punctuation.
        """
        self.at, self._depth, self.words, self._closed = at, 0, False, closed
        self._escapes = self._formulas = False
        return self._object() if self.text[at] == "{" else self._list()

    def _object(self) -> dict[str, Any]:
        self._enter()
        pairs: list[tuple[str, Any]] = []
        self._skip()
        while not self._take("}"):
            key = self._key()
            value = self._value(",}")
            pairs.append((key, value))
            before = self.at
            self._skip()
            if self._take(","):
                self._skip()
            elif self._char() == "}":
                continue
            elif self.at >= self._stop:
                self._check_last_bracket(value)
                break
            elif self.at == before or not _MEMBER.match(self.text, self.at):
                raise Malformed
        self._depth -= 1
        return members_of(pairs)

    def _list(self) -> list[Any]:
        self._enter()
        items: list[Any] = []
        self._skip()
        while not self._take("]"):
            items.append(self._value(",]"))
            self._skip()
            if self._take(","):
                self._skip()
            elif self._char() != "]":
                self._refuse()
        self._depth -= 1
        return items

    def _enter(self) -> None:
        self.at += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise Malformed

    def _check_last_bracket(self, value: Any) -> None:
        # A number or a word may be incomplete.
        if not self._closed or self._depth > 1 or type(value) is Unquoted:
            raise CutOff("its last bracket is missing")

    def _key(self) -> str:
        if self._char() in _TO_QUOTE:
            key = self._text(":")
        else:
            plain = _KEY.match(self.text, self.at)
            if plain is None:
                self._refuse()
            key, self.at = plain.group(), plain.end()
        self._skip()
        if not self._take(":"):
            self._refuse()
        return key

    def _value(self, closers: str) -> Any:
        self._skip()
        char = self._char()
        if char == "{":
            return self._object()
        if char == "[":
            return self._list()
        return self._text(closers) if char in _TO_QUOTE else self._bare(closers)

    # --- texts ---

    def _text(self, closers: str) -> str:
        quote = self._char()
        begin = self.at = self.at + 1
        inside = False  # whether a quotation inside the text is open
        while True:
            upto = _TO_QUOTE[quote].match(self.text, self.at)
            if upto is None:
                raise CutOff("a text in it has no end")
            self.at = upto.end()
            ends = self._ends(closers)
            if ends and not inside:
                return self._unescape(self.text[begin : self.at - 1])
            if ends or not self._goes_on(quote, begin, inside):
                raise Malformed
            inside = quote == '"' and not inside

    def _ends(self, closers: str) -> bool:
        """Return whether the text after a quote can follow the end of a string."""
        behind = _end(_BLANKS, self.text, self.at)
        if behind >= self._stop or self.text[behind] in closers:
            return True
        if behind > self.at and self.text.startswith(("//", "/*", "#"), behind):
            return True
        return closers == ",}" and behind > self.at and bool(_MEMBER.match(self.text, behind))

    def _goes_on(self, quote: str, begin: int, inside: bool) -> bool:
        """Return whether the quote just read belongs to the text."""
        before = self.text[self.at - 2] if self.at - 1 > begin else ""
        after = self.text[self.at : self.at + 1]
        if quote == "'":
            return before.isalnum() and after.isalnum()
        if quote != '"':
            return False
        if inside:
            return bool(before.strip()) and not after.isalnum()
        return not before.strip(" \t\n([{") and after.isalnum()

    def _unescape(self, source: str) -> str:
        if "\\" not in source:
            return source
        kinds = set(_ESCAPE.findall(source)) - {""}
        known = {kind for kind in kinds if len(kind) > 1 or kind in _ESCAPED}
        self._escapes = self._escapes or not known <= _QUOTED
        self._formulas = self._formulas or kinds != known
        if self._escapes and self._formulas:
            raise Malformed
        if kinds == known:
            return str(STRICT.decode(f'"{_ESCAPE.sub(_escape_strictly, source)}"'))
        return re.sub(r"\\([\"'/])", r"\1", source)

    # --- values without quotes ---

    def _bare(self, closers: str) -> Any:
        grouped = _GROUPED.match(self.text, self.at) if closers == ",}" else None
        match = grouped or _BARE.match(self.text, self.at)
        if match is None:
            self._refuse()
        word = match.group().rstrip()
        comment = _COMMENT.search(word)
        if comment is not None:
            word = word[: comment.start()].rstrip()
            if word not in _CONSTANTS and not _NUMBER.fullmatch(word):
                raise Malformed
        self.at += len(word)
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        self._check_word(word)
        return make_unquoted(word)

    def _check_word(self, word: str) -> None:
        if _NUMBER.fullmatch(word) or word.casefold() in _WORDS:
            return
        dots = "..." in word or "\u2026" in word
        label = word.endswith(":") or ": " in word or ":\t" in word
        if dots or label or not any(char.isalnum() for char in word):
            raise Malformed
        self.words = True

    # --- scanning ---

    def _char(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, char: str) -> bool:
        if self.at < self._stop and self.text[self.at] == char:
            self.at += 1
            return True
        return False

    def _refuse(self) -> NoReturn:
        if self.at >= self._stop:
            raise CutOff("its last bracket is missing")
        raise Malformed

    def _skip(self) -> None:
        """Skip blanks and comments."""
        while True:
            begin = self.at = _end(_BLANKS, self.text, self.at)
            if self.text.startswith("/*", begin):
                end = self.text.find("*/", begin + 2) + 2
            elif self.text.startswith(("//", "#"), begin):
                end = self.text.find("\n", begin) + 1 or len(self.text)
            else:
                return
            comment = self.text[begin:end]
            if end < begin + 2 or "..." in comment or "\u2026" in comment:
                raise Malformed  # it has no end, or indicates an omission
            self.at = end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _escape_strictly(match: re.Match[str]) -> str:
    if match.group() == '"':
        return '\\"'
    return "'" if match.group() == "\\'" else match.group()
