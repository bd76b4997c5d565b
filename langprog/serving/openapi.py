"""The OpenAPI document of what is served, made from the signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import langprog
from langprog.serving.feedback import feedback_schema
from langprog.serving.service import Service

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message", "field", "status", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": ["string", "null"]},
                "status": {"type": "integer"},
                "request_id": {"type": "string"},
            },
        }
    },
}
_USAGE = {
    "type": "object",
    "properties": {
        "calls": {"type": "integer"},
        "cached_calls": {"type": "integer"},
        "prompt_tokens": {"type": "integer"},
        "completion_tokens": {"type": "integer"},
        "dollars": {"type": ["number", "null"]},
        "reused": {"type": "integer"},
        "seconds": {"type": "number"},
    },
}
# Status and meaning of what any call of a program may be answered with.
_FAILURES: Mapping[str, str] = {
    "400": "The body is not JSON, or the request is malformed.",
    "401": "The key is missing or wrong.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "The body is not JSON by its content type.",
    "421": "The server is addressed by a name that it does not know.",
    "422": "An input is missing, unknown or wrong; `field` names it.",
    "429": "The server or the model is busy; see Retry-After.",
    "500": "The program failed.",
    "502": "The model's endpoint failed, or its reply cannot be used.",
    "503": "The server is stopping, or its budget is spent.",
    "504": "There was no answer in time.",
}


def openapi_document(services: Iterable[Service], *, keys: bool) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document.

    Args:
        services: What is served.
        keys: Whether requests need a key.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": _ERROR, "Usage": _USAGE}
    for service in services:
        name, interface = service.name, service.stable.interface
        for part, schema in (
            ("inputs", interface.input_schema),
            ("outputs", interface.output_schema),
        ):
            place = f"{name}.{part}"
            schemas[place] = _moved(schema, f"#/components/schemas/{place}/$defs/")
        schemas[f"{name}.answer"] = _answer(name)
        paths |= _paths(name)
        trial = service.trial
        if trial is not None and trial.judge is None:
            place = f"{name}.feedback"
            moved = f"#/components/schemas/{place}/properties/expected/$defs/"
            score_range = None if trial.shadow else trial.score_range
            schemas[place] = _moved(feedback_schema(interface.output_schema, score_range), moved)
            paths[f"/programs/{name}/feedback"] = _feedback(name)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "langprog", "version": langprog.__version__},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _moved(schema: Any, place: str) -> Any:
    """Return a schema whose references point to where it lies in the document."""
    if isinstance(schema, dict):
        return {
            key: f"{place}{value.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(value, str)
            else _moved(value, place)
            for key, value in schema.items()
        }
    return [_moved(item, place) for item in schema] if isinstance(schema, list) else schema


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["outputs", "digest", "request_id", "usage"],
        "properties": {
            "outputs": _ref(f"{name}.outputs"),
            "digest": {"type": "string"},
            "request_id": {"type": "string"},
            "usage": _ref("Usage"),
        },
    }


def _paths(name: str) -> dict[str, Any]:
    about = f"Run {name}."
    answer = {"application/json": {"schema": _ref(f"{name}.answer")}}
    events: dict[str, Any] = {"text/event-stream": {"schema": {}}}
    inputs = {"application/json": {"schema": _ref(f"{name}.inputs")}}
    row = {"description": f"As {name}.inputs; a row that does not fit fails, and no other."}
    rows = {"type": "array", "minItems": 1, "items": row}
    result = {"anyOf": [_ref(f"{name}.answer"), _ref("Error")]}
    results = {
        "type": "object",
        "required": ["results", "failed"],
        "properties": {
            "results": {"type": "array", "items": result},
            "failed": {"type": "integer"},
        },
    }
    batch = {"application/json": {"schema": rows}, "application/jsonl": {"schema": {}}}
    batch_answer = {"application/json": {"schema": results}, "application/jsonl": {"schema": {}}}
    return {
        f"/programs/{name}": _operation(name, about, inputs, {**answer, **events}),
        f"/programs/{name}/stream": _operation(f"{name}.stream", about, inputs, events),
        f"/programs/{name}/batch": _operation(f"{name}.batch", about, batch, batch_answer),
    }


def _feedback(name: str) -> dict[str, Any]:
    body = {"application/json": {"schema": _ref(f"{name}.feedback")}}
    taken = {
        "type": "object",
        "required": ["request_id", "scored"],
        "properties": {"request_id": {"type": "string"}, "scored": {"type": "boolean"}},
    }
    about = "Say what was right, or how good an answer was."
    made = _operation(f"{name}.feedback", about, body, {"application/json": {"schema": taken}})
    error = {"application/json": {"schema": _ref("Error")}}
    meaning = "No answer with that id waits for feedback."
    made["post"]["responses"]["404"] = {"description": meaning, "content": error}
    return made


def _operation(
    operation: str, about: str, body: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, Any]:
    error = {"application/json": {"schema": _ref("Error")}}
    failures = {
        status: {"description": meaning, "content": error} for status, meaning in _FAILURES.items()
    }
    return {
        "post": {
            "operationId": operation,
            "summary": about,
            "requestBody": {"required": True, "content": body},
            "responses": {"200": {"description": "The answer.", "content": answer}, **failures},
        }
    }
