"""The programs behind HTTP: routes, and what is swapped while they are used."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from langprog.errors import InputError, LangprogError
from langprog.lm import Budget, LanguageModel
from langprog.serving.calls import Calls, ClientGone
from langprog.serving.endpoints import Endpoint, ProgramEndpoints, exchange_of
from langprog.serving.guard import Access, Guard, Phase, refuse
from langprog.serving.limits import Limits
from langprog.serving.metrics import Metrics
from langprog.serving.openapi import openapi_document
from langprog.serving.playground import playground_page
from langprog.serving.refusals import KINDS, Refusal, refusal_of
from langprog.serving.requests import encode_json
from langprog.serving.service import Service, Swap

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Artifacts that were replaced and whose figures are still told.
REPLACED = 20
Log = Callable[[str], None]


class Application:
    """The programs behind HTTP, as an ASGI application.

    Args:
        services: What is served, by unique names.
        limits: The limits.
        access: Who may ask.
        lm: Model for modules that name none.
        budget: A cap on all calls together.
        traces: Whether a client may see the steps of its requests.
        playground: Whether there is a page for people, at ``/playground``.
        log: Told, a line each, what went wrong and what was swapped.

    Raises:
        InputError: There is no service, or a name is taken twice or cannot stand in an address.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        limits: Limits | None = None,
        access: Access | None = None,
        lm: LanguageModel | str | None = None,
        budget: Budget | None = None,
        traces: bool = False,
        playground: bool = False,
        log: Log = lambda line: None,
    ) -> None:
        self.services = _by_name(services)
        self.limits, self.access = limits or Limits(), access or Access()
        self.metrics = Metrics()
        self.calls = Calls(self.limits, self.metrics, log, lm, budget)
        self.endpoints = ProgramEndpoints(self.services, self.calls, traces=traces)
        self.phase = Phase()
        self._replaced: deque[str] = deque()
        self._page = playground_page() if playground else None
        self.log = log
        guard = Middleware(Guard, access=self.access, metrics=self.metrics, phase=self.phase)
        self._app = Starlette(
            routes=self._routes(),
            middleware=[guard],
            exception_handlers={
                HTTPException: _refuse_route,
                LangprogError: _refuse_ours,
                ClientGone: _leave,
                ClientDisconnect: _leave,
                Exception: _refuse_ours,
            },
        )

    def _routes(self) -> list[Route]:
        programs = self.endpoints
        page = [] if self._page is None else [Route("/playground", self._show_page)]
        return [
            *page,
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
            Route("/programs", self._list),
            Route("/programs/{name}", Endpoint(programs.run), methods=["POST"]),
            Route("/programs/{name}/stream", Endpoint(programs.stream), methods=["POST"]),
            Route("/programs/{name}/batch", Endpoint(programs.batch), methods=["POST"]),
            Route("/programs/{name}/feedback", Endpoint(programs.feedback), methods=["POST"]),
            Route("/admin/reload", self._reload, methods=["POST"]),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    @property
    def has_page(self) -> bool:
        """Whether there is a page for people."""
        return self._page is not None

    async def reload(self, *, always: bool = True) -> list[Swap]:
        """Look at all artifact files again; see :meth:`Service.reload`."""
        swaps = []
        for service in self.services.values():
            swaps += await service.reload(always=always)
        for swap in swaps:
            if swap.refused:
                self.log(f"{swap.name}: the new {swap.role} artifact is refused: {swap.refused}")
            elif swap.changed:
                self._replace(swap.before)
                self.log(f"{swap.name}: serves the {swap.role} artifact {swap.digest} now")
            result = "refused" if swap.refused else "swapped" if swap.changed else "same"
            about = {"program": swap.name, "role": swap.role, "result": result}
            self.metrics.add("langprog_reloads_total", "Reloads of artifacts.", 1, **about)
        return swaps

    def _replace(self, digest: str) -> None:
        self._replaced.append(digest)
        if len(self._replaced) > REPLACED:
            oldest = self._replaced.popleft()
            served = [
                deployment.digest
                for service in self.services.values()
                for deployment in service.deployments.values()
            ]
            if oldest not in served and oldest not in self._replaced:
                self.metrics.forget(oldest)

    async def close(self) -> None:
        """Cancel what runs in the background."""
        self.calls.stop()
        await self.endpoints.trials.close()

    # --- about the server ---

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        if not self.phase.ready:
            raise Refusal(503, "draining", "the server is stopping", retry_after=1.0)
        return _json({"status": "ready"})

    async def _metrics(self, request: Request) -> Response:
        running, held = self.calls.running, self.calls.admission.count
        self.metrics.set("langprog_running", "Calls of programs that run.", running)
        self.metrics.set("langprog_held", "Requests that run or wait.", held)
        for service in self.services.values():
            service.publish(self.metrics)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(self.metrics.render(), headers={"content-type": kind})

    async def _openapi(self, request: Request) -> Response:
        services = self.services.values()
        return _json(openapi_document(services, keys=bool(self.access.keys)))

    async def _list(self, request: Request) -> Response:
        return _json({"programs": [service.to_json() for service in self.services.values()]})

    async def _show_page(self, request: Request) -> Response:
        assert self._page is not None
        return Response(self._page.content, headers=self._page.headers)

    async def _reload(self, request: Request) -> Response:
        swaps = await self.reload()
        refused = any(swap.refused for swap in swaps)
        return _json({"swaps": [asdict(swap) for swap in swaps]}, 409 if refused else 200)


def _by_name(services: Sequence[Service]) -> Mapping[str, Service]:
    if not services:
        raise InputError("a server needs at least one program")
    named: dict[str, Service] = {}
    for service in services:
        if not NAME.fullmatch(service.name):
            raise InputError(
                f"{service.name!r:.80} cannot stand in an address: use letters, digits, _, - and "
                "., or name the program, NAME=FILE"
            )
        if named.setdefault(service.name, service) is not service:
            raise InputError(f"two programs are named {service.name!r}: name one, NAME=FILE")
    return MappingProxyType(named)


def _json(content: object, status: int = 200) -> Response:
    return Response(encode_json(content), status, media_type="application/json")


async def _refuse_ours(request: Request, error: Exception) -> Response:
    return refuse(refusal_of(error), exchange_of(request))


async def _refuse_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "there is no such address", 405: "the method is not allowed here"}
    refusal = Refusal(status, KINDS.get(status, "bad_request"), said.get(status, "bad request"))
    response = refuse(refusal, exchange_of(request))
    headers = error.headers if isinstance(error, HTTPException) else None
    response.headers.update(headers or {})
    return response


async def _leave(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it
