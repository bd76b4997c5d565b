"""Finding the optional setting that an endpoint's error is about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from langprog.errors import BadRequestError
from langprog.lm.openai_errors import LONGEST_SAID
from langprog.lm.parts import Reasoning, ToolCall
from langprog.lm.types import Message, Request

Setting = Literal[
    "logprobs",
    "response_format",
    "seed",
    "n",
    "stop",
    "top_p",
    "missing_reasoning",
    "reasoning_content",
    "reasoning_effort",
    "temperature",
    "system",
    "tool_choice",
    "tools",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
]
# How endpoints name a setting in text. If an endpoint names none, settings are tried in this
# order: rarely supported ones first.
NAMED: Mapping[Setting, re.Pattern[str]] = MappingProxyType(
    {
        "logprobs": re.compile(r"log[ _-]?prob"),
        "response_format": re.compile(
            r"response[ _]?(?:format|schema)|json[ _]?(?:schema|mode|object)"
            r"|structured[ _-]?outputs?|guided|output_config|output format|\bgrammar\b"
        ),
        "seed": re.compile(r"\b(?:random_)?seed\b"),
        "n": re.compile(
            r"""['"`]n['"`]|\bn (?:must|should|is|can|greater|>)|\bn ?[=><]|\bbody\.n\b"""
            r"|candidate_?count|(?:multiple|only one) (?:completion |response )?"
            r"(?:choice|completion|candidate|response)|number of (?:choices|completions)"
        ),
        "stop": re.compile(
            r"""['"`]stop['"`]|stop[ _]?(?:sequence|word|token|string)s?"""
            r"|\bstop (?:param|is |not |no |can|was )|body\.stop|: stop\b|\bparameter stop\b"
            r"|(?:\A|[\s\"'])stop: "
        ),
        "top_p": re.compile(r"\btop[ _-]?p\b"),
        "missing_reasoning": re.compile(
            r"missing.{0,20}reasoning_content|must include.{0,10}reasoning_content"
            r"|reasoning_content.{0,60}(?:missing|passed back|required)"
        ),
        "reasoning_content": re.compile(
            r"reasoning_(?:content|details)|thinking_blocks|messages?\S{0,20}\breasoning\b"
        ),
        "reasoning_effort": re.compile(r"reasoning[ _.]?effort|\breasoning\b|thinking|\bthink\b"),
        "temperature": re.compile(r"\btemperature\b"),
        "system": re.compile(
            r"""(?:system|developer)['"`]? (?:role|message|prompt|instruction)"""
            r"|role[^.]{0,60}(?:system|developer)|(?:system|developer)[^.]{0,20} role"
            r"|roles? must alternate|only user and assistant roles|should be 'user'(?:,| or)"
        ),
        "tool_choice": re.compile(r"tool[ _]choice"),
        "tools": re.compile(
            r"\btools?\b(?! choice)|tool[ _-]?(?:call|us)|function[ _-]?call|'functions'"
        ),
        "stream_options": re.compile(r"stream[ _]options|include_usage"),
        "max_tokens": re.compile(r"max_(?:output_)?tokens"),
        "max_completion_tokens": re.compile(r"max_completion_tokens"),
    }
)
# The same settings as request members, without underscores, as some endpoints write them.
_PLACES: Mapping[str, Setting] = MappingProxyType(
    {
        **{name.replace("_", ""): name for name in NAMED},
        "candidatecount": "n",
        "guidedjson": "response_format",
        "includeusage": "stream_options",
        "jsonschema": "response_format",
        "randomseed": "seed",
        "reasoning": "reasoning_effort",
        "responseschema": "response_format",
        "stopsequences": "stop",
        "thinking": "reasoning_effort",
        "toplogprobs": "logprobs",
    }
)
# Phrases for "not this setting at all"; a value out of range is the user's error.
UNSUPPORTED = re.compile(
    r"unsupported|not (?:yet )?implemented|(?:not|n't|no longer)(?: \w+)? (?:support|take|accept)"
    r"|un(?:known|recogni[sz]ed|expected)|not (?:permitted|allowed|available|enabled)"
    r"|not (?:recogni[sz]ed|known)|forbidden|deprecated|unavailable|enabled only|extraneous"
    r"|extra (?:input|field|param)|extra_forbidden|only the default|incompatible|is invalid for"
    r"|can(?:not|'t)(?: both)? be (?:used|set|specified|combined)|additional propert|no longer"
    r"|only (?:be )?(?:set to )?1\b|no endpoints? found|requires --jinja|not a valid field"
    r"|only one (?:completion|candidate|choice)|only user and assistant roles"
)
# Phrases about an argument that need not name it.
_GENERIC = re.compile(
    r"(?:un(?:known|recogni[sz]ed|expected|supported)|extra|additional|invalid|illegal) "
    r"(?:request )?(?:input|field|param|arg|key\b|option|propert|keyword|setting)"
    r"|extra_forbidden|(?:param|arg|field|option|setting|propert)\w{0,10}(?:\(s\))?"
    r"(?: \w{1,20}){0,3} (?:not|n't|un)(?: be)? ?(?:\w{1,10} )?"
    r"(?:support|allow|permit|accept|known|recogni)"
    r"|(?:support|handle) the (?:requested|provided|given) (?:param|setting|option)"
)
_NEVER = re.compile(
    r"only the default|with this model|extra_forbidden|extra inputs|unsupported param"
    r"|un(?:known|recogni[sz]ed|expected) (?:param|field|arg|key)"
)
_RANGE = re.compile(
    r"between|\brange\b|(?:less|greater|larger|smaller|higher|lower) than|at (?:most|least)"
    r"|too (?:large|small|high|low|big|long|many)|must be (?!combined)|strictly|positive"
    r"|m(?:ax|in)imum|should be |less_than|greater_than|exceed|up to \d|non-?(?:negative|empty)"
    r"|valid (?:integer|number|float|string|value)|_type\b|_parsing\b|expected an? |one of\b"
    r"|invalid (?:value|type)|supported (?:\w+ )?values|_(?:above|below)_m|\bmax allowed"
)
# Rejected only in combination with something else in the request.
_TOGETHER = re.compile(
    r"(?:can(?:not|'t)|not|n't)(?: both)? (?:be |supported )?(?:\w+ ){0,2}"
    r"(?:combined|together|both|with (?:tool|stream|function|response|thinking|grammar))"
    r"|both be|but not both|when (?:using |streaming|thinking|tool|\w+ is (?:en|set))"
    r"|\bwith tools|mode does not support|with (?:streaming|thinking|greedy)"
)
# The other part of such a combination, which is not what is rejected.
_BESIDE = re.compile(r"\b(?:when|while|if) [^.\n]{1,80}|\b\w{1,20} mode (?=does)")
# A schema rejected for its content says nothing about other schemas.
ONE_SCHEMA = re.compile(
    r"schema for response_format|in context=|keyword|(?:invalid|unrecognized|bad|malformed)"
    r" (?:json[ _])?(?:response[ _])?schema|schema (?:conversion|is|has|must|contains|of type|too)"
    r"|schema\.\w|properties|schema error|failed to parse grammar"
)
# Errors about a tool's own schema, whatever its parameters are called; and messages that allow a
# system message.
_ELSEWHERE = re.compile(
    r"""(?:schema|parameters) (?:for|of) (?:the )?(?:function|tool)|function ['"`]\w{1,64}['"`]:"""
)
_WELCOME = re.compile(r"optional\)? system")
# Dropped without a warning: nothing that the user asked for is lost.
QUIET: frozenset[str] = frozenset(
    {
        "logprobs",
        "max_completion_tokens",
        "missing_reasoning",
        "n",
        "reasoning_content",
        "response_format",
        "stream_options",
        "system",
    }
)
# What a vague rejection may be about.
DOUBTFUL: frozenset[str] = frozenset(NAMED) - {
    "max_tokens",
    "max_completion_tokens",
    "missing_reasoning",
    "stream_options",
}
# Request members that are not settings.
_OTHERS = frozenset({"messages", "tools", "functions", "model"})
# Where a message holds the model's earlier reasoning.
_REASONING = frozenset({"reasoning", "reasoningcontent", "thinkingblocks"})
_LIMITS: frozenset[str] = frozenset({"max_tokens", "max_completion_tokens"})


