"""Finds the option that a sentence names, as in "the sentiment of the review is positive".

Conservative: an option counts only where a statement puts it, after "is", "as", "to" and the like,
or by itself. A sentence that denies, doubts, compares or asks names no option. Negations cannot be
listed for every language, so a sentence not known to state an option names none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from langprog.signature import Choice, Maybe, Plain, Shape, without_limits

LONGEST = 1000  # longest sentence, in characters

_EMPHASIS = re.compile(r"[*`\"\u201c\u201d]+|(?<!\w)_+|_+(?!\w)")
_DENIAL = re.compile(
    r"\b(?:not|no|non|never|none|neither|nor|nothing|nobody|without|cannot|hardly|barely|scarcely"
    r"|rarely|seldom|either|whether|if|unless|except|than|instead|rather|opposite|contrary|lacks?"
    r"|lacking|far from|anything but|short of|used to|fails?|wrong|incorrect|false|mistak\w*"
    r"|unclear|unsure|uncertain|unlikely|unknown|impossible|maybe|perhaps|possibly|might|could|may"
    r"|doubt\w*|disagree\w*|den(?:y|ies|ied|ying)|exclud\w*|reject\w*|refus\w*|avoid\w*|rul\w+ out"
    r"|but|however|although|though"
    r"|(?:is|are|was|were|do|does|did|would|could|should|wo|ca|ai|has|have|had)nt)\b"
    r"|n['\u2019]t\b|\?|~~",
    re.IGNORECASE,
)
_FOREIGN_DENIAL = re.compile(
    r"\b(?:nicht|nichts|kein\w*|nie|niemals|nein|ohne|weder|kaum|pas|ne|jamais|aucun\w*|rien|sans|ni"
    r"|sin|nunca|jam\u00e1s|nada|ning\u00fan\w*|tampoco|n\u00e3o|nao|nem|nenhum\w*|sem|mai|senza|nulla"
    r"|nessun\w*|niet|geen|nooit|zonder|inte|ej|aldrig|ingen|utan|ikke|aldri|uten|ei|eiv\u00e4t|nu|nici"
    r"|de\u011fil|degil|nera|nen\u00ed|nije|tidak|bukan|kh\u00f4ng)\b|\bn['\u2019]",
    re.IGNORECASE,
)
# Scripts whose negations are not listed here, and signs such as a cross.
_UNREAD = re.compile(r"[^\x00-\u024f\u2010-\u2027\u2030-\u205e]")
# Words before an option that state it; adverbs, articles and brackets may come between.
_STATES = re.compile(
    r"(?:\A|[\n.,:;=>!\u2013\u2014]|\s-+|['\u2019]s"
    r"|\b(?:is|are|am|was|were|be|as|to|in|into|under|with|for|by|at|on|of|it|this|that|them"
    r"|says?|call|choose|chose|pick|select|answer|label|labell?ed|tagged|mark|marked|category"
    r"|class|classif(?:y|ied)|option|choice|rate|rated|rating|score|grade|sentiment|tone|type|team"
    r"|intent|topic|language|level|priority|sounds?|seems?|appears?|looks?|feels?|reads?|remains?"
    r"|gives?|express(?:es)?|conveys?|shows?|has|est|ist|es|\u00e9|\u00e8|is|\u00e4r|er|jest|este|je))"
    r"\s*(?:\b(?:a|an|the|very|quite|really|clearly|definitely|strongly|highly|overall|mostly"
    r"|generally|mainly|largely|likely|most likely|probably|simply|just|indeed|therefore|thus)"
    r"\b\s*)*[(\['\u2018\u00ab]?\s*\Z",
    re.IGNORECASE,
)
# What may follow an option; anything else may change its meaning, like "sharp" in "it is C sharp".
_CLOSES = re.compile(
    r"\s*[)\]'\u2019\u00bb]?\s*(?:\Z|[\n.,:;!()\[=\u2013\u2014-]"
    r"|(?:as|because|since|with|for|to|in|into|on|at|by|of|from|due|given|overall|here|about"
    r"|towards?|which|that|this|team|department|queue|group|review|sentiment|tone|mood|feeling"
    r"|emotion|opinion|experience|feedback|statement|text|message|comment|response|category|class"
    r"|label|option|choice|one|stars?|points?|level|priority|rating|score|grade|language|intent"
    r"|topic|type)\b)",
    re.IGNORECASE,
)
_LEAD = 200  # context before an option, in characters
_DIGIT = re.compile(r"\d")
_FIRST = re.compile(r"\W*(yes|no|true|false)\b\s*(?:[.,;:!\n\u2014\u2013]|-\s|\Z)", re.IGNORECASE)
_OPPOSITE = re.compile(
    r"\b(?:yes|no|true|false|but|however|although|though|unless|except)\b", re.I
)
_TRUE = frozenset({"yes", "true"})


def find_option(shape: Shape, text: str) -> Any:
    """Return the choice or the bool that a sentence names.

    Args:
        shape: The type of the only output.
        text: What the model wrote.

    Returns:
        The value, or ``None`` if the sentence names none or several.
    """
    inner = without_limits(shape)
    if isinstance(inner, Maybe):
        inner = without_limits(inner.of)
    if len(text) > LONGEST:
        return None
    plain = _EMPHASIS.sub(" ", text)
    if inner == Plain(bool):
        return _truth(plain)
    if not isinstance(inner, Choice):
        return None
    polar = {key.casefold(): key for key in inner.choices}
    if polar.keys() in ({"yes", "no"}, {"true", "false"}):
        says = _truth(plain)
        words = ("yes", "true") if says else ("no", "false")
        named = next((polar[word] for word in words if word in polar), None)
        return None if says is None or named is None else inner.choices[named]
    return _choice(inner.choices, plain)


def _choice(choices: Mapping[str, Any], text: str) -> Any:
    pattern = _options(tuple(choices))
    spans = [(match.start(1), match.end(1)) for match in pattern.finditer(text)]
    # Of overlapping options, the longest is meant.
    widest = [
        (start, end)
        for start, end in spans
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in spans)
    ]
    named = {key for start, end in widest for key in _keys(choices, text, start, end)}
    rest = _cut_spans(text, widest)
    if len(named) != 1 or _denies(rest):
        return None
    if not any(_is_stated(text, start, end) for start, end in widest):
        return None
    (key,) = named
    if _DIGIT.search(key) and _DIGIT.search(rest):  # another number: which of them is meant?
        return None
    return choices[key]


def _keys(choices: Mapping[str, Any], text: str, start: int, end: int) -> Iterable[str]:
    written = text[start:end]
    if len(written) > 1:
        alike = [key for key in choices if _fold(key) == _fold(written)]
        # "it" does not name IT, nor "us" US.
        return [written] if written in choices else [key for key in alike if not _is_short(key)]
    # A single letter is an option only if written like the option, not as a word.
    if written not in choices:
        return []
    closes = not text[end:].strip() or text[end] in ".,;:)]!\n"
    return [written] if written.lower() not in "ai" or closes else [written, ""]


def _denies(rest: str) -> bool:
    return any(sign.search(rest) for sign in (_DENIAL, _FOREIGN_DENIAL, _UNREAD))


def _is_stated(text: str, start: int, end: int) -> bool:
    lead = text[max(0, start - _LEAD) : start].lstrip()
    return bool(_STATES.search(lead) and _CLOSES.match(text, end))


def _is_short(key: str) -> bool:
    return len(key) <= 4 and key.isupper()


def _cut_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        parts.append(text[at:start])
        at = max(at, end)
    return " ".join([*parts, text[at:]])


def _fold(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.casefold())


@lru_cache(maxsize=256)
def _options(options: tuple[str, ...]) -> re.Pattern[str]:
    written = sorted((option for option in options if option.strip()), key=len, reverse=True)
    either = "|".join(
        r"[\s_-]+".join(re.escape(word) for word in re.split(r"[\s_-]+", option) if word)
        for option in written
    )
    # Not inside a longer word with a hyphen or an apostrophe, nor inside another number.
    return re.compile(
        rf"(?=(?<![\w'\u2019-])(?<!\d[.,])({either or '(?!)'})(?![\w'\u2019-]|[.,]\d|\s?%))",
        re.IGNORECASE,
    )


def _truth(text: str) -> bool | None:
    first = _FIRST.match(text)
    if first is None:
        return None
    rest = text[first.end() :]
    says = first[1].casefold() in _TRUE
    if _OPPOSITE.search(rest) or "?" in rest or (says and _denies(rest)):
        return None
    return says
