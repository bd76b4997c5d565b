"""Which optional setting of a request an endpoint's refusal is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from langprog.errors import BadRequestError
from langprog.lm.types import Request

Setting = Literal[
    "logprobs",
    "response_format",
    "seed",
    "n",
    "stop",
    "top_p",
    "reasoning_effort",
    "temperature",
    "system",
    "tool_choice",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
]
# How endpoints name a setting in words. The order is that in which settings are tried where an
# endpoint names none: what is seldom taken comes first.
NAMED: Mapping[Setting, re.Pattern[str]] = MappingProxyType(
    {
        "logprobs": re.compile(r"log[ _-]?prob"),
        "response_format": re.compile(
            r"response[ _]?(?:format|schema)|json[ _]?(?:schema|mode|object)"
            r"|structured[ _-]?outputs?|guided|output_config|output format"
        ),
        "seed": re.compile(r"\b(?:random_)?seed\b"),
        "n": re.compile(
            r"""['"`]n['"`]|\bn (?:must|should|is|can|greater|>)|\bn ?[=><]|\bbody\.n\b"""
            r"|candidate_?count|multiple (?:choices|completions|candidates)"
            r"|number of (?:choices|completions)"
        ),
        "stop": re.compile(
            r"""['"`]stop['"`]|stop[ _]?(?:sequence|word|token|string)s?|\bstop (?:param|is not)"""
            r"|body\.stop"
        ),
        "top_p": re.compile(r"\btop[ _-]?p\b"),
        "reasoning_effort": re.compile(r"reasoning[ _.]?effort|\breasoning\b|thinking"),
        "temperature": re.compile(r"\btemperature\b"),
        "system": re.compile(
            r"""(?:system|developer)['"`]? (?:role|message|prompt|instruction)"""
            r"|role[^.]{0,60}(?:system|developer)|(?:system|developer)[^.]{0,20} role"
        ),
        "tool_choice": re.compile(r"tool[ _]choice"),
        "stream_options": re.compile(r"stream[ _]options|include_usage"),
        "max_tokens": re.compile(r"max_(?:output_)?tokens"),
        "max_completion_tokens": re.compile(r"max_completion_tokens"),
    }
)
# Words for "not this setting at all", in the order of how sure they are; a number out of range is
# the user's error.
UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't|no longer)(?: \w+)? (?:support|take|accept)"
    r"|un(?:known|recogni[sz]ed|expected)|not (?:permitted|allowed|available|enabled)"
    r"|not (?:recogni[sz]ed|known)|forbidden|deprecated"
    r"|extra (?:input|field|param)|extra_forbidden|only the default|incompatible|is invalid for"
    r"|can(?:not|'t)(?: both)? be (?:used|set|specified|combined)|additional propert|no longer"
)
_NEVER = re.compile(
    r"only the default|with this model|extra_forbidden|extra inputs|unsupported param"
    r"|un(?:known|recogni[sz]ed|expected) (?:param|field|arg|key)"
)
_RANGE = re.compile(
    r"between|range|(?:less|greater|larger|smaller) than|at (?:most|least)"
    r"|too (?:large|small|high|low|big)|must be (?:[<>]|positive|non-?negative|an? )"
    r"|m(?:ax|in)imum value|should be (?:[<>]|an? |less|greater)|less_than|greater_than|exceed"
    r"|valid (?:integer|number|float|string)|_type\b|_parsing\b"
)
# A schema that is refused for what it holds says nothing about other schemas.
ONE_SCHEMA = re.compile(r"invalid (?:json )?schema|schema for response_format|in context=|keyword")
# These are left out without a word: nothing of what the user asked for is lost.
QUIET: frozenset[str] = frozenset(
    {"logprobs", "response_format", "n", "system", "stream_options", "max_completion_tokens"}
)


def refused_setting(error: BadRequestError, request: Request) -> Setting | None:
    """Return the optional setting of ``request`` that an endpoint's refusal is about, if any."""
    said = error.said
    params = " ".join(error.params)
    if "max_completion_tokens" in said and holds(request, "max_tokens"):
        return "max_tokens"
    present = [name for name in NAMED if holds(request, name)]
    by_param = [name for name in present if name in error.params or NAMED[name].search(params)]
    named = by_param or [name for name in present if NAMED[name].search(said)]
    out_of_range = _RANGE.search(said) is not None and _NEVER.search(said) is None
    unsupported = UNSUPPORTED.search(said) is not None and not out_of_range
    for name in named:
        if name in ("max_tokens", "max_completion_tokens"):
            if unsupported and not _capped(request):
                return name
        elif unsupported or (by_param and not out_of_range):
            return name
        elif name in request.optional or name in QUIET:
            return name
    return None


def _capped(request: Request) -> bool:
    budgets = [ledger.budget for ledger in request.payers]
    return any(budget.tokens is not None or budget.dollars is not None for budget in budgets)


def holds(request: Request, setting: str) -> bool:
    """Return whether a request makes use of a setting."""
    sampling = request.sampling
    match setting:
        case "logprobs":
            return request.logprobs
        case "response_format":
            return request.response_schema is not None
        case "n":
            return request.n > 1
        case "system":
            return any(message.role == "system" for message in request.messages)
        case "tool_choice":
            return request.tool_choice is not None
        case "stream_options":
            return request.stream_usage
        case "max_tokens" | "max_completion_tokens":
            return sampling.max_tokens is not None and request.token_limit == setting
        case "stop":
            return bool(sampling.stop)
        case _:
            return getattr(sampling, setting) is not None
