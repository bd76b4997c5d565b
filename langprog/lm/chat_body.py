"""Parse the body of a chat completion request, naming the member that is wrong.

No member that could change the answer is ignored: unknown members go to the model as ``extra``,
and a model that does not support them rejects the request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.lm.chat_messages import BadBody, read_messages
from langprog.lm.sampling import OWN_MEMBERS, Sampling
from langprog.lm.types import Request, ToolSpec

LARGEST_N = 128
# Each is looked for after each token; OpenAI takes four.
MOST_STOPS, LONGEST_STOPS = 64, 4096
# Members that do not change the answer: who asks, what the provider keeps, how fast it is.
WITHOUT_EFFECT = frozenset(
    {
        "metadata",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
# Defaults that many clients always send.
NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        "frequency_penalty": 0,
        "logit_bias": {},
        "modalities": ["text"],
        "parallel_tool_calls": True,
        "presence_penalty": 0,
        "top_logprobs": 0,
    }
)
# These call for a reply format that our completions do not have.
UNANSWERED = frozenset({"audio", "function_call", "functions", "modalities", "top_logprobs"})
FORMATS = ("text", "json_object", "json_schema")


def read_body(raw: bytes) -> dict[str, Any]:
    """Parse the JSON object.

    Raises:
        BadBody: It is not a JSON object, or a stream setting is wrong.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadBody("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    _typed_member(body, "stream", bool)
    _typed_member(body, "stream_options", dict)
    return body


def read_request(body: Mapping[str, Any]) -> Request:
    """Return the request that a body describes.

    Raises:
        BadBody: A member is wrong.
    """
    limit = _integer_member(body, "max_completion_tokens", 1)
    sampling = Sampling(
        temperature=_number_member(body, "temperature", math.inf),
        max_tokens=_integer_member(body, "max_tokens", 1) if limit is None else limit,
        top_p=_number_member(body, "top_p", 1.0),
        stop=_stops(body.get("stop")),
        seed=_integer_member(body, "seed", -math.inf),
        reasoning_effort=_typed_member(body, "reasoning_effort", str),
        extra=_extra(body),
    )
    tools = _tools(_typed_member(body, "tools", list))
    return Request(
        messages=read_messages(body.get("messages")),
        sampling=sampling,
        n=_integer_member(body, "n", 1, LARGEST_N) or 1,
        response_schema=_schema(_typed_member(body, "response_format", dict)),
        logprobs=bool(_typed_member(body, "logprobs", bool)),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
    )


def _extra(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    extra = {
        key: value
        for key, value in body.items()
        if value is not None
        and key not in OWN_MEMBERS | WITHOUT_EFFECT | {"reasoning_effort"}
        and not (key in NEUTRAL and NEUTRAL[key] == value)
    }
    for key in extra:
        if key in UNANSWERED:
            raise BadBody(
                f"{key!r} is not supported here", code="unsupported_parameter", param=key
            )
    return extra or None


def _tools(data: list[Any] | None) -> tuple[ToolSpec, ...]:
    tools = []
    for index, item in enumerate(data or ()):
        place = f"tools[{index}]"
        function = item.get("function") if isinstance(item, dict) else None
        if not isinstance(function, dict) or item.get("type") != "function":
            raise BadBody(f"'{place}' must be a tool of the type 'function'", param=place)
        name, description = function.get("name"), function.get("description") or ""
        parameters = function.get("parameters") or {"type": "object", "properties": {}}
        if not isinstance(name, str) or not name:
            raise BadBody(f"'{place}.function.name' must be a string", param=place)
        if not isinstance(description, str) or not isinstance(parameters, dict):
            raise BadBody(
                f"'{place}.function' must have a string as description, a schema as parameters",
                param=place,
            )
        tools.append(ToolSpec(name, description, parameters))
    return tuple(tools)


def _tool_choice(data: Any, tools: tuple[ToolSpec, ...]) -> str | None:
    if data is None or (isinstance(data, str) and data in ("auto", "none", "required")):
        return data
    function = data.get("function") if isinstance(data, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if name is not None and any(tool.name == name for tool in tools):
        return str(name)
    raise BadBody(
        "'tool_choice' must be auto, none, required or a function among the tools",
        param="tool_choice",
    )


def _typed_member(body: Mapping[str, Any], key: str, kind: type) -> Any:
    value = body.get(key)
    if value is not None and not isinstance(value, kind):
        word = {bool: "true or false", str: "a string", list: "a list"}.get(kind, "an object")
        raise BadBody(f"{key!r} must be {word}", param=key)
    return value


def _number_member(body: Mapping[str, Any], key: str, most: float) -> float | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.nan
        if math.isfinite(number) and 0.0 <= number <= most:
            return number
    bound = "of at least 0" if most == math.inf else f"from 0 to {most:g}"
    raise BadBody(f"{key!r} must be a number {bound}", param=key)


def _integer_member(
    body: Mapping[str, Any], key: str, least: float, most: float = math.inf
) -> int | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    low = "" if least == -math.inf else f" of at least {least:g}"
    high = "" if most == math.inf else f" and at most {most:g}"
    raise BadBody(f"{key!r} must be an integer{low}{high}", param=key)


def _stops(data: Any) -> tuple[str, ...]:
    stops = [data] if isinstance(data, str) else [] if data is None else data
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadBody("'stop' must be a string or a list of strings", param="stop")
    if len(stops) > MOST_STOPS or sum(map(len, stops)) > LONGEST_STOPS:
        raise BadBody(
            f"'stop' must be at most {MOST_STOPS} strings, {LONGEST_STOPS:,} characters together",
            param="stop",
        )
    return tuple(stops)


def _schema(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    kind = "text" if data is None else data.get("type")
    if data is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    if kind != "json_schema":
        raise BadBody(
            f"'response_format.type' must be one of {', '.join(FORMATS)}", param="response_format"
        )
    inside = data.get("json_schema")
    schema = inside.get("schema") if isinstance(inside, dict) else None
    if not isinstance(schema, dict):
        raise BadBody(
            "'response_format.json_schema.schema' must be an object", param="response_format"
        )
    return schema
