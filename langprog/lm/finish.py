"""Why a completion ended: the values of many endpoints, mapped to our five."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]
FINISH_REASONS: frozenset[str] = frozenset(get_args(FinishReason))

_KNOWN: Mapping[str, FinishReason] = MappingProxyType(
    {
        "": "stop",
        "none": "stop",
        "null": "stop",
        "end_turn": "stop",
        "eos": "stop",
        "eos_token": "stop",
        "stop_sequence": "stop",
        "complete": "stop",
        "completed": "stop",
        "finished": "stop",
        "function_call": "tool_calls",
        "tool_call": "tool_calls",
        "tool_use": "tool_calls",
        "incomplete": "length",
        "language": "content_filter",
        "spii": "content_filter",
        "error_toxic": "content_filter",
        # Not known to be complete.
        "other": "error",
        "pause_turn": "error",
        "too_many_tool_calls": "error",
        "unexpected_tool_call": "error",
    }
)
# In this order: `max_tokens_error` would be an error, not a reply that was cut off.
_PATTERNS: tuple[tuple[re.Pattern[str], FinishReason], ...] = (
    (
        re.compile(
            r"error|abort|cancel|fail|resource|overload|time_?out|unavailable|interrupt|malformed|repetition|loop"
        ),
        "error",
    ),
    (
        re.compile(
            r"filter|safety|policy|sensitive|refus|block|prohibit|recitation|guard|moderat"
        ),
        "content_filter",
    ),
    (re.compile(r"length|max|limit|truncat|context_window|budget"), "length"),
)


def finish_reason_of(word: object) -> FinishReason:
    """Return our finish reason for an endpoint's value.

    Args:
        word: The endpoint's value, in any case; ``None`` if it gave none.
    """
    if isinstance(word, str) and word in FINISH_REASONS:
        return word  # type: ignore[return-value]  # it is one of them
    text = "" if word is None else str(word).strip().casefold().replace("-", "_")
    text = text.rpartition(".")[2]  # FinishReason.MAX_TOKENS
    if text in FINISH_REASONS:
        return text  # type: ignore[return-value]  # it is one of them
    known = _KNOWN.get(text)
    if known is not None:
        return known
    return next((reason for pattern, reason in _PATTERNS if pattern.search(text)), "stop")
