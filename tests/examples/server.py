"""An OpenAI-compatible endpoint on loopback that answers from a script.

It is as strict as the official API: a request that the API refuses gets status 400 and says why. A
script names the values of the output fields; the endpoint writes them in the form that the prompt
asks for (a JSON object for a response schema, marked sections otherwise), so that one script
answers our programs and DSPy's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LARGEST_BODY = 32 * 2**20
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,(.+)", re.DOTALL)
_PART_KINDS = {"text", "image_url", "input_audio", "file"}
_DSPY_FIELDS = re.compile(r"Your output fields are:\n(.*?)\n(?:All|Outputs)", re.DOTALL)


class Refused(Exception):
    """The official API does not take such a request."""


@dataclass(frozen=True)
class Calls:
    """A reply that calls tools: names and arguments, all at once."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]


def calls(*named: tuple[str, Mapping[str, Any]]) -> Calls:
    return Calls(named)


@dataclass(frozen=True)
class Asked:
    """A request, as a script reads it."""

    body: Mapping[str, Any]

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        return self.body["messages"]  # type: ignore[no-any-return]  # checked

    @property
    def system(self) -> str:
        return "\n".join(text_of(m) for m in self.messages if m["role"] in ("system", "developer"))

    @property
    def last(self) -> str:
        """The text of the last message."""
        return text_of(self.messages[-1])

    @property
    def text(self) -> str:
        """All texts of the request, system messages first as they stand."""
        return "\n".join(text_of(message) for message in self.messages)

    @property
    def images(self) -> list[bytes]:
        """The images of the request, in their order."""
        urls = [
            part["image_url"]["url"]
            for message in self.messages
            for part in parts_of(message)
            if part["type"] == "image_url"
        ]
        return [base64.b64decode(url.partition(",")[2]) for url in urls]

    @property
    def tools(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools") or ()]

    @property
    def results(self) -> list[str]:
        """What tools returned so far, as the model reads it."""
        return [text_of(message) for message in self.messages if message["role"] == "tool"]

    @property
    def schema(self) -> Mapping[str, Any] | None:
        form = self.body.get("response_format") or {}
        return form.get("json_schema", {}).get("schema") if form else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The output fields that the reply has to hold, as the prompt names them."""
        if self.schema is not None:
            return tuple(self.schema["properties"])
        listed = _DSPY_FIELDS.search(self.system)
        if listed is not None:
            return tuple(re.findall(r"^\d+\. `(\w+)`", listed[1], re.MULTILINE))
        return tuple(re.findall(r"\[\[(\w+)\]\]", self.system.rstrip().rpartition("\n")[2]))

    def value(self, name: str) -> str:
        """The value of an input in the last message that has it."""
        for message in reversed(self.messages):
            whole = _read_object(text_of(message))
            if name in whole:
                return str(whole[name])
            marked = rf"\[\[(?: ## )?{name}(?: ## )?\]\]\n(.*?)(?=\n+\[\[|\n+Respond with|\Z)"
            text = re.findall(marked, text_of(message), re.DOTALL)
            if message["role"] == "user" and text:
                return text[-1].strip()
        raise AssertionError(f"the prompt has no input {name!r}:\n{self.text}")


Reply = Mapping[str, Any] | Calls | str
Script = Callable[[Asked], Reply]


@dataclass
class Endpoint:
    """Where it listens, and what came in.

    A stream with an output ``answer`` stops after half of its pieces until ``gate`` is set.
    """

    script: Script
    base_url: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    requests: list[Asked] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def parts_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def _read_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def text_of(message: Mapping[str, Any]) -> str:
    return "\n".join(part["text"] for part in parts_of(message) if part["type"] == "text")


# --- what the official API refuses ------------------------------------------------------------


def check(body: Any) -> None:
    """Check a request as the official API does.

    Raises:
        Refused: It has a member that the API does not take as it is.
    """
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Refused("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("[] is too short - 'messages'")
    for index, message in enumerate(messages):
        _check_message(message, f"messages.[{index}]")
    _check_pairs(messages)
    names = [_check_tool(tool) for tool in body.get("tools") or ()]
    if body.get("tools") == []:
        raise Refused("[] is too short - 'tools'")
    choice = body.get("tool_choice")
    if choice is not None and not names:
        raise Refused("'tool_choice' is only allowed when 'tools' are specified")
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        raise Refused("Tool choice: the function is not among 'tools'")
    _check_form(body.get("response_format"), messages)


def _check_message(message: Any, where: str) -> None:
    role = message.get("role")
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise Refused(f"Invalid value: {role!r} - '{where}.role'")
    content = message.get("content")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        raise Refused(f"Invalid value for 'content': expected a string, got null - '{where}'")
    if isinstance(content, list):
        for part in content:
            _check_part(part, role, where)
    elif content is not None and not isinstance(content, str):
        raise Refused(f"Invalid type for '{where}.content'")


def _check_part(part: Any, role: str, where: str) -> None:
    kind = part.get("type")
    if kind not in _PART_KINDS or (kind != "text" and role != "user"):
        raise Refused(f"Invalid content type {kind!r} in a message of {role} - '{where}'")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise Refused(f"Missing required parameter: '{where}.content.text'")
    if kind == "image_url":
        url = part["image_url"]["url"]
        data = _DATA_URL.fullmatch(url)
        if data is None and not url.startswith(("https://", "http://")):
            raise Refused("Invalid image URL: only HTTP(S) and data URLs are supported")
        try:
            base64.b64decode(data[1] if data else "", validate=True)
        except binascii.Error as error:
            raise Refused(f"Invalid base64 image_url: {error}") from None


def _check_pairs(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that tool messages answer the calls right before them, and all of them."""
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Refused(
                    "messages with role 'tool' must be a response to a preceding message "
                    "with 'tool_calls'"
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            break
        for call in message.get("tool_calls") or ():
            if call["type"] != "function" or not isinstance(call["function"]["arguments"], str):
                raise Refused("Invalid type for 'tool_calls': arguments are a string")
            open_calls.add(call["id"])
    if open_calls:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            f"to each 'tool_call_id': {sorted(open_calls)}"
        )


def _check_tool(tool: Any) -> str:
    function = tool["function"]
    if tool["type"] != "function" or not _TOOL_NAME.fullmatch(function["name"]):
        raise Refused(f"Invalid 'tools.function.name': {function['name']!r}")
    parameters = function.get("parameters", {"type": "object"})
    if parameters.get("type") != "object":
        raise Refused(f"Invalid schema for function {function['name']!r}: not an object")
    return function["name"]  # type: ignore[no-any-return]  # matched


def _check_form(form: Any, messages: Sequence[Mapping[str, Any]]) -> None:
    kind = "text" if form is None else form["type"]
    if kind == "json_object":
        if not any("json" in text_of(message).lower() for message in messages):
            raise Refused("'messages' must contain the word 'json' in some form")
    elif kind == "json_schema":
        given = form["json_schema"]
        if not _TOOL_NAME.fullmatch(given["name"]):
            raise Refused("Invalid 'response_format.json_schema.name'")
        if given.get("strict"):
            _check_strict(given["schema"])
    elif kind != "text":
        raise Refused(f"Invalid value: {kind!r} - 'response_format.type'")


def _check_strict(schema: Any) -> None:
    """Check what strict mode demands of every object of a schema."""
    if isinstance(schema, list):
        for item in schema:
            _check_strict(item)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise Refused("Invalid schema: 'additionalProperties' is required to be false")
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            raise Refused("Invalid schema: 'required' must include every key in properties")
    for value in schema.values():
        _check_strict(value)


# --- replies ----------------------------------------------------------------------------------


def write_fields(asked: Asked, values: Mapping[str, Any]) -> str:
    """Return the output fields in the form that the prompt asks for."""
    kept = {name: values[name] for name in asked.fields}
    if asked.body.get("response_format"):
        return json.dumps(kept, ensure_ascii=False)
    dspy = "[[ ## " in asked.system
    lines = []
    for name, value in kept.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"[[ ## {name} ## ]]\n{text}" if dspy else f"[[{name}]]\n{text}")
    return "\n\n".join([*lines, "[[ ## completed ## ]]"] if dspy else lines)


