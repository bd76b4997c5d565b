"""A loopback endpoint with the files and batches of an OpenAI-compatible API.

It behaves like the real one: files are validated when a batch of them is created, a batch advances
by one state each time it is asked for, replies come in another order than the requests, requests
that fail are in a file of their own, and a batch can expire or be cancelled with a part of its
requests answered. What happens to each request is up to a function.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from typing import Any

from aiohttp import web

from benchmarks.batch_wire import Batch, Row, completion, missing, page, refusal, written

FATES = ("completed", "expired", "failed", "cancelled")
EXPIRED = "This request could not be executed before the completion window expired."


Answer = Callable[[dict[str, Any]], str | Row]
# Returns a response in place of the endpoint's own, for the n-th HTTP request.
Interfere = Callable[[int, web.Request], Awaitable[web.StreamResponse | None]]


class BatchEndpoint:
    """The endpoint's state and its behaviour.

    Args:
        answer: What happens to a request, given its body.
        key: The API key; others are refused.
        most_requests: Most requests of one batch.
        polls: How often a batch is found in progress before it is finalized.
    """

    def __init__(
        self, answer: Answer, *, key: str = "none", most_requests: int = 50_000, polls: int = 1
    ) -> None:
        self.answer, self.key, self.most_requests, self.polls = answer, key, most_requests, polls
        self.fates: list[str] = []
        self.share = 0.5
        self.interfere: Interfere | None = None
        # How often each request was answered, and so paid, by its body.
        self.answered: Counter[str] = Counter()
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.batches: dict[str, Batch] = {}
        self.pauses: list[float] = []
        self._numbers = count(1)
        self._polled: Counter[str] = Counter()
        self._order = random.Random(0)

    def application(self) -> web.Application:
        """Return the endpoint as an application of aiohttp."""
        app = web.Application(client_max_size=2**30, middlewares=[self._middleware()])
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files", self._list_files)
        app.router.add_get("/v1/files/{id}", self._show_file)
        app.router.add_delete("/v1/files/{id}", self._delete_file)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list_batches)
        app.router.add_get("/v1/batches/{id}", self._retrieve)
        app.router.add_post("/v1/batches/{id}/cancel", self._cancel)
        app.router.add_post("/v1/chat/completions", self._direct)
        return app

    def _middleware(self) -> Any:
        @web.middleware
        async def check(request: web.Request, handler: Any) -> web.StreamResponse:
            self.requests.append(f"{request.method} {request.path}")
            self.headers.append(dict(request.headers))
            number = len(self.requests)
            if self.interfere is not None:
                instead = await self.interfere(number, request)
                if instead is not None:
                    return instead
            if request.headers.get("Authorization") != f"Bearer {self.key}":
                return refusal(401, "Incorrect API key provided.", "invalid_api_key")
            response: web.StreamResponse = await handler(request)
            return response

        return check

    # --- files -----------------------------------------------------------------------------------

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, web.FileField) or purpose != "batch":
            return refusal(400, "'file' and 'purpose' are required.", "missing_required_parameter")
        id = f"file-{next(self._numbers):04d}"
        self.files[id] = file.filename, "batch", file.file.read()
        return web.json_response(self._file(id))

    def _file(self, id: str) -> dict[str, Any]:
        name, purpose, content = self.files[id]
        return {
            "id": id,
            "object": "file",
            "bytes": len(content),
            "created_at": 1,
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }

    async def _list_files(self, request: web.Request) -> web.StreamResponse:
        purpose = request.query.get("purpose")
        ids = [id for id in self.files if purpose in (None, self.files[id][1])]
        return page(request, [self._file(id) for id in reversed(ids)])

    async def _show_file(self, request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        return web.json_response(self._file(id)) if id in self.files else missing("file", id)

    async def _delete_file(self, request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        if self.files.pop(id, None) is None:
            return missing("file", id)
        return web.json_response({"id": id, "object": "file", "deleted": True})

    async def _content(self, request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        if id not in self.files:
            return missing("file", id)
        return web.Response(body=self.files[id][2], content_type="application/octet-stream")

    # --- batches ---------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        file = body.get("input_file_id")
        if file not in self.files:
            return refusal(400, f"Invalid 'input_file_id': {file!r}.", "invalid_value")
        if body.get("completion_window") != "24h":
            return refusal(400, "Invalid 'completion_window'.", "invalid_value")
        number = len(self.batches)
        batch = Batch(
            id=f"batch_{next(self._numbers):04d}",
            input_file=file,
            endpoint=body.get("endpoint", ""),
            window="24h",
            metadata=body.get("metadata") or {},
            fate=self.fates[number] if number < len(self.fates) else "completed",
            created_at=number,
            lines=[],
        )
        batch.errors = self._validate(batch, self.files[file][2])
        self.batches[batch.id] = batch
        return web.json_response(batch.to_json())

    def _validate(self, batch: Batch, content: bytes) -> list[dict[str, Any]]:
        errors: list[dict[str, Any]] = []
        seen: set[str] = set()
        models: set[str] = set()

        def blame(line: int | None, code: str, message: str) -> None:
            errors.append({"code": code, "message": message, "line": line, "param": None})

        for number, raw in enumerate(content.splitlines(), start=1):
            try:
                line = json.loads(raw)
            except ValueError:
                blame(number, "invalid_json_line", "This line is not parseable as valid JSON.")
                continue
            id = str(line.get("custom_id", ""))
            if not 0 < len(id) <= 64 or id in seen:
                blame(number, "invalid_custom_id", f"The custom_id {id!r} is missing or not new.")
            if line.get("method") != "POST" or line.get("url") != batch.endpoint:
                blame(number, "mismatched_endpoint", "The url does not match the endpoint.")
            seen.add(id)
            models.add(line.get("body", {}).get("model", ""))
            batch.lines.append(line)
        if not batch.lines:
            blame(None, "empty_file", "The input file is empty.")
        if len(models) > 1:
            blame(None, "mismatched_model", "All requests must use one model.")
        if len(batch.lines) > self.most_requests:
            blame(
                None,
                "token_limit_exceeded",
                "Enqueued token limit reached for batched. Please try again once some in_progress "
                "batches have been completed.",
            )
        if batch.fate == "failed" and not errors:
            blame(1, "invalid_request", "The file is not to our taste.")
        return errors

    async def _list_batches(self, request: web.Request) -> web.StreamResponse:
        return page(request, [batch.to_json() for batch in reversed(self.batches.values())])

    async def _retrieve(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return missing("batch", request.match_info["id"])
        self._advance(batch)
        return web.json_response(batch.to_json())

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return missing("batch", request.match_info["id"])
        if batch.status in FATES:
            return refusal(409, f"Cannot cancel a batch with status {batch.status!r}.", "conflict")
        batch.status, batch.fate = "cancelling", "cancelled"
        return web.json_response(batch.to_json())

    def _advance(self, batch: Batch) -> None:
        match batch.status:
            case "validating":
                batch.status = "failed" if batch.errors else "in_progress"
            case "in_progress":
                self._polled[batch.id] += 1
                batch.completed = min(len(batch.lines), self._polled[batch.id])
                if self._polled[batch.id] >= self.polls:
                    batch.status = "finalizing"
            case "finalizing" | "cancelling":
                self._execute(batch)
                batch.status = batch.fate

    def _execute(self, batch: Batch) -> None:
        whole = batch.fate == "completed"
        share = len(batch.lines) if whole else int(len(batch.lines) * self.share)
        outcomes: list[tuple[dict[str, Any], Row]] = []
        for number, line in enumerate(batch.lines):
            if number >= share:
                row = Row(EXPIRED, None, f"batch_{batch.fate}")
            else:
                answer = self.answer(line["body"])
                row = Row(completion(answer)) if isinstance(answer, str) else answer
                if row.status == 200:
                    self.answered[json.dumps(line["body"], sort_keys=True)] += 1
            outcomes.append((line, row))
        self._order.shuffle(outcomes)
        good = [written(line, row) for line, row in outcomes if row.status == 200]
        bad = [written(line, row) for line, row in outcomes if row.status != 200]
        batch.completed, batch.failed = len(good), len(bad)
        batch.output_file = self._store(batch, "output", good)
        batch.error_file = self._store(batch, "error", bad)

    def _store(self, batch: Batch, what: str, lines: list[bytes]) -> str | None:
        if not lines:
            return None
        id = f"file-{next(self._numbers):04d}"
        self.files[id] = f"{batch.id}_{what}.jsonl", "batch_output", b"".join(lines)
        return id

    async def _direct(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = self.answer(body)
        row = Row(completion(answer)) if isinstance(answer, str) else answer
        self.answered[json.dumps(body, sort_keys=True)] += row.status == 200
        return web.json_response(row.body, status=row.status or 500)


@contextmanager
def serve(endpoint: BatchEndpoint) -> Iterator[str]:
    """Serve from a thread of its own; yields the base URL."""
    ready: Future[str] = Future()
    ended = threading.Event()

    async def work() -> None:
        runner = web.AppRunner(endpoint.application(), access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        await asyncio.to_thread(ended.wait)
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        yield ready.result(timeout=30)
    finally:
        ended.set()
        thread.join()
