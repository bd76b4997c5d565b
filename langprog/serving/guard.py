"""What every request passes: who may ask, whether the server is stopping, and counting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langprog.serving.keys import Keys
from langprog.serving.metrics import Metrics
from langprog.serving.refusals import Refusal
from langprog.serving.requests import encode_json, id_of

# What load balancers and people without a key may ask for; it tells nothing.
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/playground"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


@dataclass
class Exchange:
    """What is known about a request while it is answered.

    Args:
        id: The request's id.
        program: The name of the program that it is about, once that is known to exist.
        digest: The digest of the artifact that answers.
    """

    id: str
    program: str = ""
    digest: str = ""
    started: float = field(default_factory=time.perf_counter)


@dataclass
class Access:
    """Who may ask.

    Args:
        keys: The keys for programs.
        admin: The keys for administration, which may do everything; without any, nobody may.
        hosts: Names by which the server may be addressed; ``None`` for all. It keeps pages of
            other sites from reaching a server on this machine under a name of their own.
    """

    keys: Keys = field(default_factory=Keys)
    admin: Keys = field(default_factory=Keys)
    hosts: frozenset[str] | None = None

    def check(self, path: str, headers: Headers) -> None:
        """Check that a request may be made.

        Raises:
            Refusal: It may not.
        """
        host = headers.get("host", "").lower()
        name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        if self.hosts is not None and name not in self.hosts:
            raise Refusal(421, "misdirected", "this server is not known by that host name")
        if path in OPEN_PATHS:
            return
        key = _key_in(headers)
        if self.admin and self.admin.accept(key):
            return
        if path.startswith("/admin/"):
            if not self.admin:
                raise Refusal(404, "not_found", "there is no such address")
        elif self.keys.accept(key):
            return
        raise Refusal(401, "unauthorized", "give a valid key: Authorization: Bearer KEY")


def _key_in(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return headers.get("x-api-key")


@dataclass
class Phase:
    """How far a server is with stopping.

    Args:
        ready: Whether it wants requests; if not, load balancers and connections move on.
        open: Whether it takes new work.
    """

    ready: bool = True
    open: bool = True


class Guard:
    """Checks, counts and labels every request.

    Args:
        app: The application.
        access: Who may ask.
        metrics: Where requests are counted.
        phase: How far the server is with stopping.
    """

    def __init__(self, app: ASGIApp, access: Access, metrics: Metrics, phase: Phase) -> None:
        self._app, self._access, self._metrics = app, access, metrics
        self._phase = phase
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = scope["exchange"] = Exchange(id_of(headers.get("x-request-id")))
        status = 499  # the client left before there was an answer

        async def send_labelled(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._label(message, exchange)
            await send(message)

        self._count_in_flight(1)
        try:
            try:
                self._access.check(scope["path"], headers)
                if not self._phase.open and scope["method"] == "POST":
                    message = "the server is stopping; ask again"
                    raise Refusal(503, "draining", message, retry_after=1.0)
            except Refusal as refusal:
                await refuse(refusal, exchange)(scope, receive, send_labelled)
            else:
                await self._app(scope, receive, send_labelled)
        finally:
            self._count_in_flight(-1)
            self._count(exchange, status)

    def _label(self, message: Message, exchange: Exchange) -> None:
        headers = MutableHeaders(scope=message)
        headers["x-request-id"] = exchange.id
        headers["x-content-type-options"] = "nosniff"
        headers.setdefault("cache-control", "no-store")
        if not self._phase.ready:
            headers["connection"] = "close"

    def _count_in_flight(self, change: int) -> None:
        self._in_flight += change
        self._metrics.set("langprog_in_flight", "Requests being answered.", self._in_flight)

    def _count(self, exchange: Exchange, status: int) -> None:
        if not exchange.program:
            labels = {"program": "", "digest": "", "status": str(status)}
        else:
            about = {"program": exchange.program, "digest": exchange.digest}
            labels = {**about, "status": str(status)}
            self._metrics.observe(time.perf_counter() - exchange.started, **about)
        self._metrics.add("langprog_requests_total", "Requests by outcome.", 1, **labels)


def refuse(refusal: Refusal, exchange: Exchange) -> Response:
    """Return the response to a request that is not answered."""
    headers = refusal.headers()
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    if refusal.status in (408, 413):
        headers["connection"] = "close"  # the rest of the body is not read
    content = encode_json(refusal.to_json(exchange.id))
    return Response(content, refusal.status, headers, "application/json")
