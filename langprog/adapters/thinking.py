"""Separates the thinking in a reply from its answer.

Thinking comes at the beginning of a reply, between two tags of any usual kind, or up to a closing
tag if the prompt contained the opening one. A tag mentioned later is part of the answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import NamedTuple

from langprog.errors import ParseError

_NAMES = (
    r"(?:(?:inner|internal|private|hidden|my|self|deep|step_by_step|longcat)[_-])?"
    r"(?:think|thinking|thoughts?|reason|reasoning|reflection|analysis|scratchpad|scratch_pad"
    r"|rationale|deliberation|monologue|chain[_-]of[_-]thoughts?|thought[_-]chain)"
    r"(?:[_-](?:process|steps?|trace|block|chain|content|text))?"
    r"|reflect|cot|antthinking|brainstorm(?:ing)?"
)
_TAG = re.compile(
    rf"<(?P<xml>/?)(?P<a>(?:[\w.-]{{1,20}}:)?(?:{_NAMES}))(?:[ \t][^<>\n]{{0,100}})?>"
    rf"|\[(?P<square>/?)(?P<b>{_NAMES})\]"
    rf"|\u25c1(?P<drawn>/?)(?P<c>{_NAMES})\u25b7"
    rf"|<\|(?P<token>/?)(?P<d>{_NAMES})\|>"
    r"|<\|(?P<word>begin|end|start)_(?:of_)?(?P<e>thought|thinking)\|>"
    r"|(?P<final><\|channel\|>final[^<\n]{0,40}<\|message\|>|<channel\|>)"
    r"|(?P<channel><\|channel\|?>(?:analysis|commentary|thought|thinking|reasoning))",
    re.IGNORECASE,
)
# Tokens that chat templates put before a reply or its answer.
_HEAD = re.compile(
    r"\s*+(?:<\|(?:im_start|start)\|>assistant|<start_of_turn>model"
    r"|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|assistant\|>"
    r"|<\|begin_of_solution\|>|<\|START_RESPONSE\|>)",
    re.IGNORECASE,
)
_NAMELESS = "analysis"  # a channel name whose tokens a server removed
_NAMELESS_FINAL = "assistantfinal"
MOST_TAGS = 20_000  # in a reply; no model writes more, and each takes memory
_DEEPEST = 8  # blocks whose inner tags are counted


class _Tag(NamedTuple):
    name: str
    opens: bool
    start: int
    end: int
    token: bool  # from a chat template: never a mere mention


def may_think(text: str) -> bool:
    """Return whether a reply may contain thinking; most replies do not."""
    if "<" in text or "[/" in text or "\u25c1" in text:
        return _TAG.search(text) is not None or _HEAD.match(text) is not None
    if text.startswith("[["):
        return False
    begin = text.lstrip()
    if begin.startswith("["):
        return _TAG.match(begin) is not None
    return begin.startswith(_NAMELESS) and _NAMELESS_FINAL in text


def thinking_patterns() -> tuple[str, str]:
    """Return the patterns of a tag, and of what precedes a reply, for code outside of langprog.

    Both ignore case.
    """
    return _TAG.pattern, _HEAD.pattern


def answer_in(text: str, fields: Collection[str] = ()) -> str:
    """Return a reply without its thinking; arguments as for :class:`Thinking`.

    Raises:
        ParseError: It ends while it is still thinking.
    """
    return text[Thinking(text, fields).start :] if may_think(text) else text


class Thinking:
    """The places where the thinking in a reply may end.

    Args:
        text: The whole reply.
        fields: The outputs; tags with their names do not enclose thinking.

    Raises:
        ParseError: It ends while it is still thinking.
    """

    def __init__(self, text: str, fields: Collection[str] = ()) -> None:
        self._text = text
        own = {name.casefold() for name in fields}
        self._tags = [tag for tag in _tags(text) if tag.name not in own]
        self._closings: dict[str, list[int]] = {}
        for index, tag in enumerate(self._tags):
            if not tag.opens:
                self._closings.setdefault(tag.name, []).append(index)
        self._next = 0
        #: The place after the thinking blocks at the beginning.
        self.start = self._after_blocks()

    def ends(self) -> list[int]:
        """Return the places after closing tags without an opening one.

        A tag counts at the beginning or the end of its line, not inside a sentence.
        """
        opened: dict[str, int] = {}
        places = []
        for tag in self._tags[self._next :]:
            if tag.opens:
                opened[tag.name] = opened.get(tag.name, 0) + 1
            elif opened.get(tag.name):
                opened[tag.name] -= 1
            elif tag.token or _stands_alone(self._text, tag):
                places.append(_past_head(self._text, tag.end))
        return places

    def _after_blocks(self) -> int:
        at = _past_head(self._text, 0)
        if self._text.startswith(_NAMELESS, at) and _NAMELESS_FINAL in self._text:
            return self._text.rindex(_NAMELESS_FINAL) + len(_NAMELESS_FINAL)
        for block in range(len(self._tags)):
            if self._next >= len(self._tags):
                break
            tag = self._tags[self._next]
            if not tag.opens or self._text[at : tag.start].strip():
                break
            closing = self._closing(self._next, nested=block < _DEEPEST)
            if closing is None:
                shown = self._text[tag.start : tag.end]
                raise ParseError(
                    f"it ends before the answer: its thinking, from {shown} on, has no end",
                    text=self._text,
                )
            self._next = closing + 1
            at = _past_head(self._text, self._tags[closing].end)
        return at

    def _closing(self, opening: int, *, nested: bool) -> int | None:
        name = self._tags[opening].name
        first = _after(self._closings.get(name, ()), opening)
        if first is None:
            # Closed by a tag with another name.
            firsts = [_after(places, opening) for places in self._closings.values()]
            return min((place for place in firsts if place is not None), default=None)
        if not nested:
            return first
        depth = 0
        for index in range(opening, len(self._tags)):
            tag = self._tags[index]
            if tag.name != name:
                continue
            if not tag.opens:
                depth -= 1
            elif index == opening or _heads_line(self._text, tag.start):
                depth += 1
            if depth == 0:
                return index
        return first


def check_count(tags: Sequence[object], text: str) -> None:
    """Check that a reply does not hold too many tags or markers.

    Raises:
        ParseError: It does.
    """
    if len(tags) >= MOST_TAGS:
        raise ParseError(f"it holds more than {MOST_TAGS} tags or markers", text=text)


def _tags(text: str) -> list[_Tag]:
    tags: list[_Tag] = []
    for match in _TAG.finditer(text):
        check_count(tags, text)
        tags.append(_tag_of(match))
    return tags


def _tag_of(match: re.Match[str]) -> _Tag:
    start, end = match.span()
    if match["final"]:
        return _Tag("channel", False, start, end, True)
    if match["channel"]:
        return _Tag("channel", True, start, end, True)
    if match["word"]:
        opens = match["word"].casefold() != "end"
        return _Tag(match["e"].casefold(), opens, start, end, True)
    name = match["a"] or match["b"] or match["c"] or match["d"]
    slash = match["xml"] or match["square"] or match["drawn"] or match["token"]
    return _Tag(name.casefold(), not slash, start, end, bool(match["d"]))


def tag_at(text: str, at: int = 0) -> _Tag | None:
    """Return the tag of thinking that begins at a place, if there is one."""
    match = _TAG.match(text, at)
    return None if match is None else _tag_of(match)


def head_end(text: str) -> int:
    """Return the end of the tokens that a chat template puts before a reply."""
    return _past_head(text, 0)


def _past_head(text: str, at: int) -> int:
    while (head := _HEAD.match(text, at)) is not None:
        at = head.end()
    return at


def _after(places: Sequence[int], index: int) -> int | None:
    at = bisect_right(places, index)
    return places[at] if at < len(places) else None


def _heads_line(text: str, at: int) -> bool:
    line = text.rfind("\n", max(0, at - 40), at)
    return (line >= 0 or at <= 40) and not text[line + 1 : at].strip()


def _stands_alone(text: str, tag: _Tag) -> bool:
    before, after = text[tag.start - 1 : tag.start], text[tag.end : tag.end + 1]
    if before in ('"', "'", "`") and before:
        return False
    if _heads_line(text, tag.start):
        return True
    glued = bool(before.strip())  # right after the last word of the thinking
    return glued and (not after or after in "\r\n[{" or after.isalnum())
