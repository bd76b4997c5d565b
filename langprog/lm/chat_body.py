"""Read the body of a chat completion request, and say which field is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from langprog.errors import LangprogError
from langprog.lm.types import Message, Request, Role, Sampling

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
LARGEST_N = 128


class BadBody(LangprogError):
    """A request that is no chat completion request.

    Args:
        message: What is wrong.
        status: HTTP status.
        code: OpenAI's error code.
        param: The field that is wrong.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


def read_body(raw: bytes) -> dict[str, Any]:
    """Read the JSON object.

    Raises:
        BadBody: There is none, or one of the settings of a stream is wrong.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadBody("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    _typed(body, "stream", bool)
    _typed(body, "stream_options", dict)
    return body


def read_request(body: Mapping[str, Any]) -> Request:
    """Read what is asked.

    Raises:
        BadBody: A field is wrong.
    """
    limit = _whole(body, "max_completion_tokens", 1)
    sampling = Sampling(
        temperature=_number(body, "temperature", math.inf),
        max_tokens=_whole(body, "max_tokens", 1) if limit is None else limit,
        top_p=_number(body, "top_p", 1.0),
        stop=_stops(body.get("stop")),
        seed=_whole(body, "seed", -math.inf),
    )
    return Request(
        messages=_messages(body.get("messages")),
        sampling=sampling,
        n=_whole(body, "n", 1, LARGEST_N) or 1,
        response_schema=_schema(_typed(body, "response_format", dict)),
        logprobs=bool(_typed(body, "logprobs", bool)),
    )


def _typed(body: Mapping[str, Any], key: str, kind: type) -> Any:
    value = body.get(key)
    if value is not None and not isinstance(value, kind):
        word = "true or false" if kind is bool else "an object"
        raise BadBody(f"{key!r} must be {word}", param=key)
    return value


def _number(body: Mapping[str, Any], key: str, most: float) -> float | None:
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


def _whole(body: Mapping[str, Any], key: str, least: float, most: float = math.inf) -> int | None:
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
    return tuple(stops)


def _messages(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise BadBody("'messages' must be a list with at least one message", param="messages")
    messages = []
    for index, item in enumerate(data):
        place = f"messages[{index}]"
        role = item.get("role") if isinstance(item, dict) else None
        if not isinstance(role, str) or role not in ROLES:
            raise BadBody(f"'{place}.role' must be one of {', '.join(ROLES)}", param=place)
        messages.append(Message(ROLES[role], _text(item.get("content"), place)))
    return tuple(messages)


def _text(content: Any, place: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    ):
        return "".join(part["text"] for part in content)
    raise BadBody(f"'{place}.content' must be text", param=place)


def _schema(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if data is None or data.get("type") != "json_schema":
        return None
    inside = data.get("json_schema")
    schema = inside.get("schema") if isinstance(inside, dict) else None
    if not isinstance(schema, dict):
        raise BadBody(
            "'response_format.json_schema.schema' must be an object", param="response_format"
        )
    return schema
