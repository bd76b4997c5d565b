"""A request as the body of an OpenAI-compatible ``/chat/completions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.errors import InputError
from langprog.lm.parts import Audio, File, Image, Part, Reasoning, Text, ToolCall, ToolResult
from langprog.lm.sampling import Sampling
from langprog.lm.types import Message, Request

# The name under which most endpoints send and take a model's reasoning.
REASONING_MEMBER = "reasoning_content"


def body_of(
    request: Request, sampling: Sampling, reasoning_member: str = REASONING_MEMBER
) -> dict[str, Any]:
    """Return the members of the body, without the model's name.

    Args:
        request: The request.
        sampling: Its sampling, including the model's defaults and ``extra``.
        reasoning_member: The member of a message with the model's earlier reasoning.
    """
    body: dict[str, Any] = {"messages": messages_of(request.messages, reasoning_member)}
    settings = {
        "temperature": sampling.temperature,
        request.token_limit: sampling.max_tokens,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "reasoning_effort": sampling.reasoning_effort,
    }
    body |= {name: value for name, value in settings.items() if value is not None}
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if request.n > 1:
        body["n"] = request.n
    if request.logprobs:
        body["logprobs"] = True
    if request.response_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "outputs", "schema": dict(request.response_schema)},
        }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    return {**body, **(sampling.extra or {})}


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def messages_of(
    messages: tuple[Message, ...], reasoning_member: str = REASONING_MEMBER
) -> list[dict[str, Any]]:
    """Return a prompt as the ``messages`` of a body.

    Args:
        messages: The prompt.
        reasoning_member: The member of a message with the model's earlier reasoning.
    """
    converted: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message.content, str):
            converted.append({"role": message.role, "content": message.content})
        elif message.role == "tool":
            converted += [
                {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
                for part in message.content
                if isinstance(part, ToolResult)
            ]
        elif message.role == "assistant":
            converted.append(_assistant(message, reasoning_member))
        else:
            parts = [_part(part) for part in message.content]
            converted.append({"role": message.role, "content": [part for part in parts if part]})
    return converted


def _assistant(message: Message, reasoning_member: str) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    calls = [part for part in message.content if isinstance(part, ToolCall)]
    thoughts = [part.text for part in message.content if isinstance(part, Reasoning)]
    if calls:
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    if thoughts:  # also if they are empty
        said[reasoning_member] = "".join(thoughts)
    return said


def _part(part: Part) -> Mapping[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image_url", "image_url": {"url": part.address}}
        case Audio():
            if part.data is None:
                raise InputError("a chat completion takes audio as bytes, not as a URL")
            kind = part.media_type.rpartition("/")[2].removeprefix("x-")
            kind = "mp3" if kind == "mpeg" else kind  # the API uses the short name
            return {"type": "input_audio", "input_audio": {"data": part.base64, "format": kind}}
        case File():
            name = {"filename": part.name} if part.name else {}
            return {"type": "file", "file": {"file_data": part.address, **name}}
        case _:
            return {}
