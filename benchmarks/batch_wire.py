"""What an endpoint with batches says: batches, rows of their files, pages and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Row:
    """What happens to one request.

    Args:
        body: The reply's body.
        status: Its HTTP status; ``None`` if the request gets no response at all.
        code: The code of its error if it gets none.
        times: How often its line comes; 0 for a request that is lost.
        raw: The line itself, in place of a proper one.
    """

    body: Any = None
    status: int | None = 200
    code: str = ""
    times: int = 1
    raw: bytes | None = None


@dataclass
class Batch:
    """A batch as the endpoint has it."""

    id: str
    input_file: str
    endpoint: str
    window: str
    metadata: dict[str, str]
    fate: str
    created_at: int
    lines: list[dict[str, Any]]
    status: str = "validating"
    output_file: str | None = None
    error_file: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    completed: int = 0
    failed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as the API does."""
        errors = {"object": "list", "data": self.errors} if self.errors else None
        total = 0 if self.status == "validating" else len(self.lines)
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": errors,
            "input_file_id": self.input_file,
            "completion_window": self.window,
            "status": self.status,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "created_at": self.created_at,
            "request_counts": {
                "total": total,
                "completed": self.completed,
                "failed": self.failed,
            },
            "metadata": self.metadata or None,
        }


def completion(
    text: str, *, prompt_tokens: int = 20, completion_tokens: int = 5
) -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "batched",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def written(line: Mapping[str, Any], row: Row) -> bytes:
    """Return the line of a reply."""
    if row.raw is not None:
        return row.raw + b"\n"
    response = None
    if row.status is not None:
        response = {"status_code": row.status, "request_id": "req_1", "body": row.body}
    error = None if row.status is not None else {"code": row.code, "message": row.body}
    data = {
        "id": f"batch_req_{line['custom_id'][:8]}",
        "custom_id": line["custom_id"],
        "response": response,
        "error": error,
    }
    return (json.dumps(data) + "\n").encode() * row.times


def page(request: web.Request, items: list[dict[str, Any]]) -> web.StreamResponse:
    """Return a page of a list, as ``after`` and ``limit`` ask for it."""
    after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
    ids = [item["id"] for item in items]
    start = ids.index(after) + 1 if after in ids else 0
    shown = items[start : start + limit]
    return web.json_response(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": start + limit < len(items),
        }
    )


def refusal(
    status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an error as the API does."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def missing(what: str, id: str) -> web.Response:
    """Return the error for something that is not there."""
    return refusal(404, f"No such {what} object: {id}", "not_found")
