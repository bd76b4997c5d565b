"""What the tests of the server share: a model that can be held up, artifacts, a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp

import langprog as lp
from langprog.artifact import read_artifact
from langprog.errors import ServerError
from langprog.lm import Completion, Request, Sampling, Usage
from langprog.serving import Application, Limits, Loaded, ProgramServer, Service, Trial


class Triage(lp.Signature):
    """Route the ticket to its team."""

    ticket: str = lp.Input("what the customer wrote")
    urgency: int = lp.Input("from 1 to 5", ge=1, le=5, default=3)
    calm: bool = lp.Input("whether the customer is calm", default=True)
    team: Literal["billing", "network"] = lp.Output("the team")
    words: list[str] = lp.Output("words that decided")


class Model:
    """Answers by the ticket's words; holds up those that say so, and knows who was cancelled."""

    name = "test/model"
    endpoint = "in-process"
    defaults = Sampling()

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked, self.cancelled = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.prompts: list[str] = []
        self._held: dict[str, asyncio.Event] = {}

    def hold_up(self, instruction: str) -> asyncio.Event:
        """Hold up the prompts with an instruction until the event is set."""
        return self._held.setdefault(instruction, asyncio.Event())

    async def complete(self, request: Request) -> Completion:
        prompt = " ".join(str(each.content) for each in request.messages if each.role == "user")
        self.prompts.append("\n".join(str(message.content) for message in request.messages))
        self.asked.release()
        for instruction, event in self._held.items():
            if instruction in self.prompts[-1]:
                await event.wait()
        if "wait" in prompt:
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                self.cancelled.release()
                raise
        if "outage" in prompt:
            raise ServerError("503 from http://10.0.0.7:8000 with key sk-abcdefghij0123456789xyz")
        if "bug" in prompt:
            raise ZeroDivisionError("secret detail")
        if "unreadable" in prompt:
            text = "I would rather not."
        else:
            # An instruction may change the answer.
            known = "charge" in prompt or ("refund" in prompt and "Refunds." in self.prompts[-1])
            team = "billing" if known else "network"
            words = ["x" * 12_000_000] if "long" in prompt else ["down", "now"]
            text = f"[[team]]\n{team}\n\n[[words]]\n{json.dumps(words)}"
        usage = Usage(30, 10)
        return Completion((text,), self.name, usage, ("stop",))

    async def aclose(self) -> None:
        pass


def save(path: Path, instruction: str = "Route the ticket.", program: Any = None) -> Path:
    """Write an artifact as a whole, as a compile does."""
    made = program or lp.Predict(Triage, model="test/model")
    name = next(key for key in made.parameters() if key.endswith("instruction"))
    fresh = path.with_suffix(".new")
    lp.save(made.with_parameters({name: instruction}), fresh)
    fresh.replace(path)
    return path


@dataclass
class Running:
    """A running server, its model and a client."""

    app: Application
    server: ProgramServer
    model: Model
    client: aiohttp.ClientSession
    log: list[str] = field(default_factory=list)

    async def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send JSON (or bytes as they are) and return the status and what came back."""
        raw = {"data": body} if isinstance(body, bytes) else {"json": body}
        given = {"content-type": "application/json", **(headers or {})}
        url = f"{self.server.base_url}{path}"
        async with self.client.post(url, headers=given, **raw) as reply:
            text = await reply.text()
            plain = reply.content_type == "application/json"
            return reply.status, (await reply.json() if plain else text)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        url = f"{self.server.base_url}{path}"
        async with self.client.get(url, headers=headers) as reply:
            plain = reply.content_type == "application/json"
            return reply.status, (await reply.json() if plain else await reply.text())


@asynccontextmanager
async def running(
    path: Path, *, trial: Trial | None = None, limits: Limits | None = None, **options: Any
) -> AsyncIterator[Running]:
    """Serve an artifact as ``triage``."""
    model, log = Model(), list[str]()

    def load(file: Path) -> Loaded:
        artifact = read_artifact(file)
        return Loaded(artifact.program(models={"test/model": model}), artifact.digest)

    hosts = options.pop("media_hosts", frozenset())
    service = Service("triage", path, load, trial=trial, media_hosts=hosts)
    app = Application([service], limits=limits, log=log.append, **options)
    async with (
        ProgramServer(app, watch=False) as server,
        aiohttp.ClientSession() as client,
    ):
        yield Running(app, server, model, client, log)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, which hangs for a minute at most."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())