def message_of(asked: Asked, reply: Reply, number: int) -> dict[str, Any]:
    if isinstance(reply, Calls):
        unknown = [name for name, _ in reply.calls if name not in asked.tools]
        assert not unknown, f"the script calls {unknown}, offered are {asked.tools}"
        made = [
            {
                "id": f"call_{number}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(reply.calls)
        ]
        return {"role": "assistant", "content": None, "tool_calls": made}
    text = reply if isinstance(reply, str) else write_fields(asked, reply)
    return {"role": "assistant", "content": text}


def chunks_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the deltas of a message: a few characters each, calls in two pieces."""
    yield {"role": "assistant"}
    text = message["content"] or ""
    for start in range(0, len(text), 5):
        yield {"content": text[start : start + 5]}
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        head = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        yield {"tool_calls": [head]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": function["arguments"]}}]}


async def _stream(
    request: web.Request,
    base: Mapping[str, Any],
    message: Mapping[str, Any],
    ended: str,
    gate: threading.Event | None,
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(choices: list[Any], **more: Any) -> None:
        data = {**base, "object": "chat.completion.chunk", "choices": choices, **more}
        await response.write(f"data: {json.dumps(data)}\n\n".encode())
        await asyncio.sleep(0)

    pieces = list(chunks_of(message))
    for index, delta in enumerate(pieces):
        if gate is not None and index == len(pieces) // 2:
            await asyncio.to_thread(gate.wait)
        await send([{"index": 0, "delta": delta, "finish_reason": None}])
    await send([{"index": 0, "delta": {}, "finish_reason": ended}])
    await send([], usage=_usage(message))
    await response.write(b"data: [DONE]\n\n")
    return response


def _usage(message: Mapping[str, Any]) -> dict[str, int]:
    return {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}


def _embed(text: str) -> list[float]:
    """Count the words of a text: texts with words in common are near."""
    vector = [0.0] * 256
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % 256] += 1.0
    return vector


def _error(status: int, text: str) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    content = {"message": text, "type": kind, "param": None, "code": None}
    return web.json_response({"error": content}, status=status)


def application(seen: Endpoint) -> web.Application:
    async def completions(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return _error(401, "You didn't provide an API key")
        body = await request.json()
        try:
            check(body)
        except Refused as error:
            seen.failures.append(str(error))
            return _error(400, str(error))
        asked = Asked(body)
        seen.requests.append(asked)
        number = len(seen.requests)
        try:
            message = message_of(asked, seen.script(asked), number)
        except (AssertionError, LookupError, ValueError) as error:
            seen.failures.append(f"{type(error).__name__}: {error}")
            return _error(400, f"the script fails: {error!r}")
        ended = "tool_calls" if message.get("tool_calls") else "stop"
        base = {"id": f"chatcmpl-{number}", "created": 1, "model": body["model"]}
        if body.get("stream"):
            gate = seen.gate if "answer" in asked.fields else None
            try:
                return await _stream(request, base, message, ended, gate)
            except asyncio.CancelledError:  # the client has left
                seen.cancelled.set()
                raise
        choice = {"index": 0, "message": message, "finish_reason": ended, "logprobs": None}
        whole = {**base, "object": "chat.completion", "choices": [choice]}
        return web.json_response({**whole, "usage": _usage(message)})

    async def embeddings(request: web.Request) -> web.Response:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [
            {"object": "embedding", "index": index, "embedding": _embed(text)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return web.json_response(
            {"object": "list", "model": body["model"], "data": data, "usage": usage}
        )

    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_post("/v1/chat/completions", completions)
    app.router.add_post("/v1/embeddings", embeddings)
    return app


@contextmanager
def serve(script: Script) -> Iterator[Endpoint]:
    """Serve a script from a thread of its own."""
    seen = Endpoint(script)
    seen.gate.set()
    ready: Future[asyncio.AbstractEventLoop] = Future()
    stop = asyncio.Event()

    async def run() -> None:
        runner = web.AppRunner(
            application(seen), access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        seen.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set_result(asyncio.get_running_loop())
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop = ready.result()
    try:
        yield seen
    finally:
        seen.gate.set()
        loop.call_soon_threadsafe(stop.set)
        thread.join()