# How an error's text names a member of the request.
_NAMING = (
    re.compile(r"""['"]loc['"]: ?[(\[]([^)\]]{1,200})[)\]]"""),
    re.compile(
        r"""(?:field|param|parameter|argument|property|key|option|unknown name)s?(?:\(s\))?:?"""
        r""" ?\[?['"`]([\w.\[\]]{1,80})['"`]"""
    ),
    re.compile(
        r"(?:argument supplied|argument not supported on this model|support parameter"
        r"|unknown parameter|unexpected keyword argument|body ->):? ([\w.\[\]]{1,80})"
    ),
)
# Suggested alternatives are not what is wrong.
_HINTS = re.compile(
    r"did you mean [^?]{0,80}|(?<!not )\b(?:supported|allowed|valid|known|accepted|available) "
    r"(?:param|arg|field|key|option|propert)\w{0,10}(?: are| is)?:? [^\n]{0,1000}"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A setting that an endpoint rejects.

    Args:
        setting: The setting; ``None`` if the endpoint does not say which.
        sure: Whether the endpoint says so explicitly; otherwise a guess to be confirmed.
        together: Whether it is rejected only in combination with something else.
        one_schema: Whether the error is about the content of this schema only.
    """

    setting: Setting | None
    sure: bool = False
    together: bool = False
    one_schema: bool = False


def refusal_in(
    error: BadRequestError, request: Request, *, streamed: bool = False
) -> Refusal | None:
    """Return the optional setting of ``request`` that an error is about.

    Args:
        error: The error.
        request: The request as sent.
        streamed: Whether it was a stream.

    Returns:
        ``None`` if it is about none of them: then it is the user's error.
    """
    said = _HINTS.sub(" ", error.said[:LONGEST_SAID])
    if _ELSEWHERE.search(said):
        return None
    present = [
        name
        for name in NAMED
        if (streamed or name != "stream_options") and uses_setting(request, name)
    ]
    placed, foreign = _settings_at_places(error, said, request)
    if placed:
        named = [name for name in present if name in placed]
    elif foreign:
        return None
    else:
        named = [name for name in present if NAMED[name].search(_BESIDE.sub(" ", said))]
        named = named or [name for name in present if NAMED[name].search(said)]
    value = _RANGE.search(said) is not None and _NEVER.search(said) is None
    value = value or "supported values are" in said
    unsupported = UNSUPPORTED.search(said) is not None and not value
    for name in named:
        refusal = _refusal_of(name, said, unsupported, bool(placed) and not value, request)
        if refusal is not None:
            return refusal
    generic = not (named or placed or value) and _GENERIC.search(said) is not None
    return Refusal(None) if generic else None


def _refusal_of(
    name: Setting, said: str, unsupported: bool, placed: bool, request: Request
) -> Refusal | None:
    if name in _LIMITS:
        renamed = name == "max_tokens" and re.search(r"(?:use|instead)[^.]{0,20}\bmax_comp", said)
        kept = name == "max_completion_tokens" and counts_on_bound(request)
        return Refusal(name, sure=True) if renamed or (unsupported and not kept) else None
    if name == "system" and _WELCOME.search(said):
        return None
    if name == "missing_reasoning":  # found by what it says alone
        return Refusal(name, sure=True)
    together = _TOGETHER.search(said) is not None
    if name == "tools":  # else something is wrong with the tools themselves
        refused = unsupported or "requires --" in said
        return Refusal(name, sure=not together, together=together) if refused else None
    if name == "response_format" and ONE_SCHEMA.search(said):
        return Refusal(name, together=together, one_schema=True)
    if unsupported:
        return Refusal(name, sure=not together, together=together)
    if placed or name in request.optional or name in QUIET:
        return Refusal(name, together=together)
    return None


def _settings_at_places(
    error: BadRequestError, said: str, request: Request
) -> tuple[set[Setting], bool]:
    """Return the settings that an error names, and whether it names another member."""
    settings: set[Setting] = set()
    foreign = False
    extra = {_plain_name(name) for name in (request.sampling.extra or {})}
    places = [match[1] for pattern in _NAMING for match in pattern.finditer(said)]
    for place in (*error.params, *places):
        parts = [_plain_name(part) for part in re.findall(r"[\w-]{1,80}", place.casefold())]
        known = next((_PLACES[part] for part in parts if part in _PLACES), None)
        if "messages" in parts and NAMED["system"].search(said):
            settings.add("system")
        elif "messages" in parts and not _REASONING.isdisjoint(parts):
            settings.add("reasoning_content")
        elif parts[-1:] == ["tools"] and uses_setting(request, "tools"):
            settings.add("tools")
        elif not _OTHERS.isdisjoint(parts) or not extra.isdisjoint(parts):
            foreign = True
        elif known is not None:
            settings.add(known)
        # A place outside the text may be just a word such as `validation_error`.
        foreign = foreign or (known is None and place in places)
    return settings, foreign


def _plain_name(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def counts_on_bound(request: Request) -> bool:
    """Return whether a budget relies on a limit on the reply."""
    budgets = [ledger.budget for ledger in request.payers]
    return any(budget.tokens is not None or budget.dollars is not None for budget in budgets)


def holds_reasoning(message: Message) -> bool:
    """Return whether a message sends the model's earlier reasoning back."""
    content = message.content
    return not isinstance(content, str) and any(isinstance(part, Reasoning) for part in content)


def lacks_reasoning(message: Message) -> bool:
    """Return whether a message with calls of tools lacks the reasoning before them."""
    content = message.content
    calls = not isinstance(content, str) and any(isinstance(part, ToolCall) for part in content)
    return calls and not holds_reasoning(message)


_OF_MESSAGES: Mapping[str, Callable[[Message], bool]] = MappingProxyType(
    {
        "missing_reasoning": lacks_reasoning,
        "reasoning_content": holds_reasoning,
        "system": lambda message: message.role == "system",
    }
)


def uses_setting(request: Request, setting: str) -> bool:
    """Return whether a request uses a setting."""
    sampling = request.sampling
    match setting:
        case "logprobs":
            return request.logprobs
        case "response_format":
            return request.response_schema is not None
        case "n":
            return request.n > 1
        case "missing_reasoning" | "reasoning_content" | "system":
            return any(map(_OF_MESSAGES[setting], request.messages))
        case "tool_choice":
            return request.tool_choice is not None
        case "tools":
            return bool(request.tools) and request.without_tools is not None
        case "stream_options":
            return request.stream_usage
        case "max_tokens" | "max_completion_tokens":
            # Under a cap, the budget adds a limit if the request has none.
            limited = sampling.max_tokens is not None or counts_on_bound(request)
            return limited and request.token_limit == setting
        case "stop":
            return bool(sampling.stop)
        case _:
            return getattr(sampling, setting) is not None


def settings_used(request: Request) -> frozenset[str]:
    """Return the settings that a request uses, whatever their values."""
    tools = {"tools"} if request.tools else set()
    return frozenset(name for name in NAMED if uses_setting(request, name)) | tools


def schema_text(schema: Mapping[str, Any] | None) -> str:
    """Return a schema as text, to recognize it by."""
    return json.dumps(schema, default=dict)
