"""An upper bound on a prompt's tokens, whatever the tokenizer."""

from __future__ import annotations

import json

from langprog.lm.parts import Content, Image, Part, Reasoning, Text, ToolCall, ToolResult
from langprog.lm.types import Request

# No tokenizer in use makes more tokens than bytes; roles and separators come on top.
TOKENS_A_MESSAGE = 16
# More than any endpoint was seen to count for one image. A file counts its bytes, unless the
# endpoint fetches it.
TOKENS_AN_IMAGE, TOKENS_A_FILE = 50_000, 200_000


def most_tokens(request: Request) -> int:
    """Return an upper bound on the tokens of a request's prompt."""
    prompt = sum(
        _most_tokens_of_content(message.content) + TOKENS_A_MESSAGE for message in request.messages
    )
    if request.response_schema is not None:
        prompt += len(json.dumps(request.response_schema, default=dict))
    for tool in request.tools:
        words = [tool.name, tool.description, tool.parameters]
        prompt += len(json.dumps(words, default=dict)) + TOKENS_A_MESSAGE
    return prompt


def _most_tokens_of_content(content: Content) -> int:
    if isinstance(content, str):
        return len(content.encode(errors="surrogatepass"))
    return sum(_most_tokens_of_part(part) for part in content)


def _most_tokens_of_part(part: Part) -> int:
    match part:
        case Text() | Reasoning() | ToolResult():
            return len(part.text.encode(errors="surrogatepass"))
        case ToolCall():
            return len((part.name + part.arguments).encode(errors="surrogatepass"))
        case Image():
            return TOKENS_AN_IMAGE
        case _:
            return TOKENS_A_FILE if part.data is None else len(part.data)
