"""A loopback endpoint with the semantics of OpenAI's tool calls, answering from a script."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.lm.endpoint import Answer, Endpoint, endpoint

Body = dict[str, Any]
# A reply: a text, or calls as (tool, arguments); arguments that are text go out as they are.
Reply = str | Sequence[tuple[str, Any]]


def refusal(body: Body) -> str | None:
    """Return why the official API would refuse a body, if it would."""
    names = {tool["function"]["name"] for tool in body.get("tools", ())}
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        return "Invalid value for 'tool_choice': no such function in 'tools'."
    if choice is not None and not names:
        return "'tool_choice' is only allowed when 'tools' are specified."
    waiting: list[str] = []
    seen: set[str] = set()
    for number, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return f"messages[{number}]: 'tool' must answer a preceding 'tool_calls'."
            waiting.remove(message["tool_call_id"])
            if not isinstance(message["content"], str):
                return f"messages[{number}]: 'content' must be text."
            continue
        if waiting:
            return f"messages[{number}]: the calls {waiting} have no response messages."
        for call in message.get("tool_calls", ()):
            json.loads(call["function"]["arguments"])
            if call["id"] in seen:
                return f"messages[{number}]: the id {call['id']} comes twice."
            seen.add(call["id"])
            waiting.append(call["id"])
    return f"the calls {waiting} have no response messages." if waiting else None


def completion(reply: Reply, number: int) -> Body:
    message: Body = {"role": "assistant", "content": reply if isinstance(reply, str) else None}
    if not isinstance(reply, str):
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for place, (name, given) in enumerate(reply)
        ]
    reason = "stop" if isinstance(reply, str) else "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": f"c{number}", "object": "chat.completion", "choices": [choice], "usage": usage}


def chunks(whole: Body) -> list[Body]:
    """Return the events in which the official API streams a completion."""
    message = whole["choices"][0]["message"]
    deltas: list[Body] = [{"role": "assistant", "content": None}]
    for place, call in enumerate(message.get("tool_calls", ())):
        named = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": place, "function": named}]})
        text = call["function"]["arguments"]
        for at in range(0, len(text), 7):
            piece = {"index": place, "function": {"arguments": text[at : at + 7]}}
            deltas.append({"tool_calls": [piece]})
    text = message["content"] or ""
    deltas += [{"content": text[at : at + 7]} for at in range(0, len(text), 7)]
    head = {"id": whole["id"], "object": "chat.completion.chunk"}
    events: list[Body] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    reason = whole["choices"][0]["finish_reason"]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return [*events, {**head, "choices": [], "usage": whole["usage"]}]


async def send_events(request: web.Request, events: list[Body]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in [*map(json.dumps, events), "[DONE]"]:
        await response.write(f"data: {event}\n\n".encode())
    await response.write_eof()
    return response


def answering(script: Callable[[Body], Reply] | Sequence[Reply], *, tools: bool = True) -> Answer:
    """Answer from a script.

    Args:
        script: Replies in order, or a function of the body.
        tools: Whether tools are accepted.
    """
    count = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal count
        body = json.loads(await request.read())
        wrong = refusal(body)
        if not tools and body.get("tools"):
            wrong = "this model does not support tools"
        if wrong is not None:
            error = {"message": wrong, "type": "invalid_request_error", "param": None}
            return web.json_response({"error": error}, status=400)
        reply = script(body) if callable(script) else script[count]
        count += 1
        whole = completion(reply, count)
        if body.get("stream"):
            return await send_events(request, chunks(whole))
        return web.json_response(whole)

    return answer


@asynccontextmanager
async def tool_endpoint(
    script: Callable[[Body], Reply] | Sequence[Reply], *, tools: bool = True
) -> AsyncIterator[Endpoint]:
    """Serve a script on loopback."""
    async with endpoint(answering(script, tools=tools)) as served:
        yield served


def results_in(body: Body) -> list[str]:
    """Return the results of tools in a body, in order."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]
