"""Removes what models write around an answer: closings, labels, tokens of a chat template.

Only at the very beginning and end: in the middle of a text, it is content.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST = 48  # longest closing, in characters
# Tokens that end a turn in common chat templates.
_TOKENS = (
    r"<\|(?:im_end|im_start|im_sep|eot_id|eom_id|end|endoftext|end_of_text|end_of_turn|return|eos"
    r"|END_OF_TURN_TOKEN|END_RESPONSE|end_of_solution|end_of_sentence|stop|user|assistant"
    r"|observation|channel|message|call|eot|eod|endofprompt|endofturn|file_separator)\|>"
    r"|<\uff5c(?:end\u2581of\u2581sentence|EOT)\uff5c>"
    r"|<(?:end_of_turn|eos|eot|end_of_utterance|turn\||/?turn)>|</s>|\[/INST\]|\[eos\]"
    r"|\[\|endofturn\|\]"
)
# What opens the next turn, with its role.
_ROLE = r"(?:user|human|system|assistant|model|tool)\b"
_OPENINGS = (
    rf"<\|(?:im_start|start_header_id|start|turn)\|?>{_ROLE}|<start_of_turn>{_ROLE}"
    rf"|<\|{_ROLE}\|>|<\uff5c{_ROLE}\uff5c>|(?:<s>)?\s*\[INST\]"
)
_TURN = re.compile(rf"(?<!`)(?:{_TOKENS})\s*+(?:{_OPENINGS})", re.IGNORECASE)
_OPENING = re.compile(_OPENINGS, re.IGNORECASE)
_TAIL = re.compile(rf"(?:{_TOKENS})\Z", re.IGNORECASE)
_CLOSINGS = re.compile(
    r"(?:^|\n)[ \t]*+\[\[[ \t]*+(?:##[ \t]*+)?"
    r"(?:/?(?:completed|complete|done|end|eof|finished|stop)|/)[ \t]*+(?:##[ \t]*+)?\]\]\Z",
    re.IGNORECASE,
)


def strip_tokens(text: str) -> str:
    """Return ``text`` without blanks and chat template tokens at its end."""
    return _cut(text.rstrip(), (_TAIL,), _LONGEST)


def strip_next_turn(text: str) -> str:
    """Return ``text`` without the turns that a model wrote after its own.

    Nothing is removed from a text that speaks of such turns from its beginning.
    """
    if "<" not in text and "[" not in text:
        return text
    turn = _TURN.search(text)
    if turn is None or _OPENING.search(text, 0, turn.start()):
        return text
    return text[: turn.start()].rstrip()


def strip_closing(text: str, name: str) -> str:
    """Return a section's text without its closing: ``[[/name]]``, ``</name>``, ``[[end]]``."""
    return _cut(text, (_closing(name), _CLOSINGS, _TAIL), _LONGEST + len(name))


def _cut(text: str, tails: tuple[re.Pattern[str], ...], longest: int) -> str:
    end = len(text)
    opened: dict[str, int] = {}  # where the text opens what the tails close
    while end and text[end - 1] in ">]":
        begin = max(0, end - longest)
        tail = next(filter(None, (tail.search(text, begin, end) for tail in tails)), None)
        if tail is None:
            break
        opening = tail.group().strip().casefold().replace("/", "", 1)
        if opening not in opened:
            match = re.search(re.escape(opening), text, re.IGNORECASE) if "/" in tail[0] else None
            opened[opening] = match.start() if match else end
        if opened[opening] < tail.start():  # such as struck-out text in HTML: <s>old</s>
            break
        end = tail.start()
        while end and text[end - 1].isspace():
            end -= 1
    return text[:end]


def strip_brackets(text: str) -> str:
    """Return a value that is not text, such as a number, without double brackets after it."""
    text = text.rstrip()
    begin = text.rfind("[[", max(0, len(text) - _LONGEST)) if text.endswith("]]") else 0
    if begin <= 0 or "[" in text[:begin] or any(char.isdigit() for char in text[begin:]):
        return text  # digits may be a second value
    return text[:begin]


@lru_cache(maxsize=1024)
def _closing(name: str) -> re.Pattern[str]:
    own = _spell(name)
    return re.compile(
        rf"(?:\[\[[ \t]*+(?:##[ \t]*+)?(?:/[ \t]*+{own}|end(?:[ _-]of)?[ _-]{own}|{own}[ _-]end)"
        r"[ \t]*+(?:##[ \t]*+)?\]\]"
        rf"|\[/{own}\]|</{own}>)\Z",
        re.IGNORECASE,
    )


def _spell(name: str) -> str:
    """Return a pattern of a field's name as models write it."""
    return re.escape(name).replace("_", "[ _-]")


@lru_cache(maxsize=1024)
def _label(name: str) -> re.Pattern[str]:
    own = _spell(name)
    return re.compile(
        rf"(?:[ \t>#*_]*+|`|\[){own}[ \t]*+[*_`\]]*+[ \t]*+:[ \t]*+(?:\*\*|__)?\s*+",
        re.IGNORECASE,
    )


@lru_cache(maxsize=1024)
def _heading(name: str) -> re.Pattern[str]:
    own = _spell(name)
    return re.compile(
        rf"(?:#{{1,6}}[ \t]++(?:\*\*)?{own}(?:\*\*)?|\*\*{own}\*\*|\[{own}\])[ \t]*+\n\s*+",
        re.IGNORECASE,
    )


def strip_label(text: str, name: str) -> str:
    """Return ``text`` without the name before it, as in ``**Answer:** Paris``.

    A heading with the name is removed if it is the only one.
    """
    begin = text[: len(name) + 40]
    label = _label(name).match(text) if ":" in begin else None
    if label is None and begin[:1] in ("#", "*", "["):
        label = _heading(name).match(text)
        label = None if label is not None and "\n#" in text[label.end() :] else label
    return text[label.end() :] if label else text


def strip_wrapping(text: str, name: str) -> str:
    """Return ``text`` without ``<name>`` and ``</name>`` around it."""
    lead, tail = f"<{name}>", f"</{name}>"
    folded = text[: len(lead)].casefold(), text[-len(tail) :].casefold()
    if folded != (lead.casefold(), tail.casefold()) or len(text) < len(lead) + len(tail):
        return text
    return text[len(lead) : -len(tail)].strip()
