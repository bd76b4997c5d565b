"""How a standalone program runs: code that stands in every exported file.

It writes the prompts, byte for byte those of langprog, asks the endpoint, and sends a reply back
once that cannot be read.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from typing import Any

from langprog.interop.standalone.replies import Unreadable, read_reply, unquote

TIMEOUT, TRIES, LARGEST = 120.0, 4, 64 * 2**20
QUOTES = '"`'


class EndpointError(RuntimeError):
    """The endpoint did not answer."""


# --- values --------------------------------------------------------------------------------------


def check_input(field: dict[str, Any], value: Any) -> Any:
    """Return an input as plain data of its type.

    Raises:
        TypeError: It does not fit.
    """
    kind = field["type"]
    if kind["kind"] == "optional":
        return None if value is None else check_input({**field, "type": kind["of"]}, value)
    if kind["kind"] == "list":
        if isinstance(value, (list, tuple)):
            return [check_input({**field, "type": kind["of"]}, item) for item in value]
    elif kind["kind"] == "choice":
        for known in kind["choices"]:
            if type(known) is type(value) and known == value:
                return known
    elif kind["kind"] == "float" and type(value) in (int, float):
        return float(value)
    elif type(value).__name__ == kind["kind"]:
        return value
    raise TypeError(f"{field['name']!r} is {value!r:.60}, which is not {kind['words']}")


def write_value(kind: dict[str, Any], value: Any) -> str:
    """Return plain data as text for a prompt: a text as it is if it reads back as itself."""
    inner = kind["of"] if kind["kind"] == "optional" else kind
    if isinstance(value, str) and value == value.strip():
        null = kind["kind"] == "optional" and value.casefold() in ("null", "none")
        quoted = value[:1] in QUOTES and bool(value) and unquote(value) != value
        if inner["kind"] == "choice" or not (null or quoted):
            return value
    return json.dumps(value, ensure_ascii=False)


# --- prompts -------------------------------------------------------------------------------------


def messages_for(step: dict[str, Any], inputs: dict[str, Any]) -> list[dict[str, str]]:
    """Return the prompt of a step for its inputs, which are plain data."""
    messages = [
        {
            "role": role,
            "content": "".join(
                piece if isinstance(piece, str) else str(inputs[piece["slot"]]) for piece in pieces
            ),
        }
        for role, pieces in step["messages"]
    ]
    if step["form"] == "json":
        messages.append({"role": "user", "content": json.dumps(inputs, ensure_ascii=False)})
    if step["form"] == "chat":
        marker = re.compile(step["marker"], re.IGNORECASE if step["any_case"] else 0)
        sections = []
        for field in step["inputs"]:
            text = write_value(field["type"], inputs[field["name"]])
            escaped = marker.sub(lambda match: "\\" + match.group(), text)
            sections.append(f"[[{field['name']}]]\n{escaped}")
        messages.append({"role": "user", "content": "\n".join(sections)})
    return messages


# --- the endpoint --------------------------------------------------------------------------------


def ask(step: dict[str, Any], messages: list[dict[str, str]], base_url: str, key: str) -> str:
    """Return the endpoint's reply to a prompt.

    Raises:
        EndpointError: There is none, or it was cut off.
    """
    body = {"model": step["model"], "messages": messages, **step["body"]}
    data = post(f"{base_url.rstrip('/')}/chat/completions", body, key)
    try:
        choice = data["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise EndpointError("the reply of the endpoint is not a completion") from None
    if reason == "length":
        raise EndpointError("the reply was cut off at the token limit")
    if not isinstance(text, str):
        raise EndpointError("the reply of the endpoint has no text")
    return text


def post(url: str, body: dict[str, Any], key: str) -> Any:
    """Send a JSON body and return the JSON reply; asks again where the endpoint is busy.

    Raises:
        EndpointError: It refuses the request, or does not answer.
    """
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    sent = json.dumps(body).encode()
    problem = ""
    for attempt in range(1, TRIES + 1):
        wait = 2.0**attempt / 2
        try:
            request = urllib.request.Request(url, sent, headers, method="POST")
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
                return json.loads(reply.read(LARGEST))
        except urllib.error.HTTPError as error:
            said = error.read(500).decode("utf-8", "replace")
            if error.code not in (408, 409, 429) and error.code < 500:
                raise EndpointError(f"the endpoint answers {error.code}: {said}") from None
            problem = f"the endpoint answers {error.code}: {said}"
            after = error.headers.get("Retry-After", "")
            wait = float(after) if after.isdigit() and int(after) <= 60 else wait
        except (OSError, ValueError) as error:
            problem = f"the endpoint does not answer: {error}"
        if attempt < TRIES:
            time.sleep(wait)
    raise EndpointError(problem)


# --- the program ---------------------------------------------------------------------------------


def run_program(
    program: dict[str, Any], inputs: dict[str, Any], base_url: str = "", api_key: str = ""
) -> dict[str, Any]:
    """Return the outputs of the program.

    Raises:
        TypeError: An input is missing, unknown or of another type.
        Unreadable: A reply could not be read, and neither could the next one.
        EndpointError: The endpoint did not answer.
    """
    known = check_inputs(program, inputs)
    outputs: dict[str, Any] = {}
    for step in program["steps"]:
        given = {
            field["name"]: check_input(field, known[field["name"]]) for field in step["inputs"]
        }
        place = base_url or os.environ.get(step["url_variable"], "") or step["base_url"]
        key = api_key or os.environ.get(step["key_variable"], "")
        if not place:
            raise EndpointError(
                f"say where {step['model']} is served: {step['url_variable']} in the environment, "
                "or base_url=..."
            )
        messages = messages_for(step, given)
        reply = ask(step, messages, place, key)
        try:
            values = read_reply(step, reply)
        except Unreadable as error:
            said = f"That reply could not be read: {error}. Reply again in the form asked for."
            turns = [{"role": "assistant", "content": reply}, {"role": "user", "content": said}]
            values = read_reply(step, ask(step, messages + turns, place, key))
        values = {name: values.get(name, "") for name in step["returns"]}
        known.update(values)
        outputs.update(values)
    return outputs


def check_inputs(program: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with those that may be left out.

    Raises:
        TypeError: One is missing or unknown.
    """
    fields = {field["name"]: field for field in program["inputs"]}
    unknown = [name for name in inputs if name not in fields]
    missing = [
        name for name, field in fields.items() if name not in inputs and "default" not in field
    ]
    if unknown or missing:
        raise TypeError(
            f"the program takes {', '.join(fields)}; "
            + (f"{unknown[0]!r} is unknown" if unknown else f"{missing[0]!r} is missing")
        )
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    return {**defaults, **inputs}
