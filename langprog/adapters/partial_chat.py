"""Reading a reply of the adapter ``chat`` while it arrives.

A section's text is returned up to its end: blanks there, what may be the beginning of a marker,
and what looks like a closing tag are kept back until something follows them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from langprog.adapters.chat_markers import Names, case_flags, marker_source, name_in
from langprog.adapters.partial import (
    LONGEST_TAG,
    Opening,
    PartialReader,
    Pending,
    Pieces,
    merge,
    texts_of,
)
from langprog.signature import SignatureSpec

# The beginning of what may become a marker, a tag or a fence.
_UNFINISHED = re.compile(
    r"(?:\\+(?:\[(?:\[[^\[\]\n]*\]?)?)?|\[(?:\[[^\[\]\n]*\]?|/[^\[\]\n]*)?|<[^<>\n]*|`{1,2})\Z"
)


@lru_cache(maxsize=256)
def _token(names: Names) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<mark>(?P<slashes>\\*+){marker_source(names)})"
        r"|(?P<tag><(?:(?!\[\[)[^<>\n]){1,100}>|\[\[[^\[\]\n]{1,100}\]\]|\[/[^\[\]\n]{1,40}\]|```)"
        r"|(?P<line>\n)|(?P<blank>[^\S\n]+)|(?P<lead>[>#*_-]+)"
        r"|(?P<word>[^\s<\[\\`>#*_-]+)|(?P<slash>\\++)|(?P<other>.)",
        case_flags(names),
    )


class PartialChat(PartialReader):
    """Reads sections.

    Args:
        signature: The signature with the outputs to read.
    """

    def __init__(self, signature: SignatureSpec) -> None:
        self._outputs = signature.outputs
        self._names = tuple(field.name for field in signature.fields)
        self._token = _token(self._names)
        self._longest = LONGEST_TAG + max(map(len, self._names))
        self._opening = Opening()
        self._pending = Pending(texts_of(signature))
        self._seen: set[str] = set()
        self._rest = ""
        self._over = False  # nothing more is read
        self._lead = True  # whether the line so far may precede a marker
        self._marked = False  # whether nothing but blanks follows a marker on its line
        self._fenced = False
        self._before = ""  # the two characters before
        self._bold = ""  # what makes the marker bold

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the fields."""
        if self._over:
            return []
        text = self._rest + self._opening.feed(text)
        self._rest = ""
        pieces: Pieces = []
        at = 0
        while at < len(text) and not self._over:
            token = self._token.match(text, at)
            assert token is not None  # any character is a token
            if self._may_go_on(token):
                self._rest = text[at:]
                break
            self._take(token, pieces)
            self._before = (self._before + token.group())[-2:]
            at = token.end()
        return merge(pieces)

    def _may_go_on(self, token: re.Match[str]) -> bool:
        """Return whether a token may be the beginning of another one that follows."""
        text, at = token.string, token.start()
        if len(text) - at >= self._longest:
            return False
        if token.lastgroup == "lead":
            return self._marked and token.group() == self._bold[:1] and token.end() == len(text)
        return token.lastgroup in ("slash", "other") and bool(_UNFINISHED.match(text, at))

    def _take(self, token: re.Match[str], pieces: Pieces) -> None:
        text = token.group()
        if token["mark"] is not None:
            self._take_marker(token, pieces)
        elif token["line"] is not None:
            self._lead, self._marked = True, False
            self._take_blank(text, pieces)
        elif token["blank"] is not None:
            self._take_blank(text, pieces)
        elif token["lead"] is not None and self._lead:
            self._pending.hold(text, pieces)
        elif token["tag"] is not None:
            self._take_tag(text, pieces)
        else:
            self._add(text, pieces)

    def _take_blank(self, text: str, pieces: Pieces) -> None:
        if self._pending.begun or self._pending.holds:
            self._pending.hold(text, pieces)

    def _take_tag(self, text: str, pieces: Pieces) -> None:
        if self._pending.field is None:
            self._fenced = self._fenced or text == "```"
        elif text != "```" or (self._fenced and self._lead):
            # It may close the section.
            self._pending.hold(text, pieces)
        else:
            self._add(text, pieces)
            return
        self._lead = self._marked = False

    def _take_marker(self, token: re.Match[str], pieces: Pieces) -> None:
        name, slashes = name_in(token, self._names), len(token["slashes"])
        if slashes:
            self._add(token.group()[1:], pieces)
        elif self._lead:
            self._begin(name)
        elif name in self._outputs and name not in self._seen:
            self._over = True  # a mention, or a section: only the whole reply tells
        else:
            self._add(token.group(), pieces)

    def _begin(self, name: str) -> None:
        if name in self._seen or (self._seen and name not in self._outputs):
            self._over = True
            return
        self._pending.open(name if name in self._outputs else None)
        if self._pending.field is not None:
            self._seen.add(name)
        self._lead, self._marked = False, True
        self._bold = self._before if self._before in ("**", "__") else ""

    def _add(self, text: str, pieces: Pieces) -> None:
        if self._marked:  # `**[[answer]]**: Paris`
            for sign in (":", self._bold, ":"):
                text = text.removeprefix(sign)
            if not text:
                return
        self._lead = self._marked = False
        self._pending.add(text, pieces)
