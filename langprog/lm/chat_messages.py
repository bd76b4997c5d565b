"""Parse the messages of a chat completion request, naming the one that is wrong."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.errors import LangprogError
from langprog.lm.parts import (
    Audio,
    Content,
    File,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    text_of,
)
from langprog.lm.types import Message, Role

ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "system": "system",
        "developer": "system",
        "user": "user",
        "assistant": "assistant",
        "tool": "tool",
    }
)
# Audio formats whose media type has another name.
AUDIO_TYPES: Mapping[str, str] = MappingProxyType({"mp3": "audio/mpeg"})


class BadBody(LangprogError):
    """The request is not a valid chat completion request.

    Args:
        message: What is wrong.
        status: HTTP status.
        code: OpenAI's error code.
        param: The member that is wrong.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


def read_messages(data: Any) -> tuple[Message, ...]:
    """Parse the member ``messages``.

    Raises:
        BadBody: A message is invalid, or contains something that models do not take.
    """
    if not isinstance(data, list) or not data:
        raise BadBody("'messages' must be a list with at least one message", param="messages")
    return tuple(_message(item, f"messages[{index}]") for index, item in enumerate(data))


def _message(item: Any, place: str) -> Message:
    role = item.get("role") if isinstance(item, dict) else None
    if not isinstance(role, str) or role not in ROLES:
        raise BadBody(f"'{place}.role' must be one of {', '.join(ROLES)}", param=place)
    if role == "tool":
        return Message("tool", (_tool_result(item, place),))
    if item.get("name"):
        raise BadBody(f"'{place}.name' is not supported here: put it in the content", param=place)
    if role == "assistant":
        return Message("assistant", _assistant(item, place))
    return Message(ROLES[role], _content(item.get("content"), place))


def _tool_result(item: Mapping[str, Any], place: str) -> ToolResult:
    call = item.get("tool_call_id")
    if not isinstance(call, str):
        raise BadBody(f"'{place}.tool_call_id' must be a string", param=place)
    return ToolResult(call, _text(item.get("content"), place))


def _assistant(item: Mapping[str, Any], place: str) -> Content:
    for key in ("audio", "function_call"):
        if item.get(key):
            raise BadBody(f"'{place}.{key}' is not supported here", param=place)
    calls = _tool_calls(item.get("tool_calls"), place)
    thoughts = item.get("reasoning_content") or item.get("reasoning") or ""
    if not isinstance(thoughts, str):
        raise BadBody(f"'{place}.reasoning_content' must be a string", param=place)
    content = item.get("content")
    if content is None:  # may be missing only next to tool calls or a refusal
        content = item.get("refusal") or ("" if calls else None)
    text = _text(content, place)
    if not calls and not thoughts:
        return text
    said = (Text(text),) if text else ()
    return (*((Reasoning(thoughts),) if thoughts else ()), *said, *calls)


def _tool_calls(data: Any, place: str) -> tuple[ToolCall, ...]:
    calls = []
    for item in data if isinstance(data, list) else [data] if data else ():
        call = item if isinstance(item, dict) else {}
        function = call.get("function")
        inside = function if isinstance(function, dict) else {}
        called, name, arguments = call.get("id"), inside.get("name"), inside.get("arguments")
        if not (isinstance(called, str) and isinstance(name, str) and isinstance(arguments, str)):
            raise BadBody(
                f"'{place}.tool_calls' must each have an id and a function with name and "
                "arguments, all of them strings",
                param=place,
            )
        calls.append(ToolCall(called, name, arguments))
    return tuple(calls)


def _text(data: Any, place: str) -> str:
    content = _content(data, place)
    if isinstance(content, str):
        return content
    if not all(isinstance(part, Text) for part in content):
        raise BadBody(f"'{place}.content' must be text", param=place)
    return text_of(content)


def _content(data: Any, place: str) -> Content:
    if isinstance(data, str):
        return data
    if not isinstance(data, list):
        raise BadBody(f"'{place}.content' must be text or a list of parts", param=place)
    parts = tuple(_part(item, place) for item in data)
    return text_of(parts) if all(isinstance(part, Text) for part in parts) else parts


def _part(item: Any, place: str) -> Part:
    kind = item.get("type") if isinstance(item, dict) else None
    inside = item.get(kind) if isinstance(kind, str) else None
    if kind in ("text", "refusal") and isinstance(inside, str):
        return Text(inside)
    if isinstance(inside, dict):
        match kind:
            case "image_url":
                return _image(inside, place)
            case "input_audio":
                return _audio(inside, place)
            case "file":
                return _file(inside, place)
    raise BadBody(
        f"'{place}.content' must be text or parts of the types text, image_url, input_audio and "
        "file, each with a member of that name",
        param=place,
    )


def _image(data: Mapping[str, Any], place: str) -> Image:
    if data.get("detail") not in (None, "auto"):
        raise BadBody(f"'{place}': an image's 'detail' can only be 'auto' here", param=place)
    return Image(**_source(data.get("url"), place))


def _audio(data: Mapping[str, Any], place: str) -> Audio:
    kind = data.get("format")
    if not isinstance(kind, str) or not kind.isalnum():
        raise BadBody(f"'{place}': audio needs a 'format' such as 'wav'", param=place)
    sound = _bytes(data.get("data"), place)
    return Audio(sound, media_type=AUDIO_TYPES.get(kind, f"audio/{kind}"))


def _file(data: Mapping[str, Any], place: str) -> File:
    name = data.get("filename") or ""
    content = data.get("file_data")
    if not isinstance(name, str):
        raise BadBody(f"'{place}': 'filename' must be a string", param=place)
    if not isinstance(content, str):
        raise BadBody(
            f"'{place}': a file needs 'file_data'; file ids are not supported here", param=place
        )
    if ":" in content[:20]:
        return File(**_source(content, place), name=name)
    kind = mimetypes.guess_type(name)[0] or "application/pdf"
    return File(_bytes(content, place), media_type=kind, name=name)


def _source(address: Any, place: str) -> dict[str, Any]:
    """Return a part's URL or bytes, as arguments of a Media."""
    if isinstance(address, str) and address.startswith(("https://", "http://")):
        return {"url": address}
    head, comma, body = address.partition(",") if isinstance(address, str) else ("", "", "")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise BadBody(
            f"'{place}': a part's address must be http(s)://... or data:TYPE;base64,...",
            param=place,
        )
    kind = head.removeprefix("data:").removesuffix(";base64")
    return {"data": _bytes(body, place), "media_type": kind or "application/octet-stream"}


def _bytes(text: Any, place: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise BadBody(f"'{place}': the data of a part must be Base64", param=place) from None
